"""The built-in picture as SVG text: needs nothing installed, says the same in every process.

Every item is one `<g class="node ROLE">` with its tooltip as `<title>`, every edge one `<g class="edge ROLE">` that
names both its ends, every cluster one `<g class="cluster KEY">`.
"""

from html import escape
from itertools import pairwise
from math import inf
from typing import Any

from tinygrad_seq.drawing import palette
from tinygrad_seq.drawing.around import flow, ticks, titles
from tinygrad_seq.drawing.caption import printable, shortened
from tinygrad_seq.drawing.grid import lay_out
from tinygrad_seq.drawing.moulds import Place, Tree
from tinygrad_seq.drawing.sheet import sheet
from tinygrad_seq.drawing.sizes import face, lines, small, symbol, width
from tinygrad_seq.drawing.view import Edge, Item, Scale, View
from tinygrad_seq.drawing.ways import Point, Ways

rim = 30.0  # around everything


def svg(view: View) -> str:
    """The picture as SVG text."""
    tree = Tree(view)
    lay_out(tree)
    ways = Ways(tree)
    reach = Reach()
    if not view.top.items and not view.top.inner:
        reach.add(0.0, 0.0)
    parts = [
        cluster_text(place, reach) for place in tree.places if place.cluster is not None and place.outer is not None
    ]
    parts += [edge_text(edge, ways.way(edge), view.scale, reach) for edge in view.edges]
    for place in tree.places:
        for item in place.cluster.items if place.cluster is not None else ():
            x, y = place.mould.at[tree.slot[item.id]]
            parts.append(item_text(item, place.x + x, place.y + y, view.scale, reach))
    before, after = surroundings(view, reach)
    left, top = reach.left - rim, reach.top - rim
    wide, high = short(reach.right - left + rim), short(reach.bottom - top + rim)
    size = f'width="{wide}" height="{high}"'
    start = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{short(left)} {short(top)} {wide} {high}" {size}>',
        f"<style>{sheet()}</style>",
        f'<rect class="paper" x="{short(left)}" y="{short(top)}" {size}/>',
    ]
    return "\n".join([*start, *before, *parts, *after, "</svg>", ""])


class Reach:
    """How far what was drawn reaches."""

    left = top = inf
    right = bottom = -inf

    def add(self, x: float, y: float, wide: float = 0.0, high: float = 0.0) -> None:
        """Take in a rectangle around a centre."""
        self.left, self.top = min(self.left, x - wide / 2), min(self.top, y - high / 2)
        self.right, self.bottom = max(self.right, x + wide / 2), max(self.bottom, y + high / 2)


