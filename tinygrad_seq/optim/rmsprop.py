"""RMSprop (Hinton, 2012, lecture 6e; centred: Graves, 2013): each step is divided by the recent size of gradients."""

from typing import Any

from tinygrad_seq.engine.backend import Array, modules
from tinygrad_seq.optim.optimizer import Optimizer, Options, Parameters


class RMSprop(Optimizer):
    """Step x <- x - lr * g / (sqrt(v) + eps), where v <- alpha v + (1 - alpha) g^2 and g includes weight_decay * x.

    With `centered` the square of the running mean of g is subtracted from v, so that v is a variance; with `momentum`
    the step is u <- momentum * u + g / (sqrt(v) + eps). PyTorch's formula.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.Parameter([1.0])
    >>> (w * w).sum().backward()
    >>> ts.optim.RMSprop([w], lr=0.01).step()
    >>> round(w.item(), 4)
    0.9
    """

    memory, together = ("v", "mean", "velocity"), ("v",)

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, centered=centered
        )

    def update(self, x: Array, g: Array, state: dict[str, Any], o: Options) -> Array:
        xp = modules[type(x)]
        v = state["v"] = o["alpha"] * state.get("v", 0.0) + (1 - o["alpha"]) * (g * g)
        if o["centered"]:
            mean = state["mean"] = o["alpha"] * state.get("mean", 0.0) + (1 - o["alpha"]) * g
            v = xp.maximum(v - mean * mean, 0.0)  # below 0 only by rounding, when gradients do not change
        step = g / (xp.sqrt(v) + o["eps"])
        if o["momentum"]:
            step = state["velocity"] = o["momentum"] * state.get("velocity", 0.0) + step
        return x - o["lr"] * step
