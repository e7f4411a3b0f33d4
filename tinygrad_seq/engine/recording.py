"""Making nodes and handles, and what happens to arguments that are not Tensors or do not fit: the parts of a call
that every op shares.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, TypeVar

from tinygrad_seq.engine.backend import Array, default_dtype, device_of, host, modules, to_host
from tinygrad_seq.engine.graph import Node, Value, new_serial
from tinygrad_seq.engine.scope import Scope, current

T = TypeVar("T", bound=type[Value])
result_type: type[Value] = Value  # what ops return: Tensor, once `returned_by_ops` has been told
numbers = (int, float, list, tuple)  # what counts as one where no Tensor is near
part_op: Any = None  # the op of one output among several


def returned_by_ops(cls: T) -> T:
    """Class decorator: ops return this kind of Value."""
    global result_type
    result_type = cls
    return cls


def handle(array: Array, node: Node | None = None) -> Any:
    """A Tensor of an array and the node that made it."""
    result = result_type()
    result.array = array
    result.node = node
    return result


def plain(op: Any, out: Any) -> Any:
    """The result of an op that nobody will differentiate."""
    if type(out) is list:
        return [plain(op, array) for array in out]
    try:
        return handle(out if out.shape else array_of(out))
    except AttributeError:
        raise no_array(op, out) from None


def recorded(
    op: Any,
    parents: tuple[Node, ...],
    static: dict[str, Any] | None,
    keep: bool,
    saved: tuple[Any, ...],
    out: Any,
    here: Scope,
) -> Any:
    """The result of an op, with the node of its application. `keep`: the output is saved too."""
    if type(out) is list:
        return several(op, parents, static, saved, out, here)
    node = Node()
    try:
        node.shape = shape = out.shape
        node.dtype = dtype = out.dtype
    except AttributeError:
        raise no_array(op, out) from None
    if dtype is not default_dtype and dtype.kind != "f":
        return plain(op, out)  # numbers without slope
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
    node.name = node.owner = node.hooks = node.line = None
    result = result_type()
    result.array = out
    result.node = node
    return result


def several(
    op: Any,
    parents: tuple[Node, ...],
    static: dict[str, Any] | None,
    saved: tuple[Any, ...],
    outs: list[Array],
    here: Scope,
) -> list[Any]:
    """The results of an op of several outputs: one joint node, and a part node for each output."""
    try:
        shapes = tuple([array.shape for array in outs])
        sloped = next((array for array in outs if array.dtype.kind == "f"), None)
    except AttributeError:
        raise no_array(op, outs) from None
    if sloped is None:
        return plain(op, outs)  # type: ignore[no-any-return]
    joint = (recorded(op, parents, static, False, saved, sloped, here).node,)
    joint[0].shape = shapes
    counted = zip(numbered(len(outs)), outs)
    return [recorded(part_op, joint, static, False, joint, array, here) for static, array in counted]


def no_array(op: Any, out: Any) -> TypeError:
    """What to say of an op that gives something else."""
    return TypeError(
        f"{op.name}: its forward must return an array, or a list of arrays, got {type(out).__name__} {out!r:.60}"
    )


def array_of(out: Any) -> Array:
    """NumPy's results of no dimension are not arrays: make them so."""
    return host.asarray(out) if isinstance(out, host.generic) else out


@cache
def numbered(count: int) -> list[dict[str, Any]]:
    """The static arguments of so many part nodes; every graph shares them."""
    return [{"index": index} for index in range(count)]


def let_go(name: str, value: Value, instead: str = "ts.stack, ts.concatenate or ts.where") -> Array:
    """Return the array of a Tensor that leaves the graph; refuse where its gradient would be lost in silence."""
    if value.node is not None and value.node.requires_grad and current.get().recording is not False:
        raise TypeError(
            f"{name}: the gradient of this Tensor would be lost in silence: use {instead}, or .detach() it first"
        )
    return value.array


