"""Adam (Kingma and Ba, 2015), and AdamW with weight decay outside the gradient (Loshchilov and Hutter, 2019)."""

from typing import Any

from tinygrad_seq.engine.backend import Array, modules
from tinygrad_seq.optim.optimizer import Optimizer, Options, Parameters


class Adam(Optimizer):
    """Step x <- x - lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps), with running means of g and of g^2:

        m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2,   g including weight_decay * x.

    With `amsgrad` the largest v so far replaces v (Reddi et al., 2018).

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.Parameter([1.0])
    >>> (w * w).sum().backward()
    >>> ts.optim.Adam([w], lr=0.1).step()
    >>> round(w.item(), 4)
    0.9
    """

    memory, together = ("m", "v", "largest"), ("t", "m", "v")

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad)

    def update(self, x: Array, g: Array, state: dict[str, Any], o: Options) -> Array:
        xp = modules[type(x)]
        b1, b2 = o["betas"]
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
        v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * (g * g)
        if o["amsgrad"]:
            v = state["largest"] = xp.maximum(state.get("largest", 0.0), v)
        size = xp.sqrt(v) / (1 - b2**t) ** 0.5 + o["eps"]
        return x - (o["lr"] / (1 - b1**t)) * (m / size)


class AdamW(Adam):
    """Decay x <- (1 - lr * weight_decay) x, then step as Adam: the decay does not pass through the running means.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.Parameter([1.0])
    >>> w.grad = ts.zeros(1)
    >>> ts.optim.AdamW([w], lr=0.1, weight_decay=0.5).step()
    >>> round(w.item(), 4)
    0.95
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay, amsgrad)

    def decayed(self, x: Array, g: Array, o: Options) -> tuple[Array, Array]:
        return x * (1 - o["lr"] * o["weight_decay"]), g
