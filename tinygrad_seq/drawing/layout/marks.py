"""Where it says on a line that it is cut, or how late a delay is: beside the line, and on nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from tinygrad_seq.drawing.layout.clearance import Obstacles, eased
from tinygrad_seq.drawing.layout.model import PlacedCluster, PlacedEdge, PlacedItem, Point, Rectangle
from tinygrad_seq.drawing.layout.text_size import width

Mark = tuple[float, float, bool]  # where, and whether the line is steep there
shares = (0.85, 0.5, 0.7, 0.3, 0.15, 0.6, 0.4)  # of a way; first near its end, where lines are apart
recent = 50  # so many other words are looked at


def marked(edges: list[PlacedEdge], items: list[PlacedItem], clusters: list[PlacedCluster]) -> list[PlacedEdge]:
    """Return the edges, those that say something with where they say it: the first free place. Where there is none, a
    delay says it all the same; a cut is only marked. Edges beside each other say the same once.
    """
    saying = {i: placed for i, placed in enumerate(edges) if placed.edge.role == "cut" or placed.edge.label}
    if not saying:
        return edges
    titles = ((at.left + 14, at.top + 8, width(at.cluster.label, 12)) for at in clusters)
    sides = ((x - 1, at.top, x + 1, at.bottom) for at in clusters for x in (at.left, at.right))
    boxes = (at.rectangle for at in items)
    taken = Obstacles([*boxes, *sides, *((left, top, left + wide, top + 16) for left, top, wide in titles)])
    said: list[Rectangle] = []
    first = {(edges[i].edge.source, edges[i].edge.target, edges[i].edge.label): i for i in reversed(saying)}
    for i, placed in saying.items():
        is_cut = placed.edge.role == "cut"
        text = "detach" if is_cut else placed.edge.label
        marks = cuts(placed.points) if is_cut else levels(placed.points, width(text, 11) / 2 + 5)
        places = [(mark, words_at(mark, text)) for mark in marks]
        latest = Obstacles(said[-recent:])
        found = next((at for at in places if taken.is_clear(*at[1]) and latest.is_clear(*at[1])), None)
        mark, box = found or places[0]
        says = first[placed.edge.source, placed.edge.target, placed.edge.label] == i and not (is_cut and found is None)
        said += [box] if says else []
        edges[i] = replace(placed, mark=mark, word=text if says else "")
    return edges


def words_at(mark: Mark, text: str) -> Rectangle:
    """Return the rectangle of what an edge says at a mark."""
    (x, y, steep), wide = mark, width(text, 11 if text != "detach" else 9)
    return (x - 7, y - 7, x + 12 + wide, y + 7) if steep else (x - wide / 2, y - 19, x + wide / 2, y - 4)


def levels(points: Sequence[Point], aside: float) -> Iterator[Mark]:
    """Yield places on the level parts of a line, the middle of the longest first; then so far beside those that rise
    furthest.
    """
    parts = [(abs(a - c), a, c, b) for (a, b, _), (c, d, _) in pairwise(points) if abs(b - d) < 1 < abs(a - c)]
    for _, start, end, y in sorted(parts, reverse=True):
        yield from ((start + (end - start) * part, y, False) for part in (0.5, *shares, 0.75, 0.25))
    ways = [by for far in (aside, aside + 18, aside + 36) for by in (-far, far)]
    rising = sorted(pairwise(points), key=lambda piece: -abs(piece[1][1] - piece[0][1]))
    yield from (((a + c) / 2 + by, (b + d) / 2 + 10, False) for by in ways for (a, b, _), (c, d, _) in rising)


def cuts(points: Sequence[Point]) -> Iterator[Mark]:
    """Yield places on a line, first on the part that goes furthest sideways; the words beside it, or else above."""
    across = all(through == "h" for _, _, through in points)  # from card to card
    furthest = sorted(range(1, len(points)), key=lambda i: -abs(points[i][0] - points[i - 1][0]))
    pieces = [len(points) // 2] * across + furthest
    for turned in (False, True):
        for i in pieces:
            (ax, ay, _), (bx, by, through) = points[i - 1], points[i]
            for part in (0.5, *shares) if across else shares:
                smooth, straight = eased(part)
                x = ax + (bx - ax) * (straight if through == "h" else smooth)
                y = ay + (by - ay) * (smooth if through == "h" else straight)
                yield x, y, (through == "h" and abs(by - ay) > 30) != turned
