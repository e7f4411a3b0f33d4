"""Dropout (Srivastava et al., 2014): while training, some numbers are left out at random."""

from typing import Any

from tinygrad_seq import creation
from tinygrad_seq.backend import host, to_device
from tinygrad_seq.record import handle
from tinygrad_seq.tensor import Tensor


def dropout(x: Tensor, p: float, generator: Any = None) -> Tensor:
    """x, each number zero with probability p and the others divided by 1 - p, so that the mean stays."""
    kept = (generator or creation.default_generator).random(x.shape) >= p
    scale = host.asarray(kept / (1 - p) if p < 1 else host.zeros(x.shape), dtype=x.dtype)
    return x * handle(to_device(scale, x.device))
