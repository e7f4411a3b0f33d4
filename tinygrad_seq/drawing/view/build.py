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
from tinygrad_seq.drawing.view.labels import figure, item_of, path_of, titles_of
from tinygrad_seq.drawing.view.legend import legend
from tinygrad_seq.drawing.view.model import View
from tinygrad_seq.drawing.view.printed import Printed, most_nodes
from tinygrad_seq.drawing.view.scene import cluster_tree, op_drafts, prune, twins_of
from tinygrad_seq.drawing.view.values import Numbers, item_values, scale, walk_order
from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.same_step import classify_steps


def build(
    roots: Sequence[Node],
    steps: tuple[int, int],
    *,
    rolled: bool,
    shared: bool,
    numbers: Numbers | None,
    names: Mapping[Node, str],
    find: bool,
    printed: Printed,
    title: str,
) -> View:
    """Return what there is to see of the graph that made these nodes.

    Of a loop the first and last `steps` in full, or `rolled` into one; `shared`: every parameter once; `numbers` to
    show, `names` for nodes that have none; `find`: whether loops are found where no scope declares them; `printed`:
    what to print on nodes.
    """
    graph = read(roots, find)
    timeline = graph.timeline
    elision = elided(timeline, classify_steps(timeline, list(graph.of), rolled, set(roots)), rolled, *steps)
    titles = titles_of(graph.outer)
    told = numbers or Numbers("", {})

    ops = op_drafts(graph, elision, names)
    edges, others, drawn = connected(graph, elision, ops, roots, shared, told)
    drafts = [*ops, *others]
    proxies = [draft for draft in others if draft.leaves and draft.leaves[0].requires_grad]
    values = item_values(told, drawn, drafts, proxies, edges, elision.rolled)
    said: Printed = {} if elision.rolled else printed  # one step for many has no numbers of its own
    if told.of and told.uses is None and len(told.of) <= most_nodes:  # numbers that were given
        said = {node: f"{x:g} of {len(told.of)}" if told.ordered else figure(x, 3) for node, x in told.of.items()}
        said[max(told.of, key=told.of.__getitem__)] += told.end
    shares = {id: figure(x, 3) for id, x in values.items() if x is not None and said and told.argument is not None}
    clusters = cluster_tree(graph, elision, titles, told)
    paths = {visit: path_of(visit, titles) for visit in {draft.visit for draft in drafts}}
    for draft in drafts:
        path, value = paths[draft.visit], values.get(draft.id)
        text = said.get(draft.node, "") if told.argument is None else shares.get(draft.id, "")
        item = item_of(draft, graph, path, value, told.label, text, elision.rolled)
        clusters[draft.visit].items.append(item)
    prune(clusters)
    full = {visit: cluster for visit, cluster in clusters.items() if cluster.items or cluster.inner}
    loops = [[full[step] for step in loop if step in full] for loop in timeline.loops]
    shown = [*values.values(), *(edge.value for edge in edges)]
    visited = told.of or [node for node in reversed(graph.of) if node.requires_grad]
    return View(
        top=clusters[timeline.top],
        edges=edges,
        loops=list(filter(None, loops)),
        legend=legend(graph, titles, drafts),
        twins=twins_of(graph, elision, ops, others),
        scale=None if numbers is None else scale(told.label, shown, told.ordered, 6 if told.argument is None else 2),
        backward=walk_order(visited, drawn, proxies, edges),
        title=title,
    )
