"""All places that a function reaches, and which of them a call has changed.

What a function reaches from its closure, its globals and its arguments (models, optimisers, lists, dicts) is searched
for Tensors. While it is traced, their arrays are traced ones; afterwards every place is as it was before, and what
has changed meanwhile is what the program has to change at every call.
"""

import sys
from collections import defaultdict, deque
from collections.abc import Iterator
from dis import get_instructions
from functools import partial
from gc import get_referents
from operator import is_not
from types import BuiltinMethodType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from tinygrad_seq.engine.backend import modules, to_host
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.optim.optimizer import Optimizer
from tinygrad_seq.replay.trace.place import ATOMS, KEYED, Place, Replayed, absent, inside, is_own, named, spot_of
from tinygrad_seq.replay.trace.reads import Reads

NOT_FOLLOWED = frozenset((  # special methods that a step hardly calls, but which mention whole sets of data
    "__init__", "__new__", "__del__", "__repr__", "__str__", "__len__", "__getitem__", "__iter__", "__next__",
    "__hash__", "__eq__", "__contains__", "__reduce__", "__getstate__", "__setstate__", "__copy__", "__deepcopy__",
))  # fmt: skip
CALLED = ("__init__", "__new__")  # with a class
WRAPPED = ("fget", "__func__", "func", "function", "__wrapped__")  # where a descriptor has its function


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
        found = function.__defaults__, function.__kwdefaults__, vars(function)
        yield from ((values, "default") for values in found if values)
    elif isinstance(function, MethodType):
        yield from ((function.__self__, ""), (function.__func__, ""))
    elif isinstance(function, BuiltinMethodType):  # such as the `get` of a dict
        yield function.__self__, ""
    elif isinstance(function, partial):
        yield from ((part, "") for part in (function.func, function.args, function.keywords))
    elif isinstance(function, Replayed):
        yield function.function, ""
    elif isinstance(function, set | frozenset | MappingProxyType):
        yield from ((part, "") for part in (get_referents(function) if hasattr(function, "keys") else function))
    elif isinstance(function, (*KEYED, tuple)) and hasattr(function, "__dict__"):  # attributes beside its items
        yield vars(function), ""


def globals_of(function: FunctionType) -> Iterator[Place]:
    """Yield the global variables that a function mentions, also those of the caller's modules."""
    code = function.__code__
    own, asked = [*names_in(code, "_GLOBAL")], [*names_in(code, "_ATTR", "_METHOD", "IMPORT_FROM")]

    def names_of(module: ModuleType) -> list[str]:
        return [name for name in vars(module) if name[:2] != "__"] if "getattr" in own else asked

    todo = [(function.__globals__, "", own)]
    imported = (sys.modules.get(name) for name in names_in(code, "IMPORT_NAME"))
    todo += [(vars(x), f"{x.__name__}.", names_of(x)) for x in imported if x and is_own(x)]
    for there, prefix, names in todo:  # the list grows while it is read
        for name in filter(there.__contains__, names):
            x = there[name]
            if not isinstance(x, ModuleType):
                yield Place(there, name, prefix + name)
            elif is_own(x) and all(vars(x) is not other for other, _, _ in todo):
                todo.append((vars(x), f"{prefix}{name}.", names_of(x)))


def behind(x: Any) -> Any:
    """Return the function behind a property, a class method, a replayed method or another one that is wrapped."""
    names = [name for name in WRAPPED if hasattr(type(x), "__get__") and hasattr(x, name)]
    return x if isinstance(x, FunctionType) or not names else behind(getattr(x, names[0]))


def parts_of(kind: type) -> Iterator[tuple[str, Any, Place | None]]:
    """Yield what a class of the caller's has, by name: functions, classes and values; and its place, if it is one."""
    for base in filter(is_own, kind.__mro__):
        for name, x in vars(base).items():
            place = Place(base, name, f"{base.__name__}.{name}")
            function = behind(x)
            if isinstance(function, FunctionType):
                method = Place(kind, name, f"{kind.__name__}.{name}")  # whichever class has it now
                yield name, function, None if isinstance(x, classmethod) else method
            elif function is not x or (hasattr(type(x), "__get__") and is_own(type(x))):  # an object that is called
                yield name, (function,), None
            elif isinstance(x, type) or not (hasattr(type(x), "__get__") or name.startswith("__")):
                yield name, x, place
                if base is not kind:  # a class may get one of its own
                    yield name, x, Place(kind, name, f"{kind.__name__}.{name}")


