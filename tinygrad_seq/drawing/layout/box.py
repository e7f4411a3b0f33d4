"""What a layered layout places: boxes around anchors, and how far apart those of a row are."""

from collections.abc import Sequence
from dataclasses import dataclass

space = 14.0  # between boxes of a row


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """A rectangle around an anchor."""

    left: float = 0.0
    right: float = 0.0
    above: float = 0.0
    below: float = 0.0
    group: float = 0.0  # first in its row, or last: -1 to 1; more: on the right of what it reads
    gutters: Sequence[float] = ()  # of a box with columns, which stands at x = 0: where edges may pass through it
    port: int = 0  # in the border: -1 at the bottom, 1 at the top
    leaf: bool = False  # stands right below its reader and raises nothing
    dummy: bool = False
    middle: float | None = None  # of what reaches over columns: the x where it stands


def gap_between(left: Box, right: Box) -> float:
    """Return how far the anchors of neighbours are apart, at least."""
    return left.right + right.left + (8 if left.dummy and right.dummy else space)
