"""Places: where a function keeps what lives on from call to call, and which of them a call has changed.

What a function reaches from its closure, its globals and its arguments (models, optimisers, lists, dicts) is searched
for Tensors. While it is traced, their arrays are traced ones; afterwards every place is as it was before, and what
has changed meanwhile is what the program has to change at every call.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from types import CellType, CodeType, FunctionType, MethodType, ModuleType, NoneType
from typing import Any

from tinygrad_seq.engine.backend import host, modules
from tinygrad_seq.engine.commit import commit
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.nn.module import Module
from tinygrad_seq.optim.optimizer import Optimizer

absent = object()
NOTES = frozenset({"named_at", "changes", "scope_name", "training", "idle"})  # for names and for warnings
ATOMS = (int, float, complex, str, bytes, NoneType, type, ModuleType, host.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """An attribute of an object, or an item of a dict or list; and how a reader would call it.

    `holder` is that object while the function is traced. Later there may be another in its place: `around` leads to it.
    """

    holder: Any
    key: Any
    name: str
    around: "Place | None" = None

    def now(self) -> "Place":
        """Return this place in the object that is there now."""
        holder = self.holder if self.around is None else self.around.read()
        return self if holder is self.holder else Place(holder, self.key, self.name)

    def read(self) -> Any:
        """Return what is there now, on the way that leads there."""
        return self.now().get()

    def get(self) -> Any:
        """Return what the holder has there."""
        if isinstance(self.holder, dict):
            return self.holder.get(self.key, absent)
        if isinstance(self.holder, list | tuple):
            return self.holder[self.key] if self.key < len(self.holder) else absent
        try:
            return getattr(self.holder, self.key, absent)
        except ValueError:  # an empty cell of a closure
            return absent

    def put(self, value: Any) -> None:
        """Put something there, or take it away."""
        if isinstance(self.holder, dict | list):
            if value is absent:
                del self.holder[self.key]
            else:
                self.holder[self.key] = value
        elif value is absent:
            object.__delattr__(self.holder, self.key)
        elif isinstance(self.holder, CellType):
            self.holder.cell_contents = value
        else:
            object.__setattr__(self.holder, self.key, value)


def put_all(changes: list[tuple[Place, Any]]) -> None:
    """Put something in many places: attributes at once, as `commit` does, then the rest."""
    items = [(place, x) for place, x in changes if isinstance(place.holder, dict | list | CellType)]
    commit((place.holder, place.key, x) for place, x in changes if not isinstance(place.holder, dict | list | CellType))
    for place, x in items:
        place.put(x)


def inside(x: Any) -> Iterator[tuple[Any, str]]:
    """Yield the keys of what is in an object, and their names."""
    if isinstance(x, Value):
        yield from (("array", ""), ("stored_grad", ".grad"))
    elif isinstance(x, dict):
        yield from ((key, f"[{key!r}]" if isinstance(key, str | int) else "") for key in x)
    elif isinstance(x, list | tuple):
        yield from ((i, f"[{i}]") for i in range(len(x)))
    elif isinstance(x, CellType):
        yield "cell_contents", ""
    elif isinstance(x, Module):
        yield "training", ".training"
        yield from ((name, f".{name}") for name in vars(x) if name not in NOTES)
    elif hasattr(x, "__dict__") and not isinstance(x, FunctionType | ModuleType | type):
        yield from ((name, f".{name}") for name in vars(x) if name not in NOTES)


def named(key: Any) -> Any:
    """Return a key that can be compared: Tensors, which are keys of an optimiser's state, compare their numbers."""
    return key if isinstance(key, str | int) else id(key)


def names_in(code: CodeType) -> Iterator[str]:
    """Yield the global names that a function's code, or a function in it, mentions."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def reached(function: Any) -> Iterator[tuple[Any, str]]:
    """Yield what is behind a function, a method, a tuple: objects that are no places themselves."""
    if isinstance(function, FunctionType):
        yield from zip(function.__closure__ or (), function.__code__.co_freevars)
        defaults = *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()
        yield from ((value, "") for value in defaults)
        found = ((name, function.__globals__.get(name)) for name in names_in(function.__code__))
        yield from ((value, name) for name, value in found if not isinstance(value, FunctionType) or is_own(value))
    elif isinstance(function, MethodType):
        yield from ((function.__self__, ""), (function.__func__, ""))
    elif isinstance(function, partial):
        yield from ((part, "") for part in (function.func, *function.args, *function.keywords.values()))
    elif isinstance(function, set | frozenset):
        yield from ((part, "") for part in function)


def is_own(function: FunctionType) -> bool:
    """Tell whether a function is the caller's, not one of a library."""
    return "site-packages" not in function.__code__.co_filename and not function.__module__.startswith("tinygrad_seq")


