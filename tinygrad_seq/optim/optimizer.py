"""What all optimisers share: their parameters, their state as plain arrays, and a step that records nothing.

A subclass writes one method: from a parameter's array, its gradient's array and a dictionary that lives as long as
the parameter, to the parameter's new array.
"""

import math
from collections.abc import Iterable
from typing import Any

from tinygrad_seq.backend import Array, host, modules, to_device, to_host
from tinygrad_seq.nn.module import Parameter


class Optimizer:
    """Base of all optimisers. `options` are the numbers of the formula (`lr` among them), changeable at any time."""

    def __init__(self, parameters: Iterable[Parameter], **options: Any) -> None:
        name = type(self).__name__
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError(f"{name}: there are no parameters to optimise")
        for i, parameter in enumerate(self.parameters):
            if not isinstance(parameter, Parameter):
                raise TypeError(f"{name}: parameter {i} must be an nn.Parameter, got {type(parameter).__name__}")
        self.options = {option: self.checked(option, value) for option, value in options.items()}
        self.state: list[dict[str, Any]] = [{} for _ in self.parameters]

    def checked(self, option: str, value: Any) -> Any:
        """A number as a Python float: a NumPy float64 would widen float32 parameters."""
        if isinstance(value, bool):
            return value
        try:
            numbers = tuple(float(number) for number in (value if isinstance(value, tuple) else (value,)))
        except (TypeError, ValueError):
            raise TypeError(f"{type(self).__name__}: {option} must be a number, got {value!r}") from None
        if any(not 0 <= number < math.inf for number in numbers):
            raise ValueError(f"{type(self).__name__}: {option} must be finite and not negative, got {value!r}")
        return numbers if isinstance(value, tuple) else numbers[0]

    @property
    def lr(self) -> float:
        """The learning rate."""
        rate: float = self.options["lr"]
        return rate

    @lr.setter
    def lr(self, value: float) -> None:
        self.options["lr"] = self.checked("lr", value)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Give every parameter that has a gradient its new value."""
        for parameter, state in zip(self.parameters, self.state, strict=True):
            if parameter.grad is not None:
                parameter.array = self.update(parameter.array, parameter.grad.array, state)

    def update(self, x: Array, g: Array, state: dict[str, Any]) -> Array:
        """The formula: a new array; x and g stay as they are."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Options and state as plain values and host arrays, for `ts.save`."""
        state = [{key: host.array(to_host(v)) if type(v) in modules else v for key, v in s.items()} for s in self.state]
        return {"options": dict(self.options), "state": state}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from a state_dict of an optimiser over the same parameters."""
        if len(saved["state"]) != len(self.parameters):
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: the state is for {len(saved['state'])} parameters, "
                f"this optimiser has {len(self.parameters)}"
            )
        self.options = dict(saved["options"])
        self.state = [
            {key: to_device(v, p.device) if isinstance(v, host.ndarray) else v for key, v in s.items()}
            for s, p in zip(saved["state"], self.parameters, strict=True)
        ]
