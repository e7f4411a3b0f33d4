"""One text, two speeds: a rule run on raw arrays and the same rule recorded give the same bits.

Both walks add contributions in the same order, so not even the last place may differ. Where nothing that the gradient
depends on requires a gradient, the recorded walk leaves no node behind; the raw walk never does.
"""

from laws import over
from op_table import SMOOTH

import tinygrad_seq as ts
from tinygrad_seq.testing import applied, recorded_is_raw


@over(SMOOTH)
def test_raw_and_recorded_agree_bit_for_bit(row, data):
    recorded_is_raw(row.function, data.draw(row.cases))


@over([row for row in SMOOTH if row.linear], share=2)
def test_the_gradient_of_a_linear_op_has_no_history(row, data):
    inputs, outputs, upstream = applied(row.function, data.draw(row.cases))
    recorded = ts.grad(outputs, inputs, upstream, create_graph=True)
    assert not any(gradient.requires_grad for gradient in recorded)
