"""Layer normalisation (Ba, Kiros and Hinton, 2016): every position is brought to mean 0 and variance 1 by itself."""

from math import isfinite
from typing import Any

from tinygrad_seq.engine.arguments import as_number, at_least, flag
from tinygrad_seq.engine.creation import ones, zeros
from tinygrad_seq.engine.functions.reductions import mean, widened
from tinygrad_seq.engine.ops.elementwise import sqrt
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.derived import Derived
from tinygrad_seq.nn.module import Module, Parameter
from tinygrad_seq.nn.parameter import check_input


class LayerNorm(Module):
    """Compute y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over the last axes.

    x (..., *normalized_shape) -> y of the same shape; `normalized_shape` is an int or several. The variance is the mean
    squared distance from the mean (biased, as in PyTorch). `weight` starts from ones and `bias` from zeros, both of
    `normalized_shape`; without `elementwise_affine` there is neither, without `bias` no bias. float16 is computed in
    float32. Raises ValueError for other last axes. Ba, Kiros and Hinton, "Layer Normalization" (2016).

    >>> import tinygrad_seq as ts
    >>> ts.nn.LayerNorm(2)(ts.tensor([[1.0, 3.0], [-500.0, 500.0]])).numpy().round(3)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    elementwise_affine = Derived(lambda layer: layer.weight is not None)

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        flag("LayerNorm", elementwise_affine=elementwise_affine, bias=bias)
        shape = tuple(normalized_shape) if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
        if not shape:
            raise ValueError("LayerNorm: normalized_shape must name one axis at least, got ()")
        self.normalized_shape = tuple(at_least(1, "LayerNorm", normalized_shape=size)[0] for size in shape)
        self.eps = as_number("LayerNorm", "eps", eps)
        if isinstance(eps, bool):
            raise TypeError(f"LayerNorm: eps must be a number, got {eps}")
        if not (self.eps >= 0 and isfinite(self.eps)):
            raise ValueError(f"LayerNorm: eps must be a finite number of 0 or more, got {eps}")
        self.weight = Parameter(ones(self.normalized_shape)) if elementwise_affine else None
        self.bias = Parameter(zeros(self.normalized_shape)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        check_input("LayerNorm", "x", x, self.weight)
        if x.dtype.kind != "f":
            raise TypeError(f"LayerNorm: x must be floating, got {x.dtype}: convert it with .to('float32')")
        count = len(self.normalized_shape)
        if x.shape[-count:] != self.normalized_shape:
            expected = ", ".join(map(str, ("...", *self.normalized_shape)))
            raise ValueError(f"LayerNorm: expected x of shape ({expected}), got {x.shape}")
        y: Tensor = standardized(x, tuple(range(-count, 0)), self.eps)
        if self.weight is not None:
            y = y * self.weight
        return y if self.bias is None else y + self.bias

    def describe(self) -> str:
        without = ", elementwise_affine=False" if self.weight is None else ", bias=False" if self.bias is None else ""
        return f"{self.normalized_shape}, eps={self.eps}{without}"


@widened
def standardized(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    """Return (x - mean) / sqrt(var + eps) over some axes."""
    distance = x - mean(x, axes, keepdims=True)
    distance = distance - mean(distance, axes, keepdims=True)  # the mean of large numbers was rounded
    return distance / sqrt(mean(distance * distance, axes, keepdims=True) + eps)
