"""Make the result of an op: a Tensor, with or without a node that records how it was made."""

from functools import cache
from typing import Any, TypeVar

from tinygrad_seq.engine.backend import Array, default_dtype, host
from tinygrad_seq.engine.graph import Detached, Node, Value, mark_detached, new_serial
from tinygrad_seq.engine.scope import Scope

T = TypeVar("T", bound=type[Value])
result_type: type[Value] = Value  # what ops return: Tensor, once `returned_by_ops` has been told


def returned_by_ops(cls: T) -> T:
    """Make ops return this kind of Value (a class decorator)."""
    global result_type
    result_type = cls
    return cls


def make_tensor(array: Array, node: Node | None = None) -> Any:
    """Return a Tensor of an array and the node that made it."""
    result = result_type()
    result.array = array
    result.node = node
    return result


def unrecorded(op: Any, out: Any) -> Any:
    """Return the result of an op that is not recorded."""
    if type(out) is list:
        return [unrecorded(op, array) for array in out]
    try:
        return make_tensor(out if out.shape else array_of(out))
    except AttributeError:
        raise no_array(op, out) from None


def keep_detached(result: Any, parent: Detached) -> Any:
    """Mark what was made of a detached value as detached, too. Each of several outputs gets its own origin."""
    values = result if isinstance(result, list) else [result]
    for i, value in enumerate(values):
        mark_detached(value, parent)
        if len(parent.origin) == len(values) + 1:
            value.node.origin = (parent.origin[0], parent.origin[i + 1])
    return result


def record_output(
    op: Any,
    parents: tuple[Node, ...],
    static: dict[str, Any] | None,
    keep: bool,
    saved: tuple[Any, ...],
    out: Any,
    here: Scope,
) -> Any:
    """Return the result of an op with a new node. `keep`: save the output, too."""
    if type(out) is list:
        if keep:
            raise TypeError(
                f"{op.name}: a rule of an op of several outputs cannot read them: call that argument _y, and compute "
                "what the rule needs from the others"
            )
        return record_outputs(op, parents, static, saved, out, here)
    node = Node()
    try:
        node.shape = shape = out.shape
        node.dtype = dtype = out.dtype
    except AttributeError:
        raise no_array(op, out) from None
    if dtype is not default_dtype and dtype.kind != "f":
        return unrecorded(op, out)  # integers and truth values have no gradient
    if not shape:
        out = array_of(out)
    node.op = op
    node.parents = parents
    node.static = static
    node.output = out if keep else None
    node.saved = saved
    node.requires_grad = True
    node.scope = here
    node.serial = new_serial()
    node.name = node.owner_ref = node.hooks = node.line = None
    result = result_type()
    result.array = out
    result.node = node
    return result


def record_outputs(
    op: Any,
    parents: tuple[Node, ...],
    static: dict[str, Any] | None,
    saved: tuple[Any, ...],
    outs: list[Array],
    here: Scope,
) -> list[Any]:
    """Return the results of an op of several outputs: one joint node, and a part node for each output."""
    try:
        shapes = tuple([array.shape for array in outs])
        floating = next((array for array in outs if array.dtype.kind == "f"), None)
    except AttributeError:
        raise no_array(op, outs) from None
    if floating is None:
        return unrecorded(op, outs)  # type: ignore[no-any-return]
    joint = (record_output(op, parents, static, False, saved, floating, here).node,)
    joint[0].shape = shapes
    counted = zip(part_arguments(len(outs)), outs)
    return [record_output(op.part, joint, index, False, joint, array, here) for index, array in counted]


def no_array(op: Any, out: Any) -> TypeError:
    """Return the error for an op whose forward does not return an array."""
    return TypeError(
        f"{op.name}: its forward must return an array, or a list of arrays, got {type(out).__name__} {out!r:.60}"
    )


def array_of(out: Any) -> Array:
    """Return an array of NumPy's result of no dimensions, which is a scalar; leave all else as it is."""
    return host.asarray(out) if isinstance(out, host.generic) else out


@cache
def part_arguments(count: int) -> list[dict[str, Any]]:
    """Return the static arguments of so many part nodes; all graphs share them."""
    return [{"index": index} for index in range(count)]
