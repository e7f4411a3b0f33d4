"""Tensors from data, from nothing and from chance.

Random numbers are drawn on the host by NumPy's Generator and then uploaded, so that a seed gives the same numbers on
every device.
"""

from numbers import Integral, Real
from typing import Any

from tinygrad_seq.engine.arguments import ints, spread
from tinygrad_seq.engine.backend import (
    as_dtype,
    check_differentiable,
    default_dtype,
    host,
    modules,
    to_default_device,
    to_device,
)
from tinygrad_seq.engine.coercion import unwrapped, without_history
from tinygrad_seq.engine.graph import leaf
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.tensor import Tensor

default_generator = host.random.default_rng()


def tensor(data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Make a Tensor with a copy of the data: numbers, nested lists, a NumPy array, a Tensor.

    A NumPy array keeps its dtype; Python floats become float32, ints int64, bools bool. `device` is "cpu" (the
    default, or where the data is), "cuda" or "cuda:N". Raises TypeError for what is not numbers.

    >>> import tinygrad_seq as ts
    >>> ts.tensor([[1.0, 2.0]]).shape
    (1, 2)
    """
    source = data
    if isinstance(data, Tensor):  # a copy of a leaf is a new leaf; a result would lose its history
        source = data.array if data.is_leaf else without_history("tensor", data, "the Tensor itself")
    if type(source) not in modules:
        try:
            source = host.array(unwrapped("tensor", source))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"tensor: the data has no regular shape: {error}") from None
        if source.dtype.kind == "f" and dtype is None and not hasattr(data, "dtype"):
            dtype = default_dtype
    if source.dtype.kind not in "fiub":
        raise TypeError(f"tensor: expected numbers, got {type(data).__name__} of dtype {source.dtype}")
    if device is not None:
        source = to_device(source, device)
    elif not isinstance(data, Tensor):
        source = to_default_device(source)
    kind = source.dtype.newbyteorder("=") if dtype is None else as_dtype(dtype)  # files may hold the other byte order
    array = modules[type(source)].array(source, dtype=kind)
    check_differentiable(array, requires_grad)
    made: Tensor = make_tensor(array)
    if requires_grad:
        leaf(made, True)
    return made


def manual_seed(seed: int) -> None:
    """Start the default generator anew: the same seed gives the same weights, dropout and shuffles.

    A process that is forked goes on from the state of its parent, as in NumPy and PyTorch: several workers draw the
    same numbers, unless each begins with a seed of its own, as `ts.manual_seed(seed + number)`.

    >>> import tinygrad_seq as ts
    >>> ts.manual_seed(0)
    >>> first = ts.rand(2).tolist()
    >>> ts.manual_seed(0)
    >>> ts.rand(2).tolist() == first
    True
    """
    (number,) = ints("manual_seed", (seed,))
    if number < 0:
        raise ValueError(f"manual_seed: a seed must not be negative, got {number}")
    default_generator.bit_generator.state = host.random.default_rng(number).bit_generator.state


def get_rng_state() -> dict[str, Any]:
    """Return the state of the default generator, as plain values that `ts.save` takes.

    >>> import tinygrad_seq as ts
    >>> state = ts.get_rng_state()
    >>> first = ts.rand(2)
    >>> ts.set_rng_state(state)
    >>> ts.rand(2).tolist() == first.tolist()
    True
    """
    return dict(default_generator.bit_generator.state)


def set_rng_state(state: dict[str, Any]) -> None:
    """Put the default generator back to where `get_rng_state` was called; ValueError, and no change, if it is not that.

    >>> import tinygrad_seq as ts
    >>> ts.set_rng_state(ts.get_rng_state())
    """
    trial: Any = host.random.PCG64()
    try:
        trial.state = state
    except Exception as error:
        raise ValueError(f"set_rng_state: expected what get_rng_state() gives: {error}") from error
    default_generator.bit_generator.state = trial.state


def size_of(op: str, shape: tuple[Any, ...]) -> tuple[int, ...]:
    """Return a shape that is given as ints or as one tuple; refuse what is none."""
    size = ints(op, spread(shape))
    if any(n < 0 for n in size):
        raise ValueError(f"{op}: a shape must not be negative, got {size}")
    return size


def filled(op: str, shape: tuple[Any, ...], value: Any, dtype: Any, device: str | None) -> Tensor:
    kind = as_dtype(dtype or ("float32" if isinstance(value, float) else type(value)))
    size = size_of(op, shape)
    try:
        array = host.full(size, value, dtype=kind)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{op}: cannot fill shape {size!s:.60} and dtype {kind} with {value!r:.60}: {error}") from None
    return tensor(array, device=device)


def full(shape: Any, value: float, dtype: Any = None, device: str | None = None) -> Tensor:
    """Make a Tensor of one value everywhere; a float gives float32, an int int64, a bool bool.

    >>> import tinygrad_seq as ts
    >>> ts.full((2,), 7)
    tensor([7, 7])
    """
    if not isinstance(value, bool | int | float | host.generic):
        raise TypeError(f"full: value must be a number, got {value!r:.60}")
    return filled("full", (shape,), value, dtype, device)


def zeros(*shape: Any, dtype: Any = "float32", device: str | None = None) -> Tensor:
    """Make zeros, of a shape given as ints or as one tuple.

    >>> import tinygrad_seq as ts
    >>> ts.zeros(2)
    tensor([0., 0.])
    """
    return filled("zeros", shape, 0.0, dtype, device)


def ones(*shape: Any, dtype: Any = "float32", device: str | None = None) -> Tensor:
    """Make ones, of a shape given as ints or as one tuple.

    >>> import tinygrad_seq as ts
    >>> ts.ones((1, 2), dtype="float64")
    tensor([[1., 1.]], dtype=float64)
    """
    return filled("ones", shape, 1.0, dtype, device)


def arange(*limits: float, dtype: Any = None, device: str | None = None) -> Tensor:
    """Count: `arange(stop)`, `arange(start, stop)` or `arange(start, stop, step)`; ints give int64, floats float32.

    >>> import tinygrad_seq as ts
    >>> ts.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    if not 1 <= len(limits) <= 3 or not all(isinstance(limit, Real) for limit in limits):
        raise TypeError(f"arange: expected numbers (stop), (start, stop) or (start, stop, step), got {limits}")
    if len(limits) == 3 and limits[2] == 0:
        raise ValueError("arange: the step must not be 0")
    whole = all(isinstance(limit, Integral) for limit in limits)
    try:
        array = host.arange(*limits, dtype=as_dtype(dtype or ("int64" if whole else "float32")))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"arange: cannot count through {limits}: {error}") from None
    return tensor(array, device=device)


