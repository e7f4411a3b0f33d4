"""Modules in a row: a list that is a Module, so that its parts are found, named and saved by their number.

The parts are the attributes "0", "1", ...; whatever changes the list writes them anew, so they are always in order.
"""

from collections.abc import Iterable, Iterator
from typing import Any, overload

from tinygrad_seq.nn.module import Module


class ModuleList(Module):
    """A list of modules whose parameters are those of the list: `layers.0.weight`, `layers.1.weight`, ...

    Indexed, sliced, iterated over and changed like a Python list. Raises TypeError for what is no module.

    >>> import tinygrad_seq as ts
    >>> layers = ts.nn.ModuleList(ts.nn.Linear(3, 3, bias=False) for _ in range(2))
    >>> layers.append(ts.nn.Linear(3, 1))
    >>> list(layers.state_dict())
    ['0.weight', '1.weight', '2.weight', '2.bias']
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.write(list(modules))

    def items(self) -> list[Any]:
        return [part for name, part in self.parts() if name.isdecimal()]

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "name":
            self.write(self.items())

    def scope_name(self, i: int) -> str:
        """What a part calls itself in pictures: nobody calls the list, so its parts say its name for it."""
        return f"{self.name}.{i}" if self.name else str(i)

    def write(self, modules: list[Any]) -> None:
        """Make these the parts."""
        for module in modules:
            if not isinstance(module, Module):
                raise TypeError(f"{type(self).__name__}: expected modules, got {type(module).__name__}")
        for name in [name for name, _ in self.parts() if name.isdecimal()]:
            delattr(self, name)
        for i, module in enumerate(modules):
            setattr(self, str(i), module)
            module.name = self.scope_name(i)

    def append(self, module: Module) -> None:
        self.write([*self.items(), module])

    def extend(self, modules: Iterable[Module]) -> None:
        self.write([*self.items(), *modules])

    def insert(self, index: int, module: Module) -> None:
        modules = self.items()
        modules.insert(index, module)
        self.write(modules)

    def __len__(self) -> int:
        return len(self.items())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items())

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> "ModuleList": ...
    def __getitem__(self, index: int | slice) -> Any:
        """A module, or for a slice the same kind of list of the same modules, which keep their names in pictures."""
        self.check(index)
        if not isinstance(index, slice):
            return self.items()[index]
        part = type(self).__new__(type(self))
        vars(part).update((str(i), module) for i, module in enumerate(self.items()[index]))
        return part

    def __setitem__(self, index: int, module: Module) -> None:
        self.check(index)
        modules = self.items()
        modules[index] = module
        self.write(modules)

    def __delitem__(self, index: int | slice) -> None:
        self.check(index)
        modules = self.items()
        del modules[index]
        self.write(modules)

    def check(self, index: Any) -> None:
        if not isinstance(index, int | slice):
            raise TypeError(f"{type(self).__name__}: an index must be an int or a slice, got {index!r}")
        if isinstance(index, int) and not -len(self) <= index < len(self):
            raise IndexError(f"{type(self).__name__}: index {index} is out of range, there are {len(self)} modules")


class Sequential(ModuleList):
    """One module after another: y = f_n(... f_1(f_0(x))).

    >>> import tinygrad_seq as ts
    >>> model = ts.nn.Sequential(ts.nn.Linear(3, 4), ts.nn.Dropout(0.1), ts.nn.Linear(4, 2))
    >>> model(ts.zeros(5, 3)).shape
    (5, 2)
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def scope_name(self, i: int) -> str:
        return str(i)

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x
