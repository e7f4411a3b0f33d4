"""Boxes in rows, each above the boxes it reads: the layered layout of Sugiyama, Tagawa and Toda (1981), kept small.

A box gets the lowest row above all it reads; a link over several rows gets a thin box in every row between, so that
no box stands in its way; rows are ordered by the barycentre of their neighbours; and a row's boxes stand as near to
their neighbours as its order allows (least squares: isotonic regression). Time and memory grow with the links.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

space = 14.0  # between boxes of a row
longest = 40  # a link over more rows gets no thin boxes


@dataclass(slots=True, eq=False)
class Box:
    """A rectangle around an anchor, which links lead to (by an offset)."""

    left: float = 0.0
    right: float = 0.0
    above: float = 0.0
    below: float = 0.0
    group: float = 0.0  # first in its row, or last: -1 to 1
    gutters: Sequence[float] = ()  # of a wide box with columns, which stands at 0: where links may pass
    port: int = 0  # -1: at the bottom, 1: at the top
    leaf: bool = False  # stands right below its use and raises nothing
    thin: bool = False
    rank: int = 0
    x: float = 0.0
    y: float = 0.0


@dataclass(slots=True, eq=False)
class Link:
    """From one box to another, and the thin boxes between, from the lower one up."""

    source: Box
    target: Box
    leaves: float = 0.0  # offsets from the anchors
    enters: float = 0.0
    between: list[Box] = field(default_factory=list)


def rank(boxes: Sequence[Box], links: Sequence[Link]) -> None:
    """Rows from the bottom, for boxes in order of creation. A link back to an older box does not count."""
    place = {box: i for i, box in enumerate(boxes)}
    reads: dict[Box, list[Box]] = {box: [] for box in boxes}
    read_by: dict[Box, list[Box]] = {box: [] for box in boxes}
    for link in links:
        if place[link.source] < place[link.target]:
            reads[link.target].append(link.source)
            read_by[link.source].append(link.target)
    wide: set[int] = set()
    used: set[int] = set()
    for box in boxes:
        box.rank = max((other.rank + 1 for other in reads[box] if not other.leaf and not other.port), default=0)
        if box.gutters:
            box.rank = max(box.rank, max(wide, default=-1) + 1)
            while box.rank in used:
                box.rank += 1
            wide.add(box.rank)
        while not box.gutters and box.rank in wide:
            box.rank += 1
        if not box.port and reads[box]:
            used.add(box.rank)
    for box in reversed(boxes):
        if not reads[box] and not box.gutters:
            box.rank = min((other.rank - 1 for other in read_by[box]), default=box.rank)
            while box.rank in wide:
                box.rank -= 1
    low, high = (f((box.rank for box in boxes if not box.port), default=0) for f in (min, max))
    for box in boxes:
        if box.port:
            box.rank = low - 1 if box.port < 0 else high + 1


def lift(boxes: Sequence[Box], links: Sequence[Link], lane: Sequence[Box]) -> None:
    """Raise a lane to the top row; what reads it hangs down from it."""
    hanging = dict.fromkeys(lane, 0)
    reads: dict[Box, list[Box]] = {}
    for link in links:
        reads.setdefault(link.target, []).append(link.source)
    for box in boxes:
        above = [hanging[other] for other in reads.get(box, ()) if other in hanging]
        if above and box not in lane and not box.port:
            hanging[box] = max(above) + 1
    into = [link for link in links if link.target in hanging and link.source not in hanging]
    top = max([link.source.rank + hanging[link.target] + 1 for link in into], default=max(box.rank for box in lane))
    top = max([top, *(box.rank for box in boxes if box not in hanging and not box.port)])
    for box, depth in hanging.items():
        box.rank = top - depth
    for box in boxes:
        if box.port > 0:
            box.rank = top + 1


def raised(boxes: Sequence[Box], later: Sequence[Box]) -> None:
    """Raise some boxes above all that are older; boxes are in order of creation."""
    for number, box in enumerate(boxes):
        if box in later:
            by = max([other.rank for other in boxes[:number] if not other.port], default=box.rank - 1) + 1 - box.rank
            for other in boxes[number:] if by > 0 else ():
                other.rank += by


def arrange(boxes: Sequence[Box], links: Sequence[Link]) -> None:
    """Give every box its place: x and y of its anchor; y grows downward."""
    rows: dict[int, list[Box]] = {number: [] for number in sorted({box.rank for box in boxes})}
    for box in boxes:
        rows[box.rank].append(box)
    up: dict[Box, list[tuple[Box, float, float]]] = {}
    down: dict[Box, list[tuple[Box, float, float]]] = {}
    for link in links:
        low, high, a, b = link.source, link.target, link.leaves, link.enters
        if low.rank > high.rank:
            low, high, a, b = high, low, b, a
        if high.rank - low.rank <= longest:
            link.between = [
                Box(left=3, right=3, thin=True, rank=n) for n in range(low.rank + 1, high.rank) if n in rows
            ]
        for box in link.between:
            box.group = 2 if link.source.group == 1 and link.target.port else 0  # around what stands above it
            rows[box.rank].append(box)
        if low.rank != high.rank:
            chain = [(low, a), *((box, 0.0) for box in link.between), (high, b)]
            for (lower, at), (upper, to) in pairwise(chain):
                up.setdefault(lower, []).append((upper, at, to))
                down.setdefault(upper, []).append((lower, to, at))
    stack = list(rows.values())
    order(stack, up, down)
    for sweep in range(12):
        upward = sweep % 2 == 0
        for row in stack if upward else reversed(stack):
            near = (down, up) if sweep > 7 else (down,) if upward else (up,)
            wide = next((box for box in row if box.gutters), None)
            if wide is None:
                settle(row, [[entry for side in near for entry in side.get(box, ())] for box in row])
            else:
                pass_by(row, [down.get(box, []) for box in row], wide)
    base = 0.0
    for row, above in zip(stack, [*stack[1:], []]):
        y = base - max(box.below for box in row)
        for box in row:
            box.y = y
        top = y - max(box.above for box in row)
        spread = max((abs(o.x + b - box.x - a) for box in row for o, a, b in up.get(box, ()) if not o.thin), default=0)
        small = all(box.port for box in row) or all(box.port for box in above)
        base = top - (12 if small else min(max(20, 0.16 * spread), 64))


Near = dict[Box, list[tuple[Box, float, float]]]


def order(rows: list[list[Box]], up: Near, down: Near) -> None:
    """Sort the boxes of each row, from sweep to sweep, and keep the sorting with the fewest crossings."""
    position: dict[Box, float] = {}

    def number(row: list[Box]) -> None:
        for i, box in enumerate(row):
            position[box] = i / max(len(row) - 1, 1) if len(row) > 1 else 0.5

    def mean(box: Box, near: Near) -> float:
        found = [position[other] + 1e-6 * to for other, _, to in near.get(box, ())]
        return sum(found) / len(found) if found else position[box]

    for row in rows:
        row.sort(key=lambda box: box.group)
        number(row)
    best, kept = crossings(rows, up, position), [list(row) for row in rows]
    for sweep in range(8):
        if best == 0:
            break
        near, ordered = (down, rows) if sweep % 2 == 0 else (up, rows[::-1])
        for row in ordered:
            middle = {box: mean(box, near) for box in row}
            row.sort(key=lambda box: (box.group, middle[box]))
            number(row)
        found = crossings(rows, up, position)
        if found < best:
            best, kept = found, [list(row) for row in rows]
    for row, sorted_row in zip(rows, kept):
        row[:] = sorted_row


def crossings(rows: list[list[Box]], up: Near, position: dict[Box, float]) -> int:
    total = 0
    for row in rows:
        ends = sorted(
            (position[box] + a * 1e-6, position[other] + b * 1e-6) for box in row for other, a, b in up.get(box, ())
        )
        seen: list[float] = []
        for _, end in ends:
            total += len(seen) - bisect_left(seen, end + 1e-12)
            insort(seen, end)
    return total


def settle(row: list[Box], near: list[list[tuple[Box, float, float]]]) -> None:
    """Put the boxes of a row as near to their neighbours as their order allows."""
    blocks: list[list[float]] = []  # weighted mean of what is wished for, weight, number of boxes
    offset, offsets = 0.0, []
    for i, box in enumerate(row):
        if i:
            offset += row[i - 1].right + box.left + (4 if row[i - 1].thin or box.thin else space)
        offsets.append(offset)
        wish, weight = box.x, 0.01
        for other, at, to in near[i]:
            heavy = 4.0 if box.thin and other.thin else 2.0 if box.thin or other.thin else 1.0
            wish = (wish * weight + (other.x + to - at) * heavy) / (weight + heavy)
            weight += heavy
        blocks.append([wish - offset, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, heavy, count = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + mean * heavy) / (last[1] + heavy)
            last[1] += heavy
            last[2] += count
    places = [mean for mean, _, count in blocks for _ in range(int(count))]
    for box, mean, by in zip(row, places, offsets):
        box.x = mean + by


def pass_by(row: list[Box], near: list[list[tuple[Box, float, float]]], wide: Box) -> None:
    """Thin boxes beside a wide one go through the nearest gutter between its columns."""
    wide.x = 0.0
    taken: dict[float, list[tuple[float, int, Box]]] = {}
    for number, (box, others) in enumerate(zip(row, near)):
        if box is not wide:
            wish = sum(other.x + to for other, _, to in others) / len(others) if others else box.x
            after = bisect_left(wide.gutters, wish)
            gutter = min(wide.gutters[max(after - 1, 0) : after + 1], key=lambda x: abs(x - wish))
            taken.setdefault(gutter, []).append((wish, number, box))
            box.above, box.below = wide.above, wide.below
    for gutter, through in taken.items():
        step = min(5.0, 36 / len(through))
        for number, (_, _, box) in enumerate(sorted(through, key=lambda entry: entry[:2])):
            box.x = gutter + (number - (len(through) - 1) / 2) * step
