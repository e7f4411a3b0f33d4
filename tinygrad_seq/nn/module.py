"""Module: the parts of a network, and how they find their names.

Assigning `self.lstm = LSTM(...)` is all the registration there is: a module's parts are its attributes, in the order
of assignment. Calling a module enters a scope of its name, so every op it makes knows where in the model it belongs.

A part in several places has one name, that of the place which `named_modules` lists. A part cannot know all its places,
so the module that is called names everything inside it, once after every change to any module.
"""

from collections.abc import Container, Iterator
from reprlib import recursive_repr
from typing import Any

from tinygrad_seq.engine.arguments import flag
from tinygrad_seq.engine.backend import host, to_host
from tinygrad_seq.engine.callers import Constructed, check_call, known_arguments
from tinygrad_seq.engine.commit import commit
from tinygrad_seq.engine.hints import missing, public
from tinygrad_seq.engine.notebook import mimebundle
from tinygrad_seq.engine.scope import Name, scope
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.parameter import Buffer, Stored
from tinygrad_seq.nn.parameter import Parameter as Parameter
from tinygrad_seq.nn.places import check_name, check_place
from tinygrad_seq.nn.plain_lists import warn_of_lists
from tinygrad_seq.nn.stored_values import IncompatibleKeys, every_name, listed, loaded, moved, own
from tinygrad_seq.nn.summary import Summary, summary


