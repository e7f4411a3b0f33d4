"""Gradient: for every op, with a random upstream gradient, `<gradient, v>` is the slope along v by finite differences.

Several directions at each drawn point, in double precision. The gradient has the shape and the dtype of its leaf
whatever it is mixed with, and a sum of outputs has the sum of their gradients.
"""

import numpy as np
import pytest
from draws import generators
from hypothesis import strategies as st
from laws import as_list, assert_near, constants, floats, host, inner, leaves, like, over, slope, wanted
from op_table import SMOOTH

import tinygrad_seq as ts


@over(SMOOTH)
def test_gradient_is_the_slope(row, data):
    case, rng = data.draw(row.cases), data.draw(generators)
    tensors = leaves(case.arrays)
    outputs = as_list(row.function(*tensors, **case.static))
    upstream = like(rng, host(outputs))
    gradients = host(ts.grad(outputs, wanted(tensors), upstream))

    def value(arrays):
        return inner(upstream, host(row.function(*constants(arrays), **case.static)))

    for _ in range(3):
        direction = like(rng, case.arrays)
        ours = inner(gradients, [v for v in direction if floats(v)])
        assert ours == pytest.approx(slope(value, case.arrays, direction), rel=1e-6, abs=1e-6)


@over(SMOOTH)
def test_a_gradient_has_the_shape_and_dtype_of_its_leaf(row, data):
    case, rng = data.draw(row.cases), data.draw(generators)
    kinds = [data.draw(st.sampled_from([np.float32, np.float64])) if floats(a) else a.dtype for a in case.arrays]
    tensors = leaves([array.astype(kind) for array, kind in zip(case.arrays, kinds, strict=True)])
    outputs = as_list(row.function(*tensors, **case.static))
    upstream = [ts.tensor(u, dtype=output.dtype) for u, output in zip(like(rng, host(outputs)), outputs, strict=True)]
    for recorded in (True, False):
        gradients = ts.grad(outputs, wanted(tensors), upstream, create_graph=recorded)
        for leaf, gradient in zip(wanted(tensors), gradients, strict=True):
            assert (gradient.shape, gradient.dtype) == (leaf.shape, leaf.dtype)


@over(SMOOTH)
def test_backward_adds_what_grad_returns(row, data):
    case, rng = data.draw(row.cases), data.draw(generators)
    tensors = leaves(case.arrays)
    outputs = as_list(row.function(*tensors, **case.static))
    upstream = like(rng, host(outputs))
    gradients = host(ts.grad(outputs, wanted(tensors), upstream, retain_graph=True))
    recorded = data.draw(st.booleans(), label="create_graph")
    for _ in range(2):
        for output, u in zip(outputs, upstream, strict=True):
            output.backward(u, retain_graph=True, create_graph=recorded)
    assert_near([leaf.grad.numpy() for leaf in wanted(tensors)], [2.0 * g for g in gradients])
