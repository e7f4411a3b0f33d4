"""Kinks, ties, poles, infinities and NaN: values, gradients and second gradients are PyTorch's.

Where they are not, DIFFERENT says where and why, and the difference is asserted too. The sign of a zero result is not
compared. Every array of points is tried in double and in single precision.
"""

import operator
import warnings

import numpy as np
import pytest

import tinygrad_seq as ts
from parity.oracle import filled, host, leaf, torch

INF, NAN = np.inf, np.nan
POINTS = np.array([
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 20.0, -20.0, 100.0, -700.0, 1e4, -1e4, INF, -INF, NAN,
])  # fmt: skip
TINY = [1e-310, -1e-310, 1e-40, -1e-40]  # denormals of double, and of single, precision
FEW = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 3.0, 0.5, -0.5, INF, -INF, NAN, *TINY])
PAIRS = [grid.ravel() for grid in np.meshgrid(FEW, FEW)]
ROWS = {
    "one tie": [1.0, 1.0, 0.0], "all tied": [5.0, 5.0, 5.0], "zeros": [0.0, -0.0, 0.0], "far": [1e4, -1e4, 0.0],
    "far below": [-1e4, -1e4, -2e4], "NaN": [1.0, NAN, 2.0], "two NaN": [NAN, 1.0, NAN], "all NaN": [NAN] * 3,
    "masked": [-INF, 0.0, 1.0], "all masked": [-INF] * 3, "infinite": [INF, 0.0, 1.0], "two infinite": [INF, INF, 0.0],
    "both infinities": [INF, -INF, 0.0],
}  # fmt: skip


def at_zero_power(x, p):
    return ((x == 0) & (p >= 0)) | (p == 0)


def below_zero(x):
    return np.signbit(x) & ((x == 0) | np.isinf(x))


def in_a_row_with_nan(x):
    return np.broadcast_to(np.isnan(x).any(1, keepdims=True), x.shape)


def far_below(x):
    top = x.max(1, keepdims=True)
    return np.isfinite(x) & np.isfinite(top) & (top <= -1e4)


def row_of_zeros(x):
    return np.broadcast_to((x == 0).all(1, keepdims=True), x.shape)


def zero_beside_infinity(x):
    return (x == 0) & np.isinf(x).any(1, keepdims=True)


def infinite_mean(x):
    up, down = np.isposinf(x).any(1, keepdims=True), np.isneginf(x).any(1, keepdims=True)
    return np.isfinite(x) & (up ^ down)


# name -> (which results, where they differ, given the arrays). d0 is the gradient for the first argument, d01 the
# gradient of that for the second.
DIFFERENT = {
    # PyTorch guards the result of x**p, so its second gradients are NaN where its first is guarded; ours are numbers.
    # And it takes p * x**(p - 1) for constant where p is 0: ours has its slope in p, 1 / x.
    "pow": (["d00", "d01", "d10", "d11"], at_zero_power),
    "0.0 ** x": (["d00"], lambda x: x >= 0),
    # PyTorch takes sqrt and 1 / sqrt for these exponents, which part from the power at -0.0 and -inf.
    "x ** 0.5": (["d0"], below_zero),
    "x ** -0.5": (["value"], below_zero),
    "x ** 1.5": (["d00"], below_zero),
    # Where the largest is NaN, amax has 0 / 0 of the gradient for all: ours goes to the NaNs, as torch.max(x) has it.
    "max of a row": (["d0"], in_a_row_with_nan),
    "min of a row": (["d0"], in_a_row_with_nan),
    # The rounding of the sum itself, coarse far from 0, is in PyTorch's shares: ours sum to 1 there too.
    "logsumexp of a row": (["d0", "d00"], far_below),
    # Ours is a composite: what flows through the mean sums to 0 in exact numbers, and is NaN with infinite ones.
    "var of a row": (["d0"], infinite_mean),
    # The gradient at 0 is chosen to be 0, so its gradient is 0, too; PyTorch has 0 / 0 there, or 0 * inf.
    "norm 2 of a row": (["d00"], row_of_zeros),
    "norm 1.5 of a row": (["d00"], lambda x: x == 0),
    "norm 3 of a row": (["d00"], zero_beside_infinity),
}


def results(outputs, inputs, grad, ones):
    """The value, the gradients along ones, and the gradients of their sums."""
    first = grad(outputs, inputs, ones, create_graph=True)
    found = {"value": host(outputs), **{f"d{i}": host(g) for i, g in enumerate(first)}}
    for i, g in enumerate(first):
        second = [None] * len(inputs)
        if g.requires_grad:
            second = grad(g.sum(), inputs, retain_graph=True, allow_unused=True)
        found |= {f"d{i}{j}": s for j, s in enumerate(filled(second, inputs))}
    return found


def agree(name, function, twin, arrays):
    for dtype in ("float64", "float32"):
        points = [array.astype(dtype) for array in arrays]
        ours, theirs = zip(*map(leaf, points), strict=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy speaks up at poles, PyTorch does not
            y = function(*ours)
            found = results(y, ours, ts.grad, ts.tensor(np.ones(y.shape, y.dtype)))
        ty = twin(*theirs)
        expected = results(ty, theirs, torch.autograd.grad, torch.ones_like(ty))
        rounding = 16 * np.finfo(dtype).eps  # of numbers near one: at 20 the slope of sigmoid is what is left of it
        whiches, where = DIFFERENT.get(name, ([], None))
        for which, a in found.items():
            b = expected[which]
            excused = where(*points) if which in whiches else np.zeros(a.shape, bool)
            np.testing.assert_allclose(a[~excused], b[~excused], rtol=rounding, atol=rounding, err_msg=which)
            assert not excused.any() or not np.array_equal(a[excused], b[excused], equal_nan=True)


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "abs", "neg"])
def test_functions(name):
    agree(name, getattr(ts, name), getattr(torch, name), [POINTS])


