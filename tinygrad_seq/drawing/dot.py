"""From a view to DOT text, by the graphviz package: how things look. Where they stand is the scaffold's business.

Every label and every tooltip is text, whatever characters it holds.
"""

from dataclasses import replace
from html import escape as html
from typing import Any

from tinygrad_seq.drawing import palette
from tinygrad_seq.drawing.scaffold import Stops, backward_of, columns_of, foot, ports_of, scaffold, turns_of, unseen
from tinygrad_seq.drawing.view import Cluster, Edge, Item, Scale, View, leaves

font = "Helvetica"
strokes = {
    "state": {"color": palette.state, "penwidth": "1.8"},
    "delay": {"color": palette.state, "penwidth": "1.8"},
    "cut": {"color": palette.cut, "style": "dashed"},
    "gradient": {"color": palette.gradient},
}
saved = {"style": "dotted", "constraint": "false", "arrowsize": "0.4", "penwidth": "0.8"}


def dot(view: View) -> str:
    """The picture as DOT text."""
    import graphviz  # 60 ms that only pictures should cost

    def text(raw: str) -> str:
        """Nothing in it means anything to Graphviz, which reads entities in plain strings too."""
        escaped: str = graphviz.escape(raw.replace("&", "&amp;"))
        return escaped

    quote = graphviz.quoting.quote
    graph = graphviz.Digraph("computation")
    graph.attr(
        rankdir="BT", newrank="true", bgcolor=palette.paper, fontname=font, ranksep="0.28", nodesep="0.16", pad="0.3",
        nslimit="4", nslimit1="4", outputorder="edgesfirst", tooltip=" ",
    )  # fmt: skip
    graph.attr("node", fontname=font, fontsize="11", fontcolor=palette.ink, color=palette.quiet, style="filled")
    graph.attr("edge", color=palette.line, arrowsize="0.55", penwidth="1.1", tooltip=" ")
    graph.attr(label=legend(view) if view.legend or view.scale is not None else "", labelloc="b")

    home, loops = columns_of(view)
    back = backward_of(view)
    forward = replace(view, edges=[edge for edge in view.edges if edge.target not in back])
    ports, turns = ports_of(forward, home), turns_of(forward, home)
    columns = {cluster.id for loop in loops for cluster in loop}
    stack: list[tuple[Cluster, bool]] = [(view.top, False)]
    while stack:
        cluster, closing = stack.pop()
        if closing:
            graph.body.append("\t}\n")
            continue
        if cluster is not view.top:
            graph.body.append(f"\tsubgraph {quote('cluster ' + cluster.id)} {{\n")
            graph.attr(None, **cluster_style(cluster, text))
            stack.append((cluster, True))
        if cluster.id in columns:
            graph.node(foot(cluster.id), **unseen)
            for name in (name for (_, column), name in ports.items() if column == cluster.id):
                graph.node(name, shape="point", width="0.06", color=palette.fills["input"], tooltip="from outside")
            for name in (name for (_, column), name in turns.items() if column == cluster.id):
                graph.node(name, **unseen)
        for item in reversed(cluster.items):  # where nothing else decides, dot puts the last one first
            graph.node(item.id, **item_style(item, view.scale, text))
        if cluster is view.top and any(inner.key in ("step", "gap") for inner in cluster.inner):
            graph.body.append('\tsubgraph "cluster /" {\n')  # dot leads edges more gently between inner clusters
            graph.attr(None, peripheries="0", label="")
            stack.append((cluster, True))
        stack += [(inner, False) for inner in cluster.inner]

    add_edges(graph, view, home, back, ports, turns, text)
    scaffold(graph, forward, home, loops, ports, turns, quote)
    return str(graph.source)


def add_edges(
    graph: Any, view: View, home: dict[str, str], back: set[str], ports: Stops, turns: Stops, text: Any
) -> None:
    """Every edge, by way of a port or a turn where there is one; those of a recorded backward lead down."""
    entered = set()
    hue = {item.id: palette.weight(item.colour) for item in view.top.items if item.role == "weight"}
    for edge in view.edges:
        style = edge_style(edge, view.scale, hue, within=home[edge.source] == home[edge.target] != "")
        words = {"label": text(f" {edge.label} "), "fontsize": "10", "fontcolor": palette.quiet} if edge.label else {}
        if edge.target in back and edge.role not in leaves:
            if edge.source in back:  # downward
                graph.edge(edge.target, edge.source, dir="back", **words, **style)
            else:  # what the forward saved
                graph.edge(edge.source, edge.target, **words, **style | saved)
            continue
        between = (edge.source, home[edge.target])
        port = None if edge.through_time else ports.get(between)
        turn = turns.get(between) if edge.through_time else None
        stop = port or turn
        if stop is not None and stop not in entered:
            graph.edge(edge.source, stop, arrowhead="none", **style)
            entered.add(stop)
        if turn is not None:  # downward, which for dot is upward, the other way round
            graph.edge(edge.target, turn, dir="back", **words, **{k: v for k, v in style.items() if k != "constraint"})
        else:
            graph.edge(port or edge.source, edge.target, **words, **style)


