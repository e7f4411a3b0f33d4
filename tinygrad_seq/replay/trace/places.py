"""Places: where a function keeps what lives on from call to call, and which of them a call has changed.

What a function reaches from its closure, its globals and its arguments (models, optimisers, lists, dicts) is searched
for Tensors. While it is traced, their arrays are traced ones; afterwards every place is as it was before, and what
has changed meanwhile is what the program has to change at every call.
"""

import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from dis import get_instructions
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType, NoneType
from typing import Any

from tinygrad_seq.engine.backend import host, modules, to_host
from tinygrad_seq.engine.commit import commit
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.recurrent_layers import RecurrentLayers
from tinygrad_seq.optim.optimizer import Optimizer

absent = object()
slot: Any = vars(Value)["stored_grad"].__get__  # past Tensor.__getattr__, which takes its time to say what is missing
KEYED = (dict, list, deque)
ITEMS = (*KEYED, CellType, type)  # what is in there is no attribute of an object
NOTES = (  # what objects of the library keep beside their settings
    (Module, {"named_at", "scope_name", "listed_as"}),
    (RecurrentLayers, {"owners"}),
    (Optimizer, {"idle", "current_groups"}),
)
SETTINGS = (Value, int, float, str)
ATOMS = (int, float, complex, str, bytes, NoneType, type, ModuleType, host.dtype)


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

    def read(self) -> Any:
        """Return what is there now, on the way that leads there."""
        return (self if self.around is None else Place(self.around.read(), self.key, self.name)).get()

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
    """Return a key that can be compared: Tensors, which are keys of an optimiser's state, compare their numbers."""
    return key if isinstance(key, str | int) else id(key)


def names_in(code: CodeType, *kinds: str) -> Iterator[str]:
    """Yield the names that a function's code, or a function in it, mentions: "_GLOBAL" or "_ATTR" says of what."""
    yield from (each.argval for each in get_instructions(code) if each.opname.endswith(kinds))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant, *kinds)


def reached(function: Any) -> Iterator[tuple[Any, str]]:
    """Yield what is behind a function, a method, a tuple: objects that are no places themselves."""
    if isinstance(function, FunctionType):
        yield from zip(function.__closure__ or (), function.__code__.co_freevars)
        defaults = *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()
        yield from ((value, "") for value in defaults)
    elif isinstance(function, MethodType):
        yield from ((function.__self__, ""), (function.__func__, ""))
    elif isinstance(function, partial):
        yield from ((part, "") for part in (function.func, *function.args, *function.keywords.values()))
    elif isinstance(function, Replayed):
        yield function.function, ""
    elif isinstance(function, set | frozenset):
        yield from ((part, "") for part in function)
    elif isinstance(function, (*KEYED, tuple)) and hasattr(function, "__dict__"):  # attributes beside its items
        yield vars(function), ""


def globals_of(function: FunctionType) -> Iterator[Place]:
    """Yield the global variables that a function mentions, also those of the caller's modules."""
    in_modules = [*names_in(function.__code__, "_ATTR", "_METHOD")]
    todo = [(function.__globals__, "", [*names_in(function.__code__, "_GLOBAL")])]
    for there, prefix, names in todo:  # the list grows while it is read
        for name in filter(there.__contains__, names):
            x = there[name]
            if not isinstance(x, ModuleType):
                yield Place(there, name, prefix + name)
            elif is_own(x) and all(vars(x) is not other for other, _, _ in todo):
                todo.append((vars(x), f"{prefix}{name}.", in_modules))


def shared(kind: type) -> Iterator[Place]:
    """Yield where a class of the caller's has Tensors, settings and methods, and globals of these."""
    for base in filter(is_own, kind.__mro__):
        for name, x in vars(base).items():
            function = getattr(x, "fget", getattr(x, "__func__", x))  # of a property, of a class method
            if isinstance(function, FunctionType):
                yield from [Place(base, name, f"{base.__name__}.{name}")] if function is x else []
                yield from (place for place in globals_of(function) if isinstance(place.get(), SETTINGS))
            elif isinstance(x, SETTINGS) and not name.startswith("__"):
                yield Place(base, name, f"{base.__name__}.{name}")


