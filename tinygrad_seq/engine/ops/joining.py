"""Ops of many inputs or many outputs; each pair is each other's gradient: concatenate and split, stack and unstack."""

from functools import lru_cache
from itertools import accumulate
from typing import Any

from tinygrad_seq.engine.primitive import primitive


@primitive
def concatenate(xp: Any, *pieces: Any, axis: int) -> Any:
    """Return the pieces one after another along an axis they have."""
    return xp.concatenate(pieces, axis)

@lru_cache(maxsize=256)
def cuts(sizes: tuple[int, ...], axis: int) -> list[tuple[slice, ...]]:
    """Return the indices of the pieces into which sizes cut an axis."""
    return [(slice(None),) * axis + (slice(end - size, end),) for end, size in zip(accumulate(sizes), sizes)]

@primitive
def split(xp: Any, x: Any, *, sizes: tuple[int, ...], axis: int) -> Any:
    """Cut an axis into pieces of these sizes (views)."""
    return [x[cut] for cut in cuts(sizes, axis)]
concatenate.joint_vjp(lambda g, _y, *pieces, axis: split(g, sizes=tuple(p.shape[axis] for p in pieces), axis=axis))
split.vjps(lambda gs, _ys, _x, sizes, axis: concatenate(*gs, axis=axis))

@primitive
def stack(xp: Any, *pieces: Any, axis: int) -> Any:
    """Return the pieces side by side along a new axis: the outputs of T steps become (T, ...)."""
    return xp.stack(pieces, axis)

@primitive
def unstack(xp: Any, x: Any, *, axis: int) -> Any:
    """Return the slices along an axis (views): a sequence becomes its T steps."""
    return list(xp.moveaxis(x, axis, 0) if axis else x)
stack.joint_vjp(lambda g, _y, *_pieces, axis: unstack(g, axis=axis))
unstack.vjps(lambda gs, _ys, _x, axis: stack(*gs, axis=axis))

@primitive
def pad(xp: Any, x: Any, *, widths: tuple[tuple[int, int], ...], value: float) -> Any:
    """Add borders of a constant: `widths` gives (before, after) for each axis."""
    return xp.pad(x, widths, constant_values=value) if widths else x

@primitive
def unpad(xp: Any, x: Any, *, widths: tuple[tuple[int, int], ...]) -> Any:
    """Cut the borders off."""
    return x[tuple(slice(before, n - after) for n, (before, after) in zip(x.shape, widths, strict=True))]
pad.vjps(lambda g, _y, _x, widths, value: unpad(g, widths=widths))
unpad.vjps(lambda g, _y, _x, widths: pad(g, widths=widths, value=0.0))
