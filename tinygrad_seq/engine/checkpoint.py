"""Checkpointing: keep what goes into a part of a computation and what comes out, and compute the rest again.

The graph of T steps holds the arrays of T steps. `checkpoint` runs a function as always, looks in the graph that this
recorded which nodes outside it were read, and drops that graph: one node stands for it, with these as its parents. In
the backward its rule runs the function again, with the same draws, and goes through the new graph by the same walk.

    outside ──▶ [ the function's ops, dropped ] ──▶ outputs        the forward
    outside ──▶ [        checkpoint           ] ──▶ outputs        what is recorded
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tinygrad_seq.engine.backend import host, to_host
from tinygrad_seq.engine.backprop import walked, watch
from tinygrad_seq.engine.graph import Node, Value, by_serial, new_serial
from tinygrad_seq.engine.primitive import Primitive
from tinygrad_seq.engine.random import default, drawn_again
from tinygrad_seq.engine.recording import record_outputs
from tinygrad_seq.engine.scope import current

sample_length = 64


def forward(xp: Any, *outside: Any, ops: int) -> Any:
    """Stand for the ops of a function that is run again in the backward."""
    raise NotImplementedError


op = Primitive(forward)
op.name = "checkpoint"
op.zeros_for_unused = False  # an output that nobody used gets no gradient, as if nothing were in between


@dataclass(init=False, repr=False, eq=False, slots=True)
class Segment(Node):
    """What the rule needs to run a function again. It is freed with the graph, as all that a node saves."""

    function: Callable[[], Any]
    outside: list[Node]  # what the function reads
    arrays: list[Any]  # of those that are leaves
    generator: Any  # as it stood before the function drew; None if it drew nothing
    count: int  # of the nodes made
    samples: list[Any]  # some values of each output


def checkpoint(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Return `function(*args, **options)`, and compute it again in the backward instead of keeping what it recorded.

    The result is a Tensor, or a tuple, list or dict of such, nested or not. Memory: the graph of one call at a time,
    beside what goes in and out of each; time: one more forward. A sequence of T steps in windows of w keeps about
    T / w + w steps instead of T (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016).

    Gradients, hooks, `create_graph` and `detect_anomaly` are those of the plain call; random numbers of the default
    generator, such as dropout's, are drawn again. The function runs twice, so what else it does (a counter, a list that
    it fills) happens twice. A backward raises RuntimeError if the function does not give the same again: it drew from a
    generator of its own, a parameter was changed in between, or a variable that it reads stands for something else.

    >>> import tinygrad_seq as ts
    >>> rnn = ts.nn.RNN(3, 4)
    >>> state, losses = ts.zeros(1, 2, 4), []
    >>> for window in ts.split(ts.randn(100, 2, 3), 10):
    ...     out, state = ts.checkpoint(rnn, window, state)
    ...     losses.append((out * out).mean())
    >>> ts.stack(losses).mean().backward()
    >>> rnn.weight_hh_l0.grad.shape
    (4, 4)
    """
    if not callable(function):
        raise TypeError(f"checkpoint: expected a function and its arguments, got {type(function).__name__} first")
    here = current.get()
    if here.recording is False:
        return function(*args, **options)
    start, before = new_serial(), default().bit_generator.state
    result = function(*args, **options)
    made = [value for value in tensors(result) if value.node is not None and value.node.requires_grad]
    outputs = [value for value in dict.fromkeys(made) if value.node.serial > start]
    if not outputs:
        return result
    segment = Segment()
    segment.function = lambda: function(*args, **options)
    segment.scope = here
    segment.generator = before if default().bit_generator.state != before else None
    inside, segment.outside = graph_since(start, outputs)
    segment.count = len(inside)
    segment.arrays = [leaf_array(node) for node in segment.outside]
    segment.samples = [sample(value) for value in outputs]
    parents, static = tuple(segment.outside), {"ops": sum(node.op is not op.part for node in inside)}
    recorded = record_outputs(op, parents, static, (segment,), [value.array for value in outputs], here)
    for old, new in zip(outputs, recorded):
        new.node.name = old.node.name
    return replaced(result, dict(zip(outputs, recorded)))


