"""Find the ops that make no numbers: what they give stands in what they read, in the same order."""

from math import prod
from typing import Any

from tinygrad_seq.drawing.view.conventions import same_numbers
from tinygrad_seq.engine.graph import Node


def original(node: Node) -> Node:
    """Return what the numbers of an op are, if it has no name and only gives them another shape: a stack of one, [0] of
    that, or one of the values that were stacked; in a gradient, a product with 1. Else the node itself.
    """
    if node.scope.key == "grad" and not node.name and len(node.parents) == 2 and node.op.name == "multiply":
        ones = [parent.op is None and parent.static == {"value": 1.0} for parent in node.parents]
        return next((b for one, b in zip(ones, node.parents[::-1]) if one and b.shape == node.shape), node)
    if node.op is None or node.name or node.op.name not in same_numbers or len(node.parents) != 1:
        return node
    index = (node.static or {}).get("index") if node.op.name in ("getitem", "part") else None
    whole, axis = node.parents[0], 0
    if node.op.name == "part" and whole.op.name == "unstack":
        axis, whole = whole.static["axis"], whole.parents[0]  # type: ignore[index]
    is_stack = whole.op is not None and whole.op.name == "stack" and not whole.name and whole.static == {"axis": axis}
    if is_stack and type(index) is int:
        return whole.parents[index]
    in_order = all(isinstance(part, int | None) or part is ... for part in parts_of(index))
    is_one = not has_parts(node) or len(node.shape) == 1
    return node.parents[0] if in_order and is_one and size(node) == size(node.parents[0]) else node


def called(node: Node) -> str:
    """Return the name of a node, or of what it gives where a mask says so; "" for none."""
    return node.name or (node.parents[1].name if node.op is not None and node.op.name == "where" else None) or ""


def parts_of(index: Any) -> tuple[Any, ...]:
    """Return the parts of an index, one for each axis: of `x[1, :2]` two, of `x[1]` one."""
    return index if isinstance(index, tuple) else (index,)


def size(node: Node) -> int:
    """Return how many numbers a node has given, in all its outputs."""
    shapes: Any = node.shape if has_parts(node) else [node.shape]
    return sum(map(prod, shapes))


def has_parts(node: Node) -> bool:
    """Tell whether a node has several outputs."""
    return bool(node.shape) and isinstance(node.shape[0], tuple)
