"""From a graph to what there is to see.

Here it is decided what a picture shows, for all renderers alike: every op once, in the cluster of its scope;
parameters, inputs and constants as a proxy beside each use; an op of several outputs once, without its parts; and of
a long loop over time the first and last steps, with one box for those between. One pass, oldest node first.
"""

from collections import defaultdict
from collections.abc import Sequence

from tinygrad_seq.drawing import caption
from tinygrad_seq.drawing.gaps import Gap, gaps_of
from tinygrad_seq.drawing.legend import legend
from tinygrad_seq.drawing.view import Cluster, Edge, Item, View
from tinygrad_seq.drawing.weights import is_parameter, sources
from tinygrad_seq.graph import Node, ancestors
from tinygrad_seq.steps import Place, Places, same_again


def build(roots: Sequence[Node], first: int, last: int) -> View:
    """What there is to see of the graph that made these nodes: of a loop, the first and last steps in full."""
    builder = Builder(roots, first, last)
    loops = builder.plant()
    builder.place_ops()
    builder.connect()
    for node in roots:
        if node.op is None:
            builder.proxy(node, builder.places.top, node, 0)
    prune(list(builder.clusters.values()))
    loops = [[cluster for cluster in loop if cluster.items or cluster.inner] for loop in loops]
    return View(
        top=builder.clusters[builder.places.top],
        edges=builder.edges,
        loops=[loop for loop in loops if loop],
        rows=builder.rows(),
        shelves=builder.shelves(),
        legend=legend(builder.nodes, builder.places, builder.sources, builder.colours),
    )


