"""Ops that pick and place: indexing, look-up by row, and their gradients, which add where they placed.

Reading `x[t]` at T steps must not cost T arrays of x's size. So the gradient of indexing and of look-up is a merged
rule: the walk keeps the pieces and hands them over together, and one `scatter` adds them into one buffer.
"""

from typing import Any, NamedTuple

from tinygrad_seq.engine.backend import sparse_products
from tinygrad_seq.engine.graph import Node, Value
from tinygrad_seq.engine.ops.joining import concatenate
from tinygrad_seq.engine.ops.shape import reshape
from tinygrad_seq.engine.primitive import primitive
from tinygrad_seq.engine.recording import make_tensor

short = 8  # steps, of a part whose gradient is taken apart
sparse = 8  # of so many steps, one at least has a gradient where these are stacked


@primitive
def getitem(xp: Any, x: Any, *, index: Any) -> Any:
    """Return x[index], with NumPy's meaning of every kind of index. A basic index gives a view."""
    return x[index]
@getitem.merged_vjp
def getitem_uses(parent: Node, uses: list[tuple[Node, Any]]) -> Any:
    indices = tuple(node.static["index"] for node, _ in uses)  # type: ignore[index]
    return scatter(*[g for _, g in uses], shape=parent.shape, indices=indices)

@primitive
def scatter(xp: Any, *pieces: Any, shape: tuple[int, ...], indices: tuple[Any, ...]) -> Any:
    """Return zeros of this shape with every piece added at its index, repeats included."""
    if len(pieces) > 2:
        whole = stack_of_steps(xp, pieces, indices, shape)
        if whole is not None:
            return whole
    result = xp.zeros(shape, xp.result_type(*{piece.dtype for piece in pieces}))
    for piece, index in zip(pieces, indices, strict=True):
        if is_basic(index):
            result[index] += piece
        else:
            xp.add.at(result, index, piece)
    return result
scatter.joint_vjp(lambda g, _y, *_pieces, shape, indices: [getitem(g, index=index) for index in indices])


def stack_of_steps(xp: Any, pieces: tuple[Any, ...], indices: tuple[Any, ...], shape: tuple[int, ...]) -> Any | None:
    """Return the array whose step t is the sum of the pieces for x[t], or for x[:, t] along another axis; else None.

    A loop over x[t] has a piece for every step: one stack is sooner made than T sums.
    """
    steps = [steps_in(index, shape) for index in indices]
    axes = {step and step.axis for step in steps}
    axis = axes.pop() if len(axes) == 1 else None
    if axis is None:
        return None
    at: dict[int, Any] = {}
    for step, piece in zip(steps, pieces):
        _, start, length = step  # type: ignore[misc]
        for k in range(length or 1):
            one = piece[(*(slice(None),) * axis, k)] if length else piece
            at[start + k] = at[start + k] + one if start + k in at else one
    if len(at) * sparse < shape[axis]:
        return None
    nothing = xp.zeros_like(one) if len(at) < shape[axis] else None
    return xp.stack([at.get(t, nothing) for t in range(shape[axis])], axis)


class Steps(NamedTuple):
    """What an index such as [:, t] or [:, t:t+n] picks: along which axis, from where, and n, which is 0 for [:, t]."""

    axis: int
    start: int
    length: int


def steps_in(index: Any, shape: tuple[int, ...], most: int = short) -> Steps | None:
    """Return what an index picks along its only axis that is not whole: one step or so many at most; else None."""
    parts = index if isinstance(index, tuple) else (index,)
    if is_basic(index) and Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts = *parts[:at], *(slice(None),) * (len(shape) - len(parts) + 1), *parts[at + 1 :]
    found = [(axis, part) for axis, part in enumerate(parts) if not (isinstance(part, slice) and part == slice(None))]
    axis, part = found[0] if len(found) == 1 else (0, None)
    if type(part) is int:
        return Steps(axis, part % shape[axis], 0)
    start, end, step = part.indices(shape[axis]) if isinstance(part, slice) else (0, 0, 1)
    return Steps(axis, start, end - start) if step == 1 and 0 < end - start <= most else None


def is_basic(index: Any) -> bool:
    """Return whether an index has only ints, slices, None and Ellipsis: it picks no element twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in parts)

@primitive
def take(xp: Any, x: Any, ids: Any) -> Any:
    """Return rows of x: x[ids], of shape (*ids.shape, *x.shape[1:])."""
    return x[ids]

@primitive
def scatter_rows(xp: Any, rows: Any, ids: Any, *, count: int) -> Any:
    """Return zeros of shape (count, ...) with every row added at its id: the gradient of an embedding."""
    tail = rows.shape[ids.ndim :]
    sparse = sparse_products(rows)
    if sparse is not None:  # the product with the one-hot matrix of the ids: the same sums, in the same order
        n = ids.size
        one_hot = sparse.csc_array((xp.ones(n, rows.dtype), ids.reshape(-1), xp.arange(n + 1)), shape=(count, n))
        return (one_hot @ rows.reshape(n, -1)).reshape(count, *tail)
    result = xp.zeros((count, *tail), rows.dtype)
    xp.add.at(result, ids, rows)
    return result
scatter_rows.vjps(lambda g, _y, _rows, ids, count: take(g, ids), None)

@take.merged_vjp
def take_uses(parent: Node, uses: list[tuple[Node, Any]]) -> Any:
    rows = [g for _, g in uses]
    places: list[Any] = [node.saved[1] for node, _ in uses]  # type: ignore[index]
    if isinstance(rows[0], Value):
        places = [make_tensor(ids) for ids in places]
    if len(uses) > 1:
        flat = [reshape(g, shape=(ids.size, *parent.shape[1:])) for g, ids in zip(rows, places)]
        rows = [concatenate(*flat, axis=0)]
        places = [concatenate(*[reshape(ids, shape=(-1,)) for ids in places], axis=0)]
    return scatter_rows(rows[0], places[0], count=parent.shape[0])
