"""Dropout (Srivastava et al., 2014): while training, some numbers are left out at random."""

from typing import Any

from tinygrad_seq.engine.arguments import probability
from tinygrad_seq.engine.backend import host, to_device
from tinygrad_seq.engine.random import chosen
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.module import Module


def dropout(x: Tensor, p: float, generator: Any = None) -> Tensor:
    """Set each number of x to zero with probability p; divide the others by 1 - p, so that the mean stays.

    What is left out is multiplied by 0, as in PyTorch: an infinity or NaN there becomes NaN, forward and backward.
    The draws are made on the host, so that a seed leaves out the same numbers on every device.

    >>> import tinygrad_seq as ts
    >>> sorted(set(ts.nn.dropout(ts.ones(1000), 0.5).tolist()))
    [0.0, 2.0]
    """
    if not isinstance(x, Tensor) or x.dtype.kind != "f":
        raise TypeError(f"dropout: x must be a floating Tensor, got {getattr(x, 'dtype', type(x).__name__)}")
    p = probability("dropout", "p", p)
    kept = chosen("dropout", generator).random(x.shape) >= p
    scale = host.asarray(kept / (1 - p) if p < 1 else host.zeros(x.shape), dtype=x.dtype)
    factors: Tensor = make_tensor(to_device(scale, x.device))
    return x * factors


class Dropout(Module):
    """Set y = 0 with probability p and x / (1 - p) otherwise while training; y = x after `.eval()`.

    x and y of any shape. Draws come from the generator that `ts.manual_seed` seeds. Raises ValueError for p outside
    [0, 1].

    >>> import tinygrad_seq as ts
    >>> layer = ts.nn.Dropout(0.5)
    >>> layer.eval()(ts.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability("Dropout", "p", p)

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p) if self.training and self.p else x

    def describe(self) -> str:
        return f"p={self.p}"