def is_called_anyway(name: str, kind: type) -> bool:
    """Tell whether a method may be called without its name: by an operator or by a library, such as `forward`."""
    if name.startswith("__") and name.endswith("__"):
        return name not in NOT_FOLLOWED
    return any(hasattr(base, name) for base in kind.__mro__ if not is_own(base))


def same_content(x: Any, was: Any) -> bool:
    """Tell whether a set, the order of a dict, or an array is as it was, to the bit."""
    if isinstance(x, dict):
        return [*map(named, x)] == [*map(named, was)]
    return x == was if isinstance(x, set) else to_host(x).tobytes() == to_host(was).tobytes()


def looked_into(x: Any) -> tuple[list[Any], list[Any], Any] | None:
    """Return the keys of what is in an object, what is behind it, and a copy of a set or dict; None if it refuses.

    Such an object, a stand-in of a test for example, is only asked for whether it is the same one.
    """
    try:
        copy = x.copy() if isinstance(x, (set, *KEYED)) else None
        return ([*inside(x)], [*reached(x)], copy) if x.__class__ is type(x) else None
    except Exception:
        return None


def requires_grad(x: Value) -> bool:
    """Tell whether a gradient is wanted of a Tensor."""
    return x.node is not None and x.node.requires_grad


Part = tuple[Any, Place | None]  # of a class or a module: what is there, and its place, if it is one


