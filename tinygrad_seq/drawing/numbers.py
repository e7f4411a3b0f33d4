"""Numbers in a picture: for nodes and edges, by colour and width on a log scale.

Gradients come from one more walk over the graph, in which nothing is changed: what arrives along an edge is one
contribution, what arrives at a node is their sum. Any other mapping from nodes to numbers is shown just the same.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, hypot, isfinite, log10
from typing import TYPE_CHECKING, Any

from tinygrad_seq.drawing.view import Edge, Item, Scale, View, within
from tinygrad_seq.engine.backend import modules
from tinygrad_seq.engine.backprop import Use, starting_gradients, walk
from tinygrad_seq.engine.graph import Node, Value, ancestors

if TYPE_CHECKING:
    from tinygrad_seq.drawing.build import Builder

gradient = "|gradient|"
freed = "the graph was freed: backward(retain_graph=True) keeps it"


@dataclass(frozen=True)
class Numbers:
    """What to show: a number of each node, in the order of play, and of each use (user, argument) where known."""

    label: str
    of: Mapping[Node, float]
    uses: Mapping[tuple[Node, Node], float] | None = None

    def along(self, node: Node, parent: Node) -> float | None:
        """The number of the edge on which a node reads a parent."""
        return self.of.get(parent) if self.uses is None else self.uses.get((node, parent))


def norm(array: Any) -> float:
    """The Euclidean norm, of a list of arrays together, safe from underflow: gradients vanish."""
    if isinstance(array, list):
        return hypot(*map(norm, array))
    if not array.size:
        return 0.0
    xp = modules[type(array)]
    largest = float(xp.abs(array).max())
    if not largest or not isfinite(largest):
        return largest
    return largest * float(xp.sqrt(xp.square(array.astype("float64") / largest).sum()))


def grad_norm(node: Node) -> float | None:
    """The norm of the `.grad` that the owner of a node has."""
    owner = node.owner
    grad = getattr(owner, "stored_grad", None)
    return None if grad is None else norm(grad.array)


def delivered_to_nobody(node: Node) -> bool:
    """Did a backward reach a leaf whose Tensor is gone, and `.grad` with it?"""
    return node.op is None and getattr(node, "reached", False) and node.owner is None


def gradients(outputs: Sequence[Value]) -> Numbers:
    """The norm of every gradient, where a backward has been: of all if the graph is whole, else of what has `.grad`."""
    nodes = ancestors([output.node for output in outputs if output.node is not None], constants=False)
    kept = {node: value for node in reversed(nodes) if (value := grad_norm(node)) is not None}
    if any(node.saved is None for node in nodes):
        return Numbers(f"{gradient} ({freed})", kept, {})
    if not kept and not any(map(delivered_to_nobody, nodes)):
        return Numbers(gradient, {})
    if any(output.array.size != 1 for output in outputs):
        return Numbers(f"{gradient} (of leaves: for the rest, draw the loss)", kept, {})
    return walked(outputs, nodes)


def walked(outputs: Sequence[Value], nodes: list[Node]) -> Numbers:
    """The numbers of one walk, each gradient let go as soon as it was measured."""
    of: dict[Node, float] = {}
    uses: dict[tuple[Node, Node], float] = {}

    def observe(heard: list[Use], parent: Node, contribution: Any) -> None:
        for node, g in heard:
            if node not in of:
                of[node] = norm(g)
            uses[node, parent] = of[node] if node.op.merge is not None else norm(contribution)

    found = walk(nodes, starting_gradients(outputs, [None] * len(outputs), False), False, observe=observe)
    of.update((node, norm(g)) for node, g in found.items())
    return Numbers(gradient, {node: of[node] for node in reversed(nodes) if node in of}, uses)


def given(mapping: Mapping[Any, Any]) -> Numbers:
    """Numbers that somebody else made, of Nodes or of Tensors."""
    of: dict[Node, float] = {}
    for key, value in mapping.items():
        node = key.node if isinstance(key, Value) else key
        if not isinstance(node, Node):
            raise TypeError(f"draw: show must map Nodes or recorded Tensors to numbers, got the key {key!r:.60}")
        try:
            of[node] = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"draw: show must map Nodes or Tensors to numbers, got {value!r:.60}") from None
    return Numbers(str(getattr(mapping, "label", "value")), of)


def together(values: Sequence[float]) -> float:
    """The norm of what several norms are of; one number stays as it is."""
    return values[0] if len(values) == 1 else hypot(*values)


def scale(label: str, values: Sequence[float]) -> Scale:
    """Powers of ten around the values, six at least (so that a healthy gradient looks healthy), twelve at most."""
    if not values:
        return Scale(label)
    positive = [abs(value) for value in values if value and isfinite(value)] or [1.0]
    high = ceil(log10(max(positive)) - 1e-9)
    low = min(high - 6, max(high - 12, floor(log10(min(positive)) + 1e-9)))
    return Scale(label, float(f"1e{low}"), float(f"1e{high}"))


def shown(view: View, builder: "Builder", numbers: Numbers | None) -> View:
    """The view with the order of the walk and, where there are numbers, those of its items and their scale."""
    feet = {item.id: leaves for (_, leaves), item in builder.proxies.items() if leaves[0].requires_grad}
    into: dict[str, list[Edge]] = defaultdict(list)
    out: dict[str, list[Edge]] = defaultdict(list)
    for edge in view.edges:
        if edge.source in feet:
            into[edge.target].append(edge)
            out[edge.source].append(edge)
    of = numbers.of if numbers is not None else {}
    order: dict[str, None] = {}
    values: dict[str, float] = {}
    for node in of or (node for node in reversed(builder.graph.nodes) if node.requires_grad):
        item = builder.item(node)
        if item is not None:
            order[item.id] = None
            order.update((edge.source, None) for edge in into[item.id])
            if item.role == "passing" and node in of:
                values.setdefault(item.id, of[node])
            elif item.role != "middle" and node in of:
                values[item.id] = together([values[item.id], of[node]] if item.id in values else [of[node]])
    for id, leaves in feet.items():
        known = [of[leaf] for leaf in leaves if leaf in of]
        share = out[id][0].value if len(out[id]) == 1 and not builder.rolls else None
        if share is not None:  # beside one of its uses: what it gets from that one
            values[id] = share
        elif known:
            values[id] = together(known)
        order.setdefault(id)
    if numbers is None:
        return replace(view, backward=list(order))
    for cluster in within(view.top):
        cluster.items = [valued(item, values.get(item.id), numbers.label) for item in cluster.items]
    spread = [*values.values(), *(edge.value for edge in view.edges if edge.value is not None)]
    return replace(view, backward=list(order), scale=scale(numbers.label, spread))


def valued(item: Item, value: float | None, label: str) -> Item:
    if value is None:
        return item
    return replace(item, value=value, tooltip=f"{item.tooltip}\n{label.partition(' (')[0]} {value:.3g}")
