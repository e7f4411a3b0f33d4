"""Parameter and Module: what a network learns, and how its parts find their names.

Assigning `self.lstm = LSTM(...)` is all the registration there is: a module's parts are its attributes, in the order
of assignment. Calling a module enters a scope of its name, so every op it makes knows where in the model it belongs.
"""

from collections.abc import Iterator
from typing import Any

from tinygrad_seq.backend import as_dtype, host, modules, to_device, to_host
from tinygrad_seq.creation import tensor
from tinygrad_seq.graph import Value, leaf
from tinygrad_seq.scope import scope
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
        array = value.array if isinstance(value, Value) else modules[type(self.array)].asarray(value)
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

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward method")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with scope(module=self.name or type(self).__name__):
            return self.forward(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
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
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> "Module":
        """Evaluation mode: dropout passes everything."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, target: Any) -> "Module":
        """Move all parameters to a device ("cpu", "cuda", "cuda:N") or a floating dtype, in place."""
        to_place = isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda")
        if not to_place and as_dtype(target).kind != "f":
            raise TypeError(f"{type(self).__name__}.to: parameters are floating, {target!r} is not")
        parameters = list(self.parameters())
        arrays = [to_device(p.array, target) if to_place else p.array.astype(as_dtype(target)) for p in parameters]
        for parameter, array in zip(parameters, arrays, strict=True):
            name = parameter.name
            parameter.array, parameter.stored_grad = array, None
            leaf(parameter, parameter.requires_grad).name = name
        return self

    def state_dict(self) -> dict[str, Any]:
        """Every parameter's values as a host array, by dotted name."""
        return {name: host.array(to_host(parameter.array)) for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Take over the values of a state_dict: all, or an error that names the culprits and changes nothing."""
        own = dict(self.named_parameters())
        missing, unexpected = sorted(set(own) - set(state)), sorted(set(state) - set(own))
        if strict and (missing or unexpected):
            raise ValueError(f"{type(self).__name__}.load_state_dict: missing {missing}, unexpected {unexpected}")
        arrays, wrong = {}, []
        for name in own:
            if name in state:
                try:
                    given = state[name].array if isinstance(state[name], Value) else state[name]
                    arrays[name] = host.asarray(to_host(given)).astype(own[name].dtype, casting="same_kind")
                except (TypeError, ValueError) as error:
                    wrong.append(f"{name}: {error}")
                else:
                    if arrays[name].shape != own[name].shape:
                        wrong.append(f"{name}: shape {arrays[name].shape}, expected {own[name].shape}")
        if wrong:
            raise ValueError(f"{type(self).__name__}.load_state_dict: {'; '.join(wrong)}")
        for name, array in arrays.items():
            parameter = own[name]
            parameter.array = to_device(array, parameter.device)

    def describe(self) -> str:
        """What its repr shows in the parentheses."""
        return ""

    def __repr__(self) -> str:
        parts = [f"({name}): {part!r}" for name, part in self.parts() if isinstance(part, Module)]
        inside = "".join("\n  " + part.replace("\n", "\n  ") for part in parts) + "\n" if parts else self.describe()
        return f"{type(self).__name__}({inside})"
