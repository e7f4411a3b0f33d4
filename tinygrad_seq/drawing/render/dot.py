"""Write a picture as DOT text, with every position and curve of our layout: Graphviz draws it as it stands.

`layout=nop2` tells Graphviz to move nothing, so plain `dot -Tpng file.dot` gives the same picture; title, legend and
colour bar, which are no nodes, are its `_background`. Names are text, whatever characters they hold.
"""

from collections.abc import Iterable
from html import escape
from itertools import pairwise

from tinygrad_seq.drawing.layout.model import XY, Layout, PlacedCluster, PlacedItem
from tinygrad_seq.drawing.layout.text_size import width
from tinygrad_seq.drawing.render import colours as palette
from tinygrad_seq.drawing.render.strokes import Curve, Stroke, stroke
from tinygrad_seq.drawing.render.title_and_legend import rim, surroundings
from tinygrad_seq.drawing.render.xdot import background, font
from tinygrad_seq.drawing.view.labels import printable
from tinygrad_seq.drawing.view.model import Cluster, Scale

Attributes = dict[str, str]
places = ("pos", "bb", "lp", "xlp", "head_lp")  # attributes that hold positions
usual: dict[str, Attributes] = {  # what most nodes and edges look like; said once
    "graph": {"bgcolor": palette.paper, "fontname": font, "pad": f"{rim / 72:.4f}", "tooltip": " "},
    "node": {
        "fontname": font, "fontcolor": palette.ink, "fillcolor": palette.paper, "color": palette.quiet,
        "fixedsize": "true", "margin": "0", "shape": "box", "style": "rounded,filled",
    },
    "edge": {
        "fontname": font, "fontsize": "11", "fontcolor": palette.quiet, "tooltip": " ",
        "color": palette.line, "penwidth": "1.2", "arrowsize": "0.604",
    },
}  # fmt: skip


def dot(layout: Layout, positions: bool = True) -> str:
    """Return the DOT text; without `positions`: the same clusters, nodes and edges, for Graphviz to lay out."""
    import graphviz  # 60 ms that only pictures should cost

    def said(kind: str, style: Attributes) -> Attributes:
        new = style.items() - usual[kind].items()
        return {name: value for name, value in sorted(new) if positions or name not in places}

    view = layout.view
    title, legend, box = surroundings(view, layout.box, layout.sequences)
    graph = graphviz.Digraph("computation")
    for kind, style in usual.items():
        graph.attr(kind, **style)
    if positions:
        graph.attr(layout="nop2", outputorder="edgesfirst", _background=background(title + legend, box))
    else:
        graph.attr(rankdir="BT", newrank="true", label=text("\n".join(line.text for line in title[::-1])))
    clusters = {place.cluster.id: place for place in layout.clusters}
    items = {place.item.id: place for place in layout.items}
    stack: list[Cluster | None] = [view.top]
    while stack:
        cluster = stack.pop()
        if cluster is None:
            graph.body.append("\t}\n")
            continue
        if cluster is not view.top:
            graph.body.append(f"\tsubgraph {graphviz.quoting.quote('cluster ' + cluster.id)} {{\n")
            graph.attr(None, **said("graph", cluster_style(clusters[cluster.id])))
            stack.append(None)
        for item in cluster.items:
            graph.node(item.id, **said("node", node_style(items[item.id], view.scale)))
        stack += reversed(cluster.inner)
    for placed in layout.edges:
        style = edge_style(stroke(placed, view.scale))
        graph.edge(placed.edge.source, placed.edge.target, **said("edge", style))
    return str(graph.source)


def size(layout: Layout) -> tuple[float, float]:
    """Return the width and the height of the whole picture in points."""
    *_, (left, top, right, bottom) = surroundings(layout.view, layout.box, layout.sequences)
    return right - left + 2 * rim, bottom - top + 2 * rim


def text(raw: str) -> str:
    """Return a string that Graphviz shows as it is; it reads entities in plain strings, too."""
    import graphviz

    escaped: str = graphviz.escape(printable(raw).replace("&", "&amp;"))
    return escaped


def sized(words: str, points: float) -> str:
    """Return words for a table: never none; two backslashes are one there."""
    said = escape(printable(words)).replace("\\", "\\\\") or "&#160;"
    return f'<font point-size="{points:g}">{said}</font>'


