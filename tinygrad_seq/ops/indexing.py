"""Ops that pick and place: indexing, look-up by row, and their gradients, which add where they placed.

Reading `x[t]` at T steps must not cost T arrays of x's size. So the gradient of indexing is a merged rule: the walk
keeps the pieces and hands them over together, and one `scatter` adds them into one buffer.
"""

from typing import Any

from tinygrad_seq.graph import Node
from tinygrad_seq.primitive import primitive


@primitive
def getitem(xp: Any, x: Any, *, index: Any) -> Any:
    """x[index], with NumPy's meaning of every kind of index. A basic index gives a view."""
    return x[index]
@getitem.merged_vjp
def getitem_uses(parent: Node, uses: list[tuple[Node, Any]]) -> Any:
    indices = tuple(node.static["index"] for node, _ in uses)  # type: ignore[index]
    return scatter(*[g for _, g in uses], shape=parent.shape, indices=indices)

@primitive
def scatter(xp: Any, *pieces: Any, shape: tuple[int, ...], indices: tuple[Any, ...]) -> Any:
    """Zeros of this shape with every piece added at its index, repeats included."""
    result = xp.zeros(shape, xp.result_type(*{piece.dtype for piece in pieces}))
    for piece, index in zip(pieces, indices, strict=True):
        if is_basic(index):
            result[index] += piece
        else:
            xp.add.at(result, index, piece)
    return result
scatter.joint_vjp(lambda g, _y, *_pieces, shape, indices: [getitem(g, index=index) for index in indices])


def is_basic(index: Any) -> bool:
    """Ints, slices, None and Ellipsis: no element is picked twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in parts)

@primitive
def take(xp: Any, x: Any, ids: Any) -> Any:
    """Rows of x: x[ids], of shape (*ids.shape, *x.shape[1:])."""
    return x[ids]

@primitive
def scatter_rows(xp: Any, rows: Any, ids: Any, *, count: int) -> Any:
    """Zeros of shape (count, ...) with every row added at its id: what an embedding's gradient is."""
    tail = rows.shape[ids.ndim :]
    result = xp.zeros((count, *tail), rows.dtype)
    xp.add.at(result, ids, rows)
    return result
take.vjps(lambda g, _y, _x, ids: scatter_rows(g, ids, count=_x.shape[0]), None)
scatter_rows.vjps(lambda g, _y, _rows, ids, count: take(g, ids), None)