def unwrapped(name: str, data: Any) -> Any:
    """Lists with Tensors inside, as lists of host arrays; refuse a Tensor whose gradient would be lost."""
    if isinstance(data, list | tuple):
        return [unwrapped(name, item) for item in data]
    return to_host(let_go(name, data)) if isinstance(data, Value) else data


def constant(name: str, raw: Any, beside: Value) -> Any:
    """A raw argument beside a Tensor: a number takes the Tensor's floating dtype, an array is copied."""
    array = beside.array
    xp = modules[type(array)]
    dtype = array.dtype if array.dtype.kind == "f" or (type(raw) is int and array.dtype.kind in "iu") else None
    if type(raw) is float and array.dtype.kind == "b":
        dtype = default_dtype  # where(mask, 1.0, 0.0) must not widen what it is multiplied with
    if modules.get(type(raw)) is host and not raw.shape and raw.dtype.kind in "fiu":
        raw, dtype = raw.item(), dtype or raw.dtype  # NumPy's numbers are numbers, too
    if type(raw) is float or type(raw) is int:
        try:
            return handle(number(raw, str(raw) if raw == 0 else "", dtype, xp))
        except OverflowError:
            raise ValueError(f"{name}: {str(raw)[:60]} does not fit into {dtype or 'int64'}: use a float") from None
    if isinstance(raw, list | tuple):
        raw = unwrapped(name, raw)
    try:
        local = raw if modules.get(type(raw)) is xp else host.array(raw)
    except (TypeError, ValueError):  # a ragged list, an array of another device
        local = host.array(None)
    if local.dtype.kind not in "fiub":
        raise TypeError(
            f"{name}: cannot compute with {type(raw).__name__} {raw!r:.60} beside a Tensor on {device_of(array)}"
        )
    if local.ndim and type(raw) in modules and modules[type(raw)] is not xp:
        raise TypeError(
            f"{name}: a NumPy array of shape {local.shape} beside a Tensor on {device_of(array)}: "
            f'make it a Tensor there with ts.tensor(array, device="{device_of(array)}")'
        )
    if isinstance(raw, list | tuple) and local.dtype.kind == "f":
        dtype = dtype or "float32"
    elif local.ndim or local.dtype.kind == "b":
        dtype = None  # an array keeps its dtype, and a truth value stays one
    return handle(xp.array(local, dtype=dtype))


@lru_cache(maxsize=1024, typed=True)
def number(value: float, zero: str, dtype: Any, xp: Any) -> Array:
    """A number as a 0-d array, made once: NumPy takes those faster than Python numbers. `zero` tells 0.0 from -0.0."""
    return xp.asarray(value, dtype)


def explain(name: str, arrays: Sequence[Any], error: Exception) -> Exception:
    """What went wrong in a forward, as a sentence that names the op, the arguments and their shapes."""
    places = [device_of(array) for array in arrays if type(array) in modules and array.shape]
    if len(set(places)) > 1:
        return TypeError(
            f"{name}: its arguments are on different devices, {' and '.join(places)}: move one with .to(...)"
        )
    strange = [array for array in arrays if type(array) not in modules and not isinstance(array, numbers)]
    if strange or not arrays:
        got = f"{type(strange[0]).__name__} {strange[0]!r:.60}" if strange else "nothing"
        return TypeError(f"{name}: expected a Tensor, an array or a number, got {got}")
    text = str(error)
    if "numpy boolean" in text:
        text = "it does not compute with truth values: make them numbers with .to(...)"
    kind = next((kind for kind in (IndexError, TypeError, ValueError) if isinstance(error, kind)), RuntimeError)
    if text.startswith(name + ":"):
        return kind(text)
    shapes = " and ".join(f"{getattr(array, 'shape', type(array).__name__)}" for array in arrays)
    return kind(f"{name}: arguments of shape {shapes}: {text}")