class Module(Constructed):
    """Base of all parts of a network: set parameters and modules as attributes, write `forward`, call it.

    Raises TypeError for an attribute that would hide a method, or that takes a part's place and is none; ValueError for
    a part whose name is empty or has a dot, which no state could say.

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
    mode_was_set = False  # whether train() was called on this very module, not on one around it
    listed_as = ""  # the attribute it was assigned to; of several, the one under which it is listed
    scope_name = Name("")  # its name in scopes: an object of its own, so that a scope tells which module it is about
    changes = 0  # counts the modules that were assigned or deleted, anywhere
    named_at = -1  # the count of changes when this module was named
    warned_of: frozenset[str] = frozenset()  # which of its lists were warned of

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute what calling the module returns; each module writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward method: define forward(self, x)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.named_at != Module.changes:
            name_all(self, self.listed_as)
        name = self.listed_as or type(self).__name__
        if self.scope_name != name:
            self.scope_name = Name(name)
        with scope(module=self.scope_name):
            try:
                return self.forward(*args, **kwargs)
            except TypeError:
                check_call(type(self).__name__, self.forward, args, kwargs)
                raise

    def __setattr__(self, name: str, value: Any) -> None:
        is_forward = name == "forward" and callable(value) and not isinstance(value, Module)  # may be given, too
        if callable(vars(Module).get(name)) and not is_forward:
            raise TypeError(f"{type(self).__name__}: {name!r} is a method of every Module, use another name")
        check_name(type(self).__name__, name, value, Module)
        old = part_of(self, name)
        is_plain = isinstance(value, Tensor) and not isinstance(value, Stored)
        if isinstance(old, Buffer) and is_plain and not value.requires_grad:
            value = Buffer(value)
        check_place(type(self).__name__, name, old, value, Module)
        object.__setattr__(self, name, value)
        if isinstance(value, Stored | Module):
            is_new = not (value.name if isinstance(value, Stored) else value.listed_as)  # nor is it here already
            first = name if is_new else next(known for known, part in vars(self).items() if part is value)
            value.named(first) if isinstance(value, Stored) else name_all(value, part_name(self, self.listed_as, first))
        if isinstance(value, Module) or isinstance(old, Module):
            Module.changes += 1

    __getattr__ = missing

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        Module.changes += 1

    def parts(self) -> Iterator[tuple[str, Any]]:
        """Yield the attributes that are parameters, buffers or modules, in the order of assignment."""
        attributes = list(vars(self).items())  # in one call of C: a call in another thread may be adding some
        return ((name, part) for name, part in attributes if isinstance(part, Stored | Module))

    def named_modules(self, prefix: str = "") -> "Iterator[tuple[str, Module]]":
        """Yield this module and all inside it, each once, with dotted names: "", "0", "0.cell", ..."""
        listed = []
        for path, _, module in walk(self, prefix):
            listed.append(module)
            yield path, module
        for module in listed:
            if type(module).parts is Module.parts:  # else it has rules of its own
                warn_of_lists(module, listed, (Parameter, Buffer, Module), ids_to_find)

    def modules(self) -> "Iterator[Module]":
        """Yield this module and all inside it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Yield all parameters with dotted names; one used in two places is listed once.

        >>> import tinygrad_seq as ts
        >>> [(name, w.shape) for name, w in ts.nn.Sequential(ts.nn.Linear(3, 2)).named_parameters()]
        [('0.weight', (2, 3)), ('0.bias', (2,))]
        """
        return listed(self, prefix, Parameter)

    def parameters(self) -> Iterator[Parameter]:
        """Yield all parameters, each once."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self, prefix: str = "") -> Iterator[tuple[str, Buffer]]:
        """Yield all buffers with dotted names; one used in two places is listed once."""
        return listed(self, prefix, Buffer)

    def buffers(self) -> Iterator[Buffer]:
        """Yield all buffers, each once."""
        return (buffer for _, buffer in self.named_buffers())

    def train(self, mode: bool = True) -> "Module":
        """Set training mode, in which dropout drops, of this module and all inside it; return the module.

        A part with a `train` of its own is called with the mode, and says itself what is set in it.

        >>> import tinygrad_seq as ts
        >>> ts.nn.Dropout(0.5).train(False)(ts.ones(3)).tolist()
        [1.0, 1.0, 1.0]
        """
        flag(f"{type(self).__name__}.train", mode=mode)
        own = {id(part) for part in self.modules() if type(part).train is not Module.train} - {id(self)}
        reached = [module for _, _, module in walk(self, ends=own)]
        changes = ((module, "training", mode) for module in reached if id(module) not in own)
        commit([(self, "mode_was_set", mode), *changes])
        for module in reached:
            if id(module) in own:
                module.train(mode)
        return self

    def eval(self) -> "Module":
        """Set evaluation mode, in which dropout passes everything; return the module."""
        return self.train(False)

    @public
    def zero_grad(self) -> None:
        """Forget the gradients: the `.grad` of every parameter is None."""
        commit((parameter, "stored_grad", None) for parameter in self.parameters())

    @public
    def to(self, target: Any) -> "Module":
        """Move parameters, gradients and buffers to a device ("cpu", "cuda", "cuda:N") or a floating dtype, in place.

        A buffer of integers or truth values keeps its dtype. Raises TypeError for another dtype, RuntimeError where
        there is no such GPU; then nothing has moved.

        >>> import tinygrad_seq as ts
        >>> ts.nn.Linear(3, 2).to("float64").weight.dtype
        dtype('float64')
        """
        stored = [each for _, each in listed(self, "", Parameter, Buffer)]
        commit(moved("to", stored, target))
        return self

    @known_arguments
    def state_dict(self) -> dict[str, Any]:
        """Return the values of every parameter and buffer as a host array, by dotted name, for `ts.save`.

        A shared one is there under each of its names, as in PyTorch.
        """
        list(self.named_modules())  # which warns of parts in plain lists
        return {name: host.array(to_host(each.array)) for name, each in every_name(self)}

    @known_arguments
    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Take over the values of a state_dict: all, or an error that names the culprits and changes nothing.

        A shared parameter may be there under any of its names, or under several, with the same values. Without
        `strict` names that are missing or unknown are passed over. Returns a named tuple of both, `missing_keys` and
        `unexpected_keys`. Raises ValueError for names or shapes that differ.

        >>> import tinygrad_seq as ts
        >>> ts.nn.Linear(3, 2).load_state_dict({"weight": ts.ones(2, 3)}, strict=False)
        IncompatibleKeys(missing_keys=['bias'], unexpected_keys=[])
        """
        place = f"{type(self).__name__}.load_state_dict"
        flag(place, strict=strict)
        if not isinstance(state, dict):
            raise TypeError(f"{place}: expected a dict of arrays by name, got {type(state).__name__}")
        named = {name: part_at(self, name) for name in state}
        found = {id(part) for part in named.values()}
        missing = [name for name, each in listed(self, "", Parameter, Buffer) if id(each) not in found]
        unexpected = [name for name, part in named.items() if not isinstance(part, Stored)]
        if strict and (missing or unexpected):
            raise ValueError(f"{place}: missing {sorted(missing)}, unexpected {sorted(unexpected, key=str)}")
        commit(loaded(place, {name: part for name, part in named.items() if isinstance(part, Stored)}, state))
        return IncompatibleKeys(missing, unexpected)

    def summary(self) -> Summary:
        """Return the layers with the shape and size of every parameter, as text that shows itself at a prompt.

        Buffers, which are not trained, are not listed.

        >>> import tinygrad_seq as ts
        >>> ts.nn.Sequential(ts.nn.Linear(3, 2), ts.nn.Dropout(0.5)).summary()
        layer              parameter  shape   count
        Sequential()
        0: Linear(3, 2)    weight     (2, 3)      6
                           bias       (2,)        2
        1: Dropout(p=0.5)
        8 parameters
        """
        return summary(
            (path, f"{type(module).__name__}({module.describe()})", own(module, Parameter))
            for path, module in self.named_modules()
        )

    def describe(self) -> str:
        """Return what its repr shows in the parentheses."""
        return ""

    @recursive_repr("...")  # for a module inside itself
    def __repr__(self) -> str:
        parts = [f"({name}): {part!r}" for name, part in self.parts() if isinstance(part, Module)]
        inside = "".join("\n  " + part.replace("\n", "\n  ") for part in parts) + "\n" if parts else self.describe()
        return f"{type(self).__name__}({inside})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return what a notebook shows: the repr, and the summary as a table."""
        return mimebundle(self, {"text/html": lambda: self.summary()._repr_html_()}, include, exclude)


