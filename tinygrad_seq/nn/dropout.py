"""Dropout (Srivastava et al., 2014): while training, some numbers are left out at random.

With a shared axis, the same ones all along it: over time, that is variational dropout (Gal and Ghahramani, 2016).
"""

from typing import Any

from tinygrad_seq.engine.arguments import axes_of, ints, probability
from tinygrad_seq.engine.backend import draws_on_gpu, on_device_of, to_device
from tinygrad_seq.engine.callers import known_arguments, warn
from tinygrad_seq.engine.random import drawn
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.scope import current
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.parameter import check_input


@known_arguments
def dropout(x: Tensor, p: float, generator: Any = None, shared_axis: int | tuple[int, ...] | None = None) -> Tensor:
    """Set each number of x to zero with probability p; divide the others by 1 - p, so that the mean stays.

    Along a `shared_axis`, or several, all are left out or none. What is left out is multiplied by 0, as in PyTorch: an
    infinity or NaN there becomes NaN, forward and backward. The draws are made on the host, so that a seed leaves out
    the same numbers on every device; a `generator` of CuPy (`cupy.random.default_rng(seed)`) draws large masks on the
    GPU, other numbers than NumPy's. Raises IndexError for an axis that x does not have.

    >>> import tinygrad_seq as ts
    >>> sorted(set(ts.nn.dropout(ts.ones(1000), 0.5).tolist()))
    [0.0, 2.0]
    """
    if not isinstance(x, Tensor) or x.dtype.kind != "f":
        raise TypeError(f"dropout: x must be a floating Tensor, got {getattr(x, 'dtype', type(x).__name__)}")
    p = probability("dropout", "p", p)
    shared = axes_of("dropout: shared_axis", checked_axes("dropout", shared_axis), x)
    shape = tuple(1 if axis in shared else size for axis, size in enumerate(x.shape))

    def draw(random: Any) -> Any:
        if draws_on_gpu(random) and x.device == "cpu":
            raise TypeError('dropout: the generator draws on a GPU, x is on cpu: move x with .to("cuda")')
        with on_device_of(x.array):
            kept = random.random(shape) >= p
            return to_device((kept / (1 - p) if p < 1 else kept * 0.0).astype(x.dtype), x.device)

    factors: Tensor = make_tensor(drawn("dropout", generator, draw)).named("mask of dropout")
    return x * factors


def checked_axes(op: str, shared_axis: Any) -> tuple[int, ...]:
    """Return the axes along which the same numbers are left out; raise TypeError for what is no int."""
    given = () if shared_axis is None else shared_axis if isinstance(shared_axis, tuple | list) else (shared_axis,)
    if any(isinstance(axis, bool) for axis in given):
        raise TypeError(f"{op}: shared_axis must be the number of an axis, or several, got {shared_axis!r}")
    return ints(f"{op}: shared_axis", given)


def warn_if_evaluating(layer: Module) -> None:
    """Warn of a layer that drops under `no_grad`, where nothing is trained, unless its own `train()` was called."""
    if current.get().recording is False and not layer.mode_was_set:
        warn(
            f"{type(layer).__name__}: drops numbers under no_grad, where nothing is trained: call model.eval() before, "
            "and model.train() after; nn.dropout(x, p) drops always (python -m tinygrad_seq explain eval-forgotten)"
        )


class Dropout(Module):
    """Set y = 0 with probability p and x / (1 - p) otherwise while training; y = x after `.eval()`.

    x and y of any shape. With `shared_axis`, an int or several, one draw serves that whole axis: in (T, B, H),
    `shared_axis=0` leaves out the same numbers at every step (Gal and Ghahramani, 2016). Draws come from the generator
    that `ts.manual_seed` seeds. Raises ValueError for p outside [0, 1], IndexError for an axis that x does not have.

    >>> import tinygrad_seq as ts
    >>> layer = ts.nn.Dropout(0.5)
    >>> layer.eval()(ts.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, p: float = 0.5, shared_axis: int | tuple[int, ...] | None = None) -> None:
        self.p = probability("Dropout", "p", p)
        self.shared_axis = shared_axis
        checked_axes("Dropout", shared_axis)

    def forward(self, x: Tensor) -> Tensor:
        check_input("Dropout", "x", x, None)
        if not self.training or not self.p:
            return x
        warn_if_evaluating(self)
        return dropout(x, self.p, shared_axis=self.shared_axis)

    def describe(self) -> str:
        return f"p={self.p}" + (f", shared_axis={self.shared_axis}" if self.shared_axis is not None else "")
