"""Make what there is to see of a graph.

Here it is decided what a picture shows, for all renderers alike: every op once, in the cluster of its scope;
parameters, inputs and constants as a proxy beside each use; an op of several outputs once, without its parts; and of
a long loop over time the first and last steps, with one box for those between, or (rolled) one step for all that are
the same. Each pass reads what the passes before it have returned.
"""

from collections.abc import Mapping, Sequence

from tinygrad_seq.drawing.view.edges import connected
from tinygrad_seq.drawing.view.elision import elided
from tinygrad_seq.drawing.view.graph_facts import read
from tinygrad_seq.drawing.view.labels import items_of, place_titles
from tinygrad_seq.drawing.view.legend import legend
from tinygrad_seq.drawing.view.model import View
from tinygrad_seq.drawing.view.scene import aligned_rows, cluster_tree, op_drafts, prune
from tinygrad_seq.drawing.view.values import Numbers, item_values, valued, walk_order
from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.same_step import classify_steps


def build(
    roots: Sequence[Node],
    steps: tuple[int, int] = (3, 1),
    *,
    rolled: bool = False,
    shared: bool = False,
    numbers: Numbers | None = None,
    names: Mapping[Node, str] | None = None,
    find: bool = True,
) -> View:
    """Return what there is to see of the graph that made these nodes.

    Of a loop the first and last `steps` in full, or `rolled` into one; `shared`: every parameter once; `names` for
    nodes that have none; `find`: whether loops are found where no scope declares them.
    """
    graph = read(roots, find)
    timeline = graph.timeline
    same = classify_steps(timeline, list(graph.of), within=rolled)
    kinds = same.kind
    elision = elided(timeline, kinds, rolled, *steps)
    titles = place_titles(graph.outer)
    clusters = cluster_tree(graph, elision, titles)

    ops = op_drafts(graph, elision, names or {})
    edges, others, ids = connected(graph, elision, ops, roots, shared, numbers or Numbers("", {}))
    drafts = [*ops, *others]
    for draft, item in zip(drafts, items_of(drafts, graph, titles), strict=True):
        clusters[draft.visit].items.append(item)
    items = {item.id: item for cluster in clusters.values() for item in cluster.items}
    drawn = {node: items[id] for node, id in ids.items()}
    feet = {draft.id: draft.leaves for draft in drafts if draft.leaves and draft.leaves[0].requires_grad}
    prune(clusters)
    full = {visit: cluster for visit, cluster in clusters.items() if cluster.items or cluster.inner}
    loops = [[full[step] for step in loop if step in full] for loop in timeline.loops]

    of = numbers.of if numbers is not None else {}
    view = View(
        top=clusters[timeline.top],
        edges=edges,
        loops=list(filter(None, loops)),
        rows=aligned_rows(graph, kinds, elision, drafts),
        legend=[] if shared else legend(graph, titles, drafts),
        backward=walk_order(of or [node for node in reversed(graph.of) if node.requires_grad], drawn, feet, edges),
    )
    if numbers is None:
        return view
    return valued(view, item_values(of, drawn, feet, edges, elision.rolled), numbers.label)
