"""The built-in picture as SVG text: needs nothing installed, says the same in every process.

Every item is one `<g class="node ROLE">` with its tooltip as `<title>`, every edge one `<g class="edge ROLE">` that
names both its ends, every cluster one `<g class="cluster KEY">`.
"""

from html import escape

from tinygrad_seq.drawing.layout.model import Layout, PlacedCluster, PlacedItem
from tinygrad_seq.drawing.render import colours as palette
from tinygrad_seq.drawing.render.css import sheet
from tinygrad_seq.drawing.render.strokes import Stroke, stroke
from tinygrad_seq.drawing.render.title_and_legend import Part, Text, rim, surroundings
from tinygrad_seq.drawing.view.labels import printable
from tinygrad_seq.drawing.view.model import Scale


def svg(layout: Layout) -> str:
    """Return the picture as SVG text."""
    view = layout.view
    title, legend, (left, top, right, bottom) = surroundings(view, layout.box, layout.sequences)
    lines = [stroke(placed, view.scale) for placed in layout.edges]
    left, top = left - rim, top - rim
    wide, high = short(right - left + rim), short(bottom - top + rim)
    size = f'width="{wide}" height="{high}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{short(left)} {short(top)} {wide} {high}" {size}>',
        f"<style>{sheet()}</style>",
        f'<rect class="paper" x="{short(left)}" y="{short(top)}" {size}/>',
        *map(part_text, title),
        *map(cluster_text, layout.clusters),
        *map(edge_text, lines),
        *(item_text(placed, view.scale) for placed in layout.items),
        *map(part_text, legend),
        "</svg>\n",
    ]
    return printable("\n".join(parts))


def short(value: float) -> str:
    """Return a coordinate in tenths."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def words(x: float, y: float, text: str, size: float, kind: str = "", anchor: str = "middle") -> str:
    """Return a line of text."""
    at = f'x="{short(x)}" y="{short(y)}" font-size="{size:g}" text-anchor="{anchor}"'
    kind = f' class="{kind}"' if kind else ""
    return f"<text{kind} {at}>{escape(text)}</text>"


def rectangle(x: float, y: float, wide: float, high: float, corner: float, style: str = "") -> str:
    """Return a rectangle around a centre."""
    return (
        f'<rect x="{short(x - wide / 2)}" y="{short(y - high / 2)}" width="{short(wide)}" height="{short(high)}"'
        f' rx="{short(corner)}"{style}/>'
    )


def cluster_text(placed: PlacedCluster) -> str:
    """Return a cluster: its frame, and its label in the upper left corner."""
    cluster = placed.cluster
    wide, high = placed.right - placed.left, placed.bottom - placed.top
    x, y = (placed.left + placed.right) / 2, (placed.top + placed.bottom) / 2
    label = "" if cluster.key == "gap" else cluster.label
    return (
        f'<g class="cluster {escape(cluster.key)}" id="{escape(cluster.id)}"><title>{escape(cluster.label)}</title>'
        + rectangle(x, y, wide, high, 14)
        + (words(x - wide / 2 + 14, y - high / 2 + 20, label, 12, "quiet", "start") if label else "")
        + "</g>"
    )


def item_text(placed: PlacedItem, scale: Scale | None) -> str:
    """Return an item: its shape, and the words on it."""
    item, x, y, wide, high, text = placed.item, placed.x, placed.y, placed.width, placed.height, placed.words
    style = ' style="fill:none;stroke:none"' if item.role == "middle" else ""
    colour, _ = palette.heat(item.value, scale)
    role = f"weight w{item.colour % len(palette.weights)}" if item.colour >= 0 else escape(item.role)
    if colour:
        style, role = f' style="fill:{colour};stroke:{colour}"', f"{role} shown"
    elif palette.pale(item, scale):
        role += " pale"
    body = rectangle(x, y, wide, high, high / 2 if high < 30 else 10, style)
    body += "".join(words(x, y + down, word, size) for word, size, down in text)
    return f'<g class="node {role}" id="{escape(item.id)}"><title>{escape(item.tooltip)}</title>{body}</g>'


def edge_text(drawn: Stroke) -> str:
    """Return an edge: its line, its arrowhead, and what it says."""
    edge = drawn.placed.edge
    line = f' style="stroke:{drawn.heat};stroke-width:{short(drawn.width)}"' if drawn.heat else ""
    head = f' style="fill:{drawn.heat}"' if drawn.heat else ""
    curve = "".join(kind + spots(points) for kind, points in drawn.line)
    tip = "M" + "L".join(spots([corner]) for corner in drawn.head) + "z"
    return (
        f'<g class="edge {escape(drawn.role)}" data-source="{escape(edge.source)}" data-target="{escape(edge.target)}">'
        f'<path class="line" d="{curve}"{line}/><path class="head" d="{tip}"{head}/>{mark(drawn)}</g>'
    )


def spots(points: list[tuple[float, float]]) -> str:
    """Return the coordinates of points."""
    return ",".join(f"{short(x)},{short(y)}" for x, y in points)


def mark(drawn: Stroke) -> str:
    """Return what an edge says: which operand it is, how late a delay is, or that it is cut."""
    placed, (x, y, steep) = drawn.placed, drawn.placed.mark
    order = words(*drawn.beside, drawn.operand, 9, "quiet") if drawn.operand else ""
    if placed.edge.role != "cut":
        return order + (words(x, y - 5, placed.word, 11, "quiet") if placed.word else "")
    hole, left, right = (f"M{spots([(x + by - 4, y + 7)])}L{spots([(x + by + 4, y - 7)])}" for by in (0, -3.5, 3.5))
    beside: tuple[float, float, str] = (x + 10, y + 3, "start") if steep else (x, y - 11, "middle")
    word = words(*beside[:2], placed.word, 9, "", beside[2]) if placed.word else ""
    return f'{order}<path class="hole" d="{hole}"/><path class="mark" d="{left}{right}"/>{word}'


def part_text(part: Part) -> str:
    """Return a piece of the title or of the legend."""
    if isinstance(part, Text):
        return words(part.x, part.y, part.text, part.size, part.kind, part.anchor)
    if not part.kind:
        return rectangle(part.x, part.y, part.width, 12, 0, f' style="fill:{part.colour}"')
    pill = rectangle(part.x, part.y, part.width, 20, 10) + words(part.x, part.y + 3.5, part.text, 10)
    return f'<g class="pill {part.kind}">{pill}</g>'
