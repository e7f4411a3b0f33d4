"""The public functions that reduce axes, and those that need a reduction: mean, var, softmax.

They check and complete arguments, then say it in ops: a mean opens up in the picture as a sum and a division.
"""

from collections.abc import Callable
from functools import wraps
from math import prod
from typing import Any, TypeVar

from tinygrad_seq.engine.arguments import Axis, T, an_int, as_number, axes_of, flag, one_axis, shape_of
from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.hints import public
from tinygrad_seq.engine.ops import elementwise, reduction, shape

F = TypeVar("F", bound=Callable[..., Any])


@public
def sum(x: T, axis: Axis = None, keepdims: bool = False) -> T:
    """Return the sum over an axis, several, or all; of no elements it is 0.

    >>> import tinygrad_seq as ts
    >>> ts.sum(ts.tensor([[1, 2], [3, 4]]), axis=0).tolist()
    [4, 6]
    """
    flag("sum", keepdims=keepdims)
    return reduction.reduce_sum(x, axis=axes_of("sum", axis, x), keepdims=keepdims)


def filled_axes(op: str, axis: Axis, x: Any) -> tuple[int, ...]:
    """Return the axes of a reduction; refuse to reduce no elements, where the result would mean nothing."""
    axes = axes_of(op, axis, x)
    if 0 in (shape_of(x)[a] for a in axes):
        raise ValueError(f"{op}: nothing to take the {op} of, the shape is {shape_of(x)}")
    return axes


def count(x: Any, axes: tuple[int, ...]) -> int:
    """Return how many elements are reduced to one."""
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
        return shape.cast(function(shape.cast(x, dtype=wide), *args, **options), dtype=narrow)

    return call  # type: ignore[return-value]


@public
@widened
def mean(x: T, axis: Axis = None, keepdims: bool = False) -> T:
    """Return the mean over an axis, several, or all: sum(x) / n.

    Of integers and truth values it is float32. Raises ValueError where there are no elements.

    >>> import tinygrad_seq as ts
    >>> ts.mean(ts.tensor([1.0, 2.0, 6.0])).item()
    3.0
    """
    flag("mean", keepdims=keepdims)
    axes = filled_axes("mean", axis, x)
    return elementwise.divide(reduction.reduce_sum(x, axis=axes, keepdims=keepdims), count(x, axes))


@public
@widened
def var(x: T, axis: Axis = None, keepdims: bool = False, correction: int = 0) -> T:
    """Return the variance over an axis, several, or all: sum((x - mean(x))^2) / (n - correction).

    `correction` is 0 as in NumPy; PyTorch's default is 1 (Bessel's correction). Of integers and truth values the result
    is float32. Raises ValueError unless 0 <= correction < n.

    >>> import tinygrad_seq as ts
    >>> ts.var(ts.tensor([1.0, 3.0])).item()
    1.0
    """
    flag("var", keepdims=keepdims)
    axes = filled_axes("var", axis, x)
    n, correction = count(x, axes), an_int("var", "correction", correction)
    if not 0 <= correction < n:
        raise ValueError(f"var: correction must be from 0 to {n - 1} for {n} elements, got {correction}")
    distance = elementwise.subtract(x, mean(x, axes, keepdims=True))
    squares = elementwise.multiply(distance, distance)
    return elementwise.divide(sum(squares, axes, keepdims), float(n - correction))


@public
def max(x: T, axis: Axis = None, keepdims: bool = False) -> T:
    """Return the largest over an axis, several, or all; ties share the gradient evenly.

    The values alone, as in NumPy: `argmax` tells where they are (PyTorch's `x.max(1)` gives a pair of both). NaN, if
    there is one. Raises ValueError where there are no elements.

    >>> import tinygrad_seq as ts
    >>> ts.max(ts.tensor([[1, 5], [3, 4]]), axis=1).tolist()
    [5, 4]
    """
    flag("max", keepdims=keepdims)
    return reduction.reduce_max(x, axis=filled_axes("max", axis, x), keepdims=keepdims)


