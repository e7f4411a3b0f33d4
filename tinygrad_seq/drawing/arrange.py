"""How the items of a view are best arranged: the same op equally high in every step, and the ops of one step on
shelves, so that its picture is the same at every time.
"""

from collections import defaultdict
from typing import TYPE_CHECKING

from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.timeline import ScopeVisit

if TYPE_CHECKING:
    from tinygrad_seq.drawing.build import Builder


def rows(builder: "Builder") -> list[list[str]]:
    """The same op in different steps, and what stands for it in a gap."""
    rows: dict[tuple[int, int], list[str]] = defaultdict(list)
    backward: dict[tuple[int, int], list[str]] = defaultdict(list)  # whose first steps have other ops
    for node, item in builder.items.items():
        for step, position in builder.graph.positions[node][:1]:
            if builder.graph.is_gradient(node):
                backward[builder.kinds[step], position].append(item.id)
            else:
                rows[step.loop, position].append(item.id)
    for step, gap in builder.gaps.items():
        if step is gap.steps[0]:
            for position, item in gap.passing.items():
                rows[step.loop, position].append(item.id)
            shown = sorted(position for loop, position in rows if loop == step.loop)
            if shown:
                rows[step.loop, shown[len(shown) // 2]].append(gap.cluster.items[0].id)
    return [row for row in (*rows.values(), *backward.values()) if len(row) > 1]


def shelves(builder: "Builder") -> list[list[str]]:
    """Ops of one step that are equally far from its start: first what reads the past, then in order of use."""
    graph = builder.graph
    level: dict[Node, int] = {}
    shelves: dict[tuple[ScopeVisit, int], list[tuple[bool, int, int, str]]] = defaultdict(list)
    for node, positions in graph.positions.items():
        for step, position in positions[-1:]:
            near = [parent for parent in node.parents if step in dict(graph.positions.get(parent, ()))]
            level[node] = max([level.get(parent, 0) + (not graph.is_part(node)) for parent in near], default=0)
            if node in builder.items and not graph.is_gradient(node):
                reads_past = any(graph.crosses(parent, node) for parent in node.parents) or any(
                    graph.initial(parent, node, argument) for argument, parent in enumerate(node.parents)
                )
                read = min((graph.ordinal[user] for user in graph.users[node]), default=0)
                shelves[step, level[node]].append((not reads_past, read, position, builder.items[node].id))
    return [[entry[-1] for entry in sorted(shelf)] for shelf in shelves.values()]
