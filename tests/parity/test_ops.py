"""Every op against PyTorch: values, gradients and the gradients of gradients, in double and in single precision.

The cases are the op table's own, and twins.py has the PyTorch spelling of each row: a row without one fails here, so
no op can be forgotten. Kinks and poles are in test_poles.py, the promotion of dtypes in test_promotion.py.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_table import ROWS

import tinygrad_seq as ts
from parity.oracle import filled, host, leaf, torch
from parity.twins import TWINS

seeds = st.integers(0, 2**32 - 1)


def as_list(outputs):
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def cases(test):
    """Run a test(row, data) for every row, on the cases that Hypothesis draws."""
    return pytest.mark.parametrize("row", ROWS, ids=str)(given(data=st.data())(test))


def both(row, data, dtype):
    """The leaves and the outputs, ours and PyTorch's."""
    case = data.draw(row.cases)
    arrays = [array.astype(dtype) if array.dtype.kind == "f" else array for array in case.arrays]
    ours, theirs = zip(*map(leaf, arrays), strict=True)
    outputs = as_list(row.function(*ours, **case.static)), as_list(TWINS[row.name](*theirs, **case.static))
    return [x for x in ours if x.requires_grad], [x for x in theirs if x.requires_grad], *outputs


def agree(found, expected, units):
    """The same shapes and dtypes, and values that differ by so many units in the last place of numbers near one."""
    for a, b in zip(map(host, found), map(host, expected), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        rounding = units * np.finfo(b.dtype).eps if b.dtype.kind == "f" else 0
        np.testing.assert_allclose(a, b, rtol=rounding, atol=rounding)


def cotangents(rng, outputs):
    """Random ones, which require gradients themselves."""
    return zip(*(leaf(rng.normal(size=y.shape).astype(y.dtype)) for y in outputs), strict=True)


def test_every_row_has_a_twin():
    assert {row.name for row in ROWS} == set(TWINS)


@cases
def test_single_precision_with_gradients(row, data):
    inputs, tinputs, outputs, toutputs = both(row, data, "float32")
    agree(outputs, toutputs, units=8)
    if row.smooth:
        us, tus = cotangents(np.random.default_rng(data.draw(seeds)), outputs)
        agree(ts.grad(outputs, inputs, us), torch.autograd.grad(toutputs, tinputs, tus), units=32)


@cases
def test_double_precision_with_gradients_of_gradients(row, data):
    """The second gradients are those of the first one's inner product with a random direction."""
    inputs, tinputs, outputs, toutputs = both(row, data, "float64")
    agree(outputs, toutputs, units=32)
    if row.smooth:
        rng = np.random.default_rng(data.draw(seeds))
        us, tus = cotangents(rng, outputs)
        first = ts.grad(outputs, inputs, us, create_graph=True)
        tfirst = torch.autograd.grad(toutputs, tinputs, tus, create_graph=True)
        agree(first, tfirst, units=128)
        ws = [rng.normal(size=g.shape) for g in first]
        second = ts.grad(first, [*inputs, *us], ws, allow_unused=True)
        varying = [(g, torch.tensor(w)) for g, w in zip(tfirst, ws, strict=True) if g.requires_grad]
        if varying:  # PyTorch's gradient of x**0 and of pieces without elements is a constant
            gs, tws = zip(*varying, strict=True)
            tsecond = torch.autograd.grad(gs, [*tinputs, *tus], tws, allow_unused=True)
            agree(filled(second, [*inputs, *us]), filled(tsecond, [*tinputs, *tus]), units=512)
