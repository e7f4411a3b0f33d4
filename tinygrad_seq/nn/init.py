"""Starting values of parameters, drawn on the host so that a seed gives the same ones on every device."""

from typing import Any

from tinygrad_seq import creation
from tinygrad_seq.nn.module import Parameter


def uniform(*shape: int, bound: float, dtype: Any = "float32", generator: Any = None) -> Parameter:
    """A Parameter of draws from U(-bound, bound); PyTorch's layers take bound = 1 / sqrt(number of inputs)."""
    draw = (generator or creation.default_generator).uniform(-bound, bound, shape)
    return Parameter(draw.astype(dtype))


def normal(*shape: int, deviation: float = 1.0, dtype: Any = "float32", generator: Any = None) -> Parameter:
    """A Parameter of draws from N(0, deviation^2)."""
    draw = (generator or creation.default_generator).standard_normal(shape) * deviation
    return Parameter(draw.astype(dtype))
