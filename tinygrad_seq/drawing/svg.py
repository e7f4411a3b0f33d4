"""The built-in picture as SVG text: needs nothing installed, and says the same in every process.

Colours are classes in one style sheet, so the picture follows a light or a dark page. A page may decide for itself by
`data-theme` on its root element.
"""

from html import escape

from tinygrad_seq.drawing import palette
from tinygrad_seq.drawing.caption import printable
from tinygrad_seq.drawing.grid import Point, extent, grid, width
from tinygrad_seq.drawing.view import Cluster, Edge, Item, View


def svg(view: View) -> str:
    """The picture as SVG text."""
    found = grid(view)
    parts: list[str] = []
    for cluster, x, y, w, h in found.clusters:
        parts.append(cluster_text(cluster, x, y, w, h))
    for edge, points in found.edges:
        parts.append(edge_text(edge, points, view))
    for item, x, y in found.items:
        parts.append(item_text(item, x, y, view))
    xs = [v for _, x, _, w, _ in found.clusters for v in (x, x + w)] + [
        v for i, x, _ in found.items for v in (x - extent(i)[0] / 2, x + extent(i)[0] / 2)
    ]
    ys = [v for _, _, y, _, h in found.clusters for v in (y, y + h)] + [
        v for i, _, y in found.items for v in (y - extent(i)[1] / 2, y + extent(i)[1] / 2)
    ]
    for _, points in found.edges:
        xs += [p[0] for p in points]
        ys += [p[1] for p in points]
    left, right, top, bottom = (
        min(xs, default=0) - 30,
        max(xs, default=0) + 30,
        min(ys, default=0) - 30,
        max(ys, default=0) + 30,
    )
    box = " ".join(map(number, (left, top, right - left, bottom - top)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{number(right - left)}" height="{number(bottom - top)}">\n'
        f"<style>{style()}</style>\n"
        f'<rect class="paper" x="{number(left)}" y="{number(top)}" width="{number(right - left)}" height="{number(bottom - top)}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def number(value: float) -> str:
    """A coordinate."""
    return f"{round(value, 1) + 0.0:g}" if abs(value) < 1e5 else f"{value:.0f}"


def text(x: float, y: float, words: str, kind: str, anchor: str = "middle", size: float = 11) -> str:
    return f'<text class="{kind}" x="{number(x)}" y="{number(y)}" font-size="{size:g}" text-anchor="{anchor}">{escape(printable(words))}</text>'


def cluster_text(cluster: Cluster, x: float, y: float, w: float, h: float) -> str:
    label = "" if cluster.key == "gap" else cluster.label
    return (
        f'<g class="cluster {escape(cluster.key)}" id="{escape(printable(cluster.id))}"><title>{escape(printable(cluster.label))}</title>'
        f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" height="{number(h)}" rx="14"/>'
        + (text(x + 14, y + 20, label, "quiet", "start", 12) if label else "")
        + "</g>"
    )


def path(points: list[Point]) -> str:
    """A smooth line through points, each passed vertically or horizontally."""
    x, y, way = points[0]
    words = [f"M{number(x)},{number(y)}"]
    for to_x, to_y, to_way in points[1:]:
        if (to_x, to_y) == (x, y):
            way = to_way
            continue
        if way == to_way and (to_x == x if way == "v" else to_y == y):
            words.append(f"L{number(to_x)},{number(to_y)}")
        elif way == to_way:
            mx, my = (x + to_x) / 2, (y + to_y) / 2
            ends = (x, my, to_x, my) if way == "v" else (mx, y, mx, to_y)
            words.append(f"C{','.join(map(number, (*ends, to_x, to_y)))}")
        else:
            corner = (x, to_y) if way == "v" else (to_x, y)
            words.append(f"Q{','.join(map(number, (*corner, to_x, to_y)))}")
        x, y, way = to_x, to_y, to_way
    return "".join(words)


def edge_text(edge: Edge, points: list[Point], view: View) -> str:
    (x, y, way), (bx, by, _) = points[-1], points[-2]
    s = 3.2
    if way == "v":
        d = 2 * s if y < by else -2 * s
        head = f"M{number(x)},{number(y)}L{number(x - s)},{number(y + d)}L{number(x + s)},{number(y + d)}z"
    else:
        d = 2 * s if x < bx else -2 * s
        head = f"M{number(x)},{number(y)}L{number(x + d)},{number(y - s)}L{number(x + d)},{number(y + s)}z"
    return (
        f'<g class="edge {escape(edge.role)}" data-source="{escape(printable(edge.source))}" data-target="{escape(printable(edge.target))}">'
        f'<path class="line" d="{path(points)}"/><path class="head" d="{head}"/></g>'
    )


def item_text(item: Item, x: float, y: float, view: View) -> str:
    w, h = extent(item)
    role = f"{item.role} w{item.colour % len(palette.weights)}" if item.role == "weight" else item.role
    box = f'<rect x="{number(x - w / 2)}" y="{number(y - h / 2)}" width="{number(w)}" height="{number(h)}" rx="{number(min(h / 2, 10))}"/>'
    if item.role == "middle":
        lines = item.label.split("\n")
        words = text(x, y - 10, item.symbol, "ink", size=24) + "".join(
            text(x, y + 12 + 16 * i, line, "ink", size=11) for i, line in enumerate(lines)
        )
        box = ""
    elif item.role == "gate":
        words = text(x, y - 1, item.label, "ink") + text(x, y + 10.5, item.symbol, "ink", size=9)
    elif not item.label:
        words = text(x, y + 4, item.symbol, "ink", size=13 if len(item.symbol) <= 2 else 10)
    elif item.symbol:
        words = f'<text class="ink" x="{number(x)}" y="{number(y + 4)}" font-size="12" text-anchor="middle"><tspan font-size="9">{escape(item.symbol)}</tspan> {escape(printable(item.label))}</text>'
    elif item.role in ("weight", "constant", "initial", "passing"):
        lines = item.label.split("\n")
        words = "".join(
            text(x, y + 3.2 + 11 * (i - (len(lines) - 1) / 2), line, "ink", size=9) for i, line in enumerate(lines)
        )
    else:
        words = text(x, y + 4, item.label, "ink", size=12)
    return f'<g class="node {role}" id="{escape(printable(item.id))}"><title>{escape(printable(item.tooltip))}</title>{box}{words}</g>'


def style() -> str:
    rules = [
        "text{font-family:Inter,Helvetica,Arial,sans-serif}",
        f".paper{{fill:{palette.paper}}}.ink{{fill:{palette.ink}}}.quiet{{fill:{palette.quiet}}}",
        f".cluster rect{{fill:{palette.ground};stroke:{palette.frame}}}",
        f".cluster.step rect{{fill:{palette.card};stroke:{palette.card_edge}}}",
        f".cluster.gap rect{{fill:none;stroke:{palette.card_edge};stroke-dasharray:4 4}}",
        f".edge .line{{fill:none;stroke:{palette.line};stroke-width:1.2}}.edge .head{{fill:{palette.line}}}",
        f".edge.state .line{{stroke:{palette.state};stroke-width:1.8}}.edge.state .head{{fill:{palette.state}}}",
    ]
    for role, fill in palette.fills.items():
        stroke = palette.quiet if fill == palette.paper else fill
        rules.append(
            f".node.{role} rect{{fill:{fill};stroke:{stroke}}}.node.{role} text{{fill:{palette.texts.get(role, palette.ink)}}}"
        )
    for row, fill in enumerate(palette.weights):
        rules.append(f".node.w{row} rect{{fill:{fill}}}.node.w{row} text{{fill:#FFFFFF}}")
    return "".join(rules)
