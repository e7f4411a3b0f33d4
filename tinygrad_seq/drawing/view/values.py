"""Show numbers in a picture: for nodes and edges, by colour and width on a log scale.

Gradients come from one more walk over the graph, in which nothing is changed: what arrives along an edge is one
contribution, what arrives at a node is their sum. Any other mapping from nodes to numbers is shown just the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import ceil, floor, hypot, isfinite, log10, prod
from typing import Any

from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.labels import DraftItem
from tinygrad_seq.drawing.view.model import Edge, Scale
from tinygrad_seq.drawing.view.parameters import delivered_to_nobody, grad_of
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
    ordered: bool = False  # they count along a way: 1, 2, 3
    end: str = ""  # what is said of the last one
    argument: Node | None = None  # a leaf; then each number is that of this argument of the node


def grad_size(node: Node) -> float | None:
    """Return the `.grad` of a leaf of one element, with its sign, or the norm of a longer one."""
    grad = grad_of(node)
    if grad is None:
        return None
    return float(grad.array.item()) if prod(node.shape) == 1 else norm(grad.array)


def gradients(outputs: Sequence[Value]) -> Numbers:
    """Return the norms of gradients, where a backward has been: of all nodes if the graph is whole, else of those that
    have `.grad`.
    """
    nodes = ancestors([output.node for output in outputs if output.node is not None], constants=False)
    kept = {node: norm(grad.array) for node in reversed(nodes) if (grad := grad_of(node)) is not None}
    if any(node.saved is None for node in nodes):
        return Numbers(f"{gradient} ({freed})", kept, {})
    if not kept and not any(map(delivered_to_nobody, nodes)):
        return Numbers(gradient, {})
    if any(output.array.size != 1 for output in outputs):
        return Numbers(f"{gradient} (of leaves: for the rest, draw the loss)", kept, {})
    return walked(outputs, nodes)


def walked(outputs: Sequence[Value], nodes: list[Node], measure: Callable[[Any], Any] = norm) -> Numbers:
    """Return the numbers of one more walk, which forgets each gradient as soon as it is measured."""
    of: dict[Node, float] = {}
    uses: dict[tuple[Node, Node], float] = {}

    def observe(heard: list[Use], parent: Node, contribution: Any) -> None:
        for node, g in heard:
            if node not in of:
                of[node] = measure(g)
            uses[node, parent] = of[node] if node.op.merge is not None else measure(contribution)

    found = walk(nodes, starting_gradients(outputs, [None] * len(outputs), False), False, observe=observe)
    of.update((node, measure(g)) for node, g in found.items())
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
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"draw: show must map Nodes or Tensors to numbers, got {value!r:.60}") from None
    label, end = (str(getattr(mapping, name, usual)) for name, usual in (("label", "value"), ("end", "")))
    return Numbers(label, of, None, getattr(mapping, "ordered", False), end, getattr(mapping, "argument", None))


def together(values: Iterable[float | None]) -> float | None:
    """Return the norm of what several norms are of, leaving out unknown ones; one number stays as it is."""
    known = [value for value in values if value is not None]
    return reduce(hypot, known) if known else None


def scale(label: str, numbers: Iterable[float | None], ordered: bool = False, least: int = 6) -> Scale:
    """Return a scale of powers of ten around the known numbers: at least six, so that a healthy gradient looks healthy,
    but for shares of one sum less; at most twelve. Numbers that count reach from the first to the last. Where some are
    negative, the title says that the colours are those of their sizes.
    """
    known = [number for number in numbers if number is not None]
    if not known:
        return Scale(label)
    if ordered:
        return Scale(label, min(known), max(known))
    label = f"|{label}|" if any(number < 0 for number in known) and not label.startswith("|") else label
    positive = [abs(number) for number in known if number and isfinite(number)] or [1.0]
    high = min(max(ceil(log10(max(positive)) - 1e-9), -300), 308)  # both ends are floats, and not zero
    low = high - min(max(least, 2 * ceil((high - floor(log10(min(positive)) + 1e-9)) / 2)), 12)  # one in the middle
    return Scale(label, float(f"1e{low}"), float(f"1e{high}"))


def walk_order(
    nodes: Iterable[Node], drawn: Mapping[Node, str], proxies: Iterable[DraftItem], edges: list[Edge]
) -> list[str]:
    """Return the ids of items in the order in which a walk over nodes comes to them, proxies beside their ops."""
    leaves = dict.fromkeys(proxy.id for proxy in proxies)
    beside = grouped((edge.target, edge.source) for edge in edges if edge.source in leaves)
    ops = (drawn[node] for node in nodes if node in drawn)
    return list(dict.fromkeys([*(id for op in ops for id in (op, *beside[op])), *leaves]))


def item_values(
    told: Numbers,
    drawn: Mapping[Node, str],
    drafts: Iterable[DraftItem],
    proxies: Sequence[DraftItem],
    edges: list[Edge],
    rolled: bool,
) -> dict[str, float | None]:
    """Return the numbers of items, by id: of merged steps the norm, of what goes on from a gap the first one. That of
    an argument is that of its proxy, where it has one.
    """
    arguments = {proxy.id for proxy in proxies if told.argument in proxy.leaves}
    users = {edge.target for edge in edges if edge.source in arguments}
    roles = {draft.id: draft.role for draft in drafts}  # the box of a gap is no draft, and has no number
    values: dict[str, float | None] = {}
    for node, value in sorted(told.of.items(), key=lambda pair: pair[0].serial, reverse=True):  # the newest first
        id = drawn.get(node, "")
        if id in roles and id not in users and not (id in values and roles[id] == "passing"):
            values[id] = together((values.get(id), value))
    uses = grouped((edge.source, edge.value) for edge in edges)
    for proxy in proxies:
        beside_one = len(uses[proxy.id]) == 1 and uses[proxy.id][0] is not None and not rolled
        of_uses = beside_one or proxy.id in arguments
        values[proxy.id] = together(uses[proxy.id] if of_uses else [told.of.get(leaf) for leaf in proxy.leaves])
    return values
