"""Parameter and Module: what a network learns, and how its parts find their names.

Assigning `self.lstm = LSTM(...)` is all the registration there is: a module's parts are its attributes, in the order
of assignment. Calling a module enters a scope of its name, so every op it makes knows where in the model it belongs.
"""

from collections.abc import Iterator
from typing import Any

from tinygrad_seq.backend import Array, as_dtype, host, names_device, to_device, to_host
from tinygrad_seq.commit import Change, commit
from tinygrad_seq.creation import tensor
from tinygrad_seq.graph import Value, leaf, leaf_after
from tinygrad_seq.nn.summary import Summary, summary
from tinygrad_seq.record import handle
from tinygrad_seq.scope import Name, scope
from tinygrad_seq.tensor import Tensor


class Parameter(Tensor):
    """A leaf Tensor that an optimiser may change.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.Parameter([1.0, 2.0])
    >>> w.assign(w - 0.5)
    >>> w
    Parameter([0.5, 1.5])
    """

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = True) -> None:
        self.array = tensor(data, dtype, device, requires_grad).array
        leaf(self, requires_grad)

    def assign(self, value: Any) -> None:
        """Give the Parameter a new array of the same shape and dtype, outside the graph."""
        dtype = self.dtype if isinstance(value, float | list | tuple) else None
        array = (value if isinstance(value, Value) else tensor(value, dtype, self.device)).array
        if array.shape != self.shape or array.dtype != self.dtype:
            raise ValueError(
                f"assign: {self.name or 'the Parameter'} has shape {self.shape} and dtype {self.dtype}, "
                f"the new value {array.shape} and {array.dtype}"
            )
        self.array = array.copy()

    def __repr__(self) -> str:
        return Tensor.__repr__(self).replace("tensor(", "Parameter(", 1).replace(", requires_grad=True", "")


