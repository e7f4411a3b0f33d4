"""Stochastic gradient descent, with momentum (Polyak, 1964) and Nesterov's variant."""

from typing import Any

from tinygrad_seq.engine.backend import Array
from tinygrad_seq.optim.optimizer import Optimizer, Options, Parameters


class SGD(Optimizer):
    """Step x <- x - lr * v, where v <- momentum * v + (1 - dampening) * g and g includes weight_decay * x.

    Without momentum v is g; the first v is g; with `nesterov` the step is g + momentum * v. PyTorch's formula. Raises
    ValueError for `nesterov` without a momentum, or with a dampening.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.Parameter([1.0])
    >>> (w * w).sum().backward()
    >>> ts.optim.SGD([w], lr=0.25).step()
    >>> w
    Parameter([0.5])
    """

    memory = ("velocity",)

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov
        )

    def checked_options(self, place: str, given: Options) -> Options:
        o = super().checked_options(place, given)
        if o["nesterov"] and (o["momentum"] == 0 or o["dampening"] != 0):
            raise ValueError(f"{place}: nesterov needs a momentum and zero dampening")
        return o

    def update(self, x: Array, g: Array, state: dict[str, Any], o: Options) -> Array:
        if o["momentum"]:
            v = state.get("velocity")
            v = state["velocity"] = g.copy() if v is None else o["momentum"] * v + (1 - o["dampening"]) * g
            g = g + o["momentum"] * v if o["nesterov"] else v
        return x - o["lr"] * g
