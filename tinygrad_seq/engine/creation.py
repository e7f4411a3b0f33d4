"""Tensors from data, and of constants."""

from numbers import Integral, Real
from operator import index
from typing import Any

from tinygrad_seq.engine.arguments import at_least, flag, ints, spread
from tinygrad_seq.engine.backend import (
    as_dtype,
    check_differentiable,
    default_dtype,
    host,
    modules,
    on_device_of,
    to_default_device,
    to_device,
)
from tinygrad_seq.engine.coercion import unwrapped, with_large_ints, without_history
from tinygrad_seq.engine.graph import leaf
from tinygrad_seq.engine.hints import public
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.tensor import Tensor


@public
def tensor(data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Make a Tensor with a copy of the data: numbers, nested lists, a NumPy array, a Tensor.

    A NumPy array keeps its dtype; Python floats become float32, ints int64, bools bool. `device` is "cpu" (the
    default, or where the data is), "cuda" or "cuda:N". Raises TypeError for what is not numbers, for integers that
    shall require a gradient and for the result of a recorded op, whose history would be lost; ValueError for lists of
    no regular shape, and for numbers that an integer dtype cannot hold, as int64 unless another is given.

    >>> import tinygrad_seq as ts
    >>> ts.tensor([[1.0, 2.0]]).shape
    (1, 2)
    """
    flag("tensor", requires_grad=requires_grad)
    source = data
    if isinstance(data, Tensor):  # a copy of a leaf is a new leaf; a result would lose its history
        source = data.array if data.is_leaf else without_history("tensor", data, "the Tensor itself")
    if type(source) not in modules:
        try:
            given = unwrapped("tensor", source)
            source = host.array(given)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"tensor: the data has no regular shape: {error}") from None
        source = with_large_ints("tensor", given, source, dtype)
        if source.dtype.kind == "f" and dtype is None and not hasattr(data, "dtype"):
            dtype = default_dtype
    if source.dtype.kind not in "fiub":
        raise TypeError(f"tensor: expected numbers, got {type(data).__name__} of dtype {source.dtype}")
    if device is not None:
        source = to_device(source, device)
    elif not isinstance(data, Tensor):
        source = to_default_device(source)
    kind = source.dtype.newbyteorder("=") if dtype is None else as_dtype(dtype)  # files may hold the other byte order
    with on_device_of(source):
        if kind.kind in "iu" and kind != source.dtype and source.dtype.kind != "b" and source.size:
            limits = host.iinfo(kind)
            if not (source.min() >= limits.min and source.max() < limits.max + 1):  # NaN neither; 2^63 - 1 is no float
                raise ValueError(f"tensor: the data reaches from {source.min()} to {source.max()}, beyond {kind}")
        array = modules[type(source)].array(source, dtype=kind)
    check_differentiable(array, requires_grad)
    made: Tensor = make_tensor(array)
    if requires_grad:
        leaf(made, True)
    return made


def size_of(op: str, shape: tuple[Any, ...]) -> tuple[int, ...]:
    """Return a shape that is given as ints or as one tuple; refuse what is none."""
    size = ints(f"{op}: shape", spread(shape))
    if any(n < 0 for n in size):
        raise ValueError(f"{op}: a shape must not be negative, got {size}")
    return size


def filled(op: str, shape: tuple[Any, ...], value: Any, dtype: Any, device: str | None, requires_grad: bool) -> Tensor:
    """Return a Tensor of one value, checked; a constant's value is noted for pictures."""
    kind = as_dtype(dtype or ("float32" if isinstance(value, float) else type(value)))
    size = size_of(op, shape)
    try:
        one = host.array(int(value) if kind.kind in "iu" else value, kind)  # no NaN or 300 becomes some int8
        array = host.full(size, one, kind)
    except (MemoryError, OverflowError, ValueError) as error:
        raise ValueError(f"{op}: cannot fill shape {size!s:.60} and dtype {kind} with {value!r:.60}: {error}") from None
    made = tensor(array, device=device, requires_grad=requires_grad)
    if not requires_grad:
        leaf(made, False).static = {"value": array.item(0) if array.size else value}  # for pictures: "1"
    return made


@public
def full(
    shape: Any, value: float, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Make a Tensor of one value everywhere; a float gives float32, an int int64, a bool bool.

    Raises TypeError for what is no number, ValueError for a negative length or a value that the dtype cannot hold.

    >>> import tinygrad_seq as ts
    >>> ts.full((2,), 7)
    tensor([7, 7])
    """
    if not isinstance(value, bool | int | float | host.generic):
        raise TypeError(f"full: value must be a number, got {value!r:.60}")
    return filled("full", (shape,), value, dtype, device, requires_grad)


@public
def zeros(
    *shape: Any, dtype: Any = "float32", device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Make zeros, of a shape given as ints or as one tuple. Raises ValueError for a negative length.

    >>> import tinygrad_seq as ts
    >>> ts.zeros(2)
    tensor([0., 0.])
    """
    return filled("zeros", shape, 0.0, dtype, device, requires_grad)


@public
def ones(
    *shape: Any, dtype: Any = "float32", device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Make ones, of a shape given as ints or as one tuple. Raises ValueError for a negative length.

    >>> import tinygrad_seq as ts
    >>> ts.ones((1, 2), dtype="float64")
    tensor([[1., 1.]], dtype=float64)
    """
    return filled("ones", shape, 1.0, dtype, device, requires_grad)


@public
def zeros_like(x: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Make zeros of the shape of x, and of its dtype and device where no other is given.

    >>> import tinygrad_seq as ts
    >>> ts.zeros_like(ts.tensor([1, 2]))
    tensor([0, 0])
    """
    return like("zeros_like", x, 0.0, dtype, device, requires_grad)


@public
def ones_like(x: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Make ones of the shape of x, and of its dtype and device where no other is given.

    >>> import tinygrad_seq as ts
    >>> ts.ones_like(ts.zeros(2))
    tensor([1., 1.])
    """
    return like("ones_like", x, 1.0, dtype, device, requires_grad)


def like(op: str, x: Any, value: float, dtype: Any, device: str | None, requires_grad: bool) -> Tensor:
    """Return a Tensor of one value that is like another."""
    of = x if isinstance(x, Tensor) else tensor(x)
    return filled(op, (of.shape,), value, dtype or of.dtype, device or of.device, requires_grad)


@public
def arange(*limits: float, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Make start, start + step, ... below stop: `arange(stop)`, `arange(start, stop)` or `arange(start, stop, step)`.

    Ints give int64, floats float32, which are counted in float64. Raises ValueError for a step of 0, and for numbers
    that the dtype cannot hold.

    >>> import tinygrad_seq as ts
    >>> ts.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    limits = tuple([index(x) if hasattr(x, "__index__") else x for x in limits])  # a number of a traced call, too
    if not 1 <= len(limits) <= 3 or not all(isinstance(limit, Real) for limit in limits):
        raise TypeError(f"arange: expected numbers (stop), (start, stop) or (start, stop, step), got {limits}")
    if len(limits) == 3 and limits[2] == 0:
        raise ValueError("arange: the step must not be 0")
    whole = all(isinstance(limit, Integral) for limit in limits)
    is_large = not all(-(2**63) <= limit < 2**63 for limit in limits)
    kind = as_dtype(dtype or ("int64" if whole else "float32"))
    try:
        if not whole or (kind.kind == "f" and is_large):
            array = host.arange(*map(float, limits))
        elif is_large and (kind != "uint64" or min(limits) < 0):
            raise OverflowError("int64 cannot hold that")
        else:
            array = host.arange(*map(int, limits), dtype="uint64" if is_large else "int64")
    except (MemoryError, OverflowError, ValueError) as error:
        raise ValueError(f"arange: cannot count {limits} in {kind}: {error}") from None
    return tensor(array, kind, device, requires_grad)


@public
def eye(n: int, dtype: Any = "float32", device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Make the identity matrix of n rows: ones on the diagonal. Raises ValueError for a negative n.

    >>> import tinygrad_seq as ts
    >>> ts.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    (n,), kind = at_least(0, "eye", n=n), as_dtype(dtype or default_dtype)
    return tensor(host.eye(n, dtype=kind), device=device, requires_grad=requires_grad)