class Module:
    """A part of a network: set parameters and modules as attributes, write `forward`, call it.

    >>> import tinygrad_seq as ts
    >>> class Twice(ts.nn.Module):
    ...     def __init__(self):
    ...         self.weight = ts.nn.Parameter([2.0])
    ...     def forward(self, x):
    ...         return x * self.weight
    >>> Twice()(ts.tensor([3.0])).tolist()
    [6.0]
    """

    training = True
    name = ""  # the attribute it was assigned to
    called = Name("")  # its name in scopes, an object of its own

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward method")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = self.name or type(self).__name__
        if self.called != name:
            self.called = Name(name)
        with scope(module=self.called):
            return self.forward(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter | Module) and callable(getattr(Module, name, None)):
            raise TypeError(f"{type(self).__name__}: {name!r} is a method of every Module, name this part otherwise")
        if isinstance(value, Parameter):
            value.named(name)
        elif isinstance(value, Module):
            value.name = name
        object.__setattr__(self, name, value)

    # ------------------------------------------------------------------------------------------ going through the parts

    def named_modules(self, prefix: str = "") -> "Iterator[tuple[str, Module]]":
        """This module and all inside it, each once, with dotted names."""
        seen, stack = set(), [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            parts = [
                (f"{path}.{name}" if path else name, part) for name, part in module.parts() if isinstance(part, Module)
            ]
            stack.extend(reversed(parts))

    def modules(self) -> "Iterator[Module]":
        return (module for _, module in self.named_modules())

    def parts(self) -> Iterator[tuple[str, Any]]:
        """The attributes that are parameters or modules, in order of assignment."""
        return ((name, part) for name, part in vars(self).items() if isinstance(part, Parameter | Module))

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """All parameters with dotted names; one used in two places is listed once."""
        seen = set()
        for path, module in self.named_modules(prefix):
            for name, part in module.parts():
                if isinstance(part, Parameter) and id(part) not in seen:
                    seen.add(id(part))
                    yield f"{path}.{name}" if path else name, part

    def parameters(self) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.named_parameters())

    # ------------------------------------------------------------------------------------------------------------ state

    def train(self, mode: bool = True) -> "Module":
        """Training mode: dropout drops."""
        commit((module, "training", mode) for module in self.modules())
        return self

    def eval(self) -> "Module":
        """Evaluation mode: dropout passes everything."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        commit((parameter, "stored_grad", None) for parameter in self.parameters())

    def to(self, target: Any) -> "Module":
        """Move all parameters and gradients, in place, to a device ("cpu", "cuda", "cuda:N") or a floating dtype."""
        to_place = names_device(target)
        if not to_place and as_dtype(target).kind != "f":
            raise TypeError(f"{type(self).__name__}.to: parameters are floating, {target!r} is not")

        def moved(array: Array) -> Array:
            return to_device(array, target) if to_place else array.astype(as_dtype(target), copy=False)

        changes: list[Change] = []
        for p in self.parameters():
            array = moved(p.array)
            if array is not p.array:
                changes += (p, "array", array), (p, "node", leaf_after(p, array, p.requires_grad))
                if p.grad is not None:
                    changes.append((p, "stored_grad", handle(moved(p.grad.array))))
        commit(changes)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Every parameter's values as a host array, by dotted name."""
        return {name: host.array(to_host(parameter.array)) for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Take over the values of a state_dict: all, or an error that names the culprits and changes nothing."""
        place = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, dict):
            raise TypeError(f"{place}: expected a dict of arrays by name, got {type(state).__name__}")
        named = {name: self.part_at(name) for name in state}
        reached = {id(part) for part in named.values()}
        missing = [name for name, parameter in self.named_parameters() if id(parameter) not in reached]
        unexpected = [name for name, part in named.items() if not isinstance(part, Parameter)]
        if strict and (missing or unexpected):
            raise ValueError(f"{place}: missing {sorted(missing)}, unexpected {sorted(unexpected, key=str)}")
        arrays: dict[int, tuple[Parameter, Any]] = {}
        wrong = []
        for name, parameter in named.items():
            if isinstance(parameter, Parameter):
                try:
                    given = state[name].array if isinstance(state[name], Value) else state[name]
                    array = host.asarray(to_host(given)).astype(parameter.dtype, casting="same_kind")
                except (TypeError, ValueError, RuntimeError) as error:
                    wrong.append(f"{name}: {error}")
                    continue
                if array.shape != parameter.shape:
                    wrong.append(f"{name}: shape {array.shape}, expected {parameter.shape}")
                _, other = arrays.setdefault(id(parameter), (parameter, array))
                if array is not other and array.tobytes() != other.tobytes():
                    wrong.append(f"{name}: another value than the same parameter has elsewhere in the state")
        if wrong:
            raise ValueError(f"{place}: {'; '.join(wrong)}")
        commit([(parameter, "array", to_device(array, parameter.device)) for parameter, array in arrays.values()])

    def part_at(self, path: Any) -> Any:
        """What a dotted name leads to, a Parameter or a Module; a shared one has several names. None: nothing."""
        part: Any = self
        for name in path.split(".") if isinstance(path, str) else [path]:
            part = dict(part.parts()).get(name) if isinstance(part, Module) else None
        return part

    def summary(self) -> Summary:
        """The layers with the shape and size of every parameter, as text that shows itself at a prompt.

        >>> import tinygrad_seq as ts
        >>> ts.nn.Sequential(ts.nn.Linear(3, 2), ts.nn.Dropout(0.5)).summary()
        layer              parameter  shape   count
        Sequential()
        0: Linear(3, 2)    weight     (2, 3)      6
                           bias       (2,)        2
        1: Dropout(p=0.5)
        8 parameters
        """
        return summary(self)

    def describe(self) -> str:
        """What its repr shows in the parentheses."""
        return ""

    def __repr__(self) -> str:
        parts = [f"({name}): {part!r}" for name, part in self.parts() if isinstance(part, Module)]
        inside = "".join("\n  " + part.replace("\n", "\n  ") for part in parts) + "\n" if parts else self.describe()
        return f"{type(self).__name__}({inside})"
