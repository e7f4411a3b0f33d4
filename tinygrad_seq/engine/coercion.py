"""Turn numbers, lists and arrays beside a Tensor into Tensors, and explain the errors of forwards."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest
from math import inf
from numbers import Integral
from typing import Any

from tinygrad_seq.engine.backend import Array, default_dtype, device_of, host, modules, on_device_of, to_host
from tinygrad_seq.engine.graph import Value, leaf
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.scope import current

COMPARISONS = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})
# where(mask, 1.0, 0.0) must not widen what it is multiplied with; and a large int would be an object to NumPy.
beside_masks: dict[type, Any] = {float: default_dtype, int: "int64"}


def coerce_all(name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments of an op, at least one of which is a Tensor, all as Tensors."""
    values = [x for x in args if isinstance(x, Value)]
    if len(values) == len(args):
        return args
    if name == "where":
        values = values_chosen(args)
    beside = next((x for x in values if x.array.dtype.kind == "f"), values[0])
    number = next((x for x in args if type(x) is float), None)
    if number is not None and beside.array.dtype.kind == "b":  # where(mask, 1.0, 0): the 0 is as wide as the 1.0
        beside = coerce(name, number, beside)
    return tuple([x if isinstance(x, Value) else coerce(name, x, beside) for x in args])


def values_chosen(args: tuple[Any, ...]) -> list[Any]:
    """Return the Tensors that say the dtype of `where`: those it chooses from, or a mask if only that is one."""
    chosen = [x for x in args[1:] if isinstance(x, Value)]
    if chosen or args[0].array.dtype.kind == "b":
        return chosen or [args[0]]
    with on_device_of(args[0].array):
        return [make_tensor(args[0].array != 0)]


def coerce(name: str, raw: Any, beside: Value) -> Any:
    """Return an argument that stands beside a Tensor as a Tensor, a copy.

    Numbers and lists of numbers take the Tensor's dtype if that is floating; arrays and truth values keep their own.
    """
    array = beside.array
    xp = modules[type(array)]
    dtype = array.dtype if array.dtype.kind == "f" or (type(raw) is int and array.dtype.kind in "iu") else None
    if array.dtype.kind == "b":
        dtype = beside_masks.get(type(raw))
    if modules.get(type(raw)) is host and not raw.shape and raw.dtype.kind in "fiu":
        raw, dtype = raw.item(), dtype or raw.dtype  # a NumPy scalar counts as a number
    if type(raw) is float or type(raw) is int or type(raw) is bool:
        dtype = None if type(raw) is bool else dtype  # a truth value stays one
        try:
            zero = str(raw) if raw == 0 else ""
            if xp is host:
                return make_tensor(cached_scalar(raw, zero, dtype, xp))
            with on_device_of(array):
                made = make_tensor(cached_scalar(raw, zero, dtype, xp, device_of(array)))
            # What a picture says of it, and how steps are told apart, is not read from the device.
            leaf(made, False).static = {"value": raw}
            return made
        except OverflowError:
            if name in COMPARISONS and array.dtype.kind != "f":  # no uint8 is -100, and all are below 256
                return coerce(name, inf if raw > 0 else -inf, beside)
            raise ValueError(f"{name}: {str(raw)[:60]} does not fit into {dtype or 'int64'}: use a float") from None
    if type(raw) in modules and device_of(raw) != device_of(array) and (device_of(raw) != "cpu" or raw.ndim):
        raise TypeError(
            f"{name}: an array on {device_of(raw)} of shape {raw.shape} beside a Tensor on {device_of(array)}: "
            f'make it a Tensor there with ts.tensor(array, device="{device_of(array)}")'
        )
    if isinstance(raw, list | tuple):
        raw = unwrapped(name, raw)
    try:
        local = raw if modules.get(type(raw), host) is not host else host.array(raw)
    except (TypeError, ValueError):  # a ragged list
        local = host.array(None)
    if isinstance(raw, list | tuple):
        local = with_large_ints(name, raw, local, dtype)
    if local.dtype.kind not in "fiub":
        raise TypeError(
            f"{name}: cannot compute with {type(raw).__name__} {raw!r:.60} beside a Tensor on {device_of(array)}"
        )
    if isinstance(raw, list | tuple) and local.dtype.kind != "b":
        dtype = dtype or (default_dtype if local.dtype.kind == "f" else None)
    elif local.ndim or local.dtype.kind == "b":
        dtype = None
    with on_device_of(array):
        return make_tensor(xp.array(local, dtype=dtype))


