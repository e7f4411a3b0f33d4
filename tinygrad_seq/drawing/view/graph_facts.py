"""Read a recorded graph once, and state for every node, as plain data, what the later passes ask about it.

Nothing here decides what is shown: a fact holds for a node also where a picture leaves out its step.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from tinygrad_seq.drawing.view.conventions import (
    from_loss,
    input_name,
    joining,
    not_inputs,
    slicing,
    squashing,
    states,
    weighing,
)
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.parameters import Sources, is_parameter, made_of_parameters, sources
from tinygrad_seq.drawing.view.same_numbers import original
from tinygrad_seq.engine.found_steps import timeline_of
from tinygrad_seq.engine.graph import Detached, Node, ancestors
from tinygrad_seq.engine.timeline import ScopeVisit, Timeline

Positions = Sequence[tuple[ScopeVisit, int]]  # the steps around a node, outermost first, and which of their ops it is
Delay = tuple[ScopeVisit, int]  # the step that reads, and how many steps before it the value was made
Read = tuple[Any, ...]  # which op, in which step, and which of its arguments: see reads_of
furthest = 16  # a state that is read so many steps later, or fewer, has as many first states


@dataclass(slots=True)
class NodeFacts:
    """What a picture knows of one node."""

    ordinal: int  # in order of creation
    positions: Positions
    leaves: tuple[Node, ...]  # drawn as a proxy beside each use: a leaf itself, or the parameters that it is made of
    source: Node  # the node that its value comes from in a picture
    cut: bool  # a value without history (detach), and where it came from is in the graph
    drawn: bool  # an op of its own: no leaf, no proxy, no single output of an op of several
    gradient: bool  # made by a recorded backward
    delays: tuple[Delay | None, ...]  # for each argument, where it comes from another step of a loop
    latest: dict[int, int]  # for each loop, the latest of its steps that had a part in it
    role: str = ""
    parts: dict[int, str] = field(default_factory=dict)  # of a split: by part, the first name on the only way from it


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """A graph, read once."""

    of: dict[Node, NodeFacts]  # from the oldest node to the newest
    timeline: Timeline
    outer: dict[ScopeVisit, ScopeVisit]  # of each place but the top the one around it, outer places first
    length: Mapping[ScopeVisit, int]  # of each step: its ops without those of a recorded backward, which come after
    states: set[str] = field(default_factory=set)  # names of states
    first: dict[Read, str] = field(default_factory=dict)  # the same, or "", by where steps before these would read them
    starts: dict[tuple[Read, Node], str] = field(default_factory=dict)  # by where leaves are read in their place
    inner: dict[Read, Node] = field(default_factory=dict)  # results, by where their own step reads them
    way: Counter[int] = field(default_factory=Counter)  # by loop: above 0 if its states go to later steps, else below


def read(roots: Sequence[Node], find: bool) -> GraphFacts:
    """Return the facts of the graph that made these nodes; `find`: with the loops that no scope declares."""
    nodes, outputs = ancestors(roots), set(roots)
    timeline = timeline_of([node for node in nodes if node.op is not None], find)
    users = grouped((parent, node) for node in timeline.visit_of for parent in node.parents)
    given = {node for node in nodes if node.op is None} | made_of_parameters(nodes).keys()  # no results
    proxies = sources(nodes, outputs, timeline.positions, users)
    by_serial = {node.serial: node for node in nodes}
    outer = {visit: visit.outer for visit in timeline.inner if visit.outer is not None}  # outer places first
    backward: set[ScopeVisit | None] = set()
    for visit, around in outer.items():
        if visit.key == "grad" or around in backward:
            backward.add(visit)
    last = {step.loop: node.serial for node in timeline.visit_of for step, _ in timeline.positions[node]}
    of: dict[Node, NodeFacts] = {}
    for ordinal, node in enumerate(nodes):
        positions = timeline.positions.get(node, ())
        given_on = node if node in outputs else original(node)
        is_made = given_on is not node and given_on not in proxies and of[given_on].source.op is not None
        source = given_on if is_made else source_of(node, by_serial, outputs, proxies)
        source = of[source].source if source in of else source
        known = (pair for parent in node.parents for pair in of[parent].latest.items())
        latest = dict(sorted(pair for pair in known if last[pair[0]] >= node.serial))  # not of a loop that is over
        of[node] = NodeFacts(
            ordinal,
            positions,
            leaves=proxies.get(node, (node,) if node.op is None else ()),
            source=source,
            cut=node.op is None and source is not node,
            drawn=node.op is not None and source is node and node not in proxies,
            gradient=timeline.visit_of.get(node) in backward,
            delays=tuple([delay(of[of[parent].source].positions, positions) for parent in node.parents]),
            latest=latest | {step.loop: step.order for step, _ in positions},
        )
    for node, facts in reversed(of.items()):
        joins = facts.drawn and node.op.name in ("stack", "unstack") and not node.name
        if joins and users[node] and node not in outputs:
            facts.drawn = any(of[user].drawn or of[user].source is node for user in users[node])  # not read past it
    for node in nodes:
        if node.op is not None and node.op.name == "part":
            user = node
            for _ in range(4):  # a gate is not far
                user = users[user][0] if len(users[user]) == 1 and (user is node or not user.name) else user
            of[node.parents[0]].parts[(node.static or {})["index"]] = user.name or ""
    length = {step: sum(not of[node].gradient for node in ops) for step, ops in timeline.ops_in.items()}
    graph = GraphFacts(of, timeline, outer, length)
    for node, facts in of.items():
        for argument, later in enumerate(() if facts.gradient else facts.delays):
            parent = node.parents[argument]
            if later is not None and not of[parent].cut and not is_running_sum(graph, node, parent):
                graph.way[later[0].loop] += 1 if later[1] > 0 else -1
                name = parent.name or of[parent].source.name or ""
                way, far = 1 if later[1] < 0 else -1, abs(later[1])
                for *op, order, at, _ in reads_of(graph, node, argument):
                    for back in range(1, (far if far <= furthest else 1) + 1):
                        graph.first[*op, order + way * back, at, argument] = name
            elif later is None and parent.op is not None and parent not in proxies and facts.positions:
                graph.inner.update(dict.fromkeys(reads_of(graph, node, argument), parent))
    is_net = bool(timeline.loops) or any(visit.key == "module" for visit in timeline.inner)
    graph.states.update(states if is_net else (), filter(None, graph.first.values()))
    graph.starts.update(starts_of(graph))
    passed_on = states_of(graph)
    gates = gates_of(graph, outputs, passed_on)
    for node, facts in of.items():
        if facts.leaves:
            facts.role = role_of_leaf(graph, facts.leaves[0], users[facts.leaves[0]], given)
        else:
            facts.role = role(graph, node, outputs, gates, passed_on)
    return graph


def reads_of(graph: GraphFacts, node: Node, argument: int, later: int = 0) -> list[Read]:
    """Return in which places of which steps an op reads an argument, or would so many steps later.

    A first step may lack a beginning, and one with lengths is shorter: so a place is counted from both ends, and told
    by the weights that are read there, too.
    """
    others = [parent for i, parent in enumerate(node.parents) if i != argument]
    weights = tuple([leaf for parent in others for leaf in graph.of[parent].leaves if leaf.requires_grad])
    return [
        (node.op, node.shape, weights, step.loop, step.order + later, at, argument)
        for step, position in graph.of[node].positions
        for at in (position - graph.length[step], position)
    ]


def source_of(node: Node, by_serial: Mapping[int, Node], outputs: Set[Node], proxies: Sources) -> Node:
    """Return the node that a value comes from in a picture: for a constant without history the op that it was cut
    from, where that is in the graph; for a single output that nobody named, the op of all its outputs.
    """
    if isinstance(node, Detached):
        makers = (by_serial[serial] for serial in node.origin if serial in by_serial)
        node = next((maker for maker in makers if maker.op is not None and maker not in proxies), node)
    part = node.op is not None and node.op.name == "part" and node.name is None
    return node.parents[0] if part and node not in outputs and node not in proxies else node


def hands_over(graph: GraphFacts, node: Node, argument: int) -> bool:
    """Tell whether an op hands a first state over as this argument, from outside the loop, to a step where the next one
    reads that of the step before.
    """
    facts, steps = graph.of[node], {step for step, _ in graph.of[graph.of[node.parents[argument]].source].positions}
    if facts.gradient or not facts.positions or facts.positions[-1][0] in steps:
        return False
    return any(read in graph.first for read in reads_of(graph, node, argument))


def starts_of(graph: GraphFacts) -> dict[tuple[Read, Node], str]:
    """Return the names of states by where ops read a leaf instead: where the next step that does not read the same leaf
    reads the state of an earlier one.
    """
    found: dict[tuple[Read, Node], str] = {}
    given = ((node, i, leaf) for node, facts in reversed(graph.of.items()) if not facts.gradient
             for i, leaf in enumerate(node.parents) if leaf.op is None and not leaf.requires_grad)  # fmt: skip
    for node, argument, leaf in given:
        here, *later = (reads_of(graph, node, argument, by) for by in (0, 1, -1))
        names = [graph.first[read] for read in here if read in graph.first]
        names += [found[read, leaf] for reads in later for read in reads if (read, leaf) in found]
        found |= {(read, leaf): name for name in names[:1] for read in here}
    return found


def delay(maker: Positions, reader: Positions) -> Delay | None:
    """Return the step of the reader that a value enters from another step of the loop, and from how far back."""
    made = {step.loop: step.order for step, _ in maker}
    for step, _ in reader:
        back = step.order - made.get(step.loop, step.order)
        if back:
            return step, back
    return None


def is_running_sum(graph: GraphFacts, node: Node, parent: Node) -> bool:
    """Tell whether an op only adds to what the same op of another step has made, such as a sum of losses."""
    (here, at), (there, other) = graph.of[node].positions[-1], graph.of[parent].positions[-1]
    is_same_place = at == other or at - graph.length[here] == other - graph.length[there]
    return node.op.name == parent.op.name == "add" and here.loop == there.loop and is_same_place


def states_of(graph: GraphFacts) -> set[Node]:
    """Return the ops that another step reads, and the same ops in steps that nobody reads, such as the last one. What
    is only added to in every step, such as a sum of losses, is no state.
    """
    places: dict[Node, set[Hashable]] = {  # in the innermost step: a first may lack a beginning, a last one go on
        node: {(step.loop, at, node.op.name, node.shape, node.name) for at in (place, place - graph.length[step])}
        for node, facts in graph.of.items()
        for step, place in facts.positions[-1:]
    }
    read_later = {
        place
        for node, facts in graph.of.items()
        for parent, later in zip(node.parents, () if facts.gradient else facts.delays)
        if later is not None and parent in places and not is_running_sum(graph, node, parent)
        for place in places[parent]
    }
    return {node for node, place in places.items() if not (graph.of[node].gradient or place.isdisjoint(read_later))}


def gates_of(graph: GraphFacts, outputs: Set[Node], passed_on: Set[Node]) -> set[Node]:
    """Return the gates and candidates: named results of a squashing op that multiply something, or are multiplied, on
    the way to a state of the same step, or of the same call of a cell. "loss", "logits" or the weights of an attention
    are none.
    """
    leads: dict[Node, ScopeVisit] = {}  # what a state is made of, and in which step or place that is
    weighed: set[Node] = set()  # what is multiplied, also after a sum
    gates: set[Node] = set()
    for node in [node for node in reversed(graph.of) if node.op is not None and not graph.of[node].gradient]:
        if node.name in graph.states or node in passed_on or (node in outputs and node.shape):
            leads[node] = where(graph, node)
        if node in weighed and node in leads and node.name and node.op.name in squashing:
            gates.add(node)
        for parent in node.parents if node in leads else ():
            if parent.op is not None and where(graph, parent) is leads[node]:
                leads[parent] = leads[node]
                if node.op.name == "multiply" or (node in weighed and node.op.name in weighing):
                    weighed.add(parent)
    return gates


def where(graph: GraphFacts, node: Node) -> ScopeVisit:
    """Return the step that an op is in, the innermost, or else its place."""
    return graph.of[node].positions[-1][0] if graph.of[node].positions else graph.timeline.visit_of[node]


def role(graph: GraphFacts, node: Node, outputs: Set[Node], gates: Set[Node], passed_on: Set[Node]) -> str:
    """Return what an op is for."""
    if node in outputs:
        return "output"
    if (node.name or "").removesuffix("0") in graph.states or (node in passed_on and not node.name):
        return "state"
    return "gate" if node in gates else "named" if node.name else "op"


def role_of_leaf(graph: GraphFacts, leaf: Node, users: Sequence[Node], given: Set[Node]) -> str:
    """Return what a leaf is for. One made by hand is a weight where several places read it; an array without gradient
    is an input where what is computed of the parameters and of the steps before begins with it.
    """
    if leaf.scope.key == "grad" and not leaf.static:
        return "gradient" if leaf.name == from_loss else "saved"
    if leaf.requires_grad:
        sliced = all(user.op.name in slicing for user in users)
        one_place = len({graph.timeline.visit_of[user] for user in users}) < 2
        by_hand = not is_parameter(leaf)
        return "input" if leaf.name == input_name or (by_hand and (sliced or one_place)) else "weight"
    if leaf.name or leaf.dtype.kind != "f" or isinstance(leaf, Detached) or not users:
        is_constant = leaf.dtype.kind == "b" or (leaf.name or "").startswith(not_inputs)
    else:
        is_constant = not any(begins_with(leaf, user, graph.of[user], given) for user in users)
    return "constant" if is_constant or not (leaf.shape or leaf.name) else "input"


def begins_with(leaf: Node, user: Node, facts: NodeFacts, given: Set[Node]) -> bool:
    """Tell whether an op computes something of a leaf that is an input: not of a result and, say, its target."""
    if facts.gradient:
        return False
    if user.op.name in joining and not leaf.static and all(len(x.shape) == len(leaf.shape) for x in user.parents):
        return True
    return all(parent in given or later is not None for parent, later in zip(user.parents, facts.delays))