class Builder:
    """What is known of the graph, and what was made of it so far."""

    def __init__(self, roots: Sequence[Node], first: int, last: int) -> None:
        self.roots = set(roots)
        self.nodes = ancestors(roots)
        self.ordinal = {node: i for i, node in enumerate(self.nodes)}
        self.places = Places([node for node in self.nodes if node.op is not None])
        self.seats = self.places.seats
        self.users: dict[Node, list[Node]] = defaultdict(list)
        self.carried = {"h", "c"}  # names of states
        for node in self.places.at:
            for parent in node.parents:
                self.users[parent].append(node)
                if parent.name is not None and self.crosses(parent, node):
                    self.carried.add(parent.name)
        kinds = same_again(self.places, self.nodes) if self.places.loops else {}
        gaps = [gap for loop in self.places.loops for gap in gaps_of(loop, kinds, first, last)]
        self.gaps = {step: gap for gap in gaps for step in gap.steps}
        self.sources = sources(self.nodes, self.roots, self.places, self.users)
        self.clusters: dict[Place, Cluster] = {}
        self.items: dict[Node, Item] = {}
        self.proxies: dict[tuple[Place, tuple[Node, ...]], Item] = {}
        self.colours: dict[tuple[Node, ...], int] = {}
        self.edges: list[Edge] = []

    # -------------------------------------------------------------------------------------------------- the clusters

    def plant(self) -> list[list[Cluster]]:
        """The tree of clusters; returns the loops over time in it."""
        top = self.places.top
        self.clusters[top] = Cluster("", "", "")
        stack = [top]
        while stack:
            place = stack.pop()
            for inner in place.inner:
                gap = self.gaps.get(inner)
                if gap is None:
                    child = self.clusters[inner] = Cluster(inner.id, inner.key, caption.title(inner))
                    self.clusters[place].inner.append(child)
                    stack.append(inner)
                elif inner is gap.steps[0]:
                    self.clusters[place].inner.append(gap.cluster)
        loops = []
        for loop in self.places.loops:
            row = [self.gaps[step].cluster if step in self.gaps else self.clusters.get(step) for step in loop]
            loops.append(list({cluster.id: cluster for cluster in row if cluster is not None}.values()))
        return loops

    def gap(self, node: Node) -> Gap | None:
        """The gap that a node is left out in."""
        return next((self.gaps[step] for step, _ in self.seats.get(node, ()) if step in self.gaps), None)

    # ------------------------------------------------------------------------------------------------------- the ops

    def is_part(self, node: Node) -> bool:
        """One output of an op of several that nobody named: the edge says it all."""
        return node.op is not None and node.op.name == "part" and node.name is None and node not in self.roots

    def place_ops(self) -> None:
        """Every op that is shown, in its cluster."""
        counts: dict[Place, int] = defaultdict(int)
        for node, place in self.places.at.items():
            number = counts[place]
            counts[place] += 1
            if self.gap(node) is None and node not in self.sources and not self.is_part(node):
                label, about = caption.shortened(node.name or ""), caption.tooltip(node, place)
                item = Item(
                    f"{place.id}#{number}", self.role(node), caption.symbol(node), label, about, self.ordinal[node]
                )
                self.items[node] = item
                self.clusters[place].items.append(item)

    def role(self, node: Node) -> str:
        if node in self.roots:
            return "output"
        if not node.name:
            return "op"
        return "state" if node.name in self.carried else "gate" if self.seats[node] else "named"

    def rows(self) -> list[list[str]]:
        """The same op in different steps, and what stands for it in a gap."""
        rows: dict[tuple[int, int], list[str]] = defaultdict(list)
        for node, item in self.items.items():
            for step, position in self.seats[node][:1]:
                rows[step.loop, position].append(item.id)
        for step, gap in self.gaps.items():
            if step is gap.steps[0]:
                for position, item in gap.passing.items():
                    rows[step.loop, position].append(item.id)
                shown = sorted(position for loop, position in rows if loop == step.loop)
                if shown:
                    rows[step.loop, shown[len(shown) // 2]].append(gap.cluster.items[0].id)
        return [row for row in rows.values() if len(row) > 1]

    def shelves(self) -> list[list[str]]:
        """Ops of one step that are equally far from its start: first what reads the past, then in order of use."""
        level: dict[Node, int] = {}
        shelves: dict[tuple[Place, int], list[tuple[bool, int, int, str]]] = defaultdict(list)
        for node, seats in self.seats.items():
            for step, position in seats[-1:]:
                near = [parent for parent in node.parents if step in dict(self.seats.get(parent, ()))]
                level[node] = max([level.get(parent, 0) + (not self.is_part(node)) for parent in near], default=0)
                if node in self.items:
                    reads_past = any(self.crosses(parent, node) for parent in node.parents) or any(
                        self.initial(parent, node, argument) for argument, parent in enumerate(node.parents)
                    )
                    read = min((self.ordinal[user] for user in self.users[node]), default=0)
                    shelves[step, level[node]].append((not reads_past, read, position, self.items[node].id))
        return [[entry[-1] for entry in sorted(shelf)] for shelf in shelves.values()]

    # ---------------------------------------------------------------------------------------------------- the leaves

    def proxy(self, node: Node, place: Place, user: Node, argument: int) -> Item:
        """A leaf, or what is just parameters, beside its use."""
        leaves = self.sources.get(node, (node,))
        found = self.proxies.get((place, leaves))
        if found is None:
            role = self.role_of_leaf(leaves)
            initial = self.initial(node, user, argument) if role == "input" else None
            names = [initial] if initial else [leaf.name or caption.kind_of_leaf(leaf, role) for leaf in leaves]
            found = Item(
                f"{place.id}#leaf{len(self.clusters[place].items)}",
                "initial" if initial else role,
                "",
                "\n+ ".join(map(caption.shortened, names)),
                "\n\n".join(caption.tooltip(leaf, place) for leaf in leaves),
                self.ordinal[node],
                self.colours.setdefault(leaves, len(self.colours)) if role == "weight" else -1,
            )
            self.proxies[place, leaves] = found
            self.clusters[place].items.append(found)
        return found

    def role_of_leaf(self, leaves: tuple[Node, ...]) -> str:
        leaf = leaves[0]
        if leaf.requires_grad and not is_parameter(leaf):  # made by hand: what several places share is a weight
            sliced = all(user.op.name in ("getitem", "unstack") for user in self.users[leaf])
            readers = {self.places.at[user] for user in self.users[leaf]}
            return "input" if sliced or leaf.name == "x" or len(readers) < 2 else "weight"
        return "weight" if leaf.requires_grad else "input" if leaf.shape else "constant"

    def initial(self, node: Node, user: Node, argument: int) -> str | None:
        """What a state is called before the first step: where later steps read "h" from the step before, "h0"."""
        if node.op is not None or node.name is not None:
            return None
        for step, position in self.seats.get(user, ()):
            loop = self.places.loops[step.loop]
            for order in (step.order + 1, step.order - 1):
                members = self.places.members[loop[order]] if 0 <= order < len(loop) else []
                if position < len(members) and members[position].op is user.op:
                    twin = members[position].parents[argument]
                    if twin.name and self.crosses(twin, members[position]):
                        return f"{twin.name}0"
        return None

    # ----------------------------------------------------------------------------------------------------- the edges

    def crosses(self, source: Node, target: Node) -> bool:
        """Does an edge lead from one step of a loop to another?"""
        steps = {step.loop: step for step, _ in self.seats.get(source, ())}
        return any(steps.get(step.loop, step) is not step for step, _ in self.seats[target])

    def connect(self) -> None:
        """Every argument that is seen, from where it is seen; what is left out is stood for by its gap."""
        reach = self.reach()
        into_gaps: list[tuple[Node, Node, Gap]] = []
        seen: set[Edge] = set()

        def add(source: str, target: str, parent: Node, node: Node) -> None:
            crosses, behind = self.crosses(parent, node), reach[parent]
            later = crosses or any(behind.get(step.loop, step.order) != step.order for step, _ in self.seats[node])
            edge = Edge(source, target, "state" if crosses else "data", later)
            if edge not in seen or not (self.gap(parent) or self.gap(node)):
                self.edges.append(edge)
            seen.add(edge)

        for node, place in self.places.at.items():
            if node in self.sources or self.is_part(node):
                continue
            gap = self.gap(node)
            for argument, parent in enumerate(node.parents):
                source = parent.parents[0] if self.is_part(parent) and parent not in self.sources else parent
                if parent in self.sources or parent.op is None:
                    if gap is None:
                        item = self.proxy(parent, place, node, argument)
                        self.edges.append(Edge(item.id, self.items[node].id, item.role))
                elif gap is None:
                    add(self.stand_in(source), self.items[node].id, source, node)
                elif self.gap(source) is not gap:
                    into_gaps.append((source, node, gap))
        for source, node, gap in into_gaps:
            seat = next((at for step, at in self.seats[source] if step.loop == gap.steps[0].loop), -1)
            add(self.stand_in(source), gap.passing.get(seat, gap.cluster.items[0]).id, source, node)

    def stand_in(self, node: Node) -> str:
        """The item that a value comes from: its op, or where it goes on from a gap."""
        gap = self.gap(node)
        if gap is None:
            return self.items[node].id
        position = next(at for step, at in self.seats[node] if step in self.gaps)
        item = gap.passing.get(position)
        if item is None:
            name = caption.shortened(node.name or caption.symbol(node))
            about = f"{name}, on its way through {gap.cluster.label}"
            item = gap.passing[position] = Item(f"{gap.cluster.id}#{position}", "passing", "", name, about, -1)
            gap.cluster.items.append(item)
        return item.id

    def reach(self) -> dict[Node, dict[int, int]]:
        """For every node the latest step of each loop that it was made from: tells which edges lead on in time."""
        reach: dict[Node, dict[int, int]] = {}
        for node in self.nodes:
            found: dict[int, int] = {}
            for parent in node.parents:
                for loop, order in reach[parent].items():
                    found[loop] = max(order, found.get(loop, order))
            for step, _ in self.seats.get(node, ()):
                found[step.loop] = step.order
            reach[node] = found
        return reach


def prune(clusters: list[Cluster]) -> None:
    """Drop clusters with nothing in them, join those with one cluster in them; outer ones come before inner ones."""
    cards = ("step", "gap")
    for cluster in reversed(clusters):
        cluster.inner = [inner for inner in cluster.inner if inner.items or inner.inner]
        if cluster.id and not cluster.items and len(cluster.inner) == 1 and cluster.key not in cards:
            (only,) = cluster.inner
            if only.key not in cards:
                cluster.label += f" · {only.label}"
                cluster.items, cluster.inner = only.items, only.inner