def short(value: float) -> str:
    """A coordinate in tenths."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def plain(text: str) -> str:
    """Text that means nothing to XML."""
    return escape(printable(text))


def words(x: float, y: float, text: str, size: float, kind: str = "", anchor: str = "middle") -> str:
    kind = f' class="{kind}"' if kind else ""
    return f'<text{kind} x="{short(x)}" y="{short(y)}" font-size="{size:g}" text-anchor="{anchor}">{plain(text)}</text>'


def rectangle(x: float, y: float, wide: float, high: float, corner: float, style: str = "") -> str:
    """A rectangle around a centre."""
    return (
        f'<rect x="{short(x - wide / 2)}" y="{short(y - high / 2)}" width="{short(wide)}" height="{short(high)}"'
        f' rx="{short(corner)}"{style}/>'
    )


def cluster_text(place: Place, reach: Reach) -> str:
    cluster: Any = place.cluster
    mould = place.mould
    wide, high = mould.right - mould.left, mould.bottom - mould.top
    x, y = place.x + (mould.left + mould.right) / 2, place.y + (mould.top + mould.bottom) / 2
    reach.add(x, y, wide, high)
    label = "" if cluster.key == "gap" else cluster.label
    return (
        f'<g class="cluster {plain(cluster.key)}" id="{plain(cluster.id)}"><title>{plain(cluster.label)}</title>'
        + rectangle(x, y, wide, high, 14)
        + (words(x - wide / 2 + 14, y - high / 2 + 20, label, 12, "quiet", "start") if label else "")
        + "</g>"
    )


def item_text(item: Item, x: float, y: float, scale: Scale | None, reach: Reach) -> str:
    wide, high, text = face(item)
    reach.add(x, y, wide, high)
    style = ' style="fill:none;stroke:none"' if item.role == "middle" else ""
    if item.value is not None and scale is not None and scale.low is not None:
        colour, thick = palette.heat(item.value, scale)
        style = f' style="stroke:{colour};stroke-width:{short(1 + thick / 2)}"'
    role = f"weight w{item.colour % len(palette.weights)}" if item.role == "weight" else plain(item.role)
    body = rectangle(x, y, wide, high, high / 2 if high < 30 else 10, style)
    if item.label and item.symbol and item.role not in ("gate", "middle", *small):
        body += f'<text x="{short(x)}" y="{short(y + 4)}" font-size="12" text-anchor="middle">'
        body += f'<tspan font-size="9">{plain(symbol(item))}</tspan> {plain(" ".join(lines(item)))}</text>'
    else:
        body += "".join(words(x, y + down, word, size) for word, size, down in text)
    return f'<g class="node {role}" id="{plain(item.id)}"><title>{plain(item.tooltip)}</title>{body}</g>'


def edge_text(edge: Edge, points: list[Point], scale: Scale | None, reach: Reach) -> str:
    for x, y, _ in points:
        reach.add(x, y)
    line = head = ""
    thick = 1.9 if edge.role in ("state", "delay", "gradient") else 1.2
    if edge.value is not None and scale is not None and scale.low is not None:
        colour, thick = palette.heat(edge.value, scale)
        thick = max(thick, 1.0)
        line, head = f' style="stroke:{colour};stroke-width:{short(thick)}"', f' style="fill:{colour}"'
    half = 2.6 + 0.6 * thick  # of the arrowhead
    (x, y, through), (_, before, _), (left, _, _) = points[-1], points[-2], points[-2]
    if through == "v":
        back = 2 * half if before > y else -2 * half
        arrow, points = [(x - half, y + back), (x + half, y + back)], [*points[:-1], (x, y + back / 2, "v")]
    else:
        back = 2 * half if left > x else -2 * half
        arrow, points = [(x + back, y - half), (x + back, y + half)], [*points[:-1], (x + back / 2, y, "h")]
    tip = "M" + "L".join(f"{short(a)},{short(b)}" for a, b in [(x, y), *arrow]) + "z"
    return (
        f'<g class="edge {plain(edge.role)}" data-source="{plain(edge.source)}" data-target="{plain(edge.target)}">'
        f'<path class="line" d="{path(points)}"{line}/><path class="head" d="{tip}"{head}/>{mark(edge, points)}</g>'
    )


def mark(edge: Edge, points: list[Point]) -> str:
    """What an edge says: a delay or a cut."""
    if edge.role == "delay":
        level = [(abs(a - c), (a + c) / 2, b) for (a, b, _), (c, d, _) in pairwise(points) if abs(b - d) < 1]
        _, x, y = max(level, default=(0.0, *points[0][:2]))
        return words(x, y - 5, edge.label or "t−1", 11, "quiet")
    i = max(range(1, len(points)), key=lambda i: abs(points[i][0] - points[i - 1][0]))
    part = 0.85  # of the way, towards its end: there such edges are apart
    if all(through == "h" for _, _, through in points):  # from card to card
        i, part = len(points) // 2, 0.5
    (ax, ay, _), (bx, by, through) = points[i - 1], points[i]
    smooth, straight = part * part * (3 - 2 * part), 1.5 * part * (1 - part) + part**3
    x, y = (
        ax + (bx - ax) * (straight if through == "h" else smooth),
        ay + (by - ay) * (smooth if through == "h" else straight),
    )
    steep = through == "h" and abs(by - ay) > 30
    if edge.role == "cut":
        slashes = "".join(
            f"M{short(x + by - 4)},{short(y + 7)}L{short(x + by + 4)},{short(y - 7)}" for by in (-3.5, 3.5)
        )
        hole = f'<path class="hole" d="M{short(x - 4)},{short(y + 7)}L{short(x + 4)},{short(y - 7)}"/>'
        return f'{hole}<path class="mark" d="{slashes}"/>' + (
            words(x + 10, y + 3, "detach", 9, "quiet", "start") if steep else words(x, y - 11, "detach", 9, "quiet")
        )
    return ""


def path(points: list[Point]) -> str:
    """A smooth line through points."""
    x, y, through = points[0]
    found = [f"M{short(x)},{short(y)}"]
    for to_x, to_y, to in points[1:]:
        if through == to and (abs(to_x - x) < 0.05 if to == "v" else abs(to_y - y) < 0.05):
            found.append(f"L{short(to_x)},{short(to_y)}")
        elif through == to:
            half_x, half_y = (x + to_x) / 2, (y + to_y) / 2
            turn = (x, half_y, to_x, half_y) if to == "v" else (half_x, y, half_x, to_y)
            found.append("C" + ",".join(map(short, (*turn, to_x, to_y))))
        else:
            corner = (x, to_y) if to == "h" else (to_x, y)
            found.append("Q" + ",".join(map(short, (*corner, to_x, to_y))))
        x, y, through = to_x, to_y, to
    return "".join(found)


def surroundings(view: View, reach: Reach) -> tuple[list[str], list[str]]:
    """Title and legend."""
    title, below = titles(view)
    before, after = [], []
    left, top, limit = reach.left, reach.top, max(reach.right - reach.left, 560.0)
    y = top - 26
    for text, size, kind in ((below, 12.5, "quiet"), (title, 20, "title")):
        if text:
            text = shortened(text, max(20, int(limit / size / 0.55)))
            before.append(words(left, y, text, size, kind, "start"))
            reach.add(left + width(text, size) / 2, y - size / 2, width(text, size), size)
            y -= 24
    base = reach.bottom + 34
    bar = view.scale is not None
    row = base
    for x, down, wide, kind, label, beside in flow(view, limit - (300 if bar else 0)):
        x, row = left + x, base + down
        pill = rectangle(x + wide / 2, row, wide, 20, 10) + words(x + wide / 2, row + 3.5, label, 10)
        after.append(f'<g class="pill {kind}">{pill}</g>')
        if beside:
            after.append(words(x + wide + 8, row + 4, beside, 11, "quiet", "start"))
        whole = wide + (width(beside, 11) + 8 if beside else 0)
        reach.add(x + whole / 2, row, whole, 22)
    if view.scale is not None:
        after += colour_bar(view.scale, left + limit, base, reach)
    return before, after


def colour_bar(scale: Scale, right: float, y: float, reach: Reach) -> list[str]:
    """What the colours mean."""
    if scale.low is None:
        text = f"{scale.label}: not computed"
        reach.add(right - width(text, 11) / 2, y, width(text, 11), 22)
        return [words(right, y + 4, text, 11, "quiet", "end")]
    count, wide = 40, 200.0
    found = [words(right - wide - 10, y + 4, shortened(scale.label, 40), 11, "quiet", "end")]
    for i in range(count):
        rest = wide * (1 - i / count)  # one over the other, so that no seam shows
        found.append(rectangle(right - rest / 2, y, rest, 12, 0, f' style="fill:{palette.tint(i / (count - 1))}"'))
    found += [words(right - wide + at * wide, y + 20, text, 10, "quiet") for at, text in ticks(scale)]
    reach.add(right - wide / 2 + 10, y + 8, wide + 20, 32)
    return found