@lru_cache(maxsize=1024, typed=True)
def cached_scalar(value: float, zero: str, dtype: Any, xp: Any, place: str = "cpu") -> Array:
    """Return a number as a 0-d array, made once: NumPy computes faster with those than with Python numbers.

    `zero` is the text of a value of 0: 0.0 and -0.0 are equal, and would share one entry of the cache. `place`: the
    device that is CuPy's current one.
    """
    return xp.asarray(value, dtype)


def unwrapped(name: str, data: Any) -> Any:
    """Return data with host arrays in place of the Tensors in its lists; refuse one whose gradient would be lost."""
    if isinstance(data, list | tuple):
        return [unwrapped(name, item) for item in data]
    return to_host(without_history(name, data)) if isinstance(data, Value) else data


def with_large_ints(name: str, data: Any, made: Any, dtype: Any) -> Any:
    """Return the array that NumPy made of lists, to become of a dtype; ints that int64 cannot hold as floats.

    Raises ValueError for such ints if nothing says that they are floats: a dtype, or a float among them. NumPy makes
    them uint64, floats or objects.
    """
    is_object = made.dtype.kind == "O"
    if not (is_object or (dtype is None and made.dtype.kind in "fu" and made.size and abs(made).max() >= 2**63)):
        return made
    numbers = list(flattened(data))
    large = next((n for n in numbers if type(n) is int and not -(2**63) <= n < 2**63), None)
    if large is None:
        return made
    if all(isinstance(n, Integral) for n in numbers) if dtype is None else host.dtype(dtype).kind != "f":
        raise ValueError(f"{name}: {str(large)[:60]} does not fit into int64: use a float")
    return host.array(data, "float64") if is_object else made


def flattened(data: Any) -> Iterator[Any]:
    """Yield what is in nested lists."""
    if isinstance(data, list | tuple):
        for item in data:
            yield from flattened(item)
    else:
        yield data


PARTS = "ts.stack, ts.concatenate or ts.where"  # these build one Tensor of several, with its gradient


def without_history(name: str, value: Value, instead: str = PARTS) -> Array:
    """Return the array of a Tensor that leaves the graph; refuse where its gradient would be lost in silence."""
    if value.node is not None and value.node.requires_grad and current.get().recording is not False:
        raise TypeError(
            f"{name}: the gradient of this Tensor would be lost in silence: use {instead}, or .detach() it first "
            "(python -m tinygrad_seq explain numpy-in-the-middle)"
        )
    return value.array


def explain(op: Any, arrays: Sequence[Any], error: Exception) -> Exception:
    """Return the error of a forward again, with a sentence that names the op and its arguments' devices or shapes."""
    if type(error).__module__.startswith("tinygrad_seq"):
        return type(error)(*error.args)  # a sentence of ours; another object, for this one is its cause
    name, named = op.name, zip_longest(op.names, arrays)  # those of an op that takes any number have none
    places = [
        (argument or f"argument {i}", device_of(array))
        for i, (argument, array) in enumerate(named)
        if type(array) in modules and not isinstance(array, host.generic)
    ]
    for argument, device in places[1:]:
        if device != places[0][1]:
            first = " on ".join(places[0])
            return TypeError(f"{name}: {argument} is on {device}, {first}: move one with .to(...)")
    strange = [x for x in arrays if type(x) not in modules and not isinstance(x, int | float | list | tuple)]
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
