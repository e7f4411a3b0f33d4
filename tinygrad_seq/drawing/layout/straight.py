"""Straighten lines that pass several rows: one x for as many of their places as have room for it."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import fsum

from tinygrad_seq.drawing.layout.box import Box, gap_between


def straighten(rows: Sequence[Sequence[Box]], chains: Iterable[Sequence[Box]], x: dict[Box, float]) -> None:
    """Move the dummy boxes of each edge, the longest first, to where they stand in line: between their neighbours."""
    beside: dict[Box, list[Box | None]] = {box: [None, None] for row in rows for box in row}
    for row in rows:
        for left, right in pairwise(row):
            beside[right][0], beside[left][1] = left, right
    for chain in sorted(chains, key=len, reverse=True):
        start = 0
        while start < len(chain):
            low, high, end = *room(chain[start], beside, x), start + 1
            while end < len(chain):
                from_x, to_x = room(chain[end], beside, x)
                if max(low, from_x) > min(high, to_x):
                    break
                low, high, end = max(low, from_x), min(high, to_x), end + 1
            middle = fsum(x[box] for box in chain[start:end]) / (end - start)
            x.update(dict.fromkeys(chain[start:end], min(max(middle, low), high)))
            start = end


def room(box: Box, beside: dict[Box, list[Box | None]], x: dict[Box, float]) -> tuple[float, float]:
    """Return the least and the largest x that a box may have between its neighbours."""
    left, right = beside[box]
    low = -1e9 if left is None else min(x[box], x[left] + gap_between(left, box))
    return low, 1e9 if right is None else max(x[box], x[right] - gap_between(box, right))
