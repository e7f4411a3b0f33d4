"""Adam (Kingma and Ba, 2015)."""

from collections.abc import Iterable
from typing import Any

from tinygrad_seq.backend import Array, modules
from tinygrad_seq.nn.module import Parameter
from tinygrad_seq.optim.optimizer import Optimizer


class Adam(Optimizer):
    """x <- x - lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps), with running means of g and of g^2:

        m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2,   g including weight_decay * x.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.Parameter([1.0])
    >>> (w * w).sum().backward()
    >>> ts.optim.Adam([w], lr=0.1).step()
    >>> round(w.item(), 4)
    0.9
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise TypeError(f"Adam: betas must be two numbers, got {betas!r}")
        if max(betas) >= 1:
            raise ValueError(f"Adam: betas must be below 1, got {betas}")
        super().__init__(parameters, lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay)

    def update(self, x: Array, g: Array, state: dict[str, Any]) -> Array:
        xp, o = modules[type(x)], self.options
        b1, b2 = o["betas"]
        if o["weight_decay"]:
            g = g + o["weight_decay"] * x
        if not state:
            state |= {"t": 0, "m": xp.zeros_like(x), "v": xp.zeros_like(x)}
        t = state["t"] = state["t"] + 1
        m = state["m"] = b1 * state["m"] + (1 - b1) * g
        v = state["v"] = b2 * state["v"] + (1 - b2) * (g * g)
        size = xp.sqrt(v) / (1 - b2**t) ** 0.5 + o["eps"]
        return x - (o["lr"] / (1 - b1**t)) * (m / size)
