"""Second order: the gradient, recorded, is a function like any other, and its gradient is its slope.

G(x, u) = <w, gradient of <u, f> at x>: differentiated again in x and in the upstream gradient u, along random
directions, against finite differences of the (raw) gradient.
"""

import numpy as np
import pytest
from draws import generators
from laws import as_list, constants, floats, host, inner, leaves, like, over, slope, wanted
from op_table import SMOOTH

import tinygrad_seq as ts


@over(SMOOTH)
def test_second_gradient_is_the_slope_of_the_first(row, data):
    case, rng = data.draw(row.cases), data.draw(generators)
    count = len(case.arrays)
    shapes = host(row.function(*constants(case.arrays), **case.static))
    upstream = like(rng, shapes)
    weights = like(rng, [array for array in case.arrays if floats(array)])

    def gradients(tensors, u, create_graph):
        outputs = as_list(row.function(*tensors, **case.static))
        return ts.grad(outputs, wanted(tensors), u, create_graph=create_graph)

    tensors, u = leaves(case.arrays), leaves(upstream)
    inputs = [*wanted(tensors), *u]
    first = gradients(tensors, u, create_graph=True)
    assert all(gradient.requires_grad for gradient in first)
    found = ts.grad(first, inputs, weights, allow_unused=True)
    second = [np.zeros(x.shape) if g is None else g.numpy() for x, g in zip(inputs, found, strict=True)]

    def value(arrays):
        return inner(weights, host(gradients(leaves(arrays[:count]), constants(arrays[count:]), create_graph=False)))

    at = [*case.arrays, *upstream]
    for _ in range(2):
        direction = like(rng, at)
        ours = inner(second, [v for v in direction if floats(v)])
        assert ours == pytest.approx(slope(value, at, direction), rel=1e-6, abs=1e-6)
