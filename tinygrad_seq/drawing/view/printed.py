"""Print small tensors on their nodes: the value, where something still holds it, and the gradient with its sign."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from tinygrad_seq.drawing.view.computed import computed
from tinygrad_seq.drawing.view.labels import figure
from tinygrad_seq.drawing.view.parameters import began, grad_of
from tinygrad_seq.drawing.view.same_numbers import has_parts, size
from tinygrad_seq.drawing.view.values import walked
from tinygrad_seq.engine.backend import Array, to_host
from tinygrad_seq.engine.graph import Node, Value, ancestors

most_numbers = 8  # of a tensor that is printed
most_nodes = 40  # of a graph that is printed without being asked for
Printed = Mapping[Node, str]


def is_small(roots: Sequence[Node]) -> bool:
    """Tell whether a graph is so small that its numbers are shown without being asked for: no layer has made it."""
    nodes = ancestors(roots)
    return len(nodes) <= most_nodes and all(
        size(node) <= most_numbers and all(key != "module" for key, _ in node.scope.path()) for node in nodes
    )


def printed(roots: Sequence[Node], outputs: Sequence[Value]) -> Printed:
    """Return the lines to print on every node whose value or gradient is known, and small."""
    nodes = ancestors(roots)
    grads = known_gradients(outputs, [node for node in nodes if node.requires_grad])
    said = {node: [rows(value)] for node, value in computed(nodes, held(nodes, outputs), nodes)}
    for node, grad in grads.items():
        if not has_parts(node):
            said.setdefault(node, []).append(rows(grad, "grad "))
    return {node: "\n".join(filter(None, lines)) for node, lines in said.items() if any(lines)}


def known_gradients(outputs: Sequence[Value], nodes: list[Node]) -> dict[Node, Any]:
    """Return `.grad` where there is one; after a backward from here that kept its graph, of all nodes, from one more
    walk.
    """
    kept = {node: grad.array for node in nodes if (grad := grad_of(node)) is not None}
    whole = all(node.saved is not None and node.hooks is None for node in nodes)  # a hook may do anything
    if not began(outputs) or not whole or any(output.array.size != 1 for output in outputs):
        return kept
    return {**walked(outputs, nodes, measure=lambda g: g).of, **kept}


def held(nodes: Sequence[Node], outputs: Sequence[Value]) -> dict[Node, Array]:
    """Return the values of nodes that something still holds, an output or a gradient rule, say."""
    saved = ((parent, kept) for node in nodes for parent, kept in zip(node.parents, node.saved or ()))
    found: dict[Node, Array] = {parent: kept for parent, kept in saved if not isinstance(kept, Node)}
    for node in nodes:
        owner = node.owner
        value = node.output if owner is None else owner.array
        if value is None and node.static and node.op is None:
            value = node.static["value"]
        if value is not None:
            found.setdefault(node, value)
    return found | {output.node: output.array for output in outputs if output.node is not None}


def rows(value: Any, before: str = "") -> str:
    """Return at most eight numbers in rows of the last axis, at most four in a row; "" for more, or for none."""
    shape = (0,) if isinstance(value, list) else getattr(value, "shape", ())  # the outputs of one op stand on them
    if not 0 < prod(shape) <= most_numbers:
        return ""
    numbers: list[float] = to_host(value).reshape(-1).tolist() if shape else [float(value)]
    wide = min(shape[-1], 4) if shape else 1
    lines = [", ".join(map(figure, numbers[i : i + wide])) for i in range(0, len(numbers), wide)]
    return before + "\n".join(lines)