def walk(top: Module, prefix: str = "", ends: Container[int] = ()) -> Iterator[tuple[str, str, Module]]:
    """Yield a module and all inside it, each once: its dotted name, its name in scopes, itself; nothing in `ends`."""
    seen, stack = set(), [(prefix, top.listed_as, top)]
    while stack:
        path, name, module = stack.pop()
        if id(module) not in seen:
            seen.add(id(module))
            yield path, name, module
            parts = [
                (f"{path}.{key}" if path else key, part_name(module, name, key), part)
                for key, part in module.parts()
                if isinstance(part, Module) and id(module) not in ends
            ]
            stack.extend(reversed(parts))


def part_name(module: Module, name: str, key: str) -> str:
    """Return the name in scopes of a module's part. It begins with the module's own name if that has no scope itself.

    An nn.ModuleList is never called, so those in a list named "layers" are "layers.0", "layers.1", ...
    """
    has_forward = getattr(module.forward, "__func__", None) is not Module.forward
    enters_scope = has_forward and type(module).__call__ is Module.__call__
    return key if enters_scope or not name else f"{name}.{key}"


def name_all(top: Module, name: str) -> None:
    """Give a module this name, and everything inside it the name under which it is listed."""
    vars(top)["listed_as"] = name
    for _, known, module in reversed(list(walk(top))):  # itself last: another thread takes it for done only then
        vars(module).update(listed_as=known, named_at=Module.changes)


def part_at(module: Module, path: Any) -> Any:
    """Return the part that a dotted name leads to, or None. A shared part has several names."""
    part: Any = module
    for name in path.split(".") if isinstance(path, str) else [path]:
        part = part_of(part, name) if isinstance(part, Module) else None
    return part


def part_of(module: Module, name: Any) -> Any:
    """Return a module's own part of this name, or None."""
    part = vars(module).get(name)
    if not isinstance(part, Stored | Module):
        return None
    by_rule = type(module).parts is not Module.parts  # a rule of its own, which says what is a part
    return part if not by_rule or any(name == known for known, _ in module.parts()) else None


def ids_to_find(part: Stored | Module) -> set[int]:
    """Return the ids of what a part stores, which other parts may share; its own id if it stores nothing."""
    if not isinstance(part, Module):
        return {id(part)}
    return {id(each) for _, _, module in walk(part) for _, each in own(module, Parameter, Buffer)} or {id(part)}