def same_content(x: Any, was: Any) -> bool:
    """Tell whether a set, the order of a dict, or an array is as it was, to the bit."""
    if isinstance(x, dict):
        return [*map(named, x)] == [*map(named, was)]
    return x == was if isinstance(x, set) else to_host(x).tobytes() == to_host(was).tobytes()


def is_own(x: Any) -> bool:
    """Tell whether a function, a class or a module is the caller's, not one of a library."""
    name = (x.__name__ if isinstance(x, ModuleType) else x.__module__) or ""
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    return "site-packages" not in file and name.partition(".")[0] not in ("tinygrad_seq", *sys.stdlib_module_names)


class Places:
    """All places that a function reaches, with what is there before it is called."""

    def __init__(self, *roots: Any) -> None:
        self.before: dict[Place, Any] = {}
        self.tensors: set[int] = set()  # by id; `holders` keeps them
        self.optimizers: list[Optimizer] = []
        self.contents: list[tuple[Any, Any, str]] = []  # sets, dicts, arrays of no Tensor; with copies
        self.holders: list[tuple[Any, str, Place | None]] = []
        seen: dict[Any, Any] = {}
        todo: list[tuple[Any, str, Place | None]] = [(root, "", None) for root in roots]
        for x, name, around in todo:  # the list grows while it is read
            found: list[Place] = []
            kind = x if isinstance(x, type) else type(x)
            if id(kind) not in seen:
                found += shared(kind)
                seen[id(kind)] = kind
            if not (isinstance(x, ATOMS) or type(x) in modules or id(x) in seen):
                seen[id(x)] = x
                self.holders.append((x, name, around))
                if isinstance(x, Value):
                    self.tensors.add(id(x))
                elif isinstance(x, set | dict):
                    self.contents.append((x, x.copy(), name))
                elif isinstance(x, Optimizer):
                    self.optimizers.append(x)
                elif isinstance(x, FunctionType):
                    found += globals_of(x)
                found += [Place(x, key, name + label, around) for key, label in inside(x)]
                todo += [(part, label, None) for part, label in reached(x)]
            for place in found:
                key = id(place.holder), named(place.key)
                if seen.setdefault(key, place) is not place:
                    continue
                value = self.before[place] = place.get()
                if type(value) in modules and not isinstance(x, Value):
                    self.contents.append((value, value.copy(), place.name.lstrip(".")))
                other = isinstance(value, FunctionType) and place.holder is not x  # of a class, or of a library
                is_end = other and (isinstance(place.holder, type) or not is_own(value))
                if not is_end and (not isinstance(x, Value) or place.key == "stored_grad"):
                    todo.append((value, place.name.lstrip("."), place))

    def changed(self) -> Iterator[tuple[Place, Any]]:
        """Yield the places where something else is now, and new ones."""
        for place, old in self.before.items():
            now = place.get()
            if now is not old:
                yield place, now
        known = {(id(place.holder), named(place.key)) for place in self.before}
        for x, name, around in self.holders:
            for key, label in inside(x):
                if (id(x), named(key)) not in known:
                    place = Place(x, key, name + label, around)
                    yield place, place.get()

    def written(self) -> list[str]:
        """Put back what was in sets, dicts and arrays of no Tensor; return the names of those that were changed."""
        changed = [(x, was, name) for x, was, name in self.contents if not same_content(x, was)]
        for x, was, _ in changed:
            if isinstance(x, set | dict):
                x.clear()
                x.update(was)
            else:
                x[...] = was
        return [name for _, _, name in changed]

    def restore(self) -> None:
        """Put back what was there before."""
        for place, _ in list(self.changed()):
            place.put(self.before.get(place, absent))
