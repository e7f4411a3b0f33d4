"""The public functions that compute with each element or with matrices, and check their arguments."""

from typing import Any, overload

from tinygrad_seq.engine.arguments import T, as_number, shape_of
from tinygrad_seq.engine.backend import Raw
from tinygrad_seq.engine.coercion import coerce_all
from tinygrad_seq.engine.functions.shapes import squeeze
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.engine.hints import public
from tinygrad_seq.engine.ops import elementwise, shape
from tinygrad_seq.engine.ops.matmul import matmul as multiplied


@overload
def matmul(x: Raw, y: Any) -> Any: ...
@overload
def matmul(x: T, y: Any) -> T: ...
@public
def matmul(x: Any, y: Any) -> Any:
    """Return the matrix product x @ y: shapes (..., n, k) and (..., k, m) give (..., n, m).

    The axes before the last two broadcast. A vector counts as a row on the left and as a column on the right, and its
    axis is not in the result, as in NumPy. Raises ValueError for shapes that do not fit, and for a single number.

    >>> import tinygrad_seq as ts
    >>> ts.matmul(ts.ones(2, 3), ts.arange(3).to("float32")).tolist()
    [3.0, 3.0]
    """
    left, right = shape_of(x), shape_of(y)
    if len(left) > 1 and len(right) > 1:
        return multiplied(x, y)
    if not left or not right:
        raise ValueError(f"matmul: shapes {left} and {right}: a number has no matrix product, multiply with *")
    if isinstance(x, Value) or isinstance(y, Value):  # a list beside a Tensor takes its dtype here, once
        x, y = coerce_all("matmul", (x, y))
    if left[-1] != right[0 if len(right) == 1 else -2]:
        raise ValueError(f"matmul: shapes {left} and {right} do not fit: {left[-1]} columns meet {right[-2:][0]} rows")
    found = multiplied(
        shape.reshape(x, shape=(1, *left)) if len(left) == 1 else x,
        shape.reshape(y, shape=(*right, 1)) if len(right) == 1 else y,
    )
    return squeeze(found, tuple(axis for axis, side in ((-2, left), (-1, right)) if len(side) == 1))


@public
def clip(x: T, low: float | None = None, high: float | None = None) -> T:
    """Return min(max(x, low), high), elementwise; None leaves that side open.

    The gradient is 1 from low to high, both included, and 0 outside, as in PyTorch to 2.13; in 2.14 it is 0 at the
    bounds. Raises TypeError for bounds that are not numbers: `maximum` and `minimum` take arrays.

    >>> import tinygrad_seq as ts
    >>> ts.clip(ts.tensor([-2.0, 0.5, 9.0]), 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    low, high = (
        bound if bound is None else as_number("clip", f"{name} (for arrays: maximum, minimum)", bound)
        for name, bound in (("low", low), ("high", high))
    )
    return elementwise.clip(x, low=low, high=high)
