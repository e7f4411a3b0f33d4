"""The public functions that are not an op themselves: they check and complete arguments, then say it in ops.

Composites open up in the picture (a mean is a sum and a division). Each takes Tensors or raw arrays, as ops do.
"""

from collections.abc import Sequence
from math import prod
from operator import index as as_int
from typing import TYPE_CHECKING, Any

from tinygrad_seq.backend import device_of, host, modules, to_device
from tinygrad_seq.graph import Value
from tinygrad_seq.ops import contraction, elementwise, indexing, joining, reduction
from tinygrad_seq.ops import shape as shapes
from tinygrad_seq.ops.elementwise import divide
from tinygrad_seq.record import handle

if TYPE_CHECKING:  # a name for type checkers
    from tinygrad_seq.tensor import Tensor

Axis = int | Sequence[int] | None


def shape_of(x: Any) -> tuple[int, ...]:
    found: tuple[int, ...] = x.array.shape if isinstance(x, Value) else host.shape(x)
    return found


def one_axis(op: str, axis: Any, ndim: int) -> int:
    """An axis as a non-negative int, or an error that names the op."""
    try:
        number = as_int(axis)
    except TypeError:
        raise TypeError(f"{op}: axis must be an int, got {axis!r}") from None
    if not -ndim <= number < ndim:
        raise IndexError(f"{op}: axis {axis} is out of range for {ndim} dimension(s)")
    return number % ndim


def axes_of(op: str, axis: Axis, x: Any) -> tuple[int, ...]:
    """The axes to work over, as non-negative ints: all for None."""
    ndim = len(shape_of(x))
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(one_axis(op, a, ndim) for a in (axis if isinstance(axis, Sequence) else (axis,)))
    if len(set(axes)) != len(axes):
        raise ValueError(f"{op}: axis {axis} names an axis twice")
    return axes


# -------------------------------------------------------------------------------------------------------- reductions


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """The sum over an axis, several, or all."""
    return reduction.reduce_sum(x, axis=axes_of("sum", axis, x), keepdims=keepdims)


def count(op: str, x: Any, axes: tuple[int, ...]) -> int:
    """How many elements a reduction folds into one; none is an error."""
    n = prod(shape_of(x)[a] for a in axes)
    if n == 0:
        raise ValueError(f"{op}: nothing to take the {op} of, the shape is {shape_of(x)}")
    return n


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """The mean over an axis, several, or all: sum(x) / n."""
    axes = axes_of("mean", axis, x)
    return divide(reduction.reduce_sum(x, axis=axes, keepdims=keepdims), float(count("mean", x, axes)))


