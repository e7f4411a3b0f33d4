"""The walk: from an output back to the leaves, running the rules. Backpropagation through time is what this gives
on an unrolled graph; it is written nowhere else.

    search    every node that a gradient can reach (freed ones are found here, before any rule runs)
    walk      newest node first: its gradient is complete once all its users have run, so run its rules and add
              what they return to the parents; broadcasting is undone on the way, in one place
    deliver   only when every rule has run: add to the leaves' `.grad`, all of them or none, and one thread at a time
    free      the saved arrays, not the parents: a loss can still be drawn after its backward (both in delivery.py)

Rules run on raw arrays, or on Tensors (`create_graph=True`), in which case the walk is recorded like any computation.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tinygrad_seq.engine.backend import device_of, modules
from tinygrad_seq.engine.delivery import deliver, free, result_of
from tinygrad_seq.engine.freed_graph import (
    check_not_in_use,
    explain_freed,
    explain_freed_meanwhile,
    in_use,
    warn_if_kept_before,
)
from tinygrad_seq.engine.graph import Node, Value, ancestors, between
from tinygrad_seq.engine.ops.shape import sum_to
from tinygrad_seq.engine.primitive import Primitive, part
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.scope import Scope, current

Use = tuple[Node, Any]  # a node and its complete gradient
Observer = Callable[[list[Use], Node, Any], None]


def backward(outputs: Sequence[Value], gradients: Sequence[Any], retain_graph: bool, create_graph: bool) -> None:
    """Add the gradient of the outputs to the `.grad` of every leaf they were made from."""
    start = starting_gradients(outputs, gradients, create_graph)
    nodes = searched(start)
    if not retain_graph:
        check_not_in_use(nodes)
    elif not create_graph:
        warn_if_kept_before(nodes)
    found = walked(nodes, start, create_graph, (), watch(outputs))
    deliver(found, create_graph)
    if not retain_graph:
        free(nodes)


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
    Returns one Tensor for one input, else a tuple. With `create_graph=True` the result is itself recorded and can be
    differentiated again. The graph is freed unless `retain_graph` (default: `create_graph`).

    Raises RuntimeError where an input was not used (unless `allow_unused`: then None) or the graph was freed.

    >>> import tinygrad_seq as ts
    >>> x = ts.tensor([3.0], requires_grad=True)
    >>> first = ts.grad((x * x * x).sum(), x, create_graph=True)
    >>> first.tolist(), ts.grad(first.sum(), x).tolist()
    ([27.0], [18.0])
    """
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
            raise RuntimeError(f"grad: input {i} does not require a gradient: make it with requires_grad=True")
    start = starting_gradients(results, grad_outputs, create_graph)
    wanted = {source.node for source in sources}
    nodes = between(searched(start), wanted)
    inside = set(nodes)
    frees = not (create_graph if retain_graph is None else retain_graph)
    if frees:
        check_not_in_use(nodes)
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


def tensors(what: str, given: Any) -> list[Any]:
    """Return one Tensor, or several, as a list; refuse what is no Tensor."""
    found = list(given) if isinstance(given, Iterable) and not isinstance(given, Value) else [given]
    for i, x in enumerate(found):
        if not isinstance(x, Value):
            raise TypeError(f"grad: {what} {i} must be a Tensor, got {type(x).__name__} {x!r:.60}")
    return found


def starting_gradients(outputs: Sequence[Value], gradients: Sequence[Any], recorded: bool) -> dict[Node, Any]:
    """Return what the walk starts from: the given gradients, checked, or 1 for an output of one element."""
    if len(outputs) != len(gradients):
        raise ValueError(f"backward: {len(outputs)} outputs need as many gradients, got {len(gradients)}")
    start: dict[Node, Any] = {}
    for output, gradient in zip(outputs, gradients, strict=True):
        array, node = output.array, output.node
        if node is None or not node.requires_grad:
            raise RuntimeError(
                "backward: this Tensor was not made from anything that requires a gradient, or was made under no_grad: "
                "make a leaf with requires_grad=True"
            )
        xp = modules[type(array)]
        if gradient is None and array.size != 1:
            raise RuntimeError(
                f"backward: a gradient is implied only for an output of one element, this one has shape "
                f"{array.shape}: reduce it (.sum(), .mean()) or give gradient="
            )
        if not isinstance(gradient, Value):
            try:
                given = xp.ones(array.shape) if gradient is None else gradient
                gradient = make_tensor(xp.array(given, dtype=array.dtype))
            except (TypeError, ValueError):
                raise TypeError(f"backward: cannot use {gradient!r:.60} as a gradient of shape {array.shape}") from None
        found, wanted = ((a.shape, device_of(a)) for a in (gradient.array, array))
        if found != wanted:
            raise ValueError(f"backward: the gradient has shape and device {found}, its output {wanted}")
        gradient = gradient.to(array.dtype)
        gradient = gradient if recorded else gradient.array
        start[node] = start[node] + gradient if node in start else gradient
    return start


def searched(start: Iterable[Node]) -> list[Node]:
    """Return all nodes that a gradient can reach from the start, oldest first; refuse a graph that was freed."""
    nodes = ancestors(start, constants=False)
    for node in nodes:
        if node.saved is None:
            raise RuntimeError(explain_freed(nodes))
    return nodes


