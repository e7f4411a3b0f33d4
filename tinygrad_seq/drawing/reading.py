"""What a picture has to know of a graph before anything is drawn: who reads whom, in which step of which loop, which
nodes are just parameters, and where a value went on without its history.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tinygrad_seq.drawing import caption
from tinygrad_seq.drawing.weights import is_parameter, sources
from tinygrad_seq.engine.graph import Detached, Node, ancestors
from tinygrad_seq.engine.timeline import Timeline


class Reading:
    """A graph, read once: its nodes from the oldest to the newest, their places and their users."""

    def __init__(self, roots: Sequence[Node], names: Mapping[Node, str]) -> None:
        self.names = names
        self.roots = set(roots)
        self.nodes = ancestors(roots)
        self.ordinal = {node: i for i, node in enumerate(self.nodes)}
        self.by_serial = {node.serial: node for node in self.nodes}
        self.timeline = Timeline([node for node in self.nodes if node.op is not None])
        self.positions = self.timeline.positions
        visits = dict.fromkeys(self.timeline.visit_of.values())
        self.backward = {visit for visit in visits if any(link.key == "grad" for link in caption.chain(visit))}
        self.users: dict[Node, list[Node]] = defaultdict(list)
        self.carried = {"h", "c"}  # names of states
        for node in self.timeline.visit_of:
            for parent in node.parents:
                self.users[parent].append(node)
                if parent.name is not None and self.crosses(parent, node):
                    self.carried.add(parent.name)
        self.sources = sources(self.nodes, self.roots, self.timeline, self.users)

    def crosses(self, source: Node, target: Node) -> bool:
        """Does an edge lead from one step of a loop to another?"""
        steps = {step.loop: step for step, _ in self.positions.get(source, ())}
        return any(steps.get(step.loop, step) is not step for step, _ in self.positions[target])

    def is_part(self, node: Node) -> bool:
        """One output of an op of several that nobody named: the edge says it all."""
        return node.op is not None and node.op.name == "part" and node.name is None and node not in self.roots

    def is_gradient(self, node: Node) -> bool:
        """Was an op made by a recorded backward?"""
        return self.timeline.visit_of[node] in self.backward

    def is_leaf(self, node: Node) -> bool:
        """A leaf, or what is just parameters: drawn as a proxy beside each use."""
        return node.op is None or node in self.sources

    def role(self, node: Node) -> str:
        if node in self.roots:
            return "output"
        if not node.name:
            return "op"
        return "state" if node.name in self.carried else "gate" if self.positions[node] else "named"

    def role_of_leaf(self, leaves: tuple[Node, ...]) -> str:
        leaf = leaves[0]
        if leaf.requires_grad and not is_parameter(leaf):  # made by hand: what several places share is a weight
            sliced = all(user.op.name in ("getitem", "unstack") for user in self.users[leaf])
            readers = {self.timeline.visit_of[user] for user in self.users[leaf]}
            return "input" if sliced or leaf.name == "x" or len(readers) < 2 else "weight"
        return "weight" if leaf.requires_grad else "input" if leaf.shape else "constant"

    def initial(self, node: Node, user: Node, argument: int) -> str | None:
        """What a state is called before the first step: where later steps read "h" from the step before, "h0"."""
        if node.op is None and node.name and node.name[-1] == "0" and node.name[:-1] in self.carried:
            return node.name
        if node.op is not None or (node.name is not None and not isinstance(node, Detached)):
            return None
        for step, position in self.positions.get(user, ()):
            loop = self.timeline.loops[step.loop]
            for order in (step.order + 1, step.order - 1):
                members = self.timeline.ops_in[loop[order]] if 0 <= order < len(loop) else []
                if position < len(members) and members[position].op is user.op:
                    for twin in members[position].parents[argument : argument + 1]:  # a history grows step by step
                        if twin.name and self.crosses(twin, members[position]):
                            return f"{twin.name}0"
        return None

    def reach(self) -> dict[Node, dict[int, int]]:
        """For every node the latest step of each loop that it was made from: tells which edges lead on in time."""
        reach: dict[Node, dict[int, int]] = {}
        for node in self.nodes:
            found: dict[int, int] = {}
            for parent in node.parents:
                for loop, order in reach[parent].items():
                    found[loop] = max(order, found.get(loop, order))
            for step, _ in self.positions.get(node, ()):
                found[step.loop] = step.order
            reach[node] = found
        return reach
