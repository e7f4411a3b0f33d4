"""One text, two speeds: a rule run on raw arrays and the same rule recorded give the same bits.

Both walks add contributions in the same order, so not even the last place may differ. Where nothing that the gradient
depends on requires a gradient, the recorded walk leaves no node behind; the raw walk never does.
"""

from draws import generators
from laws import as_list, assert_same, host, leaves, like, over, wanted
from op_table import SMOOTH

import tinygrad_seq as ts


@over(SMOOTH)
def test_raw_and_recorded_agree_bit_for_bit(row, data):
    case, rng = data.draw(row.cases), data.draw(generators)
    tensors = leaves(case.arrays)
    outputs = as_list(row.function(*tensors, **case.static))
    upstream = like(rng, host(outputs))
    recorded = ts.grad(outputs, wanted(tensors), upstream, create_graph=True)
    raw = ts.grad(outputs, wanted(tensors), upstream)
    assert_same(host(raw), host(recorded))
    assert all(gradient.node is None for gradient in raw)


@over([row for row in SMOOTH if row.linear])
def test_the_gradient_of_a_linear_op_has_no_history(row, data):
    case, rng = data.draw(row.cases), data.draw(generators)
    tensors = leaves(case.arrays)
    outputs = as_list(row.function(*tensors, **case.static))
    recorded = ts.grad(outputs, wanted(tensors), like(rng, host(outputs)), create_graph=True)
    assert not any(gradient.requires_grad for gradient in recorded)
