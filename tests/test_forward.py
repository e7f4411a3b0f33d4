"""Forward: every op computes what NumPy computes, in value, shape and dtype, for single and double precision.

The same op called with raw arrays and no Tensor just computes, and its result is raw and the same; a method is its
function. In single precision the reference is computed in double, from the same numbers.
"""

import numpy as np
import pytest
from laws import as_list, assert_near, assert_same, constants, floats, host, leaves, over
from op_table import ROWS

import tinygrad_seq as ts


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@over(ROWS)
def test_forward_is_numpys(row, data, dtype):
    case = data.draw(row.cases)
    arrays = [array.astype(dtype) if floats(array) else array for array in case.arrays]
    outputs = host(row.function(*constants(arrays), **case.static))
    expected = as_list(row.reference(*arrays, **case.static))
    assert [(a.shape, a.dtype) for a in outputs] == [(np.shape(a), np.asarray(a).dtype) for a in expected]
    exact = as_list(row.reference(*[a.astype(np.float64) if floats(a) else a for a in arrays], **case.static))
    for a, b in zip(outputs, exact, strict=True):
        assert_near([a], [b], dtype) if floats(a) else np.testing.assert_array_equal(a, b)


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


@over(ROWS)
def test_arguments_are_left_alone(row, data):
    case = data.draw(row.cases)
    before = [array.copy() for array in case.arrays]
    tensors = constants(case.arrays)
    outputs = as_list(row.function(*tensors, **case.static))
    assert_same(host(tensors), before)
    assert all(not output.numpy().flags.writeable for output in outputs)
