"""What a reader may ask about each item of a picture: its shape, its numbers, its gradient, the rule it follows.

Taken down as plain text and numbers while the graph is at hand, so that a picture never keeps an array alive. A value
is known where anything still holds it: the Tensor of a leaf, or a rule that will read it.
"""

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_seq.backend import Array, modules, quiet, to_host
from tinygrad_seq.drawing.rules import rules_of
from tinygrad_seq.drawing.view import View
from tinygrad_seq.graph import Node, Value, ancestors

strip_length = 64
Details = dict[str, dict[str, Any]]  # by item


def details(view: View, roots: Sequence[Node], outputs: Sequence[Value] = ()) -> Details:
    """For every item that is a node: what there is to say. `roots` are the nodes that the view was built from.

    Plain data for JSON. `values` is a dict (mean, min, max, size, and a strip of at most 64 of them, evenly spaced) or
    a sentence that says why there are none; those of `outputs` are known. `gradient` is the norm of `.grad`, or None.
    What is made of several parameters (the sum of two biases) has what there is to say about each in `of`.
    """
    nodes = ancestors(roots)
    held = arrays(nodes) | {output.node: output.array for output in outputs if output.node is not None}
    said: dict[Node, dict[str, Any]] = {}
    rules: dict[str, list[tuple[str, str]]] = {}

    def say(node: Node) -> dict[str, Any]:
        if node not in said:
            said[node] = entry(node, held.get(node))
            if node.op is not None:
                if node.op.name not in rules:
                    rules[node.op.name] = rules_of(node.op)
                said[node]["rules"] = rules[node.op.name]
        return said[node]

    found: Details = {}
    stack = [view.top]
    while stack:
        cluster = stack.pop()
        stack += cluster.inner
        for item in cluster.items:
            if item.ordinal < 0:
                continue
            node = nodes[item.ordinal]
            made = [leaf for leaf in ancestors([node]) if leaf.op is None] if item.role == "weight" else [node]
            if len(made) > 1:
                found[item.id] = {"op": "parameters", "of": [*map(say, made)]}
            elif item.symbol or made[0].op is None:
                found[item.id] = say(made[0])
            else:  # many ops folded into one item, which gives what the last of them gives
                found[item.id] = {key: say(node)[key] for key in ("shape", "dtype", "values", "gradient")}
    return found


def entry(node: Node, value: Array | None) -> dict[str, Any]:
    """What there is to say about a node, but for its rules."""
    owner = node.owner() if node.owner is not None else None
    several = bool(node.shape) and isinstance(node.shape[0], tuple)
    kind = "input" if node.shape else "constant"
    about = "One array for all its uses, whose gradients add up." if node.requires_grad else ""
    return {
        "op": node.op.name if node.op is not None else "parameter" if node.requires_grad else kind,
        "about": about if node.op is None else (node.op.forward.__doc__ or "").strip().partition("\n")[0],
        "name": node.name or "",
        "shape": ", ".join(map(str, node.shape)) if several else str(node.shape),
        "dtype": str(node.dtype),
        "line": node.line or "",
        "values": absent(node) if value is None else summary(value),
        "gradient": norm(getattr(owner, "stored_grad", None)),
    }


def arrays(nodes: Sequence[Node]) -> dict[Node, Array]:
    """The values of nodes that something still holds."""
    held: dict[Node, Array] = {}
    for node in nodes:
        for parent, kept in zip(node.parents, node.saved or ()):
            if not isinstance(kept, Node):
                held[parent] = kept
        owner = node.owner() if node.owner is not None else None
        value = node.output if owner is None else owner.array
        if value is None and node.static and node.op is None:
            value = node.static["value"]
        if value is not None:
            held.setdefault(node, value)
    return held


def absent(node: Node) -> str:
    """Why a value is not known."""
    if node.op is None:
        return "not kept: nothing holds it any more"
    if node.saved is None:
        return "freed by backward (retain_graph=True keeps it)"
    return "not kept: no gradient rule reads it"


def summary(value: Any) -> dict[str, Any] | str:
    """Mean, extremes and a strip of evenly spaced values; three numbers and the strip leave the device."""
    if type(value) not in modules:
        return {"mean": rounded(value), "min": rounded(value), "max": rounded(value), "size": 1, "strip": []}
    if not value.size:
        return "empty"
    with quiet(all="ignore"):
        mean, low, high = (rounded(to_host(number).item()) for number in (value.mean(), value.min(), value.max()))
    strip = to_host(value.reshape(-1)[:: -(-value.size // strip_length)]).tolist()
    return {"mean": mean, "min": low, "max": high, "size": value.size, "strip": [rounded(number) for number in strip]}


def norm(gradient: Any) -> float | str | None:
    """The length of a gradient as a vector."""
    if gradient is None:
        return None
    with quiet(all="ignore"):
        square = (abs(gradient.array).astype("float64") ** 2).sum()
    return rounded(math.sqrt(to_host(square).item()))


def rounded(number: float) -> float | str:
    """Four digits; what is not finite as text, which is what JSON can carry."""
    if not math.isfinite(number):
        return str(float(number))
    short = float(f"{number:.4g}")
    return short if math.isfinite(short) else float(number)  # the largest numbers would round to infinity
