"""Layered graph drawing: boxes in rows, each above what it reads (Sugiyama, Tagawa and Toda, 1981), kept small.

Three passes, each a function of what the one before returned. Rank assignment: the lowest row above all that a box
reads. Crossing reduction: an edge over several rows gets a dummy box in each row between, and rows are ordered by the
barycentre of their neighbours. Coordinate assignment: the boxes of a row stand as near to their neighbours as its order
allows (least squares, by isotonic regression), and long edges are straightened. Time and memory grow with the edges.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from itertools import accumulate, count, pairwise
from math import fsum, inf
from random import Random

from tinygrad_seq.drawing.layout.box import Box, gap_between
from tinygrad_seq.drawing.layout.straight import straighten
from tinygrad_seq.drawing.view.grouped import grouped

wide_frame = 150.0  # half the width of a frame that is so wide that others of its width stand above it
longest = 40  # an edge over more rows gets no dummy boxes
starts, few = 12, 100  # so many orders are tried of so few boxes

BoxEnd = tuple[Box, float]  # and how far from its anchor an edge meets it
BoxEdge = tuple[BoxEnd, BoxEnd]  # its source and its target
Ranks = dict[Box, int]  # the numbers of rows, from the bottom
Neighbours = dict[Box, list[tuple[Box, float, float]]]  # another box, the own offset, and that of the other


# ---------------------------------------------------------------------------------------------------- rank assignment


def assign_ranks(boxes: Sequence[Box], edges: Iterable[BoxEdge], is_backward: bool = False) -> Ranks:
    """Return the ranks of boxes that are in order of creation. An edge back to an older box does not count. In a
    backward what more boxes read than it reads stands right below its readers: few lines are long.
    """
    number = {box: i for i, box in enumerate(boxes)}
    upward = [(source, target) for (source, _), (target, _) in edges if number[source] < number[target]]
    readers, reads = grouped(upward), grouped((target, source) for source, target in upward)
    ranks: Ranks = {}
    wide: set[int] = set()  # ranks of boxes with columns, which have a row to themselves
    used: set[int] = set()
    for box in boxes:
        below = [ranks[other] for other in reads[box] if not other.leaf and not other.port]
        lowest = max([*below, *(wide if box.gutters else ())], default=-1) + 1
        ranks[box] = next(rank for rank in count(lowest) if rank not in (used if box.gutters else wide))
        if box.gutters:
            wide.add(ranks[box])
        if reads[box] and not box.port:
            used.add(ranks[box])
    for box in reversed(boxes):
        shared = is_backward and len(reads[box]) < len(readers[box])
        if (shared or not reads[box]) and not box.gutters:
            highest = min((ranks[other] - 1 for other in readers[box]), default=ranks[box])
            ranks[box] = next(rank for rank in count(highest, -1) if rank not in wide)
    inner = [ranks[box] for box in boxes if not box.port] or [0]
    return ranks | {box: min(inner) - 1 if box.port < 0 else max(inner) + 1 for box in boxes if box.port}


def as_tree(ranks: Ranks, edges: Iterable[BoxEdge]) -> Ranks:
    """Return the ranks of a tree, where each box has one reader: right below that, what it reads in order. Other ranks
    stay as they are.
    """
    pairs = [(target, source) for (source, _), (target, _) in edges]
    reads, read = grouped(pairs), {source for _, source in pairs}
    if len(read) < len(pairs):
        return ranks
    found: Ranks = {}
    stack = [(box, rank) for box, rank in ranks.items() if box not in read][::-1]
    while stack:
        box, rank = stack.pop()
        found[box] = rank
        stack += ((source, rank - 1) for source in reads[box][::-1])
    return found


def raise_lane(ranks: Ranks, boxes: Sequence[Box], edges: Sequence[BoxEdge], lane: Sequence[Box]) -> Ranks:
    """Return ranks with a lane in the top row; what reads it hangs down from it, or stands on its right."""
    depth = dict.fromkeys(lane, 0)
    reads = grouped((target, source) for (source, _), (target, _) in edges if not source.leaf)
    for box in boxes:
        above = [depth[other] + (box.group <= 1) for other in reads[box] if other in depth]
        if above and box not in lane and not box.port:
            depth[box] = max(above)
    below = [ranks[source] + depth[box] + 1 for box in depth for source in reads[box] if source not in depth]
    others = [ranks[box] for box in boxes if box not in depth and not box.port]
    top = max([*(below or [max(ranks[box] for box in lane)]), *others])
    ranks = ranks | {box: top - down for box, down in depth.items()} | {box: top + 1 for box in boxes if box.port > 0}
    readers = grouped((source, ranks[target]) for (source, _), (target, _) in edges if source.leaf)
    return ranks | {leaf: min(found) - 1 for leaf, found in readers.items()}


def raise_bar(ranks: Ranks, bar: Box) -> Ranks:
    """Return ranks with a wide box, and all that is higher, above what else was in its row."""
    beside = {box for box, rank in ranks.items() if rank == ranks[bar] and box.middle is None and not box.leaf}
    return {box: rank + (rank >= ranks[bar] and box not in beside and bool(beside)) for box, rank in ranks.items()}


def raise_above_older(ranks: Ranks, boxes: Sequence[Box], raised: Sequence[Box]) -> Ranks:
    """Return ranks with some boxes, and all that is newer, above what is older; boxes are in order of creation."""
    for box in raised:
        number = boxes.index(box)
        by = max([0, *(ranks[other] + 1 - ranks[box] for other in boxes[:number] if not other.port)])
        ranks = ranks | {other: ranks[other] + by for other in boxes[number:]}
    return ranks


def raise_alone(ranks: Ranks, raised: Sequence[Box]) -> Ranks:
    """Return ranks with some boxes in a row of their own, above all others, below the upper border."""
    top = max(rank for box, rank in ranks.items() if box.port < 1)
    return ranks | dict.fromkeys(raised, top + 1) | {box: top + 2 for box in ranks if box.port > 0}


# ------------------------------------------------------------------------------------------------- crossing reduction


def arrange(
    boxes: Sequence[Box], edges: Iterable[BoxEdge], ranks: Ranks, roofs: Sequence[Box]
) -> tuple[int, dict[Box, tuple[float, float]], list[list[Box]]]:
    """Return how often edges cross, x and y of the anchors (y grows downward), and the dummy boxes of each edge, from
    its lower end up. What is below a roof is moved under its middle.
    """
    wide = {ranks[box]: box for box in boxes if box.gutters}
    levels, ranks = set(ranks.values()), dict(ranks)
    chains: list[list[BoxEnd]] = []
    for edge in edges:
        low, high = sorted(edge, key=lambda end: ranks[end[0]])
        span = range(ranks[low[0]] + 1, ranks[high[0]])
        beside = [(rank, wide.get(rank, Box())) for rank in span if rank in levels] if len(span) < longest else []
        (source, _), (target, _) = edge  # 2: around what stands above the source; -2: a state that came in on the left
        is_state, to_first = source.leaf and max(source.group, target.group) < 0, target.group == -1
        group = 2 if source.group >= 1 and target.port else -2 if is_state else -1 if to_first else 0
        dummies = {Box(3, 3, box.above, box.below, group, dummy=True): rank for rank, box in beside}
        ranks.update(dummies)
        chains.append([low, *((box, 0.0) for box in dummies), high])
    passing = [(box, chain) for chain in chains for box, _ in chain[1:-1] if ranks[box] in wide]
    is_free = all(chain[0][0].gutters for _, chain in passing)  # the left: nothing comes from below all columns
    through = {  # by dummy in the row of a wide box, x of its gutter: a first operand goes there, where that is free
        box: first_right(wide[ranks[box]].gutters, chain[0][1] if chain[0][0].gutters and not is_first else -inf)
        for box, chain in passing for is_first in [is_free and chain[-1][1] < 0]
    }  # fmt: skip
    pieces = [piece for chain in chains for piece in pairwise(chain) if ranks[piece[0][0]] < ranks[piece[1][0]]]
    up = grouped((low, (high, at, to)) for (low, at), (high, to) in pieces)
    down = grouped((high, (low, to, at)) for (low, at), (high, to) in pieces)
    rows = [row for _, row in sorted(grouped((rank, box) for box, rank in ranks.items()).items())]
    crossed, rows = reduce_crossings([sorted(row, key=lambda box: box.group) for row in rows], up, down, through)
    fixed = {box: box.middle for box in boxes if box.middle is not None}
    frames = (box for box in boxes if box.right > wide_frame and not box.gutters and box not in fixed)
    alike = grouped((round(box.right), box) for box in frames)
    fixed |= {box: 0.0 for found in alike.values() if len({ranks[box] for box in found}) > 1 for box in found}
    x = assign_x(rows, up, down, through, fixed)
    straighten(rows, [[box for box, _ in chain[1:-1] if box not in through] for chain in chains], x)
    for roof in roofs:  # not under the lines that pass it
        below = [box for box in x if ranks[box] < ranks[roof]]
        ends = [x[box] + side for box in below for side in (-box.left, box.right)] or [0.0]
        by = x[roof] + (roof.right - roof.left - min(ends) - max(ends)) / 2
        x |= {box: x[box] + by for box in below}
    y = assign_y(rows, up, x)
    return crossed, {box: (x[box], y[box]) for box in ranks}, [[box for box, _ in chain[1:-1]] for chain in chains]


def first_right(gutters: Sequence[float], x: float) -> float:
    """Return the first gutter that is not left of x, or else the last."""
    return gutters[min(bisect_left(gutters, x), len(gutters) - 1)]


def reduce_crossings(
    rows: list[list[Box]], up: Neighbours, down: Neighbours, through: dict[Box, float]
) -> tuple[int, list[list[Box]]]:
    """Return how often edges cross, and the rows, each sorted by group and then by the barycentre of the neighbours: of
    all sweeps, the best. Where edges still cross, and boxes are few, these start from other orders, too.
    """
    share: dict[Box, float] = {}  # how far along its row a box is

    def spread(row: list[Box]) -> None:
        if any(box in through for box in row):  # the lines in the gutters stand between those that leave the columns
            share.update((box, 0.5 + 1e-6 * through.get(box, 0.0)) for box in row)
        else:
            share.update((box, i / (len(row) - 1) if len(row) > 1 else 0.5) for i, box in enumerate(row))

    def barycentre(box: Box, near: list[tuple[Box, float, float]]) -> float:
        return fsum(share[other] + 1e-6 * to for other, _, to in near) / len(near) if near else share[box]

    for row in rows:
        spread(row)
    tried = [(crossings(rows, up, share), rows)]
    anew = Random(0)  # the same picture every time
    for sweep in range(8 * (starts if sum(map(len, rows)) <= few else 1)):
        if tried[-1][0] == 0:
            break
        near, order = (down, 1) if sweep % 2 == 0 else (up, -1)
        rows = [anew.sample(row, len(row)) if sweep and sweep % 8 == 0 else row for row in rows]
        for row in rows:
            spread(row)
        for i in range(len(rows))[::order]:
            means = {box: barycentre(box, near[box]) for box in rows[i]}
            rows[i] = sorted(rows[i], key=lambda box: (box.group, means[box]))
            spread(rows[i])
        tried.append((crossings(rows, up, share), rows))
    return min(tried, key=lambda entry: entry[0])


def crossings(rows: list[list[Box]], up: Neighbours, share: dict[Box, float]) -> int:
    """Count how often edges between neighbouring rows cross."""
    total = 0
    for row in rows:
        ends = sorted((share[box] + a * 1e-6, share[other] + b * 1e-6) for box in row for other, a, b in up[box])
        seen: list[float] = []
        for _, end in ends:
            total += len(seen) - bisect_left(seen, end + 1e-12)
            insort(seen, end)
    return total


# ---------------------------------------------------------------------------------------------- coordinate assignment


def assign_x(
    rows: list[list[Box]], up: Neighbours, down: Neighbours, through: dict[Box, float], fixed: dict[Box, float]
) -> dict[Box, float]:
    """Return x of every box, after sweeps up and down, the last ones with the neighbours on both sides; above columns
    with those below, so that what is made of a column stays above it. `fixed`: where some stand.
    """
    x = {box: 0.0 for row in rows for box in row}
    columns = next((number for number, row in enumerate(rows) if any(box.gutters for box in row)), len(rows))
    for sweep in range(12):
        for number, row in enumerate(rows) if sweep % 2 == 0 else reversed([*enumerate(rows)]):
            gutters = next((box.gutters for box in row if box.gutters), None)
            both = (down, up) if number < columns else (down,)
            sides = both if sweep > 7 else (down,) if sweep % 2 == 0 else (up,)
            near = {box: [entry for side in sides for entry in side[box]] for box in row}
            x.update(settled(near, x, fixed) if gutters is None else through_gutters(row, gutters, through))
    for row, near in zip((*rows[:1], *rows[-1:]), (up, down)):  # ports: right below and above what they lead to
        x.update(settled({box: near[box] for box in row}, x, fixed) if all(box.port for box in row) else {})
    return x


def settled(near: Neighbours, x: dict[Box, float], fixed: dict[Box, float]) -> dict[Box, float]:
    """Return x of the boxes of a row: as close to their neighbours as their order allows."""
    blocks: list[tuple[float, float, int]] = []  # weighted mean of what is wished for, weight, number of boxes
    spaces = [gap_between(a, b) for a, b in pairwise(near)]
    offsets = list(accumulate(spaces, initial=0.0))
    for box, offset in zip(near, offsets):
        wish, weight = (fixed[box], 1e6) if box in fixed else (x[box], 0.01)
        ends = [other for other, _, _ in near[box]]
        for other, at, to in near[box]:
            heavy = 4.0 if box.dummy and other.dummy else 2.0 if box.dummy or other.dummy else 1.0
            if (box.dummy and other.gutters) or (other in fixed and ends.count(other) == 1):
                heavy = 1e3  # straight up from steps
            wish, weight = (wish * weight + (x[other] + to - at) * heavy) / (weight + heavy), weight + heavy
        mean, number = wish - offset, 1
        while blocks and blocks[-1][0] > mean:
            last, heavy, before = blocks.pop()
            mean, weight, number = (last * heavy + mean * weight) / (heavy + weight), heavy + weight, before + number
        blocks.append((mean, weight, number))
    means = [mean for mean, _, number in blocks for _ in range(number)]
    return {box: mean + offset for box, mean, offset in zip(near, means, offsets)}


def through_gutters(row: list[Box], gutters: Sequence[float], through: dict[Box, float]) -> dict[Box, float]:
    """Return x of the dummy boxes in the row of a wide box: beside each other in their gutters."""
    taken = grouped((through[box], box) for box in row if not box.gutters)
    return {
        box: gutter + (i - (len(found) - 1) / 2) * min(5.0, (36 if gutter in gutters[1:-1] else 12) / len(found))
        for gutter, found in taken.items()
        for i, box in enumerate(found)
    }


def assign_y(rows: list[list[Box]], up: Neighbours, x: dict[Box, float]) -> dict[Box, float]:
    """Return y of every box: two rows are the further apart, the further the edges between them go sideways."""
    y: dict[Box, float] = {}
    base = 0.0
    for row, above in zip(rows, [*rows[1:], []]):
        level = base - max(box.below for box in row)
        y.update(dict.fromkeys(row, level))
        ways = sorted((x[box] + at, x[other] + to, other.dummy) for box in row for other, at, to in up[box])
        furthest = accumulate((end for _, end, _ in ways), max)
        nearest = reversed([*accumulate((end for _, end, _ in reversed(ways)), min)])
        wishes = [  # past boxes it needs room for arrowheads; edges are to cross steeply
            min(0.45 * far, 64) if right > end + 1 or left < end - 1 else
            min(0.3 * far, 36) if past else min(0.16 * far, 64)
            for (start, end, past), right, left in zip(ways, furthest, nearest) for far in [abs(end - start)]
        ]  # fmt: skip
        small = all(box.port for box in row) or all(box.port for box in above)
        base = level - max(box.above for box in row) - (12 if small else max([20, *wishes]))
    return y