def eye(n: int, dtype: Any = "float32", device: str | None = None) -> Tensor:
    """Make the identity matrix of n rows.

    >>> import tinygrad_seq as ts
    >>> ts.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return tensor(host.eye(*size_of("eye", (n,)), dtype=as_dtype(dtype)), device=device)


def chosen(op: str, generator: Any) -> Any:
    """Return the generator to draw from: the one given, or the one that `manual_seed` sets."""
    if not isinstance(generator, host.random.Generator | None):
        raise TypeError(f"{op}: generator must be a numpy.random.default_rng(seed), got {type(generator).__name__}")
    return generator or default_generator


def uniform_draws(random: Any, shape: tuple[int, ...], dtype: Any, low: float = 0.0, high: float = 1.0) -> Any:
    """Draw from [low, high) in a floating dtype: what would be rounded up to `high` becomes the number below it."""
    draws = host.asarray(low + (high - low) * random.random(shape), dtype=dtype)
    return host.minimum(draws, host.nextafter(dtype.type(high), dtype.type(low)))


def floating(op: str, dtype: Any) -> Any:
    """Return the dtype to draw in; refuse one that draws do not fit into."""
    kind = as_dtype(dtype)
    if kind.kind != "f":
        raise TypeError(f"{op}: dtype must be floating, got {kind}: draws are not whole numbers")
    return kind


def randn(*shape: Any, dtype: Any = "float32", device: str | None = None, generator: Any = None) -> Tensor:
    """Draw from the standard normal distribution N(0, 1).

    >>> import tinygrad_seq as ts
    >>> ts.randn(2, 3).shape
    (2, 3)
    """
    draw = chosen("randn", generator).standard_normal(size_of("randn", shape))
    return tensor(host.asarray(draw, dtype=floating("randn", dtype)), device=device)


def rand(*shape: Any, dtype: Any = "float32", device: str | None = None, generator: Any = None) -> Tensor:
    """Draw from the uniform distribution on [0, 1), in every dtype without the 1.

    >>> import numpy as np, tinygrad_seq as ts
    >>> ts.rand(2, generator=np.random.default_rng(0))
    tensor([0.6369617 , 0.26978672])
    """
    draw = uniform_draws(chosen("rand", generator), size_of("rand", shape), floating("rand", dtype))
    return tensor(draw, device=device)
