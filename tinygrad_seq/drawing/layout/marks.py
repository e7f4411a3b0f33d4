"""Where it says on a line that it is cut, or how late a delay is: beside the line, and on nothing else."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from tinygrad_seq.drawing.layout.model import PlacedCluster, PlacedEdge, PlacedItem, Point
from tinygrad_seq.drawing.layout.text_size import width

Rectangle = tuple[float, float, float, float]  # left, top, right, bottom
Mark = tuple[float, float, bool]  # where, and whether the line is steep there
cell = 120.0  # rectangles are looked up by squares of this size
shares = (0.85, 0.5, 0.7, 0.3, 0.15, 0.6, 0.4)  # of a way; first near its end, where lines are apart


def marked(
    edges: Iterable[PlacedEdge], items: Iterable[PlacedItem], clusters: Iterable[PlacedCluster]
) -> list[PlacedEdge]:
    """Return the edges, those that say something with where they say it: the first free place, or the first of all."""
    edges = list(edges)
    taken: dict[tuple[int, int], list[Rectangle]] = defaultdict(list)
    if any(placed.edge.role in ("cut", "delay") for placed in edges):
        for at in items:
            add(taken, (at.x - at.width / 2, at.y - at.height / 2, at.x + at.width / 2, at.y + at.height / 2))
        for around in clusters:
            right = around.left + 14 + width(around.cluster.label, 12)
            add(taken, (around.left + 14, around.top + 8, right, around.top + 24))
    found = []
    for placed in edges:
        if placed.edge.role in ("cut", "delay"):
            is_cut = placed.edge.role == "cut"
            marks = list(cuts(placed.points) if is_cut else levels(placed.points))
            boxes = {mark: words_at(mark, "detach" if is_cut else placed.edge.label or "t−1") for mark in marks}
            mark = next((mark for mark in marks if is_free(taken, boxes[mark])), marks[0])
            add(taken, boxes[mark])
            placed = replace(placed, mark=mark)
        found.append(placed)
    return found


def words_at(mark: Mark, text: str) -> Rectangle:
    """Return the rectangle of what an edge says at a mark."""
    (x, y, steep), wide = mark, width(text, 11 if text != "detach" else 9)
    return (x - 7, y - 7, x + 12 + wide, y + 7) if steep else (x - wide / 2, y - 19, x + wide / 2, y - 4)


def squares(box: Rectangle) -> Iterator[tuple[int, int]]:
    """Yield the squares that a rectangle lies in."""
    left, top, right, bottom = (int(side // cell) for side in box)
    return ((i, j) for i in range(left, right + 1) for j in range(top, bottom + 1))


def add(taken: dict[tuple[int, int], list[Rectangle]], box: Rectangle) -> None:
    """Note that a rectangle is taken."""
    for square in squares(box):
        taken[square].append(box)


def is_free(taken: dict[tuple[int, int], list[Rectangle]], box: Rectangle) -> bool:
    """Tell whether a rectangle meets none that is taken."""
    left, top, right, bottom = box
    return not any(
        other[0] < right and left < other[2] and other[1] < bottom and top < other[3]
        for square in squares(box)
        for other in taken.get(square, ())
    )


def levels(points: Sequence[Point]) -> Iterator[Mark]:
    """Yield places on the level parts of a line, the middle of the longest first."""
    parts = [(abs(a - c), a, c, b) for (a, b, _), (c, d, _) in pairwise(points) if abs(b - d) < 1]
    for _, start, end, y in sorted(parts, reverse=True):
        yield from ((start + (end - start) * part, y, False) for part in (0.5, *shares))
    yield from ((x + by, y + 10, False) for x, y, _ in cuts(points) for by in (18, -18))


def cuts(points: Sequence[Point]) -> Iterator[Mark]:
    """Yield places on a line, first on the part that goes furthest sideways; the words beside it, or else above."""
    pieces = sorted(range(1, len(points)), key=lambda i: -abs(points[i][0] - points[i - 1][0]))
    across = all(through == "h" for _, _, through in points)  # from card to card
    if across:
        pieces.insert(0, len(points) // 2)
    for turned in (False, True):
        for i in pieces:
            (ax, ay, _), (bx, by, through) = points[i - 1], points[i]
            for part in (0.5, *shares) if across else shares:
                smooth, straight = part * part * (3 - 2 * part), 1.5 * part * (1 - part) + part**3
                x = ax + (bx - ax) * (straight if through == "h" else smooth)
                y = ay + (by - ay) * (smooth if through == "h" else straight)
                yield x, y, (through == "h" and abs(by - ay) > 30) != turned
