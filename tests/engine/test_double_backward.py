"""Second order: the gradient, recorded, is a function like any other, and its gradient is its slope.

G(x, u) = <w, gradient of <u, f> at x>: differentiated again in x and in the upstream gradient u, along random
directions, against finite differences of the gradient.
"""

from laws import leaves, over
from op_table import SMOOTH

import tinygrad_seq as ts
from tinygrad_seq.testing import applied, second_gradient_is_the_slope


@over(SMOOTH)
def test_second_gradient_is_the_slope_of_the_first(row, data):
    second_gradient_is_the_slope(row.function, data.draw(row.cases))


@over(SMOOTH, share=2)
def test_every_gradient_depends_on_what_comes_in(row, data):
    inputs, outputs, upstream = applied(row.function, data.draw(row.cases))
    coming = [leaves([u], y.device)[0] for u, y in zip(upstream, outputs, strict=True)]
    first = ts.grad(outputs, inputs, coming, create_graph=True)
    assert all(gradient.requires_grad for gradient in first)
