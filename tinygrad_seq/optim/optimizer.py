"""The base of all optimisers: their parameters, their state as plain arrays, and a step that records nothing.

A subclass writes one method, `update`: from a parameter's array, its gradient's array and the dictionary that is this
parameter's state, it computes the new array. The names of the arrays in the state stand in `memory`.
"""

import math
import zlib
from collections.abc import Iterable
from typing import Any, ClassVar

from tinygrad_seq.engine.backend import Array, host, modules, to_device, to_host
from tinygrad_seq.engine.commit import Change, commit
from tinygrad_seq.engine.recording import array_of
from tinygrad_seq.nn.module import Parameter
from tinygrad_seq.optim.validation import checked_parameters, nonnegative

FLAGS = ("nesterov", "amsgrad", "centered")
FRACTIONS = ("betas", "alpha")  # the weights of running means


class Optimizer:
    """Base of all optimisers. `options` are the numbers of the formula (`lr` among them), changeable at any time."""

    memory: ClassVar[tuple[str, ...]] = ()  # arrays of the parameter's shape; beside them, `t` counts its steps
    stepped = False  # whether `step` was ever called: a schedule warns if not

    def __init__(self, parameters: Iterable[Parameter], **options: Any) -> None:
        if isinstance(parameters, set | frozenset):  # its order differs from run to run, and state goes by position
            raise TypeError(f"{type(self).__name__}: a set has no order, pass the parameters in a list")
        self.parameters = checked_parameters(type(self).__name__, parameters)
        if not self.parameters:
            raise ValueError(f"{type(self).__name__}: there are no parameters to optimise")
        self.options = {option: self.checked(option, value) for option, value in options.items()}
        self.state: list[dict[str, Any]] = [{} for _ in self.parameters]

    def checked(self, option: str, value: Any) -> Any:
        """Return an option as plain Python; raise an error that says what it should be."""
        name = type(self).__name__
        if option in FLAGS:
            if not isinstance(value, bool):
                raise TypeError(f"{name}: {option} must be True or False, got {value!r}")
            return value
        below = 1.0 if option in FRACTIONS else math.inf
        if option != "betas":
            return nonnegative(name, option, value, below)
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise TypeError(f"{name}: betas must be two numbers, got {value!r}")
        return tuple(nonnegative(name, option, beta, below) for beta in value)

    @property
    def lr(self) -> float:
        """Return the learning rate."""
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
        self.stepped = True
        self.options.update({option: self.checked(option, value) for option, value in self.options.items()})
        changes: list[Change] = []
        states = list(self.state)
        for i, (parameter, kept) in enumerate(zip(self.parameters, self.state, strict=True)):
            if parameter.grad is not None:
                x, state = parameter.array, dict(kept)
                for name in state.keys() & set(self.memory):  # state follows a parameter that was moved or cast
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
        """Return x and g + weight_decay * x: the gradient of weight_decay * |x|^2 / 2 is added."""
        decay = self.options.get("weight_decay")
        return (x, g + decay * x) if decay else (x, g)

    def update(self, x: Array, g: Array, state: dict[str, Any]) -> Array:
        """Return the new array by the formula; x and g must stay as they are."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Return options, state and whose state it is, as plain values and host arrays, for `ts.save`."""
        state = [{key: host.array(to_host(v)) if type(v) in modules else v for key, v in s.items()} for s in self.state]
        return {"options": dict(self.options), "state": state, "parameters": self.fingerprints()}

    def fingerprints(self) -> list[list[Any]]:
        """Return the name, the shape and a checksum of the values of every parameter, in order."""
        arrays = [host.ascontiguousarray(to_host(parameter.array)) for parameter in self.parameters]
        return [[p.name, list(p.shape), zlib.crc32(array.data)] for p, array in zip(self.parameters, arrays)]

    def check_order(self, place: str, saved: list[list[Any]]) -> None:
        """Raise ValueError if the saved fingerprints are of other parameters, or of these in another order.

        Names and shapes must agree. Checksums need not: the model itself may be loaded later. But where the same
        checksums come in another order, the parameters do.
        """
        ours = self.fingerprints() if saved else []
        checksums, old_checksums = [entry[2] for entry in ours], [entry[2] for entry in saved]
        same_values = sorted(checksums) == sorted(old_checksums)
        for i, ((name, shape, checksum), (old_name, old_shape, old_checksum)) in enumerate(zip(ours, saved)):
            renamed = None not in (name, old_name) and name != old_name
            moved = same_values and checksum != old_checksum
            if renamed or shape != old_shape or moved:
                now = f"what was parameter {old_checksums.index(checksum)}" if moved else f"{name} {shape}"
                raise ValueError(
                    f"{place}: parameter {i} was {old_name or 'one'} {old_shape} when this was saved, now it is "
                    f"{now}: pass the parameters in the same order"
                )

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from a state_dict of the same optimiser over the same parameters: all of it, or an error and nothing.

        State goes to the parameters by position, so it is refused if their names or shapes have changed, or if their
        values are the saved ones in another order. A state without 'parameters', as version 0.1.0 saved it, is taken
        as it is. Raises ValueError or TypeError that names what does not fit.
        """
        place = f"{type(self).__name__}.load_state_dict"
        try:
            given, kept = dict(saved["options"]), [dict(state) for state in saved["state"]]
            saved_as = [[name, list(shape), int(checksum)] for name, shape, checksum in saved.get("parameters", ())]
            counts = {0, len(kept), len(self.parameters)}
            if saved.keys() - {"parameters"} != {"options", "state"} or len(saved_as) not in counts:
                raise KeyError
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ValueError(f"{place}: expected what state_dict() gives, with 'options' and 'state'") from None
        if given.keys() != self.options.keys():
            raise ValueError(f"{place}: the options are {sorted(given)}, expected {sorted(self.options)}")
        if len(kept) != len(self.parameters):
            raise ValueError(
                f"{place}: the state is for {len(kept)} parameters, this optimiser has {len(self.parameters)}"
            )
        self.check_order(place, saved_as)
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