class Places:
    """All places that a function reaches, with what is there before it is called."""

    def __init__(self, *roots: Any) -> None:
        self.before: dict[Place, Any] = {}
        self.tensors: set[int] = set()  # by id; `holders` keeps them
        self.optimizers: list[Optimizer] = []
        self.holders: list[tuple[Any, str]] = []
        seen: dict[int, Any] = {}
        todo: list[tuple[Any, str, Place | None]] = [(root, "", None) for root in roots]
        for x, name, around in todo:  # the list grows while it is read
            if isinstance(x, ATOMS) or type(x) in modules or id(x) in seen:
                continue
            seen[id(x)] = x
            if isinstance(x, Value):
                self.tensors.add(id(x))
            if isinstance(x, Optimizer):
                self.optimizers.append(x)
            self.holders.append((x, name))
            for key, label in inside(x):
                place = Place(x, key, name + label, around)
                value = place.get()
                self.before[place] = value
                if not isinstance(x, Value) or key == "stored_grad":
                    todo.append((value, (name + label).lstrip("."), place))
            todo += [(part, label, None) for part, label in reached(x)]

    def changed(self) -> Iterator[tuple[Place, Any]]:
        """Yield the places where something else is now, and new ones."""
        for place, old in self.before.items():
            now = place.get()
            if now is not old:
                yield place, now
        known = {(id(place.holder), named(place.key)) for place in self.before}
        for x, name in self.holders:
            for key, label in inside(x):
                if (id(x), named(key)) not in known:
                    place = Place(x, key, name + label)
                    yield place, place.get()

    def restore(self) -> None:
        """Put back what was there before."""
        for place, _ in list(self.changed()):
            place.put(self.before.get(place, absent))

    def facts(self, places: Iterable[Place]) -> list[Any]:
        """Return what must be so again for a program to hold: shapes, settings, and which things are there."""
        numbers = {id(group) for optimizer in self.optimizers for group in optimizer.param_groups}
        numbers |= {id(state) for optimizer in self.optimizers for state in optimizer.state.values()}
        return [fact(place.read(), id(place.holder) in numbers) for place in places]

    def moving(self, changed: Iterable[Place]) -> list[Place]:
        """Return the places whose content may be another at the next call: what the function changes, and in there."""
        found = dict.fromkeys(changed)
        held = {id(optimizer.param_groups) for optimizer in self.optimizers}
        for place in self.before:
            inner = place.around in found or isinstance(place.holder, Value)
            if inner or id(place.holder) in held or (place.around is not None and id(place.around.holder) in held):
                found[place] = None
        return [place for place in self.before if place in found]


class Surroundings:
    """What a program takes for granted of what is around the function."""

    def __init__(self, places: Places, changed: Iterable[Place]) -> None:
        self.places, self.moving = places, places.moving(changed)
        moving = set(self.moving)
        self.fixed = [place for place in places.before if place not in moving]
        self.facts = places.facts(self.moving), places.facts(self.fixed)
        by_holder: dict[int, list[Place]] = {}
        for place in self.fixed:
            by_holder.setdefault(id(place.holder), []).append(place)
        self.readers = [reader(found[0].holder, [place.key for place in found]) for found in by_holder.values()]
        self.ids = [tuple(map(id, read())) for read in self.readers]

    def hold(self) -> bool:
        """Tell whether all of it is so. First by what is cheap to ask: whether the same objects are still there."""
        if [tuple(map(id, read())) for read in self.readers] != self.ids:
            if self.places.facts(self.fixed) != self.facts[1]:
                return False
            self.ids = [tuple(map(id, read())) for read in self.readers]
        return self.places.facts(self.moving) == self.facts[0]

    def differs_from(self, other: "Surroundings") -> str:
        """Return where the surroundings are other ones, in words."""
        if len(self.places.before) != len(other.places.before):
            return "what the function reaches"
        ours, others = (dict(zip((*s.moving, *s.fixed), chain(*s.facts))) for s in (self, other))
        names = [a.name for a, b in zip(self.places.before, other.places.before) if ours[a] != others[b]]
        return ", ".join(names[:3]) or "a value that the function asks for"


def reader(holder: Any, keys: list[Any]) -> Callable[[], Iterable[Any]]:
    """Return a fast way to read what a holder has at these keys."""
    if isinstance(holder, list | tuple):
        return lambda: holder
    if isinstance(holder, dict):
        return lambda: map(holder.get, keys)
    if isinstance(holder, Module):
        own = vars(holder)
        rest = [key for key in keys if key != "training"]
        return lambda: (holder.training, *map(own.get, rest))
    if hasattr(holder, "__dict__"):
        return partial(map, vars(holder).get, keys)
    return lambda: [Place(holder, key, "").get() for key in keys]


def fact(x: Any, is_read: bool) -> Any:
    """Return what a program takes for granted of what is in a place; of a number that it reads anew, that it is one."""
    kind = type(x)
    if kind in modules:
        return x.shape, x.dtype
    if isinstance(x, Value):
        return x.array.shape, x.array.dtype
    if kind in (dict, list, tuple):
        return kind, len(x)
    if kind in (int, float):
        return float if is_read else x
    return x if kind in (bool, str, NoneType) else id(x)
