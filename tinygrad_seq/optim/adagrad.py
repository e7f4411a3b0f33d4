"""Adagrad (Duchi et al., 2011): each step is divided by the size of all gradients so far; rare gradients count more."""

from typing import Any

from tinygrad_seq.engine.backend import Array, modules
from tinygrad_seq.optim.optimizer import Optimizer, Options, Parameters


class Adagrad(Optimizer):
    """Step x <- x - lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps), with s <- s + g^2, g including weight_decay * x.

    s starts from `initial_accumulator_value`. PyTorch's formula.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.Parameter([1.0])
    >>> (w * w).sum().backward()
    >>> ts.optim.Adagrad([w], lr=0.1).step()
    >>> round(w.item(), 4)
    0.9
    """

    memory, together = ("s",), ("t", "s")

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(
            parameters,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )

    def update(self, x: Array, g: Array, state: dict[str, Any], o: Options) -> Array:
        xp = modules[type(x)]
        t = state["t"] = state.get("t", 0) + 1
        s = state["s"] = state.get("s", o["initial_accumulator_value"]) + g * g
        return x - o["lr"] / (1 + (t - 1) * o["lr_decay"]) * (g / (xp.sqrt(s) + o["eps"]))
