"""From a view to DOT text, by the graphviz package: how things look. Where they stand is the scaffold's business.

Every label and every tooltip is text, whatever characters it holds.
"""

from html import escape as html
from typing import Any

from tinygrad_seq.drawing import palette
from tinygrad_seq.drawing.scaffold import columns_of, foot, homes, ports_of, scaffold, unseen
from tinygrad_seq.drawing.view import Cluster, Edge, Item, LegendRow, View

font = "Helvetica"


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
    if view.legend:
        graph.attr(label=legend(view.legend), labelloc="b")

    home = homes(view)
    ports = ports_of(view, home)
    columns = {cluster.id for loop in columns_of(view) for cluster in loop}
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
            for entry in (name for (_, column), name in ports.items() if column == cluster.id):
                graph.node(entry, shape="point", width="0.06", color=palette.fills["input"], tooltip="from outside")
        for item in reversed(cluster.items):  # where nothing else decides, dot puts the last one first
            graph.node(item.id, **item_style(item, text))
        if cluster is view.top and any(inner.key in ("step", "gap") for inner in cluster.inner):
            graph.body.append('\tsubgraph "cluster /" {\n')  # dot leads edges more gently between inner clusters
            graph.attr(None, peripheries="0", label="")
            stack.append((cluster, True))
        stack += [(inner, False) for inner in cluster.inner]

    entered = set()
    for edge in view.edges:
        style = edge_style(edge, within=home[edge.source] == home[edge.target] != "")
        port = None if edge.through_time else ports.get((edge.source, home[edge.target]))
        if port is not None and port not in entered:
            graph.edge(edge.source, port, arrowhead="none", **style)
            entered.add(port)
        graph.edge(port or edge.source, edge.target, **style)
    scaffold(graph, view, home, ports, quote)
    return str(graph.source)


def cluster_style(cluster: Cluster, text: Any) -> dict[str, str]:
    gap, card = cluster.key == "gap", cluster.key in ("step", "gap")
    return {
        "label": text("" if gap else cluster.label), "labeljust": "l", "tooltip": text(cluster.label),
        "style": "rounded,dashed" if gap else "rounded,filled",
        "fillcolor": palette.card if card else palette.ground, "color": palette.card_edge if card else palette.frame,
        "fontname": font, "fontsize": "12", "fontcolor": palette.quiet, "margin": "10", "peripheries": "1",
        "id": text(cluster.id),
    }  # fmt: skip


def item_style(item: Item, text: Any) -> dict[str, str]:
    fill = palette.weight(item.colour) if item.role == "weight" else palette.fills[item.role]
    style = {
        "label": text(item.label or item.symbol or " "), "tooltip": text(item.tooltip), "id": text(item.id),
        "fillcolor": fill, "fontcolor": palette.texts.get(item.role, palette.ink),
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


def edge_style(edge: Edge, within: bool) -> dict[str, str]:
    style = {"color": palette.state, "penwidth": "1.8"} if edge.role == "state" else {}
    if edge.role in ("weight", "input", "initial", "constant"):
        style |= {"weight": "3"}  # close to its use
    return style | {"constraint": "false"} if edge.through_time and not within else style


def legend(rows: list[LegendRow]) -> str:
    """Every Parameter, its shape and how often it is used."""
    cells = []
    for row in rows:
        uses = f"{row.label} {row.shape}: {row.uses} use" + ("" if row.uses == 1 else "s")
        cells.append(
            f'<td bgcolor="{palette.weight(row.colour)}" style="rounded" width="14"> </td>'
            f'<td align="left"><font color="{palette.quiet}">{html(uses)}</font></td><td width="10"></td>'
        )
    lines = "".join("<tr>" + "".join(cells[i : i + 4]) + "</tr>" for i in range(0, len(cells), 4))
    return f'<<table border="0" cellborder="0" cellspacing="4">{lines}</table>>'
