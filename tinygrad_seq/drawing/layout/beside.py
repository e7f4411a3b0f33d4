"""Leaves beside the op that reads them: on its left or its right side, above each other."""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from math import fsum

from tinygrad_seq.drawing.layout.model import XY
from tinygrad_seq.drawing.layout.templates import End, ItemKey, Template
from tinygrad_seq.drawing.layout.text_size import small
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.model import no_ops

most = 4  # leaves on one side of an op; more stand below it
drop = 20.0  # a first state stands this far below the way of a state that comes back

Beside = dict[tuple[ItemKey, int], list[ItemKey]]  # by op and its left (-1) or right (1) side: the leaves there


def beside_op(template: Template) -> tuple[str, ...]:
    """Return the roles of what stands beside its op: of inputs, only those that a recorded backward reads."""
    return (*small, *["input"] * (template.kind == "grad"))


def leaves_beside(template: Template) -> Beside:
    """Return the leaves beside the op that reads them: a first state, or a first operand, on its left. What several ops
    read stands below them.
    """
    roles = {key: sized.item.role for key, sized in template.items.items()}
    readers = Counter(start.item for start, _ in template.links)
    found: dict[ItemKey, tuple[ItemKey, int]] = {}
    near = beside_op(template)
    for start, end in template.links:
        if start.item and end.item and roles[start.item] in near and roles[end.item] not in no_ops:
            is_left = template.kind == "grad" and template.step_edges.get(end.item) == {"out"}  # mirrored: on the right
            side = -1 if start.item in template.left or is_left else 1
            found.setdefault(start.item, (end.item, side))
    between = {op for op, edges in template.step_edges.items() if {"in", "out"} <= edges}  # lines on both sides
    many = {place for place, count in Counter(found.values()).items() if count > most}
    alone = [
        leaf
        for leaf, (op, side) in found.items()
        if readers[leaf] == 1 and (side < 0 or op not in between) and (op, side) not in many
    ]
    return grouped((found[leaf], leaf) for leaf in alone)


def room_beside(template: Template, side: Sequence[ItemKey]) -> tuple[float, float]:
    """Return the width and the height that leaves beside an op need."""
    sizes = [(template.items[leaf], apart(template, leaf)) for leaf in side]
    return max((size.width + by for size, by in sizes), default=0.0), fsum(size.height + 4 for size, _ in sizes) - 4


def apart(template: Template, leaf: ItemKey) -> float:
    """Return how far a leaf stands from the op that it is beside."""
    return 50.0 if leaf in template.cut else 12.0  # where it says that it is cut


def positions_beside(template: Template, beside: Beside, at: dict[End, XY]) -> dict[End, XY]:
    """Return where the leaves beside ops stand: above each other, around the height of the op."""
    found: dict[End, XY] = {}
    for (op, sign), side in beside.items():
        (x, y), sizes = at[End(op)], [template.items[leaf] for leaf in side]
        is_early = sign < 0 and "back" in template.step_edges.get(op, ())
        first = y - room_beside(template, side)[1] / 2 + (drop if is_early else 0.0)
        for leaf, size, top in zip(side, sizes, accumulate((size.height + 4 for size in sizes), initial=first)):
            by = template.items[op].width / 2 + apart(template, leaf) + size.width / 2
            found[End(leaf)] = (x + sign * by, top + size.height / 2)
    return found
