"""A place: where a function keeps what lives on from call to call, an attribute or an item."""

import sys
import sysconfig
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import CellType, FunctionType, ModuleType, NoneType
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.commit import commit
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.recurrent_layers import RecurrentLayers
from tinygrad_seq.optim.optimizer import Optimizer
from tinygrad_seq.replay.trace.arrays import Recorder

STDLIB = sysconfig.get_path("stdlib")
absent = object()
slot: Any = vars(Value)["stored_grad"].__get__  # past Tensor.__getattr__, which takes its time to say what is missing
KEYED = (dict, list, deque)
ITEMS = (*KEYED, CellType, type)  # what is in there is no attribute of an object
NOTES = (  # what objects of the library keep beside their settings
    (Module, {"named_at", "scope_name", "listed_as"}),
    (RecurrentLayers, {"owners"}),
    (Optimizer, {"idle", "current_groups"}),
)
ATOMS = (int, float, complex, str, bytes, NoneType, type, ModuleType, Recorder, host.dtype)


class Replayed:
    """A function that is replayed; what it keeps of its calls is in no place."""

    __slots__ = ("function",)
    function: Any


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """An attribute of an object, or an item of a dict or list; and how a reader would call it.

    `holder` is that object while the function is traced. Later there may be another in its place: `around` leads to it.
    """

    holder: Any
    key: Any
    name: str
    around: "Place | None" = None

    def get(self) -> Any:
        """Return what the holder has there."""
        if isinstance(self.holder, dict):
            return self.holder.get(self.key, absent)
        if isinstance(self.holder, list | deque | tuple):
            return self.holder[self.key] if self.key < len(self.holder) else absent
        if self.key == "stored_grad":
            return gradient(self.holder)
        return content(self.holder) if isinstance(self.holder, CellType) else getattr(self.holder, self.key, absent)

    def put(self, value: Any) -> None:
        """Put something there, or take it away."""
        if isinstance(self.holder, KEYED):
            if value is absent:
                del self.holder[self.key]
            else:
                self.holder[self.key] = value
        elif value is absent:
            object.__delattr__(self.holder, self.key)
        elif isinstance(self.holder, CellType):
            self.holder.cell_contents = value
        else:
            (type if isinstance(self.holder, type) else object).__setattr__(self.holder, self.key, value)


def content(cell: CellType) -> Any:
    """Return what is in a cell of a closure."""
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return absent


def gradient(x: Value) -> Any:
    """Return the gradient that a Tensor keeps, or None."""
    try:
        return slot(x)
    except AttributeError:  # it never had one
        return None


def put_all(changes: list[tuple[Any, Any, Any]], items: int) -> None:
    """Put something in many places, (holder, key, value): attributes at once, as `commit` does, then the items."""
    commit(changes[: len(changes) - items])
    for holder, key, x in changes[len(changes) - items :]:
        Place(holder, key, "").put(x)


def inside(x: Any) -> Iterator[tuple[Any, str]]:
    """Yield the keys of what is in an object, and their names."""
    if isinstance(x, Value):
        yield from (("array", ""), ("stored_grad", ".grad"))
    elif isinstance(x, dict):
        yield from ((key, f"[{key!r}]" if isinstance(key, str | int) else "") for key in x)
    elif isinstance(x, list | deque | tuple):
        yield from ((i, f"[{i}]") for i in range(len(x)))
    elif isinstance(x, CellType):
        yield "cell_contents", ""
    elif is_object(x):
        yield from ((name, f".{name}") for name in attributes(x))


def is_object(x: Any) -> bool:
    """Tell whether this has attributes that may be any."""
    return (hasattr(x, "__dict__") or slots_of(x) != []) and not isinstance(x, FunctionType | ModuleType | type)


def slots_of(x: Any) -> list[str]:
    """Return the names of the slots that a class of the caller's gives to its objects."""
    found = ((base, vars(base).get("__slots__", ())) for base in filter(is_own, type(x).__mro__))
    names = [private(name, base) for base, slots in found for name in ([slots] if isinstance(slots, str) else slots)]
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def private(name: str, kind: type) -> str:
    """Return what Python calls a name that stands in a class."""
    return f"_{kind.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name


def attributes(x: Any) -> list[str]:
    """Return the names of an object's attributes, without notes, and with `training`, which may be that of a class."""
    first = ["training"] if isinstance(x, Module) else []
    notes = {name for kind, names in NOTES if isinstance(x, kind) for name in names}
    return [name for name in dict.fromkeys([*first, *getattr(x, "__dict__", ()), *slots_of(x)]) if name not in notes]


def named(key: Any) -> Any:
    """Return a key that can be compared: Tensors, which may be keys of a dict, are compared by id."""
    return key if isinstance(key, str | int) else id(key)


def spot_of(place: Place) -> tuple[int, Any]:
    """Return a key that is equal for places that are the same one."""
    return id(place.holder), named(place.key)


def is_own(x: Any) -> bool:
    """Tell whether a function, a class or a module is the caller's, not one of a library."""
    name = x.__name__ if isinstance(x, ModuleType) else x.__module__
    if isinstance(x, FunctionType):  # `functools.wraps` gives it the module of another one
        name = x.__globals__.get("__name__")
    name = name or ""
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    first = name.partition(".")[0]
    is_python = first in sys.stdlib_module_names and (not file or file.startswith(STDLIB))  # not a file of that name
    return first != "tinygrad_seq" and "site-packages" not in file and not is_python
