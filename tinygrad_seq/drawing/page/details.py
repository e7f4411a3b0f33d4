"""Collect what a reader may ask about each item of a picture: its shape, its numbers, its gradient, its rules.

Plain text and numbers, taken while the graph is there, so that a page never keeps an array alive. A value is known
where anything still holds it: the Tensor of a leaf, or a rule that will read it.
"""

from collections.abc import Sequence
from functools import cache
from math import isfinite
from typing import Any

from tinygrad_seq.drawing.page.rule_source import rules_of
from tinygrad_seq.drawing.view.model import View, within
from tinygrad_seq.drawing.view.printed import held
from tinygrad_seq.drawing.view.values import grad_size
from tinygrad_seq.engine.backend import Array, modules, quiet, to_host
from tinygrad_seq.engine.graph import Node, Value, ancestors

strip_length = 64
Details = dict[str, dict[str, Any]]  # by item


def details(view: View, roots: Sequence[Node], outputs: Sequence[Value] = ()) -> Details:
    """Return what there is to say about every item that is a node of the graph above `roots`.

    Plain data for JSON. `values` is a dict (mean, min, max, size, and a strip of at most 64 of them, evenly spaced) or
    a sentence that says why there are none; those of `outputs` are known. `gradient` is the `.grad` of one element, the
    norm of a longer one, or None. What is made of several parameters (the sum of two biases) has what there is to say
    about each in `of`.
    """
    nodes = ancestors(roots)
    values = held(nodes) | {output.node: output.array for output in outputs if output.node is not None}
    rules = cache(rules_of)
    say = cache(lambda node: entry(node, values.get(node), [] if node.op is None else rules(node.op)))
    found: Details = {}
    for item in (item for cluster in within(view.top) for item in cluster.items if item.ordinal >= 0):
        node = nodes[item.ordinal]
        made = [leaf for leaf in ancestors([node]) if leaf.op is None] if item.role == "weight" else [node]
        if len(made) > 1:
            found[item.id] = {"op": "parameters", "of": [*map(say, made)]}
        elif item.symbol or made[0].op is None:
            found[item.id] = say(made[0])
        else:  # many ops folded into one item, which gives what the last of them gives
            found[item.id] = {name: say(node)[name] for name in ("shape", "dtype", "values", "gradient")}
    return found


def entry(node: Node, value: Array | None, rules: list[tuple[str, str]]) -> dict[str, Any]:
    """Say all there is to say about a node."""
    several = bool(node.shape) and isinstance(node.shape[0], tuple)
    kind = "parameter" if node.requires_grad else "input" if node.shape else "constant"
    about = "One array for all its uses, whose gradients add up." if node.requires_grad else ""
    gradient = grad_size(node)
    return {
        "op": kind if node.op is None else node.op.name,
        "about": about if node.op is None else (node.op.forward.__doc__ or "").strip().partition("\n")[0],
        "name": node.name or "",
        "shape": ", ".join(map(str, node.shape)) if several else str(node.shape),
        "dtype": str(node.dtype),
        "line": node.line or "",
        "values": absent(node) if value is None else summary(value),
        "gradient": None if gradient is None else rounded(gradient),
        "rules": rules,
    }


def absent(node: Node) -> str:
    """Say why a value is not known."""
    if node.op is None:
        return "not kept: nothing holds it any more"
    kept = node.saved is not None
    return "not kept: no gradient rule reads it" if kept else "freed by backward (retain_graph=True keeps it)"


def summary(value: Any) -> dict[str, Any] | str:
    """Return mean, extremes and a strip of evenly spaced values; only these are copied from a device."""
    if type(value) not in modules:
        return dict.fromkeys(("mean", "min", "max"), rounded(value)) | {"size": 1, "strip": []}
    if not value.size:
        return "empty"
    with quiet(all="ignore"):
        mean, low, high = (rounded(to_host(number).item()) for number in (value.mean(), value.min(), value.max()))
    strip = map(rounded, to_host(value.reshape(-1)[:: -(-value.size // strip_length)]).tolist())
    return {"mean": mean, "min": low, "max": high, "size": value.size, "strip": [*strip]}


def rounded(number: float) -> float | str:
    """Return four digits of a float; what is not finite as text, because JSON has no number for it."""
    if not isinstance(number, float) or not isfinite(number):
        return str(number) if isinstance(number, float) else int(number)
    short = float(f"{number:.4g}")
    return short if isfinite(short) else number  # the largest numbers would round to infinity
