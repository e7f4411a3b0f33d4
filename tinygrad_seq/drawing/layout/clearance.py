"""Lines around boxes: is a piece of a line free, and where could it run if it is not?

The boxes of a template lie in bands, with corridors between them that are free from left to right. A line that would
run through a box leaves its own band straight, and goes sideways in a corridor.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from math import copysign, inf
from operator import itemgetter

from tinygrad_seq.drawing.layout.model import XY, Point, Rectangle
from tinygrad_seq.drawing.layout.template_layout import TemplateLayout
from tinygrad_seq.drawing.layout.templates import End, ItemKey
from tinygrad_seq.drawing.layout.text_size import width

graze = 0.5  # how far a line may enter a box
aside = 9.0  # how far beside a box a way around it runs
longest = 40  # a line over more bands goes around all of them
arrow = 4.0  # half the length of an arrowhead
tries = 60  # so many ways around boxes are looked at


@dataclass(frozen=True, slots=True)
class Band:
    """Boxes at the same height, sorted by their left sides."""

    top: float
    bottom: float
    lefts: list[float]
    boxes: list[Rectangle]
    widest: float


class Obstacles:
    """Boxes that lines and words stay clear of."""

    def __init__(self, boxes: Iterable[Rectangle]) -> None:
        rows: list[list[Rectangle]] = []
        bottom = -inf
        for box in sorted(boxes, key=itemgetter(1)):
            if box[1] > bottom + 2:
                rows.append([])
            rows[-1].append(box)
            bottom = max(bottom, box[3])
        self.bands = [
            Band(min(tops), max(bottoms), list(lefts), row, max(right - left for left, _, right, _ in row))
            for row in map(sorted, rows)
            for lefts, tops, _, bottoms in [zip(*row)]
        ]
        self.tops = [band.top for band in self.bands]
        self.bottoms = [band.bottom for band in self.bands]
        self.right = max((box[2] for band in self.bands for box in band.boxes), default=0.0)

    def near(self, left: float, top: float, right: float, bottom: float) -> Iterator[Rectangle]:
        """Yield the boxes that meet a rectangle."""
        for band in self.bands[bisect_left(self.bottoms, top) : bisect_right(self.tops, bottom)]:
            for box in band.boxes[bisect_left(band.lefts, left - band.widest) : bisect_right(band.lefts, right)]:
                if box[2] > left and box[1] < bottom and box[3] > top:
                    yield box

    def is_free(self, a: Point, b: Point, apart: float = 0.0) -> bool:
        """Tell whether the line from one point to the next meets no box, nor lines so far beside it on both sides."""
        (ax, ay, _), (bx, by, _) = a, b
        found = list(self.near(min(ax, bx) - apart, min(ay, by), max(ax, bx) + apart, max(ay, by)))
        by_x = graze - apart
        return not found or not any(
            left + by_x < x < right - by_x and top + graze < y < bottom - graze
            for x, y in spots(a, b)
            for left, top, right, bottom in found
        )

    def cleared(self, points: Sequence[Point], apart: float = 0.0) -> list[Point]:
        """Return the points of a line, and more where it would run through a box."""
        (x, y, way), (_, above, _) = points[-1], points[-2]
        tip: Point = (x, y + copysign(arrow, above - y), way) if way == "v" else points[-1]  # so far the line is drawn
        found = list(points[:1])
        for a, b in pairwise([*points[:-1], tip]):
            found += [*self.between(a, b, apart), b]
        return [*found[:-1], points[-1]]

    def between(self, a: Point, b: Point, apart: float) -> list[Point]:
        """Return the points that a line has to pass between two others."""
        (_, ay, way), (_, by, into) = a, b
        if way != "v" or into != "v" or ay == by:
            return []
        crossed = bisect_right(self.tops, max(ay, by)) - bisect_left(self.bottoms, min(ay, by))
        if crossed <= longest and self.is_free(a, b, apart):
            return []
        up = -1.0 if by < ay else 1.0
        out, back = self.leaving(a, up), self.leaving(b, -up)
        if (back[1] - out[1]) * up <= 0:  # in one band
            return []
        if crossed > longest:
            x = self.right + aside
            return [out, (x, out[1] + 16 * up, "v"), (x, back[1] - 16 * up, "v"), back]
        found = [a]
        for point, after in pairwise([out, *self.through_bands(out, back, apart), back, b]):
            if not self.is_free(found[-1], after, apart):  # no more bends than it needs
                found.append(point)
        return found[1:]

    def through_bands(self, start: Point, end: Point, apart: float) -> Iterator[Point]:
        """Yield the points of the shortest way that goes upright through the bands between two places."""
        (ax, ay, _), (bx, by, _), room = start, end, aside + apart
        down, low, high = 1 if ay < by else -1, min(ay, by) + 0.1, max(ay, by) - 0.1
        bands = self.bands[bisect_left(self.bottoms, low) : bisect_right(self.tops, high)][::down]
        xs = {x for band in bands for box in band.boxes for x in (box[0] - room, box[2] + room)} | {ax, bx}
        near = {*sorted(xs, key=lambda x: (abs(x - ax) + abs(x - bx), x))[:tries], min(xs), max(xs)}
        ways: dict[float, tuple[float, list[float]]] = {ax: (0.0, [ax])}  # by where they lead: length, and each x
        for band in bands:
            free = [x for x in near if self.is_clear(x - 1 - apart, band.top, x + 1 + apart, band.bottom)]
            ways = {x: min((length + abs(x - way[-1]), [*way, x]) for length, way in ways.values()) for x in free}
        _, shortest = min((length + abs(bx - x), way) for x, (length, way) in ways.items())
        for x, band in zip(shortest[1:], bands):
            yield from ((x, y, "v") for y in (band.top, band.bottom)[::down])

    def is_clear(self, left: float, top: float, right: float, bottom: float) -> bool:
        """Tell whether a rectangle meets no box; its corners may come in any order."""
        return not any(self.near(min(left, right), min(top, bottom), max(left, right), max(top, bottom)))

    def leaving(self, point: Point, way: float) -> Point:
        """Return where a vertical line leaves the band around its beginning, upward (-1) or downward (1)."""
        x, y, _ = point
        number = bisect_left(self.bottoms, y - 0.1)
        if number < len(self.bands) and self.bands[number].top < y + 0.1:
            y = self.bands[number].top if way < 0 else self.bands[number].bottom
        return x, y, "v"


def boxes_in(layout: TemplateLayout, lacking: Set[ItemKey] = frozenset()) -> Iterator[Rectangle]:
    """Yield what is in a template: items, parts, and its own title; of steps side by side what is in them. `lacking`:
    items that are not in the placement whose lines are looked at, such as first states in later steps.
    """
    stack = [(layout, 0.0, 0.0)]
    while stack:
        here, x, y = stack.pop()
        for key, sized in here.template.items.items():
            if here is not layout or key not in lacking:
                by, down = here.at[End(key)]
                wide, high = sized.width / 2, sized.height / 2
                yield x + by - wide, y + down - high, x + by + wide, y + down + high
        if here.template.label:
            left, top = x - here.box.left + 14, y - here.box.above + 20
            yield left, top - 11, left + width(here.template.label, 12), top + 4
        for name, part in here.parts.items():
            by, down = here.at[End(part=name)]
            if part.box.gutters or "row" in (part.template.kind, here.template.kind):
                stack.append((part, x + by, y + down))
            else:
                box = part.box
                yield x + by - box.left, y + down - box.above, x + by + box.right, y + down + box.below


def spots(a: Point, b: Point) -> Iterable[XY]:
    """Return places on the line from one point to the next, as it is drawn."""
    (ax, ay, way), (bx, by, into) = a, b
    count = int((abs(bx - ax) + abs(by - ay)) / 2.5) + 2
    shares = [i / count for i in range(1, count)]
    if way != into:
        cx, cy = (ax, by) if way == "v" else (bx, ay)
        return [
            (s * s * bx + 2 * s * r * cx + r * r * ax, s * s * by + 2 * s * r * cy + r * r * ay)
            for s in shares for r in [1 - s]
        ]  # fmt: skip
    soft = map(eased, shares)
    if way == "v":
        return [(ax + (bx - ax) * smooth, ay + (by - ay) * straight) for smooth, straight in soft]
    return [(ax + (bx - ax) * straight, ay + (by - ay) * smooth) for smooth, straight in soft]


def eased(share: float) -> tuple[float, float]:
    """Return how far a smooth line has come at a share of its way: across, and along the direction it starts in."""
    return share * share * (3 - 2 * share), 1.5 * share * (1 - share) + share**3
