"""A backward: from an output back to the leaves. Backpropagation through time is what this gives on an unrolled
graph; it is written nowhere else.

    search    every node that a gradient can reach (freed ones are found here, before any rule runs)
    walk      run the rules, newest node first (in walk.py)
    deliver   only when every rule has run: add to the leaves' `.grad`, all of them or none, and one thread at a time
    free      the saved arrays, not the parents: a loss can still be drawn after its backward (both in delivery.py)
"""

from collections.abc import Callable, Collection, Iterable, Sequence, Set
from math import isfinite
from typing import Any

from tinygrad_seq.engine.arguments import flag
from tinygrad_seq.engine.backend import check_device, host, modules, on_device_of
from tinygrad_seq.engine.callers import known_arguments, warn
from tinygrad_seq.engine.delivery import deliver, free, result_of
from tinygrad_seq.engine.freed_graph import (
    check_not_in_use,
    explain_freed,
    explain_freed_meanwhile,
    warn_if_kept_before,
)
from tinygrad_seq.engine.graph import Node, Value, ancestors, between, leaf
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.scope import Scope, current, root
from tinygrad_seq.engine.walk import Observer, walk


def backward(outputs: Sequence[Value], gradients: Sequence[Any], retain_graph: bool, create_graph: bool) -> None:
    """Add the gradient of the outputs to the `.grad` of every leaf they were made from."""
    if create_graph and current.get().recording is False:
        recorded_call(backward, outputs, gradients, retain_graph, create_graph)
        return
    start = starting_gradients(outputs, gradients, create_graph)
    warn_unless_finite(outputs)
    nodes = searched(start)
    if not retain_graph:
        check_not_in_use(nodes, "backward")
    elif not create_graph:
        warn_if_kept_before(nodes)
    found = walked(nodes, start, create_graph, (), watch(outputs))
    deliver(found, create_graph)
    if not retain_graph:
        free(nodes)


