"""The public functions that select elements by index or id, and the checks of these: getitem, take, one_hot."""

from collections.abc import Sequence
from typing import Any

from tinygrad_seq.engine.arguments import T, ints, shape_of
from tinygrad_seq.engine.backend import (
    as_dtype,
    check_device,
    device_of,
    host,
    ids_checked,
    is_traced,
    modules,
    on_device_of,
    to_default_device,
    to_device,
)
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.engine.hints import public
from tinygrad_seq.engine.ops import indexing
from tinygrad_seq.engine.recording import make_tensor


def getitem(x: T, index: Any) -> T:
    """Return x[index] with everything NumPy accepts: ints, slices, None, Ellipsis, masks, integer arrays, Tensors."""
    parts = tuple(index_part(part, x) for part in index) if isinstance(index, tuple) else index_part(index, x)
    arrays = parts if isinstance(parts, tuple) else (parts,)
    if isinstance(x, Value) and device_of(x.array) != "cpu":
        check_index(x.array.shape, arrays)
    for part in arrays:
        x = looked_up_with(part, x)
    return indexing.getitem(x, index=parts)


def looked_up_with(ids: Any, x: Any) -> Any:
    """Return x with an array of the module that computes on the ids: NumPy cannot index by ids that replay traces."""
    xp = modules.get(type(ids))
    if xp in (None, host) or not isinstance(x, Value) or modules[type(x.array)] is xp:
        return x
    return x if device_of(ids) != device_of(x.array) else make_tensor(xp.asarray(x.array), x.node)


def check_index(shape: tuple[int, ...], parts: tuple[Any, ...]) -> None:
    """Raise IndexError for an index array that leads out of an array on a GPU, where CuPy wraps it around."""
    widths = [axes_of(part) for part in parts]
    axis, left = 0, len(shape) - sum(widths)
    for part, width in zip(parts, widths if left >= 0 else ()):  # more indices than axes: CuPy says so
        is_ids = width and hasattr(part, "dtype") and part.dtype.kind != "b"
        if is_ids and part.size and (ids_checked.get() or modules[type(part)] is host):
            with on_device_of(part):
                ids, size = part.astype("int64"), shape[axis]  # any size has its place in an int64
                if ((ids < -size) | (ids >= size)).any():
                    raise IndexError(f"getitem: an index of axis {axis} is out of range for {shape}: {part!s:.60}")
        axis += left if part is Ellipsis else width


def axes_of(part: Any) -> int:
    """Return how many axes of an array a part of its index stands for."""
    if part is None or part is Ellipsis or isinstance(part, bool):
        return 0
    return part.ndim if hasattr(part, "dtype") and part.dtype.kind == "b" else 1


def index_part(part: Any, x: Any) -> Any:
    """Return one part of an index of x, safe to keep: arrays are copied, whole numbers become ints."""
    if part is None or part is Ellipsis or isinstance(part, int):
        return part
    if isinstance(part, slice):
        ends = part.start, part.stop, part.step
        for end in ends:
            if end is not None and type(end) is not int:
                return slice(*[end if end is None else ints("getitem", (end,))[0] for end in ends])
        return part
    array = part.array if isinstance(part, Value) else part
    if type(array) not in modules:
        array = indices("getitem", part)
    if array.dtype.kind not in "iub":
        raise IndexError(f"getitem: an index is an int, slice, None, Ellipsis, mask or integer array, not {part!r:.60}")
    if isinstance(x, Value) and device_of(array) != "cpu":
        check_device("getitem", "the index", array, "x", x.array)
    if array.ndim == 0 and array.dtype.kind != "b" and not is_traced(array):
        return int(array)
    with on_device_of(array):
        return array if isinstance(part, Value) else array.copy()


def indices(op: str, given: Any) -> Any:
    """Return an array of ids or truth values: of integers, where the list is empty."""
    if type(given) in modules:
        return given.copy()
    try:
        return host.array(given, dtype="int64" if isinstance(given, Sequence) and not given else None)
    except ValueError:
        raise IndexError(f"{op}: a list of indices has rows of one length, got {given!r:.60}") from None


@public
def take(x: T, ids: Any) -> T:
    """Return rows of x by integer ids, of shape (*ids.shape, *x.shape[1:]): the look-up of an embedding.

    `np.take` and `torch.take` look up in the flattened array, here `x.reshape(-1)[ids]`. Raises TypeError for ids
    that are not integers, IndexError unless 0 <= id < len(x).

    >>> import tinygrad_seq as ts
    >>> ts.take(ts.eye(3), [2, 0]).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    if not shape_of(x):
        raise ValueError("take: a number has no rows")
    ids = checked_ids("take", ids, shape_of(x)[0], x)
    return indexing.take(looked_up_with(ids.array, x) if isinstance(ids, Value) else x, ids)


def checked_ids(op: str, ids: Any, count: int, beside: Any = None, things: str = "rows") -> Any:
    """Return ids as a Tensor on the device of the table they look up; refuse all but 0 <= id < count."""
    raw = ids.array if isinstance(ids, Value) else indices(op, ids)
    if raw.dtype.kind not in "iu":
        raise TypeError(
            f"{op}: ids must be integers, got dtype {raw.dtype}: convert them with .to('int64') "
            "(python -m tinygrad_seq explain ids-are-floats)"
        )
    if isinstance(ids, Value) and isinstance(beside, Value):
        check_device(op, "ids", raw, "the table", beside.array)
    if raw.dtype.itemsize < 4:  # `count` itself may not fit into an int8
        with on_device_of(raw):
            raw = raw.astype("int64")
        ids = make_tensor(raw) if isinstance(ids, Value) else raw
    check_range(op, raw, count, things=things)
    if isinstance(beside, Value) and not isinstance(ids, Value):
        return make_tensor(to_device(raw, device_of(beside.array)))
    return ids


def check_range(op: str, ids: Any, count: int, ignored: Any = None, things: str = "rows") -> bool:
    """Raise IndexError, naming the first wrong one, unless 0 <= id < count where not ignored; tell if any is ignored.

    One number from a device answers both. Where it is not asked (`unchecked_ids`), any may be ignored: True.
    """
    if not (ids_checked.get() or modules[type(ids)] is host):
        return True
    with on_device_of(ids):
        wrong = (ids < 0) | (ids >= count)
        if ignored is None:
            found = int(wrong.any())
        else:
            wrong = wrong & ~ignored
            found = int(wrong.any() + 2 * ignored.any())
        if found % 2:
            first = int(wrong.reshape(-1).argmax())
            at = tuple(int(i) for i in host.unravel_index(first, ids.shape))
            known = f"{count} {things}, ids go from 0 to {count - 1}" if count else f"no {things}"
            raise IndexError(
                f"{op}: id {int(ids.reshape(-1)[first])} at position {at} is out of range: there are {known} "
                "(python -m tinygrad_seq explain ids-out-of-range)"
            )
    return found > 1


@public
def one_hot(ids: Any, count: int, dtype: Any = "float32") -> Any:
    """Return ids as rows of zeros with a single one: shape (*ids.shape, count).

    >>> import tinygrad_seq as ts
    >>> ts.one_hot([1, 0], 3).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    (count,) = ints("one_hot", (count,))
    if count < 0:
        raise ValueError(f"one_hot: the count of classes must not be negative, got {count}")
    ids = checked_ids("one_hot", ids, count, things="classes")
    array = ids.array if isinstance(ids, Value) else to_default_device(host.array(ids, dtype="int64"))
    with on_device_of(array):
        return make_tensor((array[..., None] == modules[type(array)].arange(count)).astype(as_dtype(dtype)))