def walked(
    nodes: list[Node], start: dict[Node, Any], recorded: bool, wanted: Iterable[Node], observe: Observer | None
) -> dict[Node, Any]:
    """Walk, leave the current scope as it was, and say so where another thread has freed the graph meanwhile."""
    here = current.get()
    try:
        return walk(nodes, start, recorded, wanted, observe)
    except (AttributeError, TypeError) as error:  # a rule found None for an array?
        message = explain_freed_meanwhile(nodes)
        if message is not None:
            raise RuntimeError(message) from error
        raise
    finally:
        if recorded:
            current.set(here)


def walk(
    nodes: list[Node],
    start: dict[Node, Any],
    recorded: bool,
    wanted: Iterable[Node] = (),
    observe: Observer | None = None,
    hooks: bool = True,
) -> dict[Node, Any]:
    """Run the rules of the nodes, newest first; return the gradients of leaves, wanted and retained nodes among them.

    `wanted`: further nodes whose gradients to return. `observe(uses, parent, contribution)` hears what each rule gives
    to a parent: of one use of it, or of several where the rule is a merged one. `hooks`: whether they are called.
    """
    wanted = frozenset(wanted)
    gradients: dict[Node, Any] = dict.fromkeys(nodes)  # parents that are no keys here are skipped
    gradients.update(start)
    waiting: dict[Node, dict[Any, list[Use]]] = {}  # by parent: uses that one merged rule adds up
    summed: set[Node] = set()  # parents whose gradient is a sum made here, free to be added to in place
    found: dict[Node, Any] = {}
    here = current.get()
    for node in reversed(nodes):
        g = gradients.pop(node)

        # Merged uses: all users of this node have run, so the uses that wait for it are complete.
        if waiting and node in waiting:
            for op, uses in waiting.pop(node).items():
                merged = op.merge(node, uses)
                if op is not part.op and getattr(merged, "shape", None) != node.shape:
                    raise misfit(op, 0, node, merged)
                if observe is not None:
                    observe(uses, node, merged)
                g = merged if g is None else g + merged
        if g is None:
            continue
        op = node.op
        if node.hooks is not None and hooks:
            g = hooked(node, g, recorded, nodes)
        if op is None or node.owner_ref is not None or (wanted and node in wanted):
            found[node] = g
            if op is None:
                continue
        parents = node.parents
        if op.merge is not None:
            if parents[0] in gradients:
                waiting.setdefault(parents[0], {}).setdefault(op, []).append((node, g))
            continue

        # Rules: one for each argument, or a joint rule that gives the gradients of all.
        y, static = node.output, node.static
        saved: Any = node.saved
        if recorded:
            current.set(Scope(node.scope, "grad", True, here.recording))
            y = None if y is None else make_tensor(y, node)
            saved = [kept if kept is maker else make_tensor(kept, maker) for kept, maker in zip(saved, parents)]
        arity, rules = op.arity, op.rules
        if op.joint is not None:
            rules, arity, static = op.joint(g, y, *saved, **(static or {})), 0, None
            if not isinstance(rules, list | tuple) or len(rules) != len(parents):
                raise TypeError(f"{op.name}: its rule must give {len(parents)} gradients, got {rules!r:.60}")
        i = -1
        for parent in parents:  # spelt out rather than zipped and unpacked: most of a small network's time is here
            i += 1
            rule = rules[i]
            if rule is None or parent not in gradients:
                continue
            if static is not None or arity > 2:
                contribution = rule(g, y, *saved, **(static or {}))
            elif arity == 1:
                contribution = rule(g, y, saved[0])
            elif arity == 2:
                contribution = rule(g, y, saved[0], saved[1])
            else:
                contribution = rule  # what the joint rule gave
            try:
                if contribution.shape != parent.shape:
                    contribution = sum_to(contribution, shape=parent.shape)
            except (AttributeError, ValueError) as error:
                raise misfit(op, i, parent, contribution) from error
            if observe is not None:
                observe([(node, g)], parent, contribution)

            # Accumulation: in place only where the old sum was made here, so that nobody else holds it.
            old = gradients[parent]
            if old is None:
                gradients[parent] = contribution
            elif parent in summed and old.dtype is contribution.dtype:
                old += contribution
                gradients[parent] = old
            else:
                gradients[parent] = old + contribution
                if not recorded:
                    summed.add(parent)
    return found


def misfit(op: Primitive, i: int, parent: Node, got: Any) -> TypeError:
    """Return the error for a rule whose gradient has another shape than its argument, and no sum over it has that."""
    found = f"one of {got.shape}" if hasattr(got, "shape") else f"{got!r:.60}"
    return TypeError(f"{op.name}: its rule for argument {i} must give a gradient of shape {parent.shape}, got {found}")


def watch(outputs: Sequence[Value]) -> Observer | None:
    """Return the observer of a backward inside `detect_anomaly`, or None."""
    recording = current.get().recording
    return None if type(recording) is bool else recording.backward(outputs)


def hooked(node: Node, g: Any, recorded: bool, nodes: list[Node]) -> Any:
    """Return the gradient after the node's hooks, each of which may give a new one; `nodes` are in use meanwhile."""
    around = in_use.get()
    in_use.set((*around, nodes))
    try:
        for hook in list(node.hooks or ()):
            answer = hook(g if recorded else make_tensor(g))
            if answer is not None:
                if not isinstance(answer, Value) or answer.array.shape != node.shape:
                    raise ValueError(
                        f"register_hook: the hook returned {answer!r:.60}, expected None or a Tensor of shape "
                        f"{node.shape}"
                    )
                g = answer.to(node.dtype)  # type: ignore[attr-defined]
                g = g if recorded else g.array
    finally:
        in_use.set(around)
    return g