def cluster_style(cluster: Cluster, text: Any) -> dict[str, str]:
    gap, card = cluster.key == "gap", cluster.key in ("step", "gap")
    return {
        "label": text("" if gap else cluster.label), "labeljust": "l", "tooltip": text(cluster.label),
        "style": "rounded,dashed" if gap else "rounded,filled",
        "fillcolor": palette.card if card else palette.ground, "color": palette.card_edge if card else palette.frame,
        "fontname": font, "fontsize": "12", "fontcolor": palette.quiet, "margin": "10", "peripheries": "1",
        "id": text(cluster.id),
    }  # fmt: skip


def item_style(item: Item, scale: Scale | None, text: Any) -> dict[str, str]:
    fill = palette.weight(item.colour) if item.role == "weight" else palette.fills[item.role]
    ink = palette.texts.get(item.role, palette.ink)
    if scale is not None and item.value is not None and item.role not in leaves:
        fill, _ = palette.heat(item.value, scale)
        ink = palette.on(fill)
    style = {
        "label": text(item.label or item.symbol or " "), "tooltip": text(item.tooltip), "id": text(item.id),
        "fillcolor": fill, "fontcolor": ink,
    }  # fmt: skip
    if item.role == "middle":
        lines = html(item.label).replace("\n", "<br/>")
        label = f'<<font point-size="28">{item.symbol}</font><br/>{lines}>'
        return style | {"shape": "plaintext", "style": "solid", "label": label}
    if not item.label and len(item.symbol) <= 2:
        return style | {"shape": "circle", "fixedsize": "true", "width": "0.28", "fontsize": "12"}
    pill = {"shape": "box", "style": "rounded,filled", "height": "0.26", "width": "0.3", "margin": "0.09,0.03"}
    pill["color"] = fill
    if fill == palette.paper:
        pill["color"] = palette.quiet
    if item.role == "weight" or not item.label:
        pill |= {"fontsize": "9", "height": "0.22"}
    if item.label and item.symbol:
        pill["label"] = f'<<font point-size="8">{html(item.symbol)}</font>&#160;{html(item.label)}>'
    return style | pill


def edge_style(edge: Edge, scale: Scale | None, hue: dict[str, str], within: bool) -> dict[str, str]:
    style = dict(strokes.get(edge.role, {}))
    if edge.source in hue:  # from a parameter that all its uses share
        style["color"] = hue[edge.source]
    if edge.role in leaves:
        style["weight"] = "3"  # close to its use
    if edge.value is not None and scale is not None:
        colour, width = palette.heat(edge.value, scale)
        style |= {"color": colour, "penwidth": f"{width:g}"}
    return style | {"constraint": "false"} if edge.through_time and not (within and edge.role != "delay") else style


def legend(view: View) -> str:
    """Every Parameter, its shape, how often it is used and its gradient; and the scale of the numbers."""
    cells = []
    for row in view.legend:
        uses = f"{row.label} {row.shape}: {row.uses} use" + ("" if row.uses == 1 else "s")
        uses += "" if row.gradient is None else f", |grad| {row.gradient:.2g}"
        cells.append(
            f'<td bgcolor="{palette.weight(row.colour)}" style="rounded" width="14"> </td>'
            f'<td align="left"><font color="{palette.quiet}">{html(uses)}</font></td><td width="10"></td>'
        )
    rows = ["".join(cells[i : i + 4]) for i in range(0, len(cells), 4)]
    if view.scale is not None:
        rows.append(f'<td colspan="12">{bar(view.scale)}</td>')
    lines = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<<table border="0" cellborder="0" cellspacing="4">{lines}</table>>'


def bar(scale: Scale) -> str:
    """The colours of a scale, from low to high, or that there is nothing to show yet."""

    def word(text: str, colour: str = palette.quiet) -> str:
        return f'<font color="{colour}">{html(text)}</font>'

    if scale.low is None or scale.high is None:
        return word(f"{scale.label} not computed")
    shades = "".join(word("█", palette.tint(i / 23)) for i in range(24))
    return word(f"{scale.label} {scale.low:.0e} ") + shades + word(f" {scale.high:.0e}")
