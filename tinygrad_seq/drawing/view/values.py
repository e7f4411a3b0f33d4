"""Show numbers in a picture: for nodes and edges, by colour and width on a log scale.

Gradients come from one more walk over the graph, in which nothing is changed: what arrives along an edge is one
contribution, what arrives at a node is their sum. Any other mapping from nodes to numbers is shown just the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, hypot, isfinite, log10
from typing import Any

from tinygrad_seq.drawing.view.model import Edge, Item, Scale, View, within
from tinygrad_seq.engine.backprop import starting_gradients
from tinygrad_seq.engine.graph import Node, Value, ancestors
from tinygrad_seq.engine.norms import norm
from tinygrad_seq.engine.walk import Use, walk

gradient = "|gradient|"
freed = "the graph was freed: backward(retain_graph=True) keeps it"


@dataclass(frozen=True)
class Numbers:
    """What to show: a number of each node, in the order of play, and of each use (user, argument).

    Without `uses`, a use has the number of its argument.
    """

    label: str
    of: Mapping[Node, float]
    uses: Mapping[tuple[Node, Node], float] | None = None


def grad_norm(node: Node) -> float | None:
    """Return the norm of the `.grad` that the owner of a node has."""
    owner = node.owner
    grad = getattr(owner, "stored_grad", None)
    return None if grad is None else norm(grad.array)


def delivered_to_nobody(node: Node) -> bool:
    """Tell whether a backward reached a leaf whose Tensor is gone, and `.grad` with it."""
    return node.op is None and getattr(node, "reached", False) and node.owner is None


def gradients(outputs: Sequence[Value]) -> Numbers:
    """Return the norms of gradients, where a backward has been: of all nodes if the graph is whole, else of those that
    have `.grad`.
    """
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
    """Return the numbers of one more walk, which forgets each gradient as soon as its norm is known."""
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
    """Return the numbers of a mapping from Nodes or Tensors."""
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


def together(values: Iterable[float | None]) -> float | None:
    """Return the norm of what several norms are of, leaving out unknown ones; one number stays as it is."""
    known = [value for value in values if value is not None]
    return known[0] if len(known) == 1 else hypot(*known) if known else None


def scale(label: str, values: Sequence[float]) -> Scale:
    """Return a scale of powers of ten around the values: at least six, so that a healthy gradient looks healthy, at
    most twelve.
    """
    if not values:
        return Scale(label)
    positive = [abs(value) for value in values if value and isfinite(value)] or [1.0]
    high = ceil(log10(max(positive)) - 1e-9)
    low = min(high - 6, max(high - 12, floor(log10(min(positive)) + 1e-9)))
    return Scale(label, float(f"1e{low}"), float(f"1e{high}"))


def walk_order(nodes: Iterable[Node], drawn: Mapping[Node, Item], feet: Iterable[str], edges: list[Edge]) -> list[str]:
    """Return the ids of items in the order in which a walk over these nodes comes to them, leaves (feet) beside ops."""
    leaves = dict.fromkeys(feet)
    beside: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        if edge.source in leaves:
            beside[edge.target].append(edge.source)
    ops = (drawn[node].id for node in nodes if node in drawn)
    return list(dict.fromkeys([*(id for op in ops for id in (op, *beside.get(op, ()))), *leaves]))


def item_values(
    of: Mapping[Node, float],
    drawn: Mapping[Node, Item],
    feet: Mapping[str, Sequence[Node]],  # what the proxies stand for, by id
    edges: list[Edge],
    rolled: bool,
) -> dict[str, float]:
    """Return the numbers of items, by id: of merged steps the norm, of what goes on from a gap the first in `of`."""
    values: dict[str, float] = {}
    for node, value in of.items():
        item = drawn.get(node)
        if item is not None and item.role != "middle":
            if item.id not in values:
                values[item.id] = value
            elif item.role != "passing":
                values[item.id] = hypot(values[item.id], value)
    uses: dict[str, list[float | None]] = defaultdict(list)
    for edge in edges:
        uses[edge.source].append(edge.value)
    for id, leaves in feet.items():
        beside_one = len(uses[id]) == 1 and uses[id][0] is not None and not rolled
        found = together(uses[id] if beside_one else [of.get(leaf) for leaf in leaves])
        if found is not None:
            values[id] = found
    return values


def valued(view: View, values: Mapping[str, float], label: str) -> View:
    """Return the view with numbers of its items, and their scale."""
    name = label.partition(" (")[0]
    for cluster in within(view.top):
        cluster.items = [
            replace(item, value=values[item.id], tooltip=f"{item.tooltip}\n{name} {values[item.id]:.3g}")
            if item.id in values
            else item
            for item in cluster.items
        ]
    spread = [*values.values(), *(edge.value for edge in view.edges if edge.value is not None)]
    return replace(view, scale=scale(label, spread))
