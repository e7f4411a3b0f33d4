"""The edges of a picture: every argument that is seen, from where it is seen.

What is left out is stood for: a gap by what goes on from it, a rolled step by the step that is drawn for all, and a
value that went on without its history by an edge that says so. Edges that fall together are one.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from math import hypot
from typing import TYPE_CHECKING

from tinygrad_seq.drawing import caption
from tinygrad_seq.drawing.gaps import Gap
from tinygrad_seq.drawing.numbers import Numbers
from tinygrad_seq.drawing.view import Edge, Item
from tinygrad_seq.engine.graph import Detached, Node
from tinygrad_seq.engine.timeline import ScopeVisit

if TYPE_CHECKING:
    from tinygrad_seq.drawing.build import Builder


@dataclass(slots=True)
class Wire:
    """An edge in the making: which steps of a rolled loop it is there for, and its numbers so far."""

    later: bool
    label: str
    roll: list[ScopeVisit]
    card: ScopeVisit | None  # of a delay: the step that the state comes back to
    steps: set[ScopeVisit] = field(default_factory=set)
    value: float | None = None


def connect(builder: "Builder", numbers: Numbers | None) -> list[Edge]:
    """The edges, in the order in which their targets were made."""
    wiring = Wiring(builder, numbers)
    into_gaps = []
    for node in builder.timeline.visit_of:
        if node in builder.graph.sources or builder.graph.is_part(node):
            continue
        gap = builder.gap(node)
        for argument, parent in enumerate(node.parents):
            if wiring.origin(parent) is None and builder.graph.is_leaf(parent):
                wiring.leaf(parent, node, argument, gap)
            elif gap is None:
                wiring.op(parent, node, argument, builder.items[builder.twin(node)])
            else:
                into_gaps.append((parent, node, argument, gap))
    for parent, node, argument, gap in into_gaps:
        source = wiring.source(parent)
        if builder.gap(source) is not gap:
            seat = next((at for step, at in builder.graph.positions[source] if step.loop == gap.steps[0].loop), -1)
            wiring.op(parent, node, argument, gap.passing.get(seat, gap.cluster.items[0]))
    return wiring.edges()


class Wiring:
    """The wires so far, by what tells them apart: both ends, the role, and which argument where that matters."""

    def __init__(self, builder: "Builder", numbers: Numbers | None) -> None:
        self.builder, self.graph, self.numbers = builder, builder.graph, numbers
        self.reach = builder.graph.reach()
        self.wires: dict[tuple[str, str, str, str, int], Wire] = {}

    def origin(self, node: Node) -> Node | None:
        """What a constant was cut from, where that is in the picture."""
        if not isinstance(node, Detached):
            return None
        known = map(self.graph.by_serial.get, node.origin)
        return next((maker for maker in known if maker is not None and not self.graph.is_leaf(maker)), None)

    def source(self, parent: Node) -> Node:
        """The op that a value comes from."""
        node = self.origin(parent) or parent
        return node.parents[0] if self.graph.is_part(node) and node not in self.graph.sources else node

    def leaf(self, parent: Node, node: Node, argument: int, gap: Gap | None) -> None:
        """From the proxy of a leaf, or of what is just parameters."""
        twin = self.builder.twin(node)
        other = twin.parents[argument]  # the weight itself, or this step's input in another step
        if not self.graph.is_leaf(other):
            other = parent  # a first state, where other steps read the step before
        leaves = self.graph.sources.get(other, (other,))
        shared = self.builder.shared and self.graph.role_of_leaf(leaves) == "weight"
        if gap is not None and not shared:
            return
        visit = self.builder.timeline.visit_of[twin]
        target = self.builder.items[twin] if gap is None else gap.cluster.items[0]
        for leaf in leaves if shared else (other,):
            item = self.builder.proxy(leaf, visit, node, argument)
            role = "cut" if isinstance(leaf, Detached) else item.role
            self.add(item, target, role, parent, node, -1 if gap is not None else argument)

    def op(self, parent: Node, node: Node, argument: int, target: Item) -> None:
        """From an op, or from what stands for it."""
        source = self.source(parent)
        crosses, behind = self.graph.crosses(source, node), self.reach[source]
        steps = [step for step, _ in self.graph.positions[node]]
        later = crosses or any(behind.get(step.loop, step.order) != step.order for step in steps)
        role, label = "state" if crosses else "data", ""
        if self.graph.is_gradient(node):  # reads gradients, and what the forward saved
            role = "gradient" if self.graph.is_gradient(source) else "data"
        card = None
        if crosses and self.builder.rolls:
            own, back = self.back(source, node)
            role, label, card = "delay", f"t{'−' if back > 0 else '+'}{abs(back)}", self.builder.rolls[own][-1]
        if self.origin(parent) is not None:
            role, later, card = "cut", True, None
        folded = (
            self.builder.gap(source)
            or self.builder.gap(node)
            or (self.builder.roll(source) and not self.builder.roll(node))
        )
        self.add(self.stand_in(source), target, role, parent, node, -1 if folded else argument, later, label, card)

    def back(self, source: Node, node: Node) -> tuple[ScopeVisit, int]:
        """The step of a node, and how many steps before it the source was made."""
        steps = {step.loop: step for step, _ in self.graph.positions[source]}
        found = ((own, own.order - steps[own.loop].order) for own, _ in self.graph.positions[node] if own.loop in steps)
        return next(pair for pair in found if pair[1])

    def stand_in(self, node: Node) -> Item:
        """The item that a value comes from: its op, or where it goes on from a gap."""
        gap = self.builder.gap(node)
        if gap is None:
            return self.builder.items[self.builder.twin(node)]
        position = self.builder.hidden[node][1]
        item = gap.passing.get(position)
        if item is None:
            name = caption.shortened(node.name or caption.symbol(node))
            about = f"{name}, on its way through {gap.cluster.label}"
            item = gap.passing[position] = Item(f"{gap.cluster.id}#{position}", "passing", "", name, about, -1)
            gap.cluster.items.append(item)
        return item

    def add(
        self, source: Item, target: Item, role: str, parent: Node, node: Node, argument: int,
        later: bool = False, label: str = "", card: ScopeVisit | None = None,
    ) -> None:  # fmt: skip
        """One more argument along an edge. On several steps' the numbers add up, at a gap its border's counts."""
        step, roll = self.builder.roll(node) or self.builder.roll(self.source(parent)) or (None, [])
        wire = self.wires.setdefault((source.id, target.id, role, label, argument), Wire(later, label, roll, card))
        if step is not None:
            wire.steps.add(step)
        value = None if self.numbers is None else self.numbers.along(node, parent)
        if value is not None:
            if role == "weight" or not (source.role == "passing" or target.role in ("passing", "middle")):
                wire.value = value if wire.value is None else hypot(wire.value, value)
            elif source.role == "passing" or wire.value is None:
                wire.value = value  # the first one that leads in, the last one that leads out

    def edges(self) -> list[Edge]:
        """The wires as edges; a state of the step before that several ops of a card read comes in once."""
        readers = Counter((key[0], wire.label, wire.card) for key, wire in self.wires.items() if wire.card is not None)
        entries: dict[str, int] = {}  # where each of these edges is
        found: list[Edge] = []
        for (source, target, role, label, _), wire in self.wires.items():
            if role not in ("delay", "initial") and len(wire.steps) < len(wire.roll):
                label = caption.times([step for step in wire.roll if step in wire.steps], count=False)
            edge = Edge(source, target, role, wire.later, wire.value, label)
            if wire.card is not None and readers[source, label, wire.card] > 1:
                entry = f"{source}@{wire.card.id}:{label}"
                at = entries.setdefault(entry, len(found))
                if at == len(found):
                    found.append(replace(edge, target=entry))
                    item = Item(entry, "passing", "", *self.named(source, label), -1)
                    self.builder.clusters[wire.card].items.append(item)
                elif edge.value is not None:
                    found[at] = replace(found[at], value=hypot(found[at].value or 0.0, edge.value))
                edge = replace(edge, source=entry, role="state", through_time=False, label="")
            found.append(edge)
        return found

    def named(self, source: str, label: str) -> tuple[str, str]:
        """The label and the tooltip of a state where it comes in."""
        item = next(item for item in self.builder.items.values() if item.id == source)
        return item.label or item.symbol, f"{item.label or item.symbol} of step {label}"
