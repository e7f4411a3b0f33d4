"""Draw the edges of a picture: every argument that is seen, from where it is seen.

What is left out is stood for: a gap by what goes on from it, a rolled step by the step that is drawn for all, and a
value that went on without its history by an edge that says so. Edges that fall together are one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tinygrad_seq.drawing.view.conventions import in_order, ordered
from tinygrad_seq.drawing.view.elision import Card, Elision, place_of
from tinygrad_seq.drawing.view.graph_facts import GraphFacts, hands_over, is_running_sum
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.labels import DraftItem, index_arrays, initial_state, several, shortened, symbol
from tinygrad_seq.drawing.view.model import Edge
from tinygrad_seq.drawing.view.rules import Rule, joins_parts, stand_in
from tinygrad_seq.drawing.view.same_numbers import called
from tinygrad_seq.drawing.view.values import Numbers, together
from tinygrad_seq.engine.graph import Detached, Node
from tinygrad_seq.engine.timeline import ScopeVisit

EdgeKey = tuple[str, str, str, str, int]  # source, target, role, label; and which argument, -1 for one of several steps
Place = tuple[ScopeVisit, tuple[Node, ...], str]  # of a proxy: visit, leaves, and user
Chip = tuple[Card, int, bool]  # what goes on from a gap: the number of an op in it, and whether the next step reads it
Read = tuple[Node, Node, ScopeVisit | None]  # an op, its argument; of a delay, the step that the state comes back to


def connected(
    graph: GraphFacts,
    elision: Elision,
    ops: list[DraftItem],
    outputs: Sequence[Node],
    shared: bool,  # every parameter once
    numbers: Numbers,
) -> tuple[list[Edge], list[DraftItem], dict[Node, str]]:
    """Return the edges in the order in which their ops were made, last those into gaps; the other items that they
    need; and the id of what is drawn for each op.
    """
    builder = EdgeBuilder(graph, elision, ops, numbers, ("initial",) if shared else ("initial", "weight"))
    into_gaps = []
    for node, facts in graph.of.items():
        for argument, parent in enumerate(node.parents if facts.drawn else ()):
            if graph.of[parent].leaves and not graph.of[parent].cut:
                builder.add_leaf(node, argument, shared)
            elif node not in elision.hidden:
                builder.add_op(node, argument, builder.drawn[node])
            else:
                into_gaps.append((node, argument))
        if facts.drawn and node not in elision.hidden and elision.twins[node] is node:
            builder.add_index(node)
    entering: list[tuple[Node, int, tuple[Card, int]]] = []
    cut: set[tuple[Card, int]] = set()  # values that pass through a gap in which their history ends
    for node, argument in into_gaps:
        gap, given = elision.hidden[node][0], graph.of[node.parents[argument]]
        source = given.source
        if source not in elision.hidden or elision.hidden[source][0] is not gap:
            place = place_of(source, gap.shown.loop, graph.timeline) if source.op is not None else None
            entering.append((node, argument, (gap, gap.places.get(place, -1))))
        elif given.cut:
            cut.add(elision.hidden[source])
    for node, argument, where in entering:  # to the box; or if the same value goes on from the gap, to where it does
        goes_on = builder.passing.get((*where, True), builder.passing.get((*where, False)))
        builder.add_op(node, argument, builder.drawn[node] if goes_on is None else goes_on.id, where in cut)
    for node in outputs:
        if node.op is None:
            builder.proxy(graph.timeline.top, node, node, 0)
    return builder.finished()


class EdgeBuilder:
    """Collect what every edge is drawn for, and drafts of the items that edges need: proxies, and values on their way
    out of a gap.
    """

    def __init__(
        self, graph: GraphFacts, elision: Elision, ops: list[DraftItem], numbers: Numbers, saying: tuple[str, ...]
    ) -> None:
        self.graph, self.elision, self.ops, self.numbers = graph, elision, ops, numbers
        self.saying = saying  # roles of proxies that say themselves which steps read them, as no line does
        self.looked_at = looked_at(graph)
        self.proxies: dict[Place, DraftItem] = {}
        self.counts = Counter(draft.visit for draft in ops)  # of items in each place
        self.colours: dict[tuple[Node, ...], int] = {}
        self.passing: dict[Chip, DraftItem] = {}
        self.made_in: defaultdict[Chip, set[ScopeVisit]] = defaultdict(set)  # in which steps of the gap
        self.reads: defaultdict[EdgeKey, list[Read]] = defaultdict(list)
        self.picks: list[DraftItem] = []  # arrays by which ops pick, and the lines from these
        self.lines: list[Edge] = []
        ids = {draft.node: draft.id for draft in ops}
        boxes = {node: f"{gap.id}#" for node, (gap, _) in elision.hidden.items()}
        self.drawn = {node: ids[twin] for node, twin in elision.twins.items() if twin in ids} | boxes

    def proxy(self, visit: ScopeVisit, node: Node, user: Node, argument: int, beside: str = "") -> DraftItem:
        """Return what stands in a place for a leaf, or for what is just parameters: a new proxy at its first use; of
        all but an input and the gradient of a loss, one beside each item that uses it.
        """
        leaves, role = self.graph.of[node].leaves, self.graph.of[node].role
        if isinstance(user, Rule) and node in user.of.parents:  # to a rule it is what it is to the op
            argument = user.of.parents.index(node)
            user = user.of
        state = initial_state(self.graph, node, user, argument) if role in ("input", "constant") else None
        role = "initial" if state else role
        own = len(self.colours) if any(leaf.shape for leaf in leaves) else 0  # single numbers look alike
        colour = self.colours.setdefault(leaves, own) if role == "weight" else -1
        return self.placed((visit, leaves, "" if role in ("input", "gradient") else beside), role, node, state, colour)

    def placed(self, where: Place, role: str, node: Node, name: str | None, colour: int = -1) -> DraftItem:
        """Return the proxy in a place, made at its first use."""
        if where not in self.proxies:
            visit, leaves, _ = where
            id = f"{visit.id}#leaf{self.counts[visit]}"
            self.proxies[where] = DraftItem(id, role, visit, node, name, leaves, colour)
            self.counts[visit] += 1
        return self.proxies[where]

    def add_leaf(self, node: Node, argument: int, shared: bool) -> None:
        """Add an argument that is a leaf, or just parameters: from its proxy."""
        twin = self.elision.twins[node]
        other = twin.parents[argument]  # the weight itself, or this step's input in another step
        if not self.graph.of[other].leaves:
            if twin is not node and self.graph.of[twin].delays[argument] is None:
                return  # what an op gave that the first step lacks
            other = node.parents[argument]  # a first state, where other steps read the step before
        if shared and self.graph.of[other].role == "weight":
            visit, leaves = self.graph.timeline.top, self.graph.of[other].leaves
        else:
            visit, leaves = self.graph.timeline.visit_of[twin], () if node in self.elision.hidden else (other,)
        for leaf in leaves:
            proxy = self.proxy(visit, leaf, node, argument, "" if shared else self.drawn[node])
            self.add(node, argument, proxy.id, self.drawn[node], "cut" if isinstance(leaf, Detached) else proxy.role)

    def add_index(self, node: Node) -> None:
        """Add the arrays by which an op picks: ids, targets or a mask."""
        for name, array in index_arrays(node):
            leaf = stand_in(node, node, name)
            leaf.shape, leaf.dtype = array.shape, array.dtype
            visit, role = self.graph.timeline.visit_of[node], "constant" if name == "mask" else "input"
            self.picks.append(DraftItem(f"{self.drawn[node]}[{name}]", role, visit, leaf, leaves=(leaf,)))
            self.lines.append(Edge(self.picks[-1].id, self.drawn[node], role))

    def add_op(self, node: Node, argument: int, target: str, is_cut: bool = False) -> None:
        """Add an argument that an op has made: from its item, that of its twin, or where it goes on from a gap."""
        facts, given = self.graph.of[node], self.graph.of[node.parents[argument]]
        source, delay = given.source, facts.delays[argument]
        is_sum = delay and is_running_sum(self.graph, node, source)
        is_own = not is_sum or self.graph.of[source].role == "state"
        is_state = is_own if delay else hands_over(self.graph, node, argument)
        role, label, entry = "state" if is_state else "data", "", None
        if facts.gradient:  # reads gradients, and what the forward saved
            role = "gradient" if self.graph.of[source].gradient else "data"
        if delay and self.elision.rolled:
            step, back = delay
            level = [around for around, _ in facts.positions].index(step)
            entry = self.graph.of[self.elision.twins[node]].positions[level][0]  # which step is drawn for that one
            name = called(source)
            label = f"{name}, " * bool(name) + f"t{'−' if back > 0 else '+'}{abs(back)}"
        if given.cut or is_cut:
            role, entry = "cut", None
        start = self.drawn[source]
        beside = "saved" if facts.gradient else "passing" * (source in self.looked_at and not self.elision.rolled)
        if beside and role == "data" and not {node, source} & self.elision.hidden.keys():
            visit, name = self.graph.timeline.visit_of[self.elision.twins[node]], source.name or symbol(source)
            if beside == "passing":
                name += f", {several([step for step, _ in self.graph.of[source].positions[-1:]])}"
            role, start = beside, self.placed((visit, (), f"{start} {target}"), beside, source, name).id
        if source in self.elision.hidden:
            gap, number = self.elision.hidden[source]
            goes_on = any(step.loop == gap.shown.loop for step, _ in facts.positions)
            start, where = f"{gap.id}#{number}" + "+" * (not goes_on), (gap, number, goes_on)
            about = f", on its way through {len(gap.steps)} steps"
            self.passing.setdefault(where, DraftItem(start, "passing", gap.shown, source, about=about))
            self.made_in[where].update(step for step, _ in self.graph.of[source].positions)
        self.add(node, argument, start, target, role, label, entry)

    def add(
        self, node: Node, argument: int, source: str, target: str, role: str,
        label: str = "", entry: ScopeVisit | None = None,
    ) -> None:  # fmt: skip
        """Add an argument to the edge that is drawn for it: an edge of its own; or where steps are drawn as one, or as
        a gap, the edge with these ends, role and label.
        """
        parent = node.parents[argument]
        origin = self.graph.of[parent].source
        at_gap = node in self.elision.hidden or origin in self.elision.hidden
        out_of_steps = self.merged_step(node) is None and self.merged_step(origin) is not None
        is_ordered = node.op.name in ordered and node not in self.elision.hidden and not isinstance(node, Rule)
        own = -1 if (at_gap or out_of_steps) and not is_ordered else argument
        self.reads[source, target, role, label, own].append((node, parent, entry))

    def merged_step(self, node: Node) -> ScopeVisit | None:
        """Return the innermost step around a node that a rolled picture draws as one with others."""
        steps = (step for step, _ in reversed(self.graph.of[node].positions) if len(self.elision.cards[step].steps) > 1)
        return next(steps, None) if self.elision.rolled else None

    def partly(self, nodes: Iterable[Node]) -> list[tuple[Sequence[ScopeVisit], Sequence[ScopeVisit]]]:
        """Return which steps of a rolled one some ops are in, and all of its steps in order of time; if not all are."""
        steps = {step for step in map(self.merged_step, nodes) if step is not None}
        card = next((self.elision.cards[step].steps for step in steps), [])
        in_time = card[:: 1 if not card or self.graph.way.get(card[0].loop, 0) >= 0 else -1]
        return [([step for step in card if step in steps], in_time)] if len(steps) < len(card) else []

    def edge(self, key: EdgeKey, reads: list[Read]) -> Edge:
        """Return the edge that is drawn for these arguments. Where that is not all steps of a card, it says which.

        Its number is the norm of theirs. At a gap only the border counts: of an edge that leads out the last step in
        the gap, of one that leads in the first.
        """
        (source, target, role, label, own), (node, parent, entry) = key, reads[0]
        origin, hidden = self.graph.of[parent].source, self.elision.hidden
        ends = zip(*((self.graph.of[given].source, op) for op, given, _ in reads))  # both, of a rolled step
        is_said = self.elision.rolled and entry is None and role not in self.saying
        said = [some for nodes in ends if is_said for some in self.partly(nodes)]
        if len(said) == 2 and said[0] != said[1]:
            label = " · ".join(some_of(*some, name or "step") for some, name in zip(said, (origin.name, "")))
        elif said:
            label = several(said[0][0])
        latest, around = self.graph.of[origin].latest, [step for step, _ in self.graph.of[node].positions]
        is_later = self.graph.of[parent].cut or any(latest.get(step.loop, step.order) != step.order for step in around)
        of, uses, argument = self.numbers.of, self.numbers.uses, self.numbers.argument
        numbers = [of.get(given) if uses is None else uses.get((op, given)) for op, given, _ in reads]
        if argument is not None:
            numbers = [of.get(op) if argument in self.graph.of[given].leaves else None for op, given, _ in reads]
        known = [number for number in numbers if number is not None]
        if origin in hidden or (node in hidden and role != "weight"):
            known = known[-1:] if origin in hidden else known[:1]
        has_order = node.op.name in in_order and (not isinstance(node, Rule) or joins_parts(node))
        operand = own + 1 if has_order and node not in hidden else 0
        kind, carries = (role, "") if entry is None else ("delay", role if role != "state" else "")
        return Edge(source, target, kind, is_later, together(known), label, operand, carries)

    def finished(self) -> tuple[list[Edge], list[DraftItem], dict[Node, str]]:
        """Return what was collected. A state of another step that several ops of a card read comes in once."""
        made = [(self.edge(key, reads), reads[0][2]) for key, reads in self.reads.items()]
        values = grouped(((edge.source, edge.label, entry), edge.value) for edge, entry in made)
        by_id = {draft.id: draft for draft in self.ops}
        entries: dict[str, DraftItem] = {}
        found: list[Edge] = []
        for edge, entry in made:
            alike = values[edge.source, edge.label, entry]
            if entry is not None and len(alike) > 1:
                id, old = f"{edge.source}@{entry.id}@{edge.label}", by_id[edge.source]
                if id not in entries:
                    name = old.name or called(old.node)
                    entries[id] = replace(
                        old, id=id, role="passing", visit=entry, name=name and f"old {name}",
                        about=f" of step {edge.label.rpartition(', ')[2]}",
                    )  # fmt: skip
                    found.append(replace(edge, target=id, value=together(alike), operand=0))
                edge = replace(edge, source=id, role=edge.carries or "state", through_time=False, label="", carries="")
            found.append(edge)
        of_proxies = ((key[0], reads) for key, reads in self.reads.items() if key[2] in self.saying)
        readers = grouped((id, op) for id, reads in of_proxies for op, *_ in reads)
        for where, draft in self.proxies.items():
            for some in self.partly(readers[draft.id]):
                self.proxies[where] = replace(draft, about=f" · {some_of(*some, 'step')}")
        of_leaf = {leaf: colour for leaves, colour in self.colours.items() for leaf in leaves}
        for i, draft in enumerate(self.ops):
            if isinstance(draft.node, Rule) and draft.node.leaf is not None:  # a share in the gradient of a weight
                self.ops[i] = replace(draft, colour=of_leaf.get(draft.node.leaf, -1))
        for chip, draft in self.passing.items():
            steps = [step for step in chip[0].steps if step in self.made_in[chip]]
            name = shortened(called(draft.node) or symbol(draft.node), 12)
            self.passing[chip] = replace(draft, name=f"{name}, {several(steps)}")
        drawn = self.drawn | {node: self.passing[chip].id for node, chip in self.chips()}
        others = [*self.proxies.values(), *self.picks, *self.passing.values(), *entries.values()]
        return found + self.lines, others, drawn

    def chips(self) -> Iterator[tuple[Node, Chip]]:
        """Yield every op in a gap that goes on from there, and as what: at last as what the next step reads."""
        for node, where in self.elision.hidden.items():
            steps = {step for step, _ in self.graph.of[node].positions}
            found = [chip for chip in ((*where, False), (*where, True)) if chip in self.passing]
            yield from ((node, chip) for chip in found if len(found) == 1 or not steps.isdisjoint(self.made_in[chip]))


def some_of(steps: Sequence[ScopeVisit], card: Sequence[ScopeVisit], name: str) -> str:
    """Return some of the steps of a card, both in order of time, in a few words: "first step", "last h", "t = 1, 3"."""
    return f"first {name}" if steps == card[:1] else f"last {name}" if steps == card[-1:] else several(steps)


def looked_at(graph: GraphFacts) -> set[Node]:
    """Return what is made in a step, and read at least twice in each of several steps of a later loop."""
    loops = {node: {step.loop for step, _ in facts.positions} for node, facts in graph.of.items()}
    reads = grouped(
        (source, facts.positions[-1][0])
        for node, facts in graph.of.items()
        if facts.drawn and facts.positions and not facts.gradient
        for source in [graph.of[parent].source for parent in node.parents]
        if loops[source] and loops[source].isdisjoint(loops[node])
    )
    counts = {source: Counter(steps) for source, steps in reads.items()}
    return {source for source, steps in counts.items() if len(steps) > 1 and min(steps.values()) > 1}
