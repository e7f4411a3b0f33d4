"""The public functions that reduce, multiply and pick, and are not an op themselves.

They check and complete arguments, then say it in ops: a mean opens up in the picture as a sum and a division. Each
takes Tensors or raw arrays, as ops do.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

from tinygrad_seq.engine.arguments import Axis, axes_of, ints, number, one_axis, shape_of
from tinygrad_seq.engine.backend import as_dtype, default_device, device_of, host, modules, to_device
from tinygrad_seq.engine.functions.shapes import squeeze
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.engine.ops import elementwise, indexing, reduction
from tinygrad_seq.engine.ops import matmul as contraction
from tinygrad_seq.engine.ops import shape as shapes
from tinygrad_seq.engine.ops.elementwise import divide
from tinygrad_seq.engine.recording import constant, handle

if TYPE_CHECKING:  # a name for type checkers
    from tinygrad_seq.engine.tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])

# -------------------------------------------------------------------------------------------------------- reductions


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """The sum over an axis, several, or all.

    >>> import tinygrad_seq as ts
    >>> ts.sum(ts.tensor([[1, 2], [3, 4]]), axis=0).tolist()
    [4, 6]
    """
    return reduction.reduce_sum(x, axis=axes_of("sum", axis, x), keepdims=keepdims)


def filled_axes(op: str, axis: Axis, x: Any) -> tuple[int, ...]:
    """The axes of a reduction that means nothing without an element."""
    axes = axes_of(op, axis, x)
    if 0 in (shape_of(x)[a] for a in axes):
        raise ValueError(f"{op}: nothing to take the {op} of, the shape is {shape_of(x)}")
    return axes


def count(x: Any, axes: tuple[int, ...]) -> int:
    """How many elements are folded into one."""
    return prod(shape_of(x)[a] for a in axes)


WIDER = {"e": ("float32", "float16"), **dict.fromkeys("?bBhHiIlLqQ", ("float64", "float32"))}  # by dtype.char


def widened(function: F) -> F:
    """Make a function of sums compute float16 in float32, and integers in float64, and round to float16 and float32.

    70,000 ones have a mean in float16, though their sum is infinite there; -100 - 100 wraps to 56 in int8.
    """

    @wraps(function)
    def call(x: Any, *args: Any, **options: Any) -> Any:
        char = (x if hasattr(x, "dtype") else host.asarray(x)).dtype.char
        if char not in WIDER:
            return function(x, *args, **options)
        wide, narrow = WIDER[char]
        return shapes.cast(function(shapes.cast(x, dtype=wide), *args, **options), dtype=narrow)

    return call  # type: ignore[return-value]


@widened
def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """The mean over an axis, several, or all: sum(x) / n.

    >>> import tinygrad_seq as ts
    >>> ts.mean(ts.tensor([1.0, 2.0, 6.0])).item()
    3.0
    """
    axes = filled_axes("mean", axis, x)
    return divide(reduction.reduce_sum(x, axis=axes, keepdims=keepdims), count(x, axes))


@widened
def var(x: Any, axis: Axis = None, keepdims: bool = False, correction: int = 0) -> "Tensor":
    """The variance: mean squared distance from the mean, over n - correction (NumPy's default 0, PyTorch's 1).

    >>> import tinygrad_seq as ts
    >>> ts.var(ts.tensor([1.0, 3.0])).item()
    1.0
    """
    axes = filled_axes("var", axis, x)
    (correction,) = ints("var", (correction,))
    if not 0 <= correction < (n := count(x, axes)):
        raise ValueError(f"var: correction must be from 0 to {n - 1} for {n} elements, got {correction}")
    distance = x - mean(x, axes, keepdims=True)
    return sum(distance * distance, axes, keepdims) / float(n - correction)


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """The largest over an axis, several, or all; ties share the gradient evenly.

    >>> import tinygrad_seq as ts
    >>> ts.max(ts.tensor([[1, 5], [3, 4]]), axis=1).tolist()
    [5, 4]
    """
    return reduction.reduce_max(x, axis=filled_axes("max", axis, x), keepdims=keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """The smallest over an axis, several, or all; ties share the gradient evenly.

    >>> import tinygrad_seq as ts
    >>> ts.min(ts.tensor([[1, 5], [3, 4]]), axis=1).tolist()
    [1, 3]
    """
    return reduction.reduce_min(x, axis=filled_axes("min", axis, x), keepdims=keepdims)


def argmax(x: Any, axis: int | None = None) -> "Tensor":
    """The index of the largest along an axis, or in the flattened array.

    >>> import tinygrad_seq as ts
    >>> ts.argmax(ts.tensor([3.0, 7.0, 5.0])).item()
    1
    """
    axes = filled_axes("argmax", None if axis is None else one_axis("argmax", axis, len(shape_of(x))), x)
    return reduction.argmax(x, axis=None if axis is None else axes[0])


@widened
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """log(sum(exp(x))) over an axis, several, or all, without overflow.

    >>> import tinygrad_seq as ts
    >>> ts.logsumexp(ts.tensor([1e4, -1e4])).item()
    10000.0
    """
    return reduction.logsumexp(x, axis=filled_axes("logsumexp", axis, x), keepdims=keepdims)


@widened
def log_softmax(x: Any, axis: int = -1) -> "Tensor":
    """log(softmax(x)), accurate where the softmax itself is 0.

    >>> import tinygrad_seq as ts
    >>> ts.log_softmax(ts.tensor([0.0, -1e4])).tolist()
    [0.0, -10000.0]
    """
    return reduction.log_softmax(x, axis=filled_axes("log_softmax", axis, x))


@widened
def softmax(x: Any, axis: int = -1) -> "Tensor":
    """exp(x) / sum(exp(x)) along an axis: positive, summing to 1.

    >>> import tinygrad_seq as ts
    >>> ts.softmax(ts.zeros(4)).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    return elementwise.exp(reduction.log_softmax(x, axis=filled_axes("softmax", axis, x)))


