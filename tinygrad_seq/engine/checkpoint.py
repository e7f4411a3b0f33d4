"""Checkpointing: keep what goes into a part of a computation and what comes out, and compute the rest again.

The graph of T steps holds the arrays of T steps. `checkpoint` runs a function as always, looks in the graph that this
recorded which nodes outside it were read, and drops that graph: one node stands for it, with these as its parents. In
the backward its rule runs the function again, with the same draws, and goes through the new graph by the same walk.

    outside ──▶ [ the function's ops, dropped ] ──▶ outputs        the forward
    outside ──▶ [        checkpoint           ] ──▶ outputs        what is recorded

An output that others are made from has a node of its own, which is a parent of theirs: its gradient is whole before
anybody sees it, as in the graph that was dropped. All nodes of a call run the function once.
"""

from collections.abc import Callable
from typing import Any
from weakref import ref

from tinygrad_seq.engine.backend import is_tracing
from tinygrad_seq.engine.backprop import walked, watch
from tinygrad_seq.engine.freed_graph import explain_freed
from tinygrad_seq.engine.graph import Node, Value, new_serial
from tinygrad_seq.engine.op import Primitive
from tinygrad_seq.engine.random import default, drawn_again
from tinygrad_seq.engine.recording import record_outputs
from tinygrad_seq.engine.scope import current, run_plainly
from tinygrad_seq.engine.segment import (
    Again,
    Call,
    Outputs,
    Part,
    Segment,
    alike,
    graph_since,
    leaf_array,
    made_since,
    output_node,
)


def forward(xp: Any, *outside: Any, ops: int) -> Any:
    """Give the op its name and arguments; it is never called, since the function itself is."""
    raise NotImplementedError


op = Primitive(forward)
op.name = "checkpoint"
op.zeros_for_unused = False  # an output that nobody used gets no gradient, as if nothing were in between