@pytest.mark.parametrize("coming", [INF, -INF, NAN])
@pytest.mark.parametrize("name, twin", [
    *[(name, None) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "abs", "max", "min")],
    ("clip", lambda x: torch.clamp(x, -1.0, 1.0)), ("power 0", lambda x: x**0), ("power 2", lambda x: x**2),
    ("maximum", lambda x: torch.maximum(x, torch.tensor(1.0).double())),
])
def test_infinities_and_nan_that_come_in(name, twin, coming):
    """Both choose 0 or both multiply; but PyTorch multiplies by abs'(0), and our g - g y y for tanh is inf - inf."""
    of = {"clip": lambda x: ts.clip(x, -1.0, 1.0), "power 0": lambda x: x**0, "power 2": lambda x: x**2,
          "maximum": lambda x: ts.maximum(x, 1.0)}  # fmt: skip
    points = POINTS[np.isfinite(POINTS)] if name in ("max", "min") else POINTS
    x, tx = leaf(points)
    with np.errstate(all="ignore"):
        y, ty = of.get(name, getattr(ts, name, None))(x), (twin or getattr(torch, name))(tx)
        y.backward(np.full(y.shape, coming))
        ty.backward(torch.full_like(ty, coming))
    found, expected = host(x.grad), host(tx.grad)
    if name == "abs":
        kink = (points == 0) | np.isnan(points)
        assert not found[kink].any() and np.isnan(expected[kink]).all()
        found, expected = found[~kink], expected[~kink]
    if name == "tanh" and not np.isnan(coming):
        assert np.isnan(found).all() and not np.isnan(expected).all()
        return
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("low, high", [(-1.0, 1.0), (0.0, None), (None, 0.5), (2.0, 0.0), (1.0, 1.0), (-INF, INF)])
def test_clip(low, high):
    agree("clip", lambda x: ts.clip(x, low, high), lambda x: torch.clamp(x, low, high), [POINTS])


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "maximum", "minimum"])
def test_pairs(name):
    agree(name, getattr(ts, name), getattr(torch, name), PAIRS)


@pytest.mark.parametrize("p", [0, 1, 2, 3, -1, -2, 0.0, 1.0, 2.0, 0.5, -0.5, 1.5, INF, -INF, NAN])
def test_powers(p):
    agree(f"x ** {p!r}", lambda x: x**p, lambda x: x**p, [FEW])


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, -1.0, -2.0, 0.5, INF, -INF, NAN])
def test_exponentials(p):
    agree(f"{p!r} ** x", lambda x: p**x, lambda x: p**x, [FEW])


@pytest.mark.parametrize("name, of", [
    ("log", lambda xp, x: xp.where(x > 0.0, xp.log(x), 0.0)), ("sqrt", lambda xp, x: xp.where(x > 0.0, xp.sqrt(x), x)),
    ("quotient", lambda xp, x: xp.where(x == 0.0, x, 1.0 / x)),
])
def test_where_beside_a_pole(name, of):
    """What is not taken sends back 0 times an infinity or NaN: NaN here too. Guard the input instead."""
    agree(name, lambda x: of(ts, x), lambda x: of(torch, x), [FEW])


def test_where_of_infinities():
    condition = np.isfinite(PAIRS[0])
    agree("where", lambda x, y: ts.where(ts.tensor(condition), x, y),
          lambda x, y: torch.where(torch.tensor(condition), x, y), PAIRS)


REDUCTIONS = {
    "sum": (ts.sum, torch.sum), "mean": (ts.mean, torch.mean), "max": (ts.max, torch.amax), "min": (ts.min, torch.amin),
    "var": (ts.var, lambda x, axis: torch.var(x, axis, correction=0)), "logsumexp": (ts.logsumexp, torch.logsumexp),
    "softmax": (ts.softmax, torch.softmax), "log_softmax": (ts.log_softmax, torch.log_softmax),
    **{f"norm {ord}": (
        lambda x, axis, ord=ord: ts.norm(x, ord, axis), lambda x, axis, ord=ord: torch.linalg.vector_norm(x, ord, axis)
    ) for ord in (1, 2, 3, 1.5, INF, -INF)},
}  # fmt: skip


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("row", ROWS)
def test_rows(row, name):
    """Beside an ordinary row, whose results must not change."""
    ours, theirs = REDUCTIONS[name]
    both = np.array([ROWS[row], [0.0, 1.0, 3.0]])
    agree(f"{name} of a row", lambda x: ours(x, axis=1), lambda x: theirs(x, 1), [both])


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("row", ROWS)
def test_extremes_of_all(row, name):
    agree(name, getattr(ts, name), getattr(torch, name), [np.array([ROWS[row], [0.0, 1.0, 3.0]])])


@pytest.mark.parametrize("row", ROWS)
def test_argmax(row):
    both = np.array([ROWS[row], [0.0, 1.0, 3.0]])
    assert ts.argmax(ts.tensor(both), axis=1).tolist() == torch.argmax(torch.tensor(both), 1).tolist()
    assert ts.argmax(ts.tensor(both)).item() == torch.argmax(torch.tensor(both)).item()


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons(name):
    of = getattr(operator, name)
    (x, tx), (y, ty) = map(leaf, PAIRS)
    assert of(x, y).tolist() == of(tx, ty).tolist()