def table(rows: Iterable[tuple[str, float]], style: str = 'cellpadding="0"') -> str:
    """Return a label of rows, each as high as it says, with its words at the foot."""
    found = "".join(f'<tr><td height="{round(height)}" valign="bottom">{row}</td></tr>' for row, height in rows)
    return f'<<table border="0" cellborder="0" cellspacing="0" {style}>{found}</table>>'


def at(x: float, y: float) -> str:
    """Return a point as Graphviz writes it; its y grows upward."""
    return f"{x:.1f},{-y:.1f}"


def cluster_style(place: PlacedCluster) -> Attributes:
    """Return how a cluster looks, and where it stands."""
    cluster = place.cluster
    gap, card = cluster.key == "gap", cluster.key in ("step", "gap")
    return {
        "style": "rounded,filled,dashed" if gap else "rounded,filled",
        "fillcolor": palette.paper if gap else palette.card if card else palette.ground,
        "color": palette.card_edge if card else palette.frame, "fontcolor": palette.quiet, "labeljust": "l",
        "label": "" if gap else table([(sized(cluster.label, 12), 0)], 'cellpadding="6"'),
        "tooltip": text(cluster.label), "bb": f"{at(place.left, place.bottom)},{at(place.right, place.top)}",
    }  # fmt: skip


def node_style(place: PlacedItem, scale: Scale | None) -> Attributes:
    """Return how an item looks, and where it stands."""
    item = place.item
    fill, ink = palette.of_role("pale") if palette.pale(item, scale) else palette.of_role(item.role, item.colour)
    style = {
        "width": f"{place.width / 72:.4f}", "height": f"{place.height / 72:.4f}", "tooltip": text(item.tooltip),
        "fillcolor": fill, "fontcolor": ink, "color": palette.quiet if fill == palette.paper else fill,
        "shape": "circle" if place.is_round else "box", "style": "filled" if place.is_round else "rounded,filled",
        "label": label(place), "pos": at(place.x, place.y),
    }  # fmt: skip
    if item.role == "middle":
        style |= {"shape": "plaintext", "style": "solid"}
    colour, _ = palette.heat(item.value, scale)
    if item.role == "passing" and not colour:
        style |= {"style": "rounded,filled,dashed", "color": palette.state}
    return style | ({"color": colour, "fillcolor": colour, "fontcolor": palette.paper} if colour else {})


def label(place: PlacedItem) -> str:
    """Return the words on an item, line by line.

    Words stand at the foot of their row, so a row is as high as the next base line is below its own; the last is as
    high as the one before it.
    """
    heights = [after - foot for (_, _, foot), (_, _, after) in pairwise(place.words)]
    rows = zip(place.words, [*heights, *(heights[-1:] or [0])])
    return table((sized(word, points), height) for (word, points, _), height in rows)


def edge_style(drawn: Stroke) -> Attributes:
    """Return how an edge looks, where it runs, and what it says: a delay; or a cut, whose mark hides a piece of it."""
    edge, word, (x, y, steep) = drawn.placed.edge, drawn.placed.word, drawn.placed.mark
    style = {
        "color": drawn.heat or palette.edges.get(drawn.role, palette.line), "penwidth": f"{drawn.width:g}",
        "arrowsize": f"{min(0.52 + 0.07 * drawn.width, 0.75):.3g}", "tooltip": text(edge.label or " "),
        "pos": " ".join([f"e,{at(*drawn.head[0])}", *(at(*point) for point in cubic(drawn.line))]),
    }  # fmt: skip
    if drawn.operand:
        style |= {"headlabel": drawn.operand, "labelfontsize": "9", "head_lp": at(drawn.beside[0], drawn.beside[1] - 3)}
    if word:
        style |= {"label": text(word), "lp": at(x, y - 9)}
    if edge.role == "cut":
        slashes = table([(sized("//", 17), 0)], f'cellpadding="0" bgcolor="{palette.paper}"')
        style["fontcolor"] = palette.cut
        beside = at(x + 10 + width("detach", 9) / 2, y) if steep else at(x, y - 14)
        style |= {"style": "dashed", "label": slashes, "lp": at(x, y)}
        style |= {"xlabel": table([(sized(word, 9), 0)]), "xlp": beside} if word else {}
    return style


def cubic(line: list[Curve]) -> list[XY]:
    """Return a line as Graphviz wants it: where it starts, and of every curve two controls and the end."""
    found: list[XY] = []
    for kind, points in line:
        if kind in ("L", "Q"):
            (x, y), end = points[0], points[-1]
            points = [*(((a + 2 * x) / 3, (b + 2 * y) / 3) for a, b in (found[-1], end)), end]
        found += points
    return found
