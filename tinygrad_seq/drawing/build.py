"""From a graph to what there is to see.

Here it is decided what a picture shows, for all renderers alike: every op once, in the cluster of its scope;
parameters, inputs and constants as a proxy beside each use; an op of several outputs once, without its parts; and of
a long loop over time the first and last steps, with one box for those between, or (rolled) one step for all that are
the same. One pass, oldest node first.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tinygrad_seq.drawing import caption
from tinygrad_seq.drawing.arrange import rows, shelves
from tinygrad_seq.drawing.connect import connect
from tinygrad_seq.drawing.gaps import Gap, gaps_of, rolls_of
from tinygrad_seq.drawing.legend import legend
from tinygrad_seq.drawing.numbers import Numbers, shown
from tinygrad_seq.drawing.reading import Reading
from tinygrad_seq.drawing.view import Cluster, Item, View
from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.same_step import classify_steps
from tinygrad_seq.engine.timeline import ScopeVisit


def build(
    roots: Sequence[Node],
    steps: tuple[int, int] = (3, 1),
    *,
    rolled: bool = False,
    shared: bool = False,
    numbers: Numbers | None = None,
    names: Mapping[Node, str] | None = None,
) -> View:
    """What there is to see of the graph that made these nodes.

    Of a loop the first and last `steps` in full, or `rolled` into one; `shared`: every parameter once; `names` for
    nodes that have none.
    """
    graph = Reading(roots, names or {})
    builder = Builder(graph, steps, rolled, shared)
    loops = builder.plant()
    builder.place_ops()
    edges = connect(builder, numbers)
    for node in roots:
        if node.op is None:
            builder.proxy(node, graph.timeline.top, node, 0)
    prune(list(builder.clusters.values()))
    loops = [[cluster for cluster in loop if cluster.items or cluster.inner] for loop in loops]
    view = View(
        top=builder.clusters[graph.timeline.top],
        edges=edges,
        loops=list(filter(None, loops)),
        rows=rows(builder),
        shelves=shelves(builder),
        legend=[] if shared else legend(graph, builder.colours),
    )
    return shown(view, builder, numbers)


class Builder:
    """What was made of the graph so far."""

    def __init__(self, graph: Reading, steps: tuple[int, int], rolled: bool, shared: bool) -> None:
        self.graph, self.timeline, self.shared = graph, graph.timeline, shared
        loops = self.timeline.loops
        self.kinds = kinds = classify_steps(self.timeline, graph.nodes, within=rolled) if loops else {}
        gaps = [] if rolled else [gap for loop in loops for gap in gaps_of(loop, kinds, *steps)]
        rolls = [roll for loop in loops for roll in rolls_of(loop, kinds)] if rolled else []
        self.gaps = {step: gap for gap in gaps for step in gap.steps}
        self.rolls = {step: roll for roll in rolls for step in roll}
        self.hidden: dict[Node, tuple[Gap, int]] = {}  # which gap a node is left out in, and where in its step it was
        for step, gap in self.gaps.items():
            for position, node in enumerate(self.timeline.ops_in[step]):
                self.hidden.setdefault(node, (gap, position))
        self.clusters: dict[ScopeVisit, Cluster] = {}
        self.items: dict[Node, Item] = {}
        self.proxies: dict[tuple[ScopeVisit, tuple[Node, ...]], Item] = {}
        self.colours: dict[tuple[Node, ...], int] = {}

    # -------------------------------------------------------------------------------------------------- the clusters

    def plant(self) -> list[list[Cluster]]:
        """The tree of clusters; returns the loops over time in it."""
        top = self.timeline.top
        self.clusters[top] = Cluster("", "", "")
        stack = [top]
        while stack:
            visit = stack.pop()
            for inner in self.timeline.inner[visit]:
                gap, roll = self.gaps.get(inner), self.rolls.get(inner, [inner])
                if inner is not (roll[-1] if gap is None else gap.steps[0]):
                    continue
                if gap is None:
                    title = caption.title(inner) if len(roll) == 1 else caption.times(roll)
                    child = self.clusters[inner] = Cluster(inner.id, inner.key, title)
                    stack.append(inner)
                else:
                    child = gap.cluster
                if inner.key == "step":
                    child.steps = list(map(caption.title, roll if gap is None else gap.steps))
                    child.ops = self.count(roll[:-1] if gap is None else gap.steps)
                self.clusters[visit].inner.append(child)
        cards = self.clusters | {step: gap.cluster for step, gap in self.gaps.items()}
        rows = ({cards[step].id: cards[step] for step in loop if step in cards} for loop in self.timeline.loops)
        return [list(row.values()) for row in rows]

    def count(self, steps: list[ScopeVisit]) -> int:
        """How many ops there would be to see in these steps."""
        members = (node for step in steps for node in self.timeline.ops_in[step])
        return sum(not self.graph.is_part(node) and node not in self.graph.sources for node in members)

    def gap(self, node: Node) -> Gap | None:
        """The gap that a node is left out in."""
        return self.hidden[node][0] if node in self.hidden else None

    def roll(self, node: Node) -> tuple[ScopeVisit, list[ScopeVisit]] | None:
        """The innermost step around a node, and all those that are drawn as one with it."""
        steps = reversed(self.graph.positions.get(node, ()))
        return next(((step, self.rolls[step]) for step, _ in steps if len(self.rolls.get(step, ())) > 1), None)

    def twin(self, node: Node) -> Node:
        """The same op in the step that is drawn for its own."""
        for step, position in self.graph.positions.get(node, ()) if self.rolls else ():
            last = self.rolls[step][-1]
            if last is not step:
                return self.twin(self.timeline.ops_in[last][position])
        return node

    def item(self, node: Node) -> Item | None:
        """What is drawn for an op, if anything is."""
        if node not in self.hidden:
            return self.items.get(self.twin(node))
        gap, position = self.hidden[node]
        return gap.passing.get(position, gap.cluster.items[0])

    # ----------------------------------------------------------------------------------------------------- the items

    def place_ops(self) -> None:
        """Every op that is shown, in its cluster."""
        counts: dict[ScopeVisit, int] = defaultdict(int)
        for node, visit in self.timeline.visit_of.items():
            number = counts[visit]
            counts[visit] += 1
            hidden = node in self.hidden or self.twin(node) is not node
            if not hidden and node not in self.graph.sources and not self.graph.is_part(node):
                item = self.items[node] = Item(
                    f"{visit.id}#{number}",
                    self.graph.role(node),
                    caption.symbol(node),
                    caption.shortened(node.name or self.graph.names.get(node, "")),
                    caption.tooltip(node, visit),
                    self.graph.ordinal[node],
                    shape=caption.shape(node),
                )
                self.clusters[visit].items.append(item)

    def proxy(self, node: Node, visit: ScopeVisit, user: Node, argument: int) -> Item:
        """A leaf, or what is just parameters, beside its use; where parameters are shared, there is one for all."""
        leaves = self.graph.sources.get(node, (node,))
        role = self.graph.role_of_leaf(leaves)
        if self.shared and role == "weight":
            visit = self.timeline.top
        found = self.proxies.get((visit, leaves))
        if found is None:
            initial = self.graph.initial(node, user, argument) if role == "input" else None
            names = [leaf.name or initial or caption.kind_of_leaf(leaf, role) for leaf in leaves]
            found = Item(
                f"{visit.id}#leaf{len(self.clusters[visit].items)}",
                "initial" if initial else role,
                "",
                "\n+ ".join(map(caption.shortened, names)) + caption.cut(node),
                "\n\n".join(caption.tooltip(leaf, visit) for leaf in leaves),
                self.graph.ordinal[node],
                self.colours.setdefault(leaves, len(self.colours)) if role == "weight" else -1,
                shape="\n".join(map(caption.shape, leaves)),
            )
            self.proxies[visit, leaves] = found
            self.clusters[visit].items.append(found)
        return found


def prune(clusters: list[Cluster]) -> None:
    """Drop clusters with nothing in them, join those with one cluster in them; outer ones come before inner ones."""
    cards = ("step", "gap")
    for cluster in reversed(clusters):
        cluster.inner = [inner for inner in cluster.inner if inner.items or inner.inner]
        if cluster.id and not cluster.items and len(cluster.inner) == 1 and cluster.key not in cards:
            (only,) = cluster.inner
            if only.key not in (*cards, "grad"):
                cluster.label += f" · {only.label}"
                cluster.items, cluster.inner = only.items, only.inner
