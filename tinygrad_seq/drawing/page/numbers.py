"""Find the numbers of a graph: values, gradients, and the share of every use in the gradient of a parameter.

A value that no gradient rule keeps is computed again from those that are kept, as long as no backward has freed the
graph and no parameter was changed. Gradients come from two more walks, in which nothing is changed: the first finds
them, the second what part of a parameter's gradient comes from each use. Only what is asked for is remembered, and only
as a few numbers.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from tinygrad_seq.drawing.page.mathematics import elementwise
from tinygrad_seq.drawing.view.computed import computed, computing
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.parameters import began, grad_of
from tinygrad_seq.drawing.view.printed import held
from tinygrad_seq.drawing.view.rules import Rule
from tinygrad_seq.engine.backend import Array, modules, on_device_of, quiet, to_host
from tinygrad_seq.engine.backprop import starting_gradients
from tinygrad_seq.engine.graph import Node, Value, ancestors
from tinygrad_seq.engine.norms import norm
from tinygrad_seq.engine.walk import Use, walk

summing = ("sum", "matmul")  # what has terms
strip_length = 64
shorter = 4  # times, where there are many
Summary = dict[str, Any]
Made = Mapping[Node, tuple[Node, ...]]  # parameters, and what is prepared of them alone: of which
no_gradients = "No gradients yet: they are here after loss.backward(retain_graph=True)."
freed = "A backward has freed this graph. Values of results, and their gradients, are here after "
freed += "loss.backward(retain_graph=True)."
folded = "The backward is drawn by its rules, whose ops are folded: numbers are here when the forward is drawn alone."


@dataclass(frozen=True, slots=True)
class NodeNumbers:
    """What is known of some nodes; `notice` says what is not, and why."""

    values: dict[Node, Summary | str]
    first: dict[Node, float | str]  # the first number of each value
    terms: dict[Node, list[tuple[float | str, ...]]]  # of the first number of a sum, or of a product of matrices
    gradients: dict[Node, Summary]
    shares: dict[tuple[Node, Node], float]  # by reader and what it reads; those of a parameter sum to 1
    notice: str

    def in_formula(self, node: Node) -> list[float | str]:
        """Return the first number of a result and, where a formula takes them, those of what it is made of."""
        if node.op is None or len(node.parents) > 2 or node.op.name not in (*elementwise, *summing):
            return []
        return [self.first.get(near, "") for near in (node, *(() if node.op.name in summing else node.parents))]


def numbers(
    roots: Sequence[Node],
    outputs: Sequence[Value],
    wanted: Collection[Node],
    made: Made,
    near: Collection[Node],  # of which strips are long
) -> NodeNumbers:
    """Return the numbers of wanted nodes, and the shares of the uses of parameters."""
    nodes = ancestors(roots)
    whole = all(node.saved is not None for node in nodes if node.requires_grad)
    known = held(nodes, outputs)
    grads = {node: grad for node in nodes if (grad := grad_of(node)) is not None}
    reached = began(outputs)
    why = folded if any(isinstance(node, Rule) for node in nodes) else freed
    found = NodeNumbers({}, {}, {}, {}, {}, "" if reached and whole else no_gradients if whole else why)
    products = [node for node in wanted if node.op is not None and node.op.name == "matmul"]
    left, right = ({node.parents[i] for node in products} for i in (0, 1))
    sums = grouped((node.parents[0], node) for node in wanted if node.op is not None and node.op.name == "sum")
    rows: dict[Node, Any] = {}
    columns: dict[Node, Any] = {}
    with quiet(all="ignore"):
        for node, value in computed(nodes, known, wanted):
            if node in wanted:
                found.values[node] = summary(value, node in near)
                some = getattr(value, "size", 0)
                found.first[node] = heads(value[(slice(1),) * value.ndim].reshape(-1))[0] if some else ""
            for total in sums[node]:
                axes = (total.static or {})["axis"]
                parts = value[tuple(slice(None if axis in axes else 1) for axis in range(value.ndim))]
                found.terms[total] = [(number,) for number in heads(parts.reshape(-1))]
            if node in left:
                rows[node] = heads(value[(slice(1),) * (value.ndim - 1)].reshape(-1))
            if node in right:
                columns[node] = heads(value if value.ndim == 1 else value[(0,) * (value.ndim - 2)][:, 0])
        plain = not any(node.hooks or (node.op is not None and node.op.name == "checkpoint") for node in nodes)
        if reached and whole and plain and all(output.array.size == 1 for output in outputs):  # runs no code of others
            add_gradients(outputs, wanted, made, near, found)
        found.gradients.update({n: gradient(grad.array, n in near) for n, grad in grads.items() if n in wanted})
    for node in products:
        found.terms[node] = [*zip(rows.get(node.parents[0], []), columns.get(node.parents[1], []))]
    return found


def heads(vector: Array) -> list[float | str]:
    """Return the first numbers of a vector: four to be shown, and one that says that there are more."""
    return [*map(rounded, to_host(vector[:5]).tolist())]


def add_gradients(
    outputs: Sequence[Value], wanted: Collection[Node], made: Made, near: Collection[Node], found: NodeNumbers
) -> None:
    """Find the gradients of wanted nodes, and what share of the gradient of its parameters comes from each use."""
    nodes = ancestors([output.node for output in outputs if output.node is not None], constants=False)
    start = starting_gradients(outputs, [None] * len(outputs), False)

    def gradients(uses: list[Use], parent: Node, contribution: Any) -> None:
        for node, g in uses:
            if node in wanted and node not in found.gradients:
                found.gradients[node] = gradient(g, node in near)

    whole = walk(nodes, start, False, observe=gradients, hooks=False)
    found.gradients.update({node: gradient(g, node in near) for node, g in whole.items() if node in wanted})
    directions = directions_of(nodes, whole, made)

    def share(uses: list[Use], parent: Node, contribution: Any) -> None:
        for use in uses if parent in directions and not isinstance(contribution, list) else ():
            part = contribution if len(uses) == 1 else use[0].op.merge(parent, [use])
            with on_device_of(part):
                size = float((part * directions[parent]).sum()) / len(made[parent])
            found.shares[use[0], parent] = found.shares.get((use[0], parent), 0.0) + size

    if directions:
        walk(nodes, start, False, observe=share, hooks=False)


def directions_of(nodes: Sequence[Node], whole: Mapping[Node, Array], made: Made) -> dict[Node, Array]:
    """Return, for parameters and what is prepared of them, what to multiply a share with, to see how much of the
    gradient it is: g / |g|² for a parameter. What prepares parameters is linear, and turns directions as it turns them.
    """
    found: dict[Node, Any] = {}
    for node in nodes:
        if node in whole and node in made and node.op is None:
            length = norm(whole[node]) or 1.0
            with on_device_of(whole[node]):
                found[node] = whole[node].astype("float64") / length / length
        elif node in made and node.op is not None and all(parent in found for parent in node.parents):
            args = [found[parent] for parent in node.parents]
            xp, device = computing(args)
            with device:
                found[node] = node.op.forward(xp, *args, **(node.static or {}))
    return found


def gradient(g: Any, long: bool) -> Summary:
    """Return what there is to say about a gradient: its norm beside its numbers."""
    said = {} if isinstance(g, list) else summary(g, long)
    return (said if isinstance(said, dict) else {}) | {"norm": rounded(norm(g))}


def summary(value: Any, long: bool = True) -> Summary | str:
    """Return mean, extremes and a strip of evenly spaced values; only these are copied from a device."""
    if isinstance(value, list):
        return f"{len(value)} arrays"
    if type(value) not in modules:
        return dict.fromkeys(("mean", "min", "max"), rounded(value)) | {"size": 1, "strip": []}
    if not value.size:
        return "empty"
    every = -(-value.size // strip_length)
    if not long:
        every = every * shorter if every > 1 else -(-value.size // (strip_length // shorter))
    with quiet(all="ignore"), on_device_of(value):
        mean = value.sum(dtype="float64") / value.size
        mean, low, high = (rounded(to_host(number).item()) for number in (mean, value.min(), value.max()))
        strip = [*map(rounded, to_host(value.reshape(-1)[::every]).tolist())]
    return {"mean": mean, "min": low, "max": high, "size": value.size, "strip": strip}


def rounded(number: float) -> float | str:
    """Return four digits of a float; what is not finite as text, because JSON has no number for it."""
    if not isinstance(number, float) or not isfinite(number):
        return str(number) if isinstance(number, float) else int(number)
    short = float(f"{number:.4g}")
    return short if isfinite(short) else number  # the largest numbers would round to infinity