@known_arguments
def grad(
    outputs: Value | Sequence[Value],
    inputs: Value | Sequence[Value],
    grad_outputs: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> Any:
    """Return the gradients of the outputs with respect to the inputs, without touching any `.grad`.

    For each input i the sum over outputs o of v_o^T do/di, where v are the `grad_outputs` (1 for a single number).
    Returns one Tensor for one input, else a tuple. With `create_graph=True` the result is itself recorded, even under
    `no_grad`, and can be differentiated again. The graph is freed unless `retain_graph` (default: `create_graph`).

    Raises RuntimeError where an input was not used (unless `allow_unused`: then None) or the graph was freed.

    >>> import tinygrad_seq as ts
    >>> x = ts.tensor([3.0], requires_grad=True)
    >>> first = ts.grad((x * x * x).sum(), x, create_graph=True)
    >>> first.tolist(), ts.grad(first.sum(), x).tolist()
    ([27.0], [18.0])
    """
    flag("grad", create_graph=create_graph, allow_unused=allow_unused)
    flag("grad", retain_graph=create_graph if retain_graph is None else retain_graph)
    if create_graph and current.get().recording is False:
        return recorded_call(grad, outputs, inputs, grad_outputs, create_graph, retain_graph, allow_unused)
    single = isinstance(inputs, Value)
    sources, results = tensors("input", inputs), tensors("output", outputs)
    if grad_outputs is None or isinstance(outputs, Value):
        grad_outputs = [grad_outputs] * len(results)
    elif not isinstance(grad_outputs, list | tuple):
        raise TypeError(
            f"grad: {len(results)} outputs need a list of as many grad_outputs, got {type(grad_outputs).__name__}"
        )
    for i, source in enumerate(sources):
        if source.node is None or not source.node.requires_grad:
            raise RuntimeError(
                f"grad: input {i} does not require a gradient: make it with requires_grad=True "
                "(python -m tinygrad_seq explain nothing-requires-grad)"
            )
    start = starting_gradients(results, grad_outputs, create_graph, "grad")
    wanted = {source.node for source in sources}
    nodes = between(searched(start, "grad", wanted), wanted)
    inside = set(nodes)
    frees = not (create_graph if retain_graph is None else retain_graph)
    if frees:
        check_not_in_use(nodes, "grad")
    begin = {node: g for node, g in start.items() if node in inside}
    found = walked(nodes, begin, create_graph, wanted, watch(results))
    for i, source in enumerate(sources):
        if source.node not in found and not allow_unused:
            raise RuntimeError(
                f"grad: input {i} of shape {source.array.shape} was not used to make the outputs; "
                "allow_unused=True gives None for it"
            )
    if frees:
        free(nodes)
    answer = tuple(
        result_of(found[source.node], source.array, create_graph) if source.node in found else None
        for source in sources
    )
    return answer[0] if single else answer


def recorded_call(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function under `no_grad` as if it were called outside."""
    here = current.get()
    watched = next(link.recording for link in (*here.links(), root) if link.recording is not False)
    current.set(Scope(here, "", None, watched))
    try:
        return function(*args)
    finally:
        current.set(here)


def tensors(what: str, given: Any) -> list[Any]:
    """Return one Tensor, or several, as a list; refuse what is no Tensor."""
    found = list(given) if isinstance(given, Iterable) and not isinstance(given, Value) else [given]
    for i, x in enumerate(found):
        if not isinstance(x, Value):
            raise TypeError(f"grad: {what} {i} must be a Tensor, got {type(x).__name__} {x!r:.60}")
    return found


def starting_gradients(
    outputs: Sequence[Value], gradients: Sequence[Any], recorded: bool, op: str = "backward"
) -> dict[Node, Any]:
    """Return what the walk starts from: the given gradients, checked, or 1 for an output of one element."""
    if len(outputs) != len(gradients):
        raise ValueError(f"{op}: {len(outputs)} outputs need as many gradients, got {len(gradients)}")
    start: dict[Node, Any] = {}
    for output, gradient in zip(outputs, gradients, strict=True):
        array, node = output.array, output.node
        if node is None or not node.requires_grad:
            raise RuntimeError(
                f"{op}: this Tensor was not made from anything that requires a gradient, or was made under no_grad, or "
                "from numbers (.item(), .numpy()): make a leaf with requires_grad=True "
                "(python -m tinygrad_seq explain nothing-requires-grad)"
            )
        xp = modules[type(array)]
        if gradient is None and array.size != 1:
            raise RuntimeError(
                f"{op}: a gradient is implied only for an output of one element, this one has shape "
                f"{array.shape}: reduce it (.sum(), .mean()) or give gradient= "
                "(python -m tinygrad_seq explain loss-not-scalar)"
            )
        if not isinstance(gradient, Value):
            try:
                with on_device_of(array):
                    given = xp.ones(array.shape) if gradient is None else xp.array(gradient)
                    if given.dtype.kind not in "fiub":  # the imaginary part would be lost
                        raise TypeError
                    made = make_tensor(given.astype(array.dtype))
                if gradient is None:
                    leaf(made, False).static = {"value": 1.0}  # for pictures of a recorded backward
                gradient = made
            except (TypeError, ValueError):
                raise TypeError(f"{op}: cannot use {gradient!r:.60} as a gradient of shape {array.shape}") from None
        check_device(op, "the gradient", gradient.array, "its output", array)
        if gradient.array.shape != array.shape:
            raise ValueError(f"{op}: the gradient has shape {gradient.array.shape}, its output {array.shape}")
        gradient = gradient.to(array.dtype)
        gradient = gradient if recorded else gradient.array
        with on_device_of(array):
            start[node] = start[node] + gradient if node in start else gradient
    return start


def warn_unless_finite(outputs: Iterable[Value]) -> None:
    """Warn of a loss that is NaN or inf, where no watch does. A GPU is not asked: the host would have to wait."""
    for array in (output.array for output in outputs if type(current.get().recording) is bool):
        if array.size == 1 and modules[type(array)] is host and not isfinite(array.item()):
            warn(
                f"backward: the loss is {array.item()}, and a step with its gradients can spoil every parameter: "
                "ts.detect_anomaly() says where it began (python -m tinygrad_seq explain nan)"
            )


def searched(start: Iterable[Node], op: str = "backward", sources: Collection[Node] = ()) -> list[Node]:
    """Return all nodes that a gradient can reach from the start, oldest first; refuse a graph that was freed.

    `sources`: what the gradient is wanted of, where the walk keeps to the nodes between. What hides its history may
    have been made of a source that is older: that is refused, for the gradient would lack a share.
    """
    nodes = ancestors(start, constants=False)
    for node in nodes:
        if node.saved is None:
            raise RuntimeError(explain_freed(nodes, op))
    if sources:
        oldest = min(source.serial for source in sources)
        for node in nodes:
            if node.serial > oldest and node.op is not None and node.op.hides_history:
                node.op.rules[0](None, None, None)  # raises
    return nodes


def walked(
    nodes: list[Node],
    start: dict[Node, Any],
    recorded: bool,
    wanted: Iterable[Node],
    observe: Observer | None,
    ends: Set[Node] = frozenset(),
) -> dict[Node, Any]:
    """Walk, leave the current scope as it was, and say so where another thread has freed the graph meanwhile."""
    here = current.get()
    try:
        return walk(nodes, start, recorded, wanted, observe, ends=ends)
    except (AttributeError, TypeError) as error:  # a rule found None for an array?
        message = explain_freed_meanwhile(nodes)
        if message is not None:
            raise RuntimeError(message) from error
        raise
    finally:
        if recorded:
            current.set(here)


def watch(outputs: Sequence[Value]) -> Observer | None:
    """Return the observer of a backward inside `detect_anomaly`, or None."""
    recording = current.get().recording
    return None if type(recording) is bool else recording.backward(outputs)
