"""What all optimisers share: their parameters, their state as plain arrays, and a step that records nothing.

A subclass writes one method: from a parameter's array, its gradient's array and a dictionary that lives as long as
the parameter, to the parameter's new array. What it keeps in the dictionary it names in `memory`.
"""

import math
from collections.abc import Iterable
from typing import Any, ClassVar

from tinygrad_seq.backend import Array, host, modules, to_device, to_host
from tinygrad_seq.commit import Change, commit
from tinygrad_seq.nn.module import Parameter
from tinygrad_seq.optim.arguments import number, trainable
from tinygrad_seq.record import array_of

FLAGS = ("nesterov", "amsgrad", "centered")
FRACTIONS = ("betas", "alpha")  # the weights of running means


class Optimizer:
    """Base of all optimisers. `options` are the numbers of the formula (`lr` among them), changeable at any time."""

    memory: ClassVar[tuple[str, ...]] = ()  # arrays of the parameter's shape; `t` counts its steps

    def __init__(self, parameters: Iterable[Parameter], **options: Any) -> None:
        self.parameters = trainable(type(self).__name__, parameters)
        if not self.parameters:
            raise ValueError(f"{type(self).__name__}: there are no parameters to optimise")
        self.options = {option: self.checked(option, value) for option, value in options.items()}
        self.state: list[dict[str, Any]] = [{} for _ in self.parameters]

    def checked(self, option: str, value: Any) -> Any:
        """An option as plain Python, or an error that says what it should be."""
        name = type(self).__name__
        if option in FLAGS:
            if not isinstance(value, bool):
                raise TypeError(f"{name}: {option} must be True or False, got {value!r}")
            return value
        below = 1.0 if option in FRACTIONS else math.inf
        if option != "betas":
            return number(name, option, value, below)
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise TypeError(f"{name}: betas must be two numbers, got {value!r}")
        return tuple(number(name, option, beta, below) for beta in value)

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
        commit((parameter, "stored_grad", None) for parameter in self.parameters)

    def step(self) -> None:
        """Give every parameter that has a gradient its new value: all of them, or an error and none."""
        changes: list[Change] = []
        states = list(self.state)
        for i, (parameter, kept) in enumerate(zip(self.parameters, self.state, strict=True)):
            if parameter.grad is not None:
                x, state = parameter.array, dict(kept)
                for name in state.keys() & set(self.memory):  # a parameter that was moved or cast takes them along
                    if type(state[name]) is not type(x) or state[name].dtype != x.dtype:
                        state[name] = to_device(state[name], parameter.device).astype(x.dtype)
                new = array_of(self.update(*self.decayed(x, parameter.grad.array), state))
                if type(new) is not type(x) or (new.shape, new.dtype) != (x.shape, x.dtype):
                    raise TypeError(
                        f"{type(self).__name__}: update must give parameter {i} an array of {x.dtype} {x.shape}, "
                        f"got {type(new).__name__} {getattr(new, 'dtype', '')} {getattr(new, 'shape', '')}"
                    )
                changes.append((parameter, "array", new))
                states[i] = state
        commit([*changes, (self, "state", states)])

    def decayed(self, x: Array, g: Array) -> tuple[Array, Array]:
        """Weight decay: the gradient of |x|^2 / 2, so many times, is part of g."""
        decay = self.options.get("weight_decay")
        return (x, g + decay * x) if decay else (x, g)

    def update(self, x: Array, g: Array, state: dict[str, Any]) -> Array:
        """The formula: a new array; x and g stay as they are."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Options and state as plain values and host arrays, for `ts.save`."""
        state = [{key: host.array(to_host(v)) if type(v) in modules else v for key, v in s.items()} for s in self.state]
        return {"options": dict(self.options), "state": state}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from a state_dict of the same optimiser over the same parameters: all of it, or an error and nothing.

        Raises ValueError or TypeError that names what does not fit.
        """
        place = f"{type(self).__name__}.load_state_dict"
        try:
            given, kept = dict(saved["options"]), [dict(state) for state in saved["state"]]
            if len(saved) != 2:
                raise KeyError
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{place}: expected what state_dict() gives, with 'options' and 'state'") from None
        if given.keys() != self.options.keys():
            raise ValueError(f"{place}: the options are {sorted(given)}, expected {sorted(self.options)}")
        if len(kept) != len(self.parameters):
            raise ValueError(
                f"{place}: the state is for {len(kept)} parameters, this optimiser has {len(self.parameters)}"
            )
        options = {option: self.checked(option, value) for option, value in given.items()}
        for i, (state, parameter) in enumerate(zip(kept, self.parameters, strict=True)):
            for name, value in state.items():
                array = name in self.memory and type(value) in modules
                if array and value.shape == parameter.shape and value.dtype.kind == "f":
                    state[name] = to_device(host.array(value), parameter.device)
                elif name != "t" or type(value) is not int or value < 0:
                    raise ValueError(
                        f"{place}: {name!r} of shape {getattr(value, 'shape', value)} is not what this optimiser keeps "
                        f"of parameter {i}, of shape {parameter.shape}: {', '.join(self.memory)}"
                    )
        commit([(self, "options", options), (self, "state", kept)])