class Places:
    """All places that a function reaches, with what is there before it is called."""

    def __init__(self, *roots: Any, reads: Reads | None = None) -> None:
        """Search what the roots reach; of the caller's own objects only what was read, where that is given."""
        self.before: dict[Place, Any] = {}
        self.flags: dict[int, bool] = {}  # by the id of a Tensor, which `holders` keeps: whether it learns
        self.optimizers: list[Optimizer] = []
        self.contents: list[tuple[Any, Any, str]] = []  # sets, dicts, arrays of no Tensor; with copies
        self.lists: list[tuple[Any, Any, str]] = []  # the same of lists
        self.numbers: set[Place] = set()  # where the function leaves a number that later calls read anew
        self.holders: list[tuple[Any, str, Place | None]] = []
        self.reads = reads
        self.left_out: set[tuple[int, Any]] = set()  # spots of attributes that nobody reads
        self.mentioned: set[str] = set()  # names of attributes that functions ask for, or may ask for
        self.by_name = False  # whether a function asks for an attribute by a name that it makes
        self.seen: dict[Any, Any] = {}  # objects by id, and places by their spots
        self.parts: dict[str, list[Part]] = defaultdict(list)  # by a name that nobody has mentioned yet
        self.todo: list[tuple[Any, str, Place | None]] = [(root, "", None) for root in roots]
        for x, name, around in self.todo:  # the list grows while it is read
            used, found = [*self.in_class(x), *self.in_module(x)], list[Place]()
            if not (isinstance(x, ATOMS) or type(x) in modules or id(x) in self.seen):
                self.seen[id(x)] = x
                found += self.in_object(x, name, around)
                if isinstance(x, FunctionType) and (is_own(x) or x is roots[0]):
                    found += globals_of(x)
                    used += self.asked_by(x.__code__)
            self.todo += [(part, "", None) for part, _ in used if isinstance(part, FunctionType | tuple | type)]
            for place in [*(place for _, place in used if place is not None), *found]:
                if self.seen.setdefault(spot_of(place), place) is place:
                    self.keep(place, x)
        del self.seen, self.parts, self.todo

    def in_class(self, x: Any) -> Iterator[Part]:
        """Yield what the class of an object has and somebody may use; the rest waits for its name to be mentioned."""
        kind = x if isinstance(x, type) else type(x)
        if id(kind) not in self.seen and kind not in modules:
            self.seen[id(kind)] = kind
            for name, part, place in parts_of(kind):
                is_called = isinstance(part, FunctionType | tuple) and is_called_anyway(name, kind)
                if is_called or self.may_be_asked(name) or (kind is x and name in CALLED):
                    yield part, place
                else:
                    self.parts[name].append((part, place))

    def in_module(self, x: Any) -> Iterator[Part]:
        """Yield the variables of a module of the caller's, in a closure or an attribute, in the same way."""
        if isinstance(x, ModuleType) and is_own(x) and id(x) not in self.seen:
            self.seen[id(x)] = x
            for name in [name for name in vars(x) if name[:2] != "__"]:
                part = None, Place(vars(x), name, f"{x.__name__}.{name}")
                if self.may_be_asked(name):
                    yield part
                else:
                    self.parts[name].append(part)

    def may_be_asked(self, name: str) -> bool:
        """Tell whether a function that is known so far may ask for an attribute of that name."""
        return name in self.mentioned or (self.by_name and name[:2] != "__")

    def in_object(self, x: Any, name: str, around: Place | None) -> list[Place]:
        """Return the places in an object, and note what is behind it."""
        looked = looked_into(x)
        if looked is None:
            return []
        own, further, copy = looked
        self.holders.append((x, name, around))
        if isinstance(x, Value):
            self.flags[id(x)] = requires_grad(x)
            hooks = x.node.hooks if x.node is not None else None
            self.todo += [(hook, "hook", None) for hook in (hooks or {}).values()]
        kept = self.lists if isinstance(x, list | deque) else self.contents
        kept += [(x, copy, name)] if copy is not None else []
        self.optimizers += [x] if isinstance(x, Optimizer) else []
        self.todo += [(part, label, None) for part, label in further]
        left_out = [key for key, _ in own if self.reads is not None and not self.reads.has(x, key)]
        self.left_out.update((id(x), named(key)) for key in left_out)
        return [Place(x, key, name + label, around) for key, label in own if key not in left_out]

    def asked_by(self, code: CodeType) -> list[Part]:
        """Return what has waited for the names that a function mentions."""
        new = {*names_in(code, "_ATTR", "_METHOD")} - self.mentioned
        if "getattr" in names_in(code, "_GLOBAL"):  # any may be asked for
            self.by_name, new = True, new | {each for each in code.co_consts if isinstance(each, str)}
        self.mentioned |= new
        new |= {each for each in self.parts if each[:2] != "__"} if self.by_name else set()
        return [part for each in sorted(new) for part in self.parts.pop(each, ())]

    def keep(self, place: Place, x: Any) -> None:
        """Note what is in a place that an object led to, and go on there."""
        value = self.before[place] = place.get()
        if type(value) in modules and not isinstance(x, Value):
            self.contents.append((value, value.copy(), place.name.lstrip(".")))
        other = isinstance(value, FunctionType) and place.holder is not x  # of a class, or of a library
        is_end = other and (isinstance(place.holder, type) or not is_own(value))
        if not is_end and (not isinstance(x, Value) or place.key == "stored_grad"):
            self.todo.append((value, place.name.lstrip("."), place))

    def changed(self) -> Iterator[tuple[Place, Any]]:
        """Yield the places whose value has changed, and new places."""
        for place, old in self.before.items():
            now = place.get()
            if now is not old:
                yield place, now
        known = self.left_out.union(map(spot_of, self.before))
        for x, name, around in self.holders:
            for key, label in inside(x):
                if (id(x), named(key)) not in known:
                    place = Place(x, key, name + label, around)
                    yield place, place.get()

    def flags_changed(self) -> list[tuple[Any, bool, Place | None]]:
        """Return the Tensors that learn now and did not before, True, or the other way, and the places around them."""
        now = ((x, requires_grad(x), around) for x, _, around in self.holders if isinstance(x, Value))
        return [(x, flag, around) for x, flag, around in now if flag != self.flags[id(x)]]

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
            if not isinstance(place.holder, list | deque):
                place.put(self.before.get(place, absent))
        for x, was, _ in self.lists:  # as a whole: it may be shorter now, or longer
            if len(x) != len(was) or any(map(is_not, x, was)):
                x.clear()
                x.extend(was)
        for x, flag, _ in self.flags_changed():
            x.requires_grad = not flag