def checkpoint(function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
    """Return `function(*args, **options)`, and compute it again in the backward instead of keeping what it recorded.

    The result is a Tensor, or a tuple, list or dict of such, nested or not. Memory: the graph of one call at a time,
    beside what goes in and out of each; time: one more forward. A sequence of T steps in windows of w keeps about
    T / w + w steps instead of T (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016).

    Gradients, hooks, `create_graph` and `detect_anomaly` are those of the plain call; random numbers of the default
    generator, such as dropout's, are drawn again. The function runs twice, so what else it does (a counter, a list that
    it fills) happens twice. A backward raises RuntimeError if the function does not give the same again: it drew from a
    generator of its own, a parameter was changed in between, or a variable that it reads stands for something else.
    RuntimeError also for what could not be as in the plain call: a leaf that the function makes, `retain_grad` or, with
    `create_graph`, a hook on what it does not return.

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
    call = Call()
    call.scope, call.again = current.get(), None
    if call.scope.recording is False or is_tracing():
        return function(*args, **options)  # a program (see replay) plans its memory itself
    call.function = lambda: run_plainly(function, args, options)
    start, call.before = new_serial(), default().bit_generator.state
    result = call.function()
    call.after = default().bit_generator.state
    values, outputs = made_since(start, result)
    whole = graph_since(start, outputs)
    call.outside = whole.read
    read = {parent for node in whole.nodes for parent in node.parents}
    call.stages = [[i] for i, node in enumerate(outputs) if node in read]
    call.stages += [[i for i, node in enumerate(outputs) if node not in read]] if outputs else []
    nodes = list(outputs)
    recorded: dict[Node, Node] = {}
    hooked: set[Node] = set()
    for numbers in call.stages:
        part = whole if len(call.stages) == 1 else graph_since(start, [nodes[i] for i in numbers], recorded)
        with_hooks = {node for node in part.nodes if node.hooks and node not in outputs}
        if hooked & with_hooks:
            raise RuntimeError(
                "checkpoint: a hook on what several outputs of the function are made from would be called with parts "
                "of the gradient: register it on what the function returns"
            )
        hooked |= with_hooks
        recorded |= record(call, part, outputs, numbers, recorded)
    call.known = [ref(recorded[node]) for node in nodes]
    for value in values:
        value.node = recorded[value.node]
    return result


def record(
    call: Call, part: Part, outputs: Outputs, numbers: list[int], recorded: dict[Node, Node]
) -> dict[Node, Node]:
    """Record a node for some outputs of a call; return what stands for each, as `recorded` tells of those before."""
    nodes, segment = list(outputs), Segment()
    own = [nodes[i] for i in numbers]
    segment.call, segment.numbers = call, numbers
    segment.values = [outputs[node].array for node in own]
    segment.ends = [recorded.get(node, node) for node in part.read]
    segment.others = {nodes.index(node): recorded[node] for node in part.read if node in recorded}
    segment.leaves, segment.mark = [leaf_array(node) for node in segment.ends], part.mark
    static = {"ops": " ".join([node.op.name for node in part.nodes if node.op is not op.part])}  # for pictures
    made = record_outputs(op, tuple(segment.ends), static, (segment,), segment.values, call.scope)
    for old, new in zip(own, made):
        new.node = output_node(new.node)
        new.node.name, new.node.hooks, new.node.owner_ref = old.name, old.hooks, old.owner_ref
        new.node.line, new.node.output = old.line, None if old.name is None else new.array
    return {old: new.node for old, new in zip(own, made)}


def run_again(gs: list[Any], _y: Any, kept: Any, ops: str) -> list[Any]:
    """Run the function of a segment again, and return the gradients for what it reads."""
    segment: Segment = kept
    call, recorded = segment.call, any(isinstance(g, Value) for g in gs)
    for end, array in zip(segment.ends, segment.leaves):
        if leaf_array(end) is not array:
            name = end.name or f"a leaf of shape {end.shape}"
            raise RuntimeError(f"checkpoint: {name} was changed between the forward and its backward")
    if call.again is None or call.again.recorded != recorded:
        call.again = called_again(call, recorded)
    _, start, outputs = call.again
    if segment.numbers is call.stages[0]:  # the last to need it
        call.again = None
    nodes = list(outputs)
    own = [nodes[i] for i in segment.numbers]
    others = {nodes[i]: node for i, node in segment.others.items()}
    inside, read, mark = graph_since(start, own, others)
    if any(node.saved is None for node in inside):
        raise RuntimeError(explain_freed(inside))
    ends = {others.get(node, node): node for node in read}
    same = mark == segment.mark and ends.keys() == set(segment.ends)
    if not same or not all(map(alike, [outputs[node].array for node in own], segment.values)):
        raise different()
    if recorded and any(node.hooks for node in inside):
        raise RuntimeError(
            "checkpoint: with create_graph=True a hook on what the function does not return would be called with "
            "parts of the gradient later on: register it on what it returns"
        )
    begin, before = {node: g for node, g in zip(own, gs) if g is not None}, new_serial()
    observe = watch([outputs[node] for node in begin])
    found = walked([*read, *inside], begin, recorded, (), observe, frozenset(read))
    if recorded:
        made = [g.node for g in found.values() if g.requires_grad and g.node.serial > before]
        put_in_place(known_nodes(call, outputs), graph_since(before, made).nodes)
    return [found.get(ends[node]) for node in segment.ends]


op.joint_vjp(run_again)


def called_again(call: Call, recorded: bool) -> Again:
    """Call the function again; return what came out, without the hooks and the rest that its first outputs have.

    If the walk through it is recorded, the gradients must lead to the outputs that everybody else knows, so these stand
    in place of the new ones.
    """
    around, counts = current.get(), [len(node.hooks or ()) for node in call.outside]
    start = new_serial()
    current.set(call.scope)
    try:
        with drawn_again(call.before):
            values, outputs = made_since(start, call.function())
            drawn = default().bit_generator.state
    finally:
        current.set(around)
        for node, count in zip(call.outside, counts):
            hooks = node.hooks or {}
            for key in list(hooks)[count:]:
                del hooks[key]  # it has them already
    if drawn != call.after or len(outputs) != sum(map(len, call.stages)):
        raise different()
    for node in outputs:
        node.hooks = node.owner_ref = None
    if recorded:
        known = known_nodes(call, outputs)
        put_in_place(known, graph_since(start, outputs).nodes)
        for value in values:
            value.node = known.get(value.node, value.node)
    return Again(recorded, start, outputs)


def known_nodes(call: Call, outputs: Outputs) -> dict[Node, Node]:
    """Return, for the outputs of a call that was made again, the nodes that stand for the first ones, if still used."""
    return {node: known for node, reference in zip(outputs, call.known) if (known := reference()) is not None}


def put_in_place(new: dict[Node, Node], nodes: list[Node]) -> None:
    """Replace what some nodes read."""
    for node in nodes:
        node.parents = tuple([new.get(parent, parent) for parent in node.parents])
        if node.op is op and node.saved:
            segment = node.saved[0]
            segment.ends = [new.get(end, end) for end in segment.ends]
            segment.others = {i: new.get(other, other) for i, other in segment.others.items()}
            call = segment.call
            call.outside = [new.get(end, end) for end in call.outside]
            call.known = [ref(new[known]) if (known := old()) in new else old for old in call.known]


def different() -> RuntimeError:
    """Return the error for a function that does something else when it is run again."""
    return RuntimeError(
        "checkpoint: the function gave something else when it was run again: it may draw random numbers from the "
        "default generator only, while no other thread does, and what it reads must not have changed, variables that a "
        "lambda looks up and train() or eval() included"
    )
