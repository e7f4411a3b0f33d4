"""Module: the parts of a network, and how they find their names.

Assigning `self.lstm = LSTM(...)` is all the registration there is: a module's parts are its attributes, in the order
of assignment. Calling a module enters a scope of its name, so every op it makes knows where in the model it belongs.
"""

import warnings
from collections.abc import Iterator
from itertools import islice
from reprlib import recursive_repr
from typing import Any

from tinygrad_seq.engine.backend import Array, as_dtype, host, names_device, to_device, to_host
from tinygrad_seq.engine.commit import Change, commit
from tinygrad_seq.engine.graph import Value, leaf_after
from tinygrad_seq.engine.recording import handle
from tinygrad_seq.engine.scope import Name, scope
from tinygrad_seq.nn.parameter import Parameter as Parameter
from tinygrad_seq.nn.summary import Summary, summary

plain = (list, tuple, set, dict)  # where a part is not found


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
    name = ""  # the attribute it was assigned to; of several the one under which it is listed
    called = Name("")  # its name in scopes, an object of its own
    changes = 0  # how often a part was put or taken away, in all modules
    named_at = -1  # the count of changes when the parts of this module were named
    warned_of: frozenset[str] = frozenset()  # which of its lists were spoken of

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward method")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.named_at != Module.changes:
            self.name_parts(self.name)
        name = self.name or type(self).__name__
        if self.called != name:
            self.called = Name(name)
        with scope(module=self.called):
            return self.forward(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        given = name == "forward" and callable(value) and not isinstance(value, Module)  # the method that one gives
        if callable(vars(Module).get(name)) and not given:
            raise TypeError(f"{type(self).__name__}: {name!r} is a method of every Module, use another name")
        old = dict(self.parts()).get(name) if name in vars(self) else None
        kind: Any = Parameter if isinstance(old, Parameter) else Parameter | Module
        if old is not None and not isinstance(value, kind | None):
            what = "nn.Parameter" if isinstance(old, Parameter) else "nn.Module"
            raise TypeError(
                f"{type(self).__name__}: {name!r} is an {what}, and only another {what} or None takes its place, not "
                f"{type(value).__name__}" + f"; {name}.assign(value) gives it new values" * isinstance(old, Parameter)
            )
        object.__setattr__(self, name, value)
        if isinstance(value, Parameter | Module):
            first = next(known for known, part in vars(self).items() if part is value)
            value.named(first) if isinstance(value, Parameter) else value.name_parts(self.part_name(first))
        if isinstance(value, Module) or isinstance(old, Module):
            Module.changes += 1

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        Module.changes += 1

    def part_name(self, name: str) -> str:
        """Return what a part is called in scopes: with this module's name, where that is not called itself."""
        has_forward = getattr(self.forward, "__func__", None) is not Module.forward
        called = has_forward and type(self).__call__ is Module.__call__
        return name if called or not self.name else f"{self.name}.{name}"

    def name_parts(self, name: str) -> None:
        """Name this module, and all inside as they are listed, so that one in two places has one name."""
        vars(self)["name"] = name
        listed = dict(self.walk())
        for path, module in listed.items():
            above, _, last = path.rpartition(".")
            name = listed.get(above, self).part_name(last) if path else name
            vars(module).update(name=name, named_at=Module.changes)

    # ------------------------------------------------------------------------------------------ going through the parts

    def named_modules(self, prefix: str = "") -> "Iterator[tuple[str, Module]]":
        """This module and all inside it, each once, with dotted names."""
        listed = []
        for path, module in self.walk(prefix):
            listed.append(module)
            yield path, module
        for module in listed:
            module.warn_of_lists(listed)

    def walk(self, prefix: str = "") -> "Iterator[tuple[str, Module]]":
        """Yield what `named_modules` does, and warn of nothing."""
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

    def warn_of_lists(self, listed: "list[Module]") -> None:
        """Warn of parts in a plain list, where nothing that goes through the parts finds them; of each list once."""
        if type(self).parts is not Module.parts:  # it says itself what its parts are
            return
        for name, value in list(vars(self).items()):
            if isinstance(value, plain) and name not in self.warned_of:
                inside = held(value)
                known = {id(part) for module in listed for _, part in module.parts()} if inside else set()
                if not all(known.issuperset(needed(part)) for part in inside):
                    self.warned_of |= {name}
                    warnings.warn(
                        f"{type(self).__name__}: what the plain {type(value).__name__} {name!r} holds is not found by "
                        "parameters(), to() and train(): make it an nn.ModuleList, or give each part an attribute",
                        stacklevel=2,
                    )

    def modules(self) -> "Iterator[Module]":
        return (module for _, module in self.named_modules())

    def parts(self) -> Iterator[tuple[str, Any]]:
        """The attributes that are parameters or modules, in order of assignment."""
        return ((name, part) for name, part in list(vars(self).items()) if isinstance(part, Parameter | Module))

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

    @recursive_repr("...")  # where a module is inside itself
    def __repr__(self) -> str:
        parts = [f"({name}): {part!r}" for name, part in self.parts() if isinstance(part, Module)]
        inside = "".join("\n  " + part.replace("\n", "\n  ") for part in parts) + "\n" if parts else self.describe()
        return f"{type(self).__name__}({inside})"


def held(value: Any) -> "list[Parameter | Module]":
    """Return the parts in a list, tuple, set or dict; it may hold much data, so only its beginning is looked at."""
    found = [value]
    for item in found:  # which grows on the way
        if isinstance(item, plain) and len(found) < 200:
            found.extend(islice(item.values() if isinstance(item, dict) else item, 20))
    return [item for item in found if isinstance(item, Parameter | Module)]


def needed(part: "Parameter | Module") -> set[int]:
    """Return the ids of the parts by which this one is known: its parameters, as a cell's in a layer, or itself."""
    inside = [inner for _, m in part.walk() for _, inner in m.parts()] if isinstance(part, Module) else []
    return {id(inner) for inner in inside if isinstance(inner, Parameter)} or {id(part)}
