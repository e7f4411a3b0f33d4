"""`@primitive`: an op is its forward and one gradient rule (VJP) per argument, declared side by side.

    @primitive
    def tanh(xp, x):
        return xp.tanh(x)
    tanh.vjps(lambda g, y, _x: g - g * y * y)

**One text, two speeds.** A rule is written with operators and public ops only. The engine hands it raw arrays (the
default: fast) or Tensors (`create_graph=True`: then the backward pass is recorded too). What makes one text serve both
is one `if` in every caller below: a public op called with no Tensor among its arguments just computes.

A rule's argument names say what the node keeps: `y` and `x` are saved arrays, `_x` is the argument's Node (for its
shape and dtype) and `_y` is nothing, so the array behind it is free to go. Positional arguments of a forward are
arrays, keyword-only ones are static. There is one small caller for one array, one for two, one for all else, because
this is the code that runs for every op.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, overload

from tinygrad_seq.engine.backend import Raw, compute_there, host, modules, on_device_of
from tinygrad_seq.engine.coercion import coerce, coerce_all, explain
from tinygrad_seq.engine.graph import Detached, Node, Value, leaf
from tinygrad_seq.engine.op import Primitive
from tinygrad_seq.engine.recording import keep_detached, record_output, unrecorded
from tinygrad_seq.engine.scope import current

T = TypeVar("T")
registry: dict[str, Primitive] = {}
current_scope = current.get
nothing: dict[str, Any] = {}


class Operation(Protocol):
    """Describe what `@primitive` returns: a function to call, and where to declare its gradient.

    A first argument of another kind than these is a Tensor, and so is the result.
    """

    op: Primitive
    vjps: Callable[..., None]
    joint_vjp: Callable[[Callable[..., Any]], None]
    merged_vjp: Callable[[Callable[..., Any]], None]

    @overload
    def __call__(self, x: Raw, *others: Any, **static: Any) -> Any: ...
    @overload
    def __call__(self, x: T, *others: Any, **static: Any) -> T: ...


def primitive(forward: Callable[..., Any]) -> Operation:
    """Make an op of a forward `(xp, *arrays, *, **static) -> array`, where xp is the arrays' module.

    A forward that returns a list makes an op of several outputs. Declare the gradient with `.vjps`. Raises TypeError
    for what is no function with a name and an argument beside xp.

    >>> import tinygrad_seq as ts
    >>> @ts.primitive
    ... def cube(xp, x):
    ...     return x * x * x
    >>> cube.vjps(lambda g, _y, x: g * x * x * 3.0)
    >>> x = ts.tensor([2.0], requires_grad=True)
    >>> ts.grad(cube(x).sum(), x).tolist()
    [12.0]
    """
    if not callable(forward) or not hasattr(forward, "__name__"):
        raise TypeError(f"primitive: expected a function with a name, got {type(forward).__name__} {forward!r:.60}")
    op = Primitive(forward)
    registry[op.name] = op
    maker = general if op.variadic or op.arity > 2 or (op.arity == 2 and op.static) else (unary, binary)[op.arity - 1]
    call: Any = maker(op)
    call.__name__ = call.__qualname__ = op.name
    call.__module__, call.__doc__ = forward.__module__, forward.__doc__
    call.op, call.vjps, call.joint_vjp, call.merged_vjp = op, op.vjps, op.joint_vjp, op.merged_vjp
    operation: Operation = call
    return operation


# ---------------------------------------------------------------- callers: compute, and record if a gradient is wanted
# A scope's `recording` is True, or False, or a watch that counts as False and makes the op itself (see anomaly.py).


def unary(op: Primitive) -> Callable[..., Any]:
    forward, keep = op.forward, op.keep

    def call(x: Any, **static: Any) -> Any:
        if not isinstance(x, Value):
            return compute(op, (x,), static)
        array = x.array
        try:
            if (xp := modules[type(array)]) is not host:
                out = compute_there(forward, xp, (array,), static)
            else:
                out = forward(xp, array, **static) if static else forward(xp, array)
        except Exception as error:
            raise explain(op, (array,), error) from error
        parent = x.node
        here = current_scope()
        if not here.recording:
            if here.recording is not False:
                return here.recording(here, call, (x,), static)
        elif parent is not None and parent.requires_grad:
            if (kept := keep[1]) is not None:
                keep_y, keep_x = kept
                parents = (parent,)
                return record_output(op, parents, static or None, keep_y, (array,) if keep_x else parents, out, here)
            if not op.declared:
                op.warn_of_no_rule(out)
        return unrecorded(op, out) if type(parent) is not Detached else keep_detached(unrecorded(op, out), parent)

    return call


def binary(op: Primitive) -> Callable[[Any, Any], Any]:
    forward, keep = op.forward, op.keep

    def call(x: Any, y: Any) -> Any:
        if isinstance(x, Value):
            if not isinstance(y, Value):
                y = coerce(op.name, y, x)
        elif isinstance(y, Value):
            x = coerce(op.name, x, y)
        else:
            xp = modules.get(type(x))
            if xp is None:
                return compute(op, (x, y), nothing)
            try:  # where most rules end up
                return forward(xp, x, y) if xp is host else compute_there(forward, xp, (x, y), nothing)
            except Exception as error:
                raise explain(op, (x, y), error) from error
        a, b = x.array, y.array
        try:
            out = forward(xp, a, b) if (xp := modules[type(a)]) is host else compute_there(forward, xp, (a, b), nothing)
        except Exception as error:
            raise explain(op, (a, b), error) from error
        first, second = x.node, y.node
        mask = 0 if first is None or not first.requires_grad else 1
        if second is not None and second.requires_grad:
            mask += 2
        here = current_scope()
        kept = keep[mask]
        if not here.recording:
            return unrecorded(op, out) if here.recording is False else here.recording(here, call, (x, y), nothing)
        if kept is None:
            if mask and not op.declared:
                op.warn_of_no_rule(out)
            return unrecorded(op, out)
        if first is None:
            first = leaf(x, False)
        elif second is None:
            second = leaf(y, False)
        keep_z, keep_a, keep_b = kept
        parents = saved = (first, second)
        if keep_a or keep_b:
            saved = (a if keep_a else first, b if keep_b else second)
        return record_output(op, parents, None, keep_z, saved, out, here)

    return call


def general(op: Primitive) -> Callable[..., Any]:
    forward, arity, names = op.forward, op.arity, op.names

    def call(*args: Any, **static: Any) -> Any:
        if len(args) < arity:
            args += tuple(static.pop(name) for name in names[len(args) :] if name in static)
        for x in args:
            if isinstance(x, Value):
                break
        else:
            return compute(op, args, static)
        args = coerce_all(op.name, args)
        arrays = [x.array for x in args]
        xp = modules[type(arrays[0])]
        try:
            on_host = all(modules[type(array)] is host for array in arrays)
            out = forward(xp, *arrays, **static) if on_host else compute_there(forward, xp, arrays, static)
        except Exception as error:
            raise explain(op, arrays, error) from error
        here = current_scope()
        mask = sum(1 << i for i, x in enumerate(args) if x.node is not None and x.node.requires_grad)
        if not here.recording:
            return unrecorded(op, out) if here.recording is False else here.recording(here, call, args, static)
        if not mask or (op.joint is None and (op.variadic or op.keep[mask] is None)):
            if mask and not op.declared:
                op.warn_of_no_rule(out)
            return unrecorded(op, out)
        parents = tuple(leaf(x, False) if x.node is None else x.node for x in args)
        if op.joint is not None:
            return record_output(op, parents, static or None, False, parents, out, here)
        keep_y, *keep = op.keep[mask]  # type: ignore[misc]
        saved = tuple(array if k else parent for array, k, parent in zip(arrays, keep, parents))
        return record_output(op, parents, static or None, keep_y, saved, out, here)

    return call


def compute(op: Primitive, args: Sequence[Any], static: dict[str, Any]) -> Any:
    """Compute an op on raw arrays: no argument is a Tensor, so there is nothing to record. Rules end up here."""
    xp = modules.get(type(args[0])) if args else None
    try:
        if xp is None:  # lists and numbers; a number beside an array stays one, so that it does not promote
            xp = next((modules[type(x)] for x in args if type(x) in modules), None)
            kinds = list | tuple if xp else list | tuple | int | float
            xp = xp or host
            args = [xp.asarray(x) if isinstance(x, kinds) else x for x in args]
        return op.forward(xp, *args, **static) if xp is host else compute_there(op.forward, xp, args, static)
    except Exception as error:
        raise explain(op, args, error) from error


@primitive
def part(xp: Any, outputs: Any, *, index: int) -> Any:
    """Return one output of an op that has several; recorded by the engine, never called."""
    return outputs[index]


@part.merged_vjp
def gather_parts(joint: Node, uses: list[tuple[Node, Any]]) -> list[Any]:
    """Return the list of gradients that the joint rule gets, with zeros (or None) for outputs that were not used."""
    gradients: list[Any] = [None] * len(joint.shape)  # a node of several outputs has a tuple of shapes
    for node, g in uses:
        gradients[node.static["index"]] = g  # type: ignore[index]
    if len(uses) == len(gradients) or not joint.op.zeros_for_unused:
        return gradients
    array = g.array if isinstance(g, Value) else g
    xp = modules[type(array)]
    with on_device_of(array):
        return [xp.zeros(s, joint.dtype) if g is None else g for g, s in zip(gradients, joint.shape, strict=True)]


Primitive.part = part.op
