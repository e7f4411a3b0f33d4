"""Show less detail: a cluster deeper in the tree than asked for becomes one item, which says how many ops it holds;
edges that fall together are one.
"""

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import replace

from tinygrad_seq.drawing.view.model import Cluster, Edge, Item, View, no_ops, within
from tinygrad_seq.drawing.view.values import together


def folded(view: View, depth: int) -> View:
    """Fold a view, which is used up by this, down to a depth; the top is at depth 0."""
    level = [view.top]
    while level and depth:
        level = [inner for cluster in level for inner in cluster.inner]
        depth -= 1
    home: dict[str, str] = {}  # of every item that is folded away, the item it is folded into
    names: dict[str, str] = {}  # what it is called
    for cluster in level:
        for inner in cluster.inner:
            inside = [item for each in within(inner) for item in each.items]
            inputs = {item.label: item for item in inside if item.role == "input"}  # one of each name stays
            home |= {item.id: inputs[item.label].id if item.role == "input" else inner.id for item in inside}
            names |= {item.id: item.label for item in inside}
            cluster.items += [one_item(inner), *inputs.values()]
        cluster.inner = []
    shown = {cluster.id for cluster in within(view.top)}
    return replace(
        view,
        edges=joined(view.edges, home, names),
        loops=[loop for loop in view.loops if all(c.id in shown for c in loop)],
        twins={id: twin for id, twin in view.twins.items() if home.keys().isdisjoint((id, twin))},
        backward=list(dict.fromkeys(home.get(id, id) for id in view.backward)),
    )


def one_item(cluster: Cluster) -> Item:
    """Return what stands for a cluster, as old as its first op; its number is that of what was made last in it."""
    inside = list(within(cluster))
    ops = [item for each in inside for item in each.items if item.role not in no_ops]
    count = len(ops) + sum(each.ops for each in inside)
    label = f"{cluster.label} · {count} op{'s' * (count != 1)}"
    role = "output" if any(item.role == "output" for item in ops) else "named"
    ops = sorted(ops, key=lambda item: item.ordinal) or [Item("", "", "", "", "", -1)]
    return Item(cluster.id, role, "", label, label, ops[0].ordinal, value=ops[-1].value)


def joined(edges: list[Edge], home: dict[str, str], names: dict[str, str]) -> list[Edge]:
    """Return edges between what is left; numbers of edges that fall together add up as parts of one norm, and states
    are named.
    """
    found: dict[Hashable, list[Edge]] = defaultdict(list)
    said: dict[Hashable, dict[str, None]] = defaultdict(dict)
    for i, edge in enumerate(edges):
        source, target = home.get(edge.source, edge.source), home.get(edge.target, edge.target)
        moved = replace(edge, source=source, target=target, operand=edge.operand if target == edge.target else 0)
        if moved.source != moved.target:
            ends = (moved.source, moved.target, edge.role, edge.through_time, edge.label, moved.operand)
            key = i if moved == edge else ends
            found[key].append(moved)
            if edge.through_time and edge.role == "state" and edge.source in home and edge.target in home:
                said[key][names[edge.source]] = None
    return [
        replace(parts[0], value=together(edge.value for edge in parts), label=", ".join(said[key]) or parts[0].label)
        for key, parts in found.items()
    ]
