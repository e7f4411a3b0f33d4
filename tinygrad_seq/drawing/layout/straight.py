"""Straighten lines that pass several rows: one x for as many of their places as have room for it."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from math import fsum, inf

from tinygrad_seq.drawing.layout.box import Box, gap_between


def straighten(rows: Sequence[Sequence[Box]], chains: Iterable[Sequence[Box]], x: dict[Box, float]) -> None:
    """Move the dummy boxes of each edge, the longest first, to where they stand in line: between their neighbours."""
    left = {box: other for row in rows for other, box in pairwise(row)}
    right = {box: other for row in rows for box, other in pairwise(row)}

    def between(box: Box) -> tuple[float, float]:  # the least and the largest x that it may have
        low = min(x[box], x[left[box]] + gap_between(left[box], box)) if box in left else -inf
        return low, max(x[box], x[right[box]] - gap_between(box, right[box])) if box in right else inf

    for chain in sorted(chains, key=len, reverse=True):
        rest = list(chain)
        while rest:
            common = accumulate(map(between, rest), lambda a, b: (max(a[0], b[0]), min(a[1], b[1])))
            *_, (count, low, high) = ((i, low, high) for i, (low, high) in enumerate(common, 1) if low <= high)
            middle = fsum(x[box] for box in rest[:count]) / count
            x.update(dict.fromkeys(rest[:count], min(max(middle, low), high)))
            del rest[:count]