def var(x: Any, axis: Axis = None, keepdims: bool = False, correction: int = 0) -> "Tensor":
    """The variance: mean squared distance from the mean, over n - correction (NumPy's default 0, PyTorch's 1)."""
    axes = axes_of("var", axis, x)
    distance = x - mean(x, axes, keepdims=True)
    return sum(distance * distance, axes, keepdims) / float(count("var", x, axes) - correction)


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """The largest over an axis, several, or all; ties share the gradient evenly."""
    axes = axes_of("max", axis, x)
    count("max", x, axes)
    return reduction.reduce_max(x, axis=axes, keepdims=keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """The smallest over an axis, several, or all; ties share the gradient evenly."""
    axes = axes_of("min", axis, x)
    count("min", x, axes)
    return reduction.reduce_min(x, axis=axes, keepdims=keepdims)


def argmax(x: Any, axis: int | None = None) -> "Tensor":
    """The index of the largest along an axis, or in the flattened array."""
    count("argmax", x, axes_of("argmax", axis, x))
    return reduction.argmax(x, axis=None if axis is None else one_axis("argmax", axis, len(shape_of(x))))


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """log(sum(exp(x))) over an axis, several, or all, without overflow."""
    axes = axes_of("logsumexp", axis, x)
    count("logsumexp", x, axes)
    return reduction.logsumexp(x, axis=axes, keepdims=keepdims)


def log_softmax(x: Any, axis: int = -1) -> "Tensor":
    """log(softmax(x)), accurate where the softmax itself is 0."""
    return reduction.log_softmax(x, axis=axes_of("log_softmax", axis, x))


def softmax(x: Any, axis: int = -1) -> "Tensor":
    """exp(x) / sum(exp(x)) along an axis: positive, summing to 1."""
    return elementwise.exp(reduction.log_softmax(x, axis=axes_of("softmax", axis, x)))


# ------------------------------------------------------------------------------------------------------------ shapes


def reshape(x: Any, *shape: Any) -> "Tensor":
    """The same elements in another shape, given as ints or as one tuple; one of them may be -1."""
    new = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    return shapes.reshape(x, shape=ints("reshape", new))


def transpose(x: Any, *axes: Any) -> "Tensor":
    """The axes in another order: NumPy's permutation of all axes, reversed when none is given."""
    order = tuple(axes[0]) if len(axes) == 1 and isinstance(axes[0], Sequence) else axes
    ndim = len(shape_of(x))
    order = tuple(one_axis("transpose", a, ndim) for a in order) if order else tuple(reversed(range(ndim)))
    if sorted(order) != list(range(ndim)):
        raise ValueError(
            f"transpose: axes {axes} are not a permutation of all {ndim} axes; swapaxes(a, b) exchanges two"
        )
    return shapes.transpose(x, axes=order)


def swapaxes(x: Any, a: int, b: int) -> "Tensor":
    """The array with two axes exchanged."""
    ndim = len(shape_of(x))
    a, b = one_axis("swapaxes", a, ndim), one_axis("swapaxes", b, ndim)
    order = list(range(ndim))
    order[a], order[b] = b, a
    return shapes.transpose(x, axes=tuple(order))


def expand_dims(x: Any, axis: int) -> "Tensor":
    """A new axis of length one, where `axis` says it will be."""
    old = shape_of(x)
    at = one_axis("expand_dims", axis, len(old) + 1)
    return shapes.reshape(x, shape=(*old[:at], 1, *old[at:]))


def squeeze(x: Any, axis: Axis = None) -> "Tensor":
    """Drop axes of length one: those named, or all."""
    old = shape_of(x)
    axes = tuple(i for i, n in enumerate(old) if n == 1) if axis is None else axes_of("squeeze", axis, x)
    for a in axes:
        if old[a] != 1:
            raise ValueError(f"squeeze: axis {a} of shape {old} has length {old[a]}, not 1")
    return shapes.reshape(x, shape=tuple(n for i, n in enumerate(old) if i not in axes))


def broadcast_to(x: Any, *shape: Any) -> "Tensor":
    """Repeat along new axes and axes of length one, by NumPy's rules."""
    new = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    return shapes.broadcast_to(x, shape=ints("broadcast_to", new))


def flip(x: Any, axis: Axis = None) -> "Tensor":
    """Reverse the order along an axis, several, or all."""
    return shapes.flip(x, axis=axes_of("flip", axis, x))


def pad(x: Any, widths: Any, value: float = 0.0) -> "Tensor":
    """Borders of a constant: `widths` is one number, one (before, after), or one pair for each axis, as in NumPy."""
    ndim = len(shape_of(x))
    given = host.asarray(widths)
    if given.dtype.kind not in "iu":
        raise TypeError(f"pad: widths must be ints, got {widths!r}")
    try:
        pairs = host.broadcast_to(given, (ndim, 2)).tolist()
    except ValueError:
        raise ValueError(f"pad: widths {widths!r} do not give (before, after) for each of {ndim} axes") from None
    if any(n < 0 for pair in pairs for n in pair):
        raise ValueError(f"pad: widths {widths!r} must not be negative; index to cut off")
    return joining.pad(x, widths=tuple((int(a), int(b)) for a, b in pairs), value=float(value))


# ----------------------------------------------------------------------------------------------- joining and cutting


def concatenate(pieces: Sequence[Any], axis: int = 0) -> "Tensor":
    """Tensors one after another along an axis they have."""
    pieces = nonempty("concatenate", pieces)
    return joining.concatenate(*pieces, axis=one_axis("concatenate", axis, len(shape_of(pieces[0]))))


def stack(pieces: Sequence[Any], axis: int = 0) -> "Tensor":
    """Tensors of one shape side by side along a new axis."""
    pieces = nonempty("stack", pieces)
    if len({shape_of(piece) for piece in pieces}) > 1:
        raise ValueError(f"stack: all shapes must be equal, got {[shape_of(piece) for piece in pieces][:8]}")
    return joining.stack(*pieces, axis=one_axis("stack", axis, len(shape_of(pieces[0])) + 1))


def nonempty(op: str, pieces: Any) -> list[Any]:
    if isinstance(pieces, Value) or not isinstance(pieces, Sequence) or not pieces:
        raise TypeError(f"{op}: expected a non-empty list or tuple of Tensors, got {type(pieces).__name__}")
    return list(pieces)


def split(x: Any, size_or_sizes: int | Sequence[int], axis: int = 0) -> list["Tensor"]:
    """Cut an axis into chunks of a size (the last may be smaller), or into pieces of the sizes given."""
    length = shape_of(x)[axis := one_axis("split", axis, len(shape_of(x)))]
    if isinstance(size_or_sizes, Sequence):
        sizes = ints("split", size_or_sizes)
    else:
        (size,) = ints("split", (size_or_sizes,))
        if size < 1:
            raise ValueError(f"split: the chunk size must be positive, got {size}")
        sizes = (size,) * (length // size) + ((length % size,) if length % size else ())
    if host.sum(sizes) != length or any(n < 0 for n in sizes):
        raise ValueError(f"split: sizes {sizes} do not sum to the length {length} of axis {axis}")
    return list(joining.split(x, sizes=sizes, axis=axis))


def unstack(x: Any, axis: int = 0) -> list["Tensor"]:
    """The slices along an axis: a sequence (T, B, I) becomes its T steps."""
    return list(joining.unstack(x, axis=one_axis("unstack", axis, len(shape_of(x)))))


# ------------------------------------------------------------------------------------------------- products and picks


def ints(op: str, numbers: Any) -> tuple[int, ...]:
    """A sequence of whole numbers, or an error that names the op."""
    try:
        return tuple(as_int(n) for n in numbers)
    except TypeError:
        raise TypeError(f"{op}: expected ints, got {numbers!r:.60}") from None


def matmul(x: Any, y: Any) -> "Tensor":
    """The matrix product of the last two axes; a vector counts as a row on the left and a column on the right."""
    left, right = shape_of(x), shape_of(y)
    if len(left) > 1 and len(right) > 1:
        return contraction.matmul(x, y)
    if not left or not right:
        raise ValueError(f"matmul: shapes {left} and {right}: a number has no matrix product, multiply with *")
    if left[-1] != right[0 if len(right) == 1 else -2]:
        raise ValueError(f"matmul: shapes {left} and {right} do not fit: {left[-1]} columns meet {right[-2:][0]} rows")
    product = contraction.matmul(
        shapes.reshape(x, shape=(1, *left)) if len(left) == 1 else x,
        shapes.reshape(y, shape=(*right, 1)) if len(right) == 1 else y,
    )
    return squeeze(product, tuple(axis for axis, side in ((-2, left), (-1, right)) if len(side) == 1))


def getitem(x: Any, index: Any) -> "Tensor":
    """x[index] with everything NumPy accepts: ints, slices, None, Ellipsis, masks, integer arrays, Tensors."""
    parts = tuple(index_part(part) for part in index) if isinstance(index, tuple) else index_part(index)
    return indexing.getitem(x, index=parts)


def index_part(part: Any) -> Any:
    """One part of an index, safe to keep: arrays are copied, whole numbers become ints."""
    if part is None or part is Ellipsis or isinstance(part, int | slice):
        return part
    array = part.array if isinstance(part, Value) else part
    if isinstance(part, Sequence) and not isinstance(part, str):
        array = host.asarray(part, dtype=None if len(part) else "int64")
    if getattr(array, "dtype", None) is None or array.dtype.kind not in "iub":
        raise IndexError(f"getitem: an index is an int, slice, None, Ellipsis, mask or integer array, not {part!r:.60}")
    if array.ndim == 0 and array.dtype.kind != "b":
        return int(array)
    return array if isinstance(part, Value) else array.copy()


def clip(x: Any, low: float | None = None, high: float | None = None) -> "Tensor":
    """x held between low and high; None leaves that side open; the gradient passes at the bounds."""
    return elementwise.clip(x, low=low, high=high)


def take(x: Any, ids: Any) -> "Tensor":
    """Rows of x by integer ids, of shape (*ids.shape, *x.shape[1:]); an id out of range, or negative, is an error."""
    if not shape_of(x):
        raise ValueError("take: a number has no rows")
    return indexing.take(x, checked_ids("take", ids, shape_of(x)[0], x))


def checked_ids(op: str, ids: Any, count: int, beside: Any = None) -> Any:
    """Ids as a Tensor, beside the table they look up, all within 0 <= id < count."""
    raw = ids.array if isinstance(ids, Value) else host.array(ids)
    if raw.dtype.kind not in "iu":
        raise TypeError(f"{op}: ids must be integers, got dtype {raw.dtype}")
    wrong = (raw < 0) | (raw >= count)
    if wrong.any():
        first = int(wrong.reshape(-1).argmax())
        position = tuple(int(i) for i in host.unravel_index(first, raw.shape))
        raise IndexError(
            f"{op}: id {int(raw.reshape(-1)[first])} at position {position} is out of range: "
            f"there are {count} rows, ids go from 0 to {count - 1}"
        )
    if isinstance(beside, Value) and not isinstance(ids, Value):
        return handle(to_device(raw, device_of(beside.array)))
    return ids


def one_hot(ids: Any, count: int, dtype: Any = "float32") -> "Tensor":
    """Ids as rows of zeros with a single one: shape (*ids.shape, count)."""
    ids = checked_ids("one_hot", ids, count)
    array = ids.array if isinstance(ids, Value) else host.array(ids)
    return handle(modules[type(array)].eye(count, dtype=dtype)[array])
