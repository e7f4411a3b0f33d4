"""Linear: the affine map y = x W^T + b."""

from tinygrad_seq.engine.arguments import at_least, flag
from tinygrad_seq.engine.functions.arithmetic import matmul
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.derived import Derived
from tinygrad_seq.nn.init import uniform
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.parameter import check_input


class Linear(Module):
    """Apply y = x W^T + b to the last axis.

    x (..., in_features) -> y (..., out_features); `weight` (out_features, in_features) and `bias` (out_features,) start
    from U(-1/sqrt(in_features), 1/sqrt(in_features)), as in PyTorch. Raises ValueError for another last axis.

    >>> import tinygrad_seq as ts
    >>> ts.nn.Linear(3, 2)(ts.zeros(5, 3)).shape
    (5, 2)
    """

    in_features = Derived(lambda layer: layer.weight.shape[1])
    out_features = Derived(lambda layer: layer.weight.shape[0])

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        at_least(1, "Linear", in_features=in_features, out_features=out_features)
        flag("Linear", bias=bias)
        self.weight = uniform(out_features, in_features, bound=in_features**-0.5)
        self.bias = uniform(out_features, bound=in_features**-0.5) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        outputs, inputs = self.weight.shape
        check_input("Linear", "x", x, self.weight)
        if not x.shape or x.shape[-1] != inputs:
            raise ValueError(
                f"Linear: expected x of shape (..., {inputs}), got {x.shape} "
                "(python -m tinygrad_seq explain wrong-shape)"
            )
        rows = x if x.ndim == 2 else x.reshape(-1, inputs)  # one product for all positions
        y = matmul(rows, self.weight.T)
        if self.bias is not None:
            y = y + self.bias
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], outputs)

    def describe(self) -> str:
        out_features, in_features = self.weight.shape
        return f"{in_features}, {out_features}" + ("" if self.bias is not None else ", bias=False")
