"""Gradient: for every op, with a random upstream gradient, `<gradient, v>` is the slope along v by finite differences.

Several directions at each drawn point, in double precision; and it is linear in the upstream gradient. It has the shape
and the dtype of its leaf whatever that is mixed with, and a sum of outputs has the sum of their gradients.
"""

import numpy as np
from draws import generators
from hypothesis import strategies as st
from laws import as_list, assert_near, floats, host, leaves, like, over, wanted
from op_table import SMOOTH

import tinygrad_seq as ts
from tinygrad_seq.testing import gradient_is_linear, gradient_is_the_slope


@over(SMOOTH)
def test_gradient_is_the_slope(row, data):
    gradient_is_the_slope(row.function, data.draw(row.cases))


@over(SMOOTH)
def test_gradient_is_linear_in_what_comes_in(row, data):
    gradient_is_linear(row.function, data.draw(row.cases))


@over(SMOOTH, share=2)
def test_a_gradient_has_the_shape_and_dtype_of_its_leaf(row, data):
    case, rng = data.draw(row.cases), data.draw(generators)
    kinds = [data.draw(st.sampled_from([np.float32, np.float64])) if floats(a) else a.dtype for a in case.arrays]
    tensors = leaves([array.astype(kind) for array, kind in zip(case.arrays, kinds, strict=True)])
    outputs = as_list(row.function(*tensors, **case.static))
    upstream = [ts.tensor(u, dtype=output.dtype, device=output.device)
                for u, output in zip(like(rng, host(outputs)), outputs, strict=True)]
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
