"""Less detail: what lies deeper in the tree of clusters than asked for becomes one item each, which says how many ops
it holds; edges that fall together are one.
"""

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import replace

from tinygrad_seq.drawing.numbers import together
from tinygrad_seq.drawing.view import Cluster, Edge, Item, View, leaves, within


def folded(view: View, depth: int) -> View:
    """The view down to a depth; the top is at depth 0."""
    top = Cluster("", "", "", list(view.top.items))
    shown = {"": top}
    home: dict[str, str] = {}  # of every item that is folded away, the item it is folded into
    stack = [(view.top, top, 0)]
    while stack:
        cluster, twin, level = stack.pop()
        for inner in cluster.inner:
            if level < depth:
                child = replace(inner, items=list(inner.items), inner=[])
                twin.inner.append(child)
                shown[child.id] = child
                stack.append((inner, child, level + 1))
            else:
                inside = {item.id for each in within(inner) for item in each.items}
                home.update(dict.fromkeys(inside, inner.id))
                twin.items.append(one_item(inner))

    became = set(home.values())
    aligned = [[cluster.id for cluster in loop] for loop in view.loops if all(c.id in became for c in loop)]
    return View(
        top=top,
        edges=joined(view.edges, home),
        loops=[[shown[c.id] for c in loop] for loop in view.loops if all(c.id in shown for c in loop)],
        rows=[row for row in view.rows if home.keys().isdisjoint(row)] + [row for row in aligned if len(row) > 1],
        shelves=[shelf for shelf in view.shelves if home.keys().isdisjoint(shelf)] + aligned,
        legend=view.legend,
        scale=view.scale,
        backward=list(dict.fromkeys(home.get(id, id) for id in view.backward)),
    )


def one_item(cluster: Cluster) -> Item:
    """What stands for a cluster; its number is that of what was made last in it."""
    items = [item for each in within(cluster) for item in each.items]
    ops = [item for item in items if item.role not in (*leaves, "middle", "passing")]
    count = len(ops) + sum(each.ops for each in within(cluster))
    last = max(ops, key=lambda item: item.ordinal, default=None)
    label = f"{cluster.label} · {count} op{'s' * (count != 1)}"
    role = "output" if any(item.role == "output" for item in ops) else "named"
    ordinal = -1 if last is None else last.ordinal
    return Item(cluster.id, role, "", label, label, ordinal, value=None if last is None else last.value)


def joined(edges: list[Edge], home: dict[str, str]) -> list[Edge]:
    """Edges between what is left; numbers of edges that fall together add up as parts of one norm."""
    found: dict[Hashable, list[Edge]] = defaultdict(list)
    for i, edge in enumerate(edges):
        moved = replace(edge, source=home.get(edge.source, edge.source), target=home.get(edge.target, edge.target))
        if moved.source != moved.target:
            ends = (moved.source, moved.target, edge.role, edge.through_time, edge.label)
            found[i if moved == edge else ends].append(moved)
    return [replace(parts[0], value=value_of(parts)) for parts in found.values()]


def value_of(edges: list[Edge]) -> float | None:
    known = [edge.value for edge in edges if edge.value is not None]
    return together(known) if known else None
