"""Lists of modules that are modules themselves, so that their parts are found, named and saved by their number."""

from collections.abc import Iterable, Iterator
from typing import Any, Self

from tinygrad_seq.engine.arguments import ints
from tinygrad_seq.nn.module import Module, name_all


class ModuleList(Module):
    """Hold modules in a list; their parameters are those of the list: `0.weight`, `1.weight`, ...

    Indexed, sliced, iterated over, appended to and deleted from like a list. Raises TypeError for what is no module.

    >>> import tinygrad_seq as ts
    >>> layers = ts.nn.ModuleList(ts.nn.Linear(3, 3, bias=False) for _ in range(2))
    >>> layers = layers.append(ts.nn.Linear(3, 1))
    >>> list(layers.state_dict())
    ['0.weight', '1.weight', '2.weight', '2.bias']
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def items(self) -> list[Any]:
        """Return the modules."""
        return [part for name, part in self.parts() if name.isdecimal()]

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end; return the list. Raises TypeError if one is no module, and then adds none.

        >>> import tinygrad_seq as ts
        >>> len(ts.nn.ModuleList().extend([ts.nn.Linear(3, 4), ts.nn.ReLU()]))
        2
        """
        if not isinstance(modules, Iterable):
            raise TypeError(f"{type(self).__name__}: expected a list of modules, got {type(modules).__name__}")
        for i, module in enumerate([self.checked(module) for module in modules], len(self)):
            setattr(self, str(i), module)
        return self

    def append(self, module: Module) -> Self:
        """Add a module at the end; return the list. Raises TypeError for what is no module.

        >>> import tinygrad_seq as ts
        >>> model = ts.nn.Sequential().append(ts.nn.Linear(3, 4)).append(ts.nn.Linear(4, 2))
        >>> model(ts.zeros(5, 3)).shape
        (5, 2)
        """
        return self.extend([module])

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before the one at an index; those behind it move up. Return the list.

        Raises TypeError for what is no module.

        >>> import tinygrad_seq as ts
        >>> model = ts.nn.Sequential(ts.nn.Linear(3, 4), ts.nn.Linear(4, 2))
        >>> list(model.insert(1, ts.nn.ReLU()).state_dict())
        ['0.weight', '0.bias', '2.weight', '2.bias']
        """
        items = self.items()
        items.insert(ints(f"{type(self).__name__}: index", (index,))[0], self.checked(module))
        self.renumber(items)
        return self

    def renumber(self, items: list[Any]) -> None:
        """Hold these modules, under the numbers from 0, instead of those that are there."""
        extra = [str(i) for i in range(len(items), len(self))]
        vars(self).update((str(i), module) for i, module in enumerate(items))
        for name in extra:
            object.__delattr__(self, name)
        Module.changes += 1
        name_all(self, self.listed_as)

    def __len__(self) -> int:
        last = next((name for name in reversed(list(vars(self))) if name.isdecimal()), "-1")
        return int(last) + 1

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items())

    def __getitem__(self, index: int | slice) -> Any:
        """Return a module; for a slice, a list of the same kind with these modules, under the names that they have."""
        if not isinstance(index, slice):
            return getattr(self, self.place(index))
        part = type(self).__new__(type(self))
        vars(part).update((str(i), module) for i, module in enumerate(self.items()[index]))
        return part

    def __delitem__(self, index: int | slice) -> None:
        """Take a module out, or those of a slice; those behind it move down."""
        items = self.items()
        del items[index if isinstance(index, slice) else int(self.place(index))]
        self.renumber(items)

    def __delattr__(self, name: str) -> None:
        """Take an attribute away; if it is a module of the list, those behind it move down."""
        if name.isdecimal() and name in vars(self):
            del self[int(name)]
        else:
            super().__delattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; raise TypeError for None in the place of a module, which would leave a gap."""
        if value is None and name.isdecimal():
            raise TypeError(f"{type(self).__name__}: expected a module, got None: del layers[{name}] takes one out")
        super().__setattr__(name, value)

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self.place(index), self.checked(module))

    def place(self, index: int) -> str:
        """Return the name of the part at an index, which may count from the end."""
        (number,) = ints(f"{type(self).__name__}: index", (index,))
        if not -len(self) <= number < len(self):
            raise IndexError(f"{type(self).__name__}: no part at {index}, there are {len(self)}")
        return str(number % len(self))

    def checked(self, module: Any) -> Module:
        """Return the module; raise TypeError for anything else."""
        if not isinstance(module, Module):
            hint = f": {module.__name__}(...) makes one" if isinstance(module, type) else ""
            hint = ": pass modules one by one, or *layers" if isinstance(module, list | tuple | dict) else hint
            raise TypeError(f"{type(self).__name__}: expected a module, got {type(module).__name__}{hint}")
        return module


class Sequential(ModuleList):
    """Apply one module after another: y = f_n(... f_1(f_0(x))).

    A recurrent layer gives a pair, which the next module cannot take: write a Module for it. Raises TypeError for what
    is no module.

    >>> import tinygrad_seq as ts
    >>> model = ts.nn.Sequential(ts.nn.Linear(3, 4), ts.nn.Dropout(0.1), ts.nn.Linear(4, 2))
    >>> model(ts.zeros(5, 3)).shape
    (5, 2)
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x