# ------------------------------------------------------------------------------------------------- products and picks


def matmul(x: Any, y: Any) -> "Tensor":
    """The matrix product of the last two axes; a vector counts as a row on the left and a column on the right.

    >>> import tinygrad_seq as ts
    >>> ts.matmul(ts.ones(2, 3), ts.arange(3).to("float32")).tolist()
    [3.0, 3.0]
    """
    left, right = shape_of(x), shape_of(y)
    if len(left) > 1 and len(right) > 1:
        return contraction.matmul(x, y)
    if not left or not right:
        raise ValueError(f"matmul: shapes {left} and {right}: a number has no matrix product, multiply with *")
    if isinstance(x, Value) or isinstance(y, Value):  # a list beside a Tensor takes its dtype here, once
        x, y = (z if isinstance(z, Value) else constant("matmul", z, beside) for z, beside in ((x, y), (y, x)))
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
    if array.ndim == 0 and array.dtype.kind != "b":
        return int(array)
    return array if isinstance(part, Value) else array.copy()


def indices(op: str, given: Any) -> Any:
    """An array of ids or truths: of integers, where the list is empty."""
    try:
        return host.array(given, dtype="int64" if isinstance(given, Sequence) and not given else None)
    except ValueError:
        raise IndexError(f"{op}: a list of indices has rows of one length, got {given!r:.60}") from None


def clip(x: Any, low: float | None = None, high: float | None = None) -> "Tensor":
    """x held between low and high; None leaves that side open; the gradient passes at the bounds.

    >>> import tinygrad_seq as ts
    >>> ts.clip(ts.tensor([-2.0, 0.5, 9.0]), 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    low, high = (
        bound if bound is None else number("clip", f"{name} (for arrays: maximum, minimum)", bound)
        for name, bound in (("low", low), ("high", high))
    )
    return elementwise.clip(x, low=low, high=high)


def take(x: Any, ids: Any) -> "Tensor":
    """Rows of x by integer ids, of shape (*ids.shape, *x.shape[1:]); an id out of range, or negative, is an error.

    >>> import tinygrad_seq as ts
    >>> ts.take(ts.eye(3), [2, 0]).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    if not shape_of(x):
        raise ValueError("take: a number has no rows")
    return indexing.take(x, checked_ids("take", ids, shape_of(x)[0], x))


def checked_ids(op: str, ids: Any, count: int, beside: Any = None) -> Any:
    """Ids as a Tensor, beside the table they look up, all within 0 <= id < count."""
    raw = ids.array if isinstance(ids, Value) else indices(op, ids)
    if raw.dtype.kind not in "iu":
        raise TypeError(f"{op}: ids must be integers, got dtype {raw.dtype}")
    if raw.dtype.itemsize < 4:  # `count` itself may not fit into an int8
        raw = raw.astype("int64")
        ids = handle(raw) if isinstance(ids, Value) else raw
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
    """Ids as rows of zeros with a single one: shape (*ids.shape, count).

    >>> import tinygrad_seq as ts
    >>> ts.one_hot([1, 0], 3).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    (count,) = ints("one_hot", (count,))
    if count < 0:
        raise ValueError(f"one_hot: the count of classes must not be negative, got {count}")
    ids = checked_ids("one_hot", ids, count)
    array = ids.array if isinstance(ids, Value) else to_device(host.array(ids, dtype="int64"), default_device.get())
    return handle((array[..., None] == modules[type(array)].arange(count)).astype(as_dtype(dtype)))
