"""Ops that gather axes into one number: sum, the extremes, and the stable log of a sum of exponentials.

`axis` arrives as a tuple of non-negative ints; the public functions see to that.
"""

from typing import Any

from tinygrad_seq.engine.backend import quiet
from tinygrad_seq.engine.ops.elementwise import abs, exp, power, where
from tinygrad_seq.engine.ops.shape import broadcast_to, reshape, total
from tinygrad_seq.engine.primitive import primitive

Axes = tuple[int, ...]


def kept(x: Any, shape: tuple[int, ...], axis: Axes) -> Any:
    """Return a reduction's result (or its gradient) with the reduced axes back, as length one: ready to broadcast."""
    return reshape(x, shape=tuple(1 if i in axis else n for i, n in enumerate(shape)))

@primitive
def reduce_sum(xp: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:
    """Return the sum over the axes."""
    return total(x, axis, keepdims)
reduce_sum.vjps(lambda g, _y, _x, axis, keepdims: broadcast_to(kept(g, _x.shape, axis), shape=_x.shape))

@primitive
def reduce_max(xp: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:
    """Return the largest over the axes; ties share the gradient evenly."""
    return x.max(axis=axis, keepdims=keepdims)

@primitive
def reduce_min(xp: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:
    """Return the smallest over the axes; ties share the gradient evenly."""
    return x.min(axis=axis, keepdims=keepdims)


def extreme_rule(g: Any, y: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    share = ties(x, kept(y, x.shape, axis), axis=axis)
    return where(share, kept(g, x.shape, axis) * share, 0.0)
reduce_max.vjps(extreme_rule)
reduce_min.vjps(extreme_rule)

@primitive
def ties(xp: Any, x: Any, y: Any, *, axis: Axes) -> Any:
    """Return which elements are the extreme y, as shares that sum to one: constant but for jumps, so no gradient."""
    here = ((x == y) | ((x != x) & (y != y))).astype(x.dtype)  # where the extreme is NaN, the NaNs are it
    count = here.sum(axis=axis, keepdims=True, dtype=xp.result_type(x.dtype, "float32"))  # float16 stops at 2048
    return (here / count).astype(x.dtype, copy=False)

@primitive
def argmax(xp: Any, x: Any, *, axis: int | None) -> Any:
    """Return where the largest is: an index, so without gradient."""
    return x.argmax(axis=axis)


@primitive
def norm(xp: Any, x: Any, *, ord: float, axis: Axes, keepdims: bool) -> Any:
    """Return (sum |x|^ord)^(1/ord) over the axes. What is summed is at most 1, so that no power overflows."""
    size = xp.abs(x)
    if not x.size:
        return size.sum(axis=axis, keepdims=keepdims)
    top = size.max(axis=axis, keepdims=True)
    top = xp.where((top > 0) & xp.isfinite(top), top, 1)
    y = top * ((size / top) ** ord).sum(axis=axis, keepdims=True) ** (1 / ord)
    return y if keepdims else y.squeeze(axis)


def norm_rule(g: Any, y: Any, x: Any, ord: float, axis: Axes, keepdims: bool) -> Any:
    g, y = kept(g, x.shape, axis), kept(y, x.shape, axis)
    if ord == 1:
        return where(x > 0.0, g, where(x < 0.0, -g, 0.0))
    share = x / where(y == 0.0, 1.0, y)
    if ord == 2:
        return where(y == 0.0, 0.0, g) * share  # at 0 the gradient is 0, whatever comes in
    slope = g * power(where(x == 0.0, 1.0, abs(share)), ord - 1.0)
    return where(x == 0.0, 0.0, where(x > 0.0, slope, -slope))  # NaN stays NaN
norm.vjps(norm_rule)


def highest(xp: Any, x: Any, axis: Axes) -> Any:
    """Return the shift that keeps exponentials from overflowing: the largest, or 0 where that is infinite."""
    top = x.max(axis=axis, keepdims=True)
    return xp.where(xp.isfinite(top), top, 0)

@primitive
def logsumexp(xp: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:
    """Return log(sum(exp(x))) over the axes."""
    top = highest(xp, x, axis)
    with quiet(divide="ignore", over="ignore"):  # log 0 = -inf and e**inf = inf are the right answers
        y = top + xp.log(xp.exp(x - top).sum(axis=axis, keepdims=True))
    return y if keepdims else y.squeeze(axis)


def logsumexp_rule(g: Any, y: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    share = exp(x - kept(y, x.shape, axis))  # the softmax, but for the rounding of y, which is coarse far from 0
    total = reduce_sum(share, axis=axis, keepdims=True)
    return kept(g, x.shape, axis) * (share / where(total > 0.0, total, 1.0))  # NaN where y is infinite
logsumexp.vjps(logsumexp_rule)

@primitive
def log_softmax(xp: Any, x: Any, *, axis: Axes) -> Any:
    """Return x - logsumexp(x). The largest is subtracted first, so that the tails are accurate."""
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=axis, keepdims=True))
log_softmax.vjps(lambda g, y, _x, axis: g - exp(y) * reduce_sum(g, axis=axis, keepdims=True))
