"""Random Tensors, and the generator that draws them.

Random numbers are drawn on the host by NumPy's Generator and then uploaded, so that a seed gives the same numbers on
every device.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tinygrad_seq.engine.arguments import an_int
from tinygrad_seq.engine.backend import as_dtype, default_dtype, draws_on_gpu, host, to_default_device, to_device
from tinygrad_seq.engine.creation import size_of, tensor
from tinygrad_seq.engine.hints import public
from tinygrad_seq.engine.tensor import Tensor

default_generator = host.random.default_rng()
redraw: ContextVar[Any] = ContextVar("redraw", default=None)  # while a function is traced: called for every draw
again: ContextVar[Any] = ContextVar("again", default=None)  # while a function runs again: draws the same numbers


@public
def manual_seed(seed: int) -> None:
    """Start the default generator anew: the same seed gives the same weights, dropout and shuffles.

    `seed` is an int of any size from 0; ValueError for a negative one.

    A process that is forked goes on from the state of its parent, as in NumPy and PyTorch: several workers draw the
    same numbers, unless each begins with a seed of its own, as `ts.manual_seed(seed + number)`.

    >>> import tinygrad_seq as ts
    >>> ts.manual_seed(0)
    >>> first = ts.rand(2).tolist()
    >>> ts.manual_seed(0)
    >>> ts.rand(2).tolist() == first
    True
    """
    number = an_int("manual_seed", "seed", seed)
    if number < 0:
        raise ValueError(f"manual_seed: a seed must not be negative, got {number}")
    go_on_from(host.random.default_rng(number).bit_generator.state)


def get_rng_state() -> dict[str, Any]:
    """Return the state of the default generator, as plain values that `ts.save` takes.

    >>> import tinygrad_seq as ts
    >>> state = ts.get_rng_state()
    >>> first = ts.rand(2)
    >>> ts.set_rng_state(state)
    >>> ts.rand(2).tolist() == first.tolist()
    True
    """
    return dict(default().bit_generator.state)


def set_rng_state(state: dict[str, Any]) -> None:
    """Put the default generator back to where `get_rng_state` was called.

    Raises ValueError, and changes nothing, for a state that is not one of `get_rng_state`.

    >>> import tinygrad_seq as ts
    >>> ts.set_rng_state(ts.get_rng_state())
    """
    trial: Any = host.random.PCG64()
    try:
        trial.state = state
    except Exception as error:
        raise ValueError(f"set_rng_state: expected what get_rng_state() gives: {error}") from error
    go_on_from(trial.state)


def go_on_from(state: Any) -> None:
    """Put the default generator into a state; a function that is traced may not, for its program would not do so."""
    traced = redraw.get()
    if traced is not None:
        traced(default(), None)
    default().bit_generator.state = state


@contextmanager
def drawn_again(state: dict[str, Any]) -> Iterator[None]:
    """Draw from a new generator of that state in here; the default one is not changed."""
    around, generator = again.get(), host.random.Generator(host.random.PCG64(0))
    generator.bit_generator.state = state
    try:
        again.set(generator)
        yield
    finally:
        again.set(around)


def default() -> Any:
    """Return the generator to draw from where none was given."""
    return again.get() or default_generator


def chosen(op: str, generator: Any) -> Any:
    """Return the generator to draw from: the one given, or the one that `manual_seed` sets."""
    if op == "dropout" and draws_on_gpu(generator):
        return generator
    if not isinstance(generator, host.random.Generator | None):
        is_mode = op == "dropout" and isinstance(generator, bool)  # PyTorch's `training` comes third
        hint = ": nn.Dropout(p) follows model.train() and model.eval()" * is_mode
        raise TypeError(
            f"{op}: generator must be a numpy.random.default_rng(seed), got {type(generator).__name__}{hint}"
        )
    return generator or default()


def drawn(op: str, generator: Any, draw: Callable[[Any], Any]) -> Any:
    """Return what `draw(generator)` makes on the host. A program draws anew at every call: see replay."""
    traced, random = redraw.get(), chosen(op, generator)
    return draw(random) if traced is None else traced(random, draw)


def there(array: Any, device: str | None) -> Any:
    """Return an array on a device, or on the default one."""
    return to_default_device(array) if device is None else to_device(array, device)


def uniform_draws(random: Any, shape: tuple[int, ...], dtype: Any, low: float = 0.0, high: float = 1.0) -> Any:
    """Draw from [low, high) in a floating dtype: what would be rounded up to `high` becomes the number below it."""
    draws = host.asarray(low + (high - low) * random.random(shape), dtype=dtype)
    return host.minimum(draws, host.nextafter(dtype.type(high), dtype.type(low)))


def floating(op: str, dtype: Any) -> Any:
    """Return the dtype to draw in; refuse one that draws do not fit into."""
    kind = as_dtype(dtype or default_dtype)
    if kind.kind != "f":
        raise TypeError(f"{op}: dtype must be floating, got {kind}: draws are not whole numbers")
    return kind


@public
def randn(
    *shape: Any,
    dtype: Any = "float32",
    device: str | None = None,
    generator: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Draw from the standard normal distribution N(0, 1), with the default generator or a given one.

    Drawn in float64 by NumPy on the host, then rounded, so a seed gives the same numbers on every device. Raises
    TypeError for integer dtypes and for what is no `numpy.random.Generator`, ValueError for a negative length.

    >>> import tinygrad_seq as ts
    >>> ts.randn(2, 3).shape
    (2, 3)
    """
    size, kind = size_of("randn", shape), floating("randn", dtype)
    draw = drawn("randn", generator, lambda random: there(random.standard_normal(size).astype(kind), device))
    return tensor(draw, device=device, requires_grad=requires_grad)


@public
def rand(
    *shape: Any,
    dtype: Any = "float32",
    device: str | None = None,
    generator: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Draw from the uniform distribution on [0, 1), with the default generator or a given one.

    Drawn in float64 and rounded as in `randn`, but never to 1. Raises the same errors.

    >>> import numpy as np, tinygrad_seq as ts
    >>> ts.rand(2, generator=np.random.default_rng(0))
    tensor([0.6369617 , 0.26978672])
    """
    size, kind = size_of("rand", shape), floating("rand", dtype)
    draw = drawn("rand", generator, lambda random: there(uniform_draws(random, size, kind), device))
    return tensor(draw, device=device, requires_grad=requires_grad)