@public
def min(x: T, axis: Axis = None, keepdims: bool = False) -> T:
    """Return the smallest over an axis, several, or all; ties share the gradient evenly.

    The values alone, as in NumPy (PyTorch's `x.min(1)` gives a pair of values and indices). NaN, if there is one.
    Raises ValueError where there are no elements.

    >>> import tinygrad_seq as ts
    >>> ts.min(ts.tensor([[1, 5], [3, 4]]), axis=1).tolist()
    [1, 3]
    """
    flag("min", keepdims=keepdims)
    return reduction.reduce_min(x, axis=filled_axes("min", axis, x), keepdims=keepdims)


@public
def argmax(x: T, axis: int | None = None) -> T:
    """Return the index of the largest along an axis, or in the flattened array; of several, the first one's.

    An int64 without gradient. Raises ValueError where there are no elements.

    >>> import tinygrad_seq as ts
    >>> ts.argmax(ts.tensor([3.0, 7.0, 5.0])).item()
    1
    """
    axes = filled_axes("argmax", None if axis is None else one_axis("argmax", axis, len(shape_of(x))), x)
    return reduction.argmax(x, axis=None if axis is None else axes[0])


@public
@widened
def norm(x: T, ord: float = 2.0, axis: Axis = None, keepdims: bool = False) -> T:
    """Return the length of a vector, (sum |x|^ord)^(1/ord), over an axis, several, or all.

    `ord` is at least 1, or inf (the largest |x|), or -inf (the smallest). A matrix counts as one long vector (NumPy's
    `linalg.vector_norm`): the default is its Frobenius norm. At 0 the gradient is 0. Raises ValueError for other `ord`.

    >>> import tinygrad_seq as ts
    >>> ts.norm(ts.tensor([3.0, 4.0])).item(), ts.norm(ts.tensor([3.0, -4.0]), ord=1).item()
    (5.0, 7.0)
    """
    flag("norm", keepdims=keepdims)
    ord = as_number("norm", "ord", ord)
    if ord in (host.inf, -host.inf):
        return (max if ord > 0 else min)(elementwise.abs(x), axis, keepdims)
    if not ord >= 1:
        raise ValueError(f"norm: ord must be at least 1, or inf or -inf, got {ord}")
    return reduction.norm(x, ord=float(ord), axis=axes_of("norm", axis, x), keepdims=keepdims)


@public
@widened
def logsumexp(x: T, axis: Axis = None, keepdims: bool = False) -> T:
    """Return log(sum(exp(x))) over an axis, several, or all: a smooth maximum, without overflow.

    Computed as m + log(sum(exp(x - m))) with the largest m. Its gradient is softmax(x). Raises ValueError where there
    are no elements.

    >>> import tinygrad_seq as ts
    >>> ts.logsumexp(ts.tensor([1e4, -1e4])).item()
    10000.0
    """
    flag("logsumexp", keepdims=keepdims)
    return reduction.logsumexp(x, axis=filled_axes("logsumexp", axis, x), keepdims=keepdims)


@public
@widened
def log_softmax(x: T, axis: int = -1) -> T:
    """Return log(softmax(x)) along an axis, x - logsumexp(x): accurate where the softmax itself is 0.

    Raises ValueError where there are no elements.

    >>> import tinygrad_seq as ts
    >>> ts.log_softmax(ts.tensor([0.0, -1e4])).tolist()
    [0.0, -10000.0]
    """
    return reduction.log_softmax(x, axis=filled_axes("log_softmax", axis, x))


@public
@widened
def softmax(x: T, axis: int = -1) -> T:
    """Return exp(x) / sum(exp(x)) along an axis: from 0 to 1, and with the sum 1, so a probability for each class.

    Computed as exp(log_softmax(x)), without overflow. Raises ValueError where there are no elements.

    >>> import tinygrad_seq as ts
    >>> ts.softmax(ts.zeros(4)).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    return elementwise.exp(reduction.log_softmax(x, axis=filled_axes("softmax", axis, x)))
