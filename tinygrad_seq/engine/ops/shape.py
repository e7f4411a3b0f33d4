"""Ops that only rearrange: most are their own, or each other's, gradient."""

from functools import lru_cache
from math import prod
from typing import Any

from tinygrad_seq.engine.backend import to_device
from tinygrad_seq.engine.primitive import primitive


@primitive
def reshape(xp: Any, x: Any, *, shape: tuple[int, ...]) -> Any:
    """Return the same elements in another shape; one axis may be -1."""
    return x.reshape(shape)
reshape.vjps(lambda g, _y, _x, shape: reshape(g, shape=_x.shape))

@primitive
def transpose(xp: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    """Return a view with the axes in another order."""
    return x.transpose(axes)
transpose.vjps(lambda g, _y, _x, axes: transpose(g, axes=inverse(axes)))


def inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the permutation that undoes another."""
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))

@primitive
def contiguous(xp: Any, x: Any) -> Any:
    """Return the array with its rows together in memory: a transposed weight made so once is faster in every step."""
    return xp.ascontiguousarray(x).reshape(x.shape)
contiguous.vjps(lambda g, _y, _x: g)

@primitive
def broadcast_to(xp: Any, x: Any, *, shape: tuple[int, ...]) -> Any:
    """Repeat along new axes and axes of length one."""
    return xp.broadcast_to(x, shape)

@lru_cache(maxsize=1024)
def repeated(wide: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes along which broadcasting to the wide shape repeats; refuse a shape that does not fit."""
    new = len(wide) - len(shape)
    if new < 0 or any(m not in (1, n) for m, n in zip(shape, wide[new:])):
        raise ValueError(f"{shape} does not broadcast to {wide}")
    return tuple(i for i, n in enumerate(wide) if i < new or (shape[i - new] == 1 != n))


block = 1024  # numbers that are added one after another


def total(x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Any:
    """Return the sum over the axes. Float16 is added up in float32: in float16, 1 + 1 + ... stops at 2048.

    Many numbers are added axis by axis, and along a long axis in blocks, whose sums are added then. NumPy adds one
    after another, which rounds each time, but for neighbours in memory: those along the last axis.
    """
    if x.dtype.char == "e":
        return total(x.astype("float32"), axis, keepdims).astype(x.dtype)
    if x.size <= block or x.ndim - 1 in axis or x.dtype.kind != "f" or prod([x.shape[i] for i in axis]) <= block:
        return x.sum(axis=axis, keepdims=keepdims)
    for i in axis:
        x = summed(x, i)
    return x if keepdims else x.reshape([n for i, n in enumerate(x.shape) if i not in axis])


def summed(x: Any, i: int) -> Any:
    """Return the sum over one axis, which stays, in blocks."""
    count, rest = divmod(x.shape[i], block)
    if count == 0 or (count == 1 and not rest):
        return x.sum(axis=i, keepdims=True)
    before, after = x.shape[:i], x.shape[i + 1 :]
    whole = (slice(None),) * i
    blocks = x[(*whole, slice(None, count * block))].reshape((*before, count, block, *after)).sum(axis=i + 1)
    result = summed(blocks, i)
    return result + x[(*whole, slice(count * block, None))].sum(axis=i, keepdims=True) if rest else result

@primitive
def sum_to(xp: Any, x: Any, *, shape: tuple[int, ...]) -> Any:
    """Sum over what broadcasting to x's shape repeated: the gradient of every broadcast, applied by the engine."""
    return total(x, repeated(x.shape, shape)).reshape(shape)
broadcast_to.vjps(lambda g, _y, _x, shape: sum_to(g, shape=_x.shape))
sum_to.vjps(lambda g, _y, _x, shape: broadcast_to(g, shape=_x.shape))

@primitive
def flip(xp: Any, x: Any, *, axis: tuple[int, ...]) -> Any:
    """Reverse the order along these axes: how a backward direction reads its sequence."""
    return xp.flip(x, axis)
flip.vjps(lambda g, _y, _x, axis: flip(g, axis=axis))

@primitive
def cast(xp: Any, x: Any, *, dtype: Any) -> Any:
    """Return the same numbers in another dtype; a gradient goes through floating ones."""
    return x.astype(dtype)
cast.vjps(lambda g, _y, _x, dtype: cast(g, dtype=_x.dtype))

@primitive
def transfer(xp: Any, x: Any, *, device: str, back: str) -> Any:
    """Return the same numbers on another device; the gradient goes the way back."""
    return to_device(x, device)
transfer.vjps(lambda g, _y, _x, device, back: transfer(g, device=back, back=device))
