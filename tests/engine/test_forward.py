"""Forward: every op computes what NumPy computes, in value, shape and dtype, for single and double precision.

The same op called with raw arrays and no Tensor just computes, and its result is raw and the same; a method is its
function. In single precision the reference is computed in double, from the same numbers.
"""

from laws import as_list, assert_same, constants, host, leaves, over
from op_table import ROWS

import tinygrad_seq as ts
from tinygrad_seq.testing import values_match


@over(ROWS)
def test_forward_is_numpys(row, data):
    values_match(row.function, data.draw(row.cases), row.reference)


@over(ROWS)
def test_recording_changes_no_value(row, data):
    case = data.draw(row.cases)
    recorded = as_list(row.function(*leaves(case.arrays), **case.static))
    assert all(output.requires_grad == row.smooth for output in recorded if row.smooth)
    assert_same(host(recorded), host(row.function(*constants(case.arrays), **case.static)))


@over([row for row in ROWS if row.name != "one_hot"])  # which makes a Tensor of ids, as ts.tensor does
def test_raw_arrays_give_raw_results(row, data):
    case = data.draw(row.cases)
    raw = as_list(row.function(*case.arrays, **case.static))
    assert not any(isinstance(output, ts.Tensor) for output in raw)
    assert_same(raw, host(row.function(*constants(case.arrays), **case.static)))


@over([row for row in ROWS if row.method])
def test_a_method_is_its_function(row, data):
    case = data.draw(row.cases)
    first, *rest = constants(case.arrays)
    outputs = getattr(first, row.name.split()[0])(*rest, **case.static)
    assert_same(host(outputs), host(row.function(first, *rest, **case.static)))