def run_again(gs: list[Any], _y: Any, kept: Any, ops: int) -> list[Any]:
    """Run the function of a segment again, and return the gradients for what it reads."""
    segment: Segment = kept
    recorded, around = any(isinstance(g, Value) for g in gs), current.get()
    changed = [node for node, array in zip(segment.outside, segment.arrays) if leaf_array(node) is not array]
    if changed:
        name = changed[0].name or f"a leaf of shape {changed[0].shape}"
        raise RuntimeError(f"checkpoint: {name} was changed between the forward and its backward")
    start = new_serial()
    current.set(segment.scope)
    try:
        with drawn_again(segment.generator):
            result = segment.function()
    finally:
        current.set(around)
    made = [value for value in tensors(result) if value.node is not None and value.node.requires_grad]
    outputs = [value for value in dict.fromkeys(made) if value.node.serial > start]
    inside, outside = graph_since(start, outputs)
    same = (len(outputs), len(inside)) == (len(segment.samples), segment.count) and outside == segment.outside
    if not same or not all(map(alike, outputs, segment.samples)):
        raise RuntimeError(
            "checkpoint: the function gave something else when it was run again: it may draw random numbers from the "
            "default generator only, and what it reads must not have changed, variables that a lambda looks up included"
        )
    used = {value: g for value, g in zip(outputs, gs) if g is not None}
    begin = {value.node: g for value, g in used.items()}
    found = walked([*outside, *inside], begin, recorded, (), watch([*used]), frozenset(outside))
    return [found.get(node) for node in outside]


op.joint_vjp(run_again)


def graph_since(start: int, outputs: list[Any]) -> tuple[list[Node], list[Node]]:
    """Return the nodes made since then that the outputs were made from, and the older ones that these read, in order.

    Only nodes that a gradient reaches. Raises RuntimeError for a new leaf, whose gradient would have no place to go.
    """
    inside: dict[Node, None] = dict.fromkeys(value.node for value in outputs)
    outside: dict[Node, None] = {}
    stack = list(inside)
    while stack:
        for parent in stack.pop().parents:
            if parent.requires_grad and parent.serial < start:
                outside[parent] = None
            elif parent.requires_grad and parent not in inside:
                inside[parent] = None
                stack.append(parent)
    if any(node.op is None for node in inside):
        raise RuntimeError(
            "checkpoint: the function makes a leaf that requires a gradient, which would be another one when it runs "
            "again: make it outside, and hand it in"
        )
    return sorted(inside, key=by_serial), sorted(outside, key=by_serial)


def leaf_array(node: Node) -> Any:
    """Return the array that a leaf has now; None for what is no leaf."""
    return None if node.op is not None or node.owner is None else node.owner.array


def sample(value: Any) -> Any:
    """Return up to 64 values of a Tensor, evenly spaced, on the host."""
    flat = value.array.reshape(-1)
    return host.array(to_host(flat[:: max(1, flat.size // sample_length)]))


def alike(value: Any, before: Any) -> bool:
    """Return whether an output has the values that it had before, but for rounding."""
    now = sample(value)
    if now.shape != before.shape or now.dtype != before.dtype:
        return False
    rounding = float(host.finfo(now.dtype).eps) ** 0.5
    reach = float(abs(before[host.isfinite(before)]).max(initial=0.0))
    return bool(host.allclose(now, before, rounding, rounding * reach, equal_nan=True))


def tensors(result: Any) -> Iterator[Any]:
    """Yield the Tensors in nested tuples, lists and dicts."""
    if isinstance(result, Value):
        yield result
    elif isinstance(result, list | tuple | dict):
        for item in result.values() if isinstance(result, dict) else result:
            yield from tensors(item)


def replaced(result: Any, new: dict[Any, Any]) -> Any:
    """Return nested tuples, lists and dicts with some Tensors in them replaced."""
    if isinstance(result, Value):
        return new.get(result, result)
    if isinstance(result, dict):
        return {key: replaced(item, new) for key, item in result.items()}
    if isinstance(result, list | tuple):
        items = [replaced(item, new) for item in result]
        return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)
    return result
