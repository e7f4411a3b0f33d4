"""Shape the line of every edge, its arrowhead and its mark: numbers, which every renderer writes in its own way."""

import math
from dataclasses import dataclass
from itertools import pairwise

from tinygrad_seq.drawing.layout.model import XY, PlacedEdge, Point
from tinygrad_seq.drawing.render import colours as palette
from tinygrad_seq.drawing.view.model import Scale

Curve = tuple[str, list[XY]]  # as in SVG: "M" start, "L" line, "Q" curve by a corner, "C" curve by two controls


@dataclass(frozen=True, slots=True)
class Stroke:
    """How an edge is drawn, besides where it is placed and marked."""

    placed: PlacedEdge
    line: list[Curve]  # ends in the middle of the arrowhead
    head: list[XY]  # the corners of the arrowhead, its tip first
    role: str  # whose colour it has; "pale" where it steps back behind those whose numbers are shown
    width: float
    heat: str  # the colour of the number shown; "" for none
    operand: str  # "1st" or "2nd", where the picture has to say which argument this is
    beside: XY  # where that stands, next to the arrowhead


def stroke(placed: PlacedEdge, scale: Scale | None) -> Stroke:
    """Return how an edge is drawn: as wide as its role, or the number it shows, wants it."""
    edge, (*points, (x, y, through)) = placed.edge, placed.points
    heat, width = palette.heat(edge.value, scale)
    role = "pale" if palette.pale(edge, scale) else edge.carries or edge.role
    width = max(width, 1.0) if heat else 1.9 if role in palette.edges else 1.2
    half = min(2.6 + 0.6 * width, 4.6)  # of the arrowhead
    left, above, _ = points[-1]
    if through == "v":
        back = 2 * half if above > y else -2 * half
        beside = x + (16 if placed.operand == 1 else -16), y + (9 if above > y else -2)
        foot, end = [(x - half, y + back), (x + half, y + back)], (x, y + back / 2, through)
    else:
        back = 2 * half if left > x else -2 * half
        beside = x + (5.5 if left > x else -5.5), y - 6
        foot, end = [(x + back, y - half), (x + back, y + half)], (x + back / 2, y, through)
    return Stroke(
        placed, curves([*points, end]), [(x, y), *foot], role, width, heat, ("", "1st", "2nd")[placed.operand], beside
    )


def curves(points: list[Point]) -> list[Curve]:
    """Return a smooth line through points."""
    found: list[Curve] = [("M", [points[0][:2]])]
    for (x, y, out), (to_x, to_y, into) in pairwise(points):
        half_x, half_y = (x + to_x) / 2, (y + to_y) / 2
        if out != into:
            found += corner((x, y), (to_x, to_y), out)
        elif abs(to_x - x if out == "v" else to_y - y) < 0.05:
            found.append(("L", [(to_x, to_y)]))
        else:
            turn = [(x, half_y), (to_x, half_y)] if out == "v" else [(half_x, y), (half_x, to_y)]
            found.append(("C", [*turn, (to_x, to_y)]))
    return found


def corner(start: XY, end: XY, out: str) -> list[Curve]:
    """Return a way round a corner that leaves its start sideways ("h") or up or down ("v"): straight where it is long,
    with a curve at most twice as long as high, so that it does not creep along what it passes.
    """
    (x, y), (to_x, to_y) = start, end
    wide = math.copysign(min(abs(to_x - x), 2 * abs(to_y - y)), to_x - x)
    high = math.copysign(min(abs(to_y - y), 2 * abs(to_x - x)), to_y - y)
    if out == "h":
        turn, first, last = (to_x, y), (to_x - wide, y), (to_x, y + high)
    else:
        turn, first, last = (x, to_y), (x, to_y - high), (x + wide, to_y)
    before: list[Curve] = [("L", [first])] if first != start else []
    after: list[Curve] = [("L", [end])] if last != end else []
    return [*before, ("Q", [turn, last]), *after]
