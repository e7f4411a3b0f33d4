"""The assumptions of a program about objects outside its function, and a fast check that they still hold.

A program was made for Tensors of these shapes, for these settings, for lists of this length, for a weight that is used
in two places. Everything else is read anew at every call: the arrays of Tensors, options of optimisers, their state.
"""

from collections.abc import Callable, Iterable
from itertools import compress
from keyword import iskeyword
from operator import is_, is_not
from types import CellType, NoneType
from typing import Any

from tinygrad_seq.engine.backend import device_of, host, modules, to_host
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.replay.trace.place import ATOMS, KEYED, Place, absent, attributes, content, gradient, is_object
from tinygrad_seq.replay.trace.places import Places


class Surroundings:
    """The assumptions of a program about objects outside its function."""

    def __init__(self, places: Places, changed: Iterable[Place]) -> None:
        self.places, self.at = places, {place: i for i, place in enumerate(places.before)}
        groups = {id(group) for optimizer in places.optimizers for group in optimizer.param_groups}
        numbers = {id(state) for optimizer in places.optimizers for state in optimizer.state.values()}
        asked = not places.mentioned.isdisjoint(("param_groups", "get_last_lr"))  # options are numbers of Python there
        self.is_number = [
            id(place.holder) in numbers or place in places.numbers
            or (id(place.holder) in groups and not asked and place.key not in places.mentioned)
            for place in self.at
        ]  # fmt: skip
        own = set(changed)  # what the function changes, and what is in there
        own.update(place for place in self.at if place.around in own)  # `own` grows: what is around comes first
        own_things = {
            i for (place, x), i in zip(places.before.items(), self.at.values())
            if place in own and (self.is_number[i] or isinstance(x, (*KEYED, Value, NoneType)))
        }  # fmt: skip
        self.traits, self.read = reader(places, self.at, own_things)
        self.values, self.seen, self.counts, self.kept = self.read()  # `kept`: the objects that were there
        self.watched = [i for i in self.at.values() if i not in self.traits]
        self.options = {i for place, i in self.at.items() if id(place.holder) in groups}
        self.things = {i for i in self.watched if not isinstance(self.values[i], ATOMS)}
        self.frozen = {
            i: to_host(x).tobytes()
            for (place, x), i in zip(places.before.items(), self.at.values())
            if type(x) in modules and not isinstance(place.holder, Value) and not self.is_number[i]
        }  # arrays that are no Tensor's: constants of the program
        changing = {id(self.values[i]) for i in own_things if isinstance(self.values[i], (*KEYED, Value))}
        self.states = [i for i, x in enumerate(self.values) if id(x) in changing]
        self.names, self.same = self.names_now(), self.same_things(self.things)
        self.same_states = self.same_things(self.states)
        self.facts = list(map(fact, self.values, self.is_number))

    def hold(self) -> bool:
        """Tell whether all of it is so. What is the same object as before is not looked at again."""
        try:
            self.values, seen, counts, kept = self.read()
        except (AttributeError, LookupError, TypeError, ValueError):  # another thing is where a holder was
            return False
        if seen != self.seen or (counts != self.counts and self.names_now() != self.names):
            return False
        same = all(map(is_, kept, self.kept))
        others = set() if same else set(compress(self.watched, map(is_not, kept, self.kept)))
        if others and any(fact(self.values[i], self.is_number[i]) != self.facts[i] for i in others):
            return False
        if self.frozen and any(to_host(self.values[i]).tobytes() != was for i, was in self.frozen.items()):
            return False
        if not self.things.isdisjoint(others) and self.same_things(self.things) != self.same:
            return False
        if self.same_things(self.states) != self.same_states:
            return False
        if not self.options.isdisjoint(others):
            for optimizer in self.places.optimizers:
                optimizer.current_groups()  # an option that makes no sense is an error, as in the step itself
        self.kept, self.counts = kept, counts
        return True

    def same_things(self, places: Iterable[int]) -> list[int]:
        """Return, for every place with a thing in it, the first place of the same one, such as of a tied weight."""
        first: dict[int, int] = {}
        return [first.setdefault(id(self.values[i]), i) for i in places]

    def names_now(self) -> list[set[Any]]:
        """Return which attributes the objects have."""
        return [
            {(id(x), key) for key in attributes(x)} - self.places.left_out
            for x, _, _ in self.places.holders if is_object(x)
        ]  # fmt: skip

    def differs_from(self, other: "Surroundings") -> str:
        """Return the names of the first places that differ."""
        if len(self.at) != len(other.at):
            return "what the function reaches"
        names = [place.name for place, a, b in zip(self.at, self.facts, other.facts) if a != b]
        return ", ".join(names[:3]) or "a value that the function asks for"


def reader(places: Places, at: dict[Place, int], own: set[int]) -> tuple[set[int], Callable[[], Any]]:
    """Return a function that reads all places, each on the way that leads there. It is made as text, for it runs often.

    Beside the values it gives what is to be equal at every call: of arrays, shape and dtype; of `own` places, the kind
    of thing; of Tensors, whether a gradient is wanted, and the hooks; of lists and dicts, the length; of sets, what is
    in there. And of objects, how many attributes they have. Before it comes which places need no other look.
    """
    space: dict[str, Any] = {"absent": absent, "content": content, "gradient": gradient}
    values, equal, counts, traits = [], [], [], set()

    def mention(x: Any) -> str:
        space[f"x{id(x)}"] = x
        return f"x{id(x)}"

    for (place, value), i in zip(places.before.items(), at.values()):
        holder = mention(place.holder) if place.around is None else f"v{at[place.around]}"
        key = repr(place.key) if type(place.key) in (str, int) else mention(place.key)
        if isinstance(place.holder, (*KEYED, tuple)):
            text = f"{holder}[{key}]" if value is not absent else f"{holder}.get({key}, absent)"
        elif value is absent and isinstance(place.holder, CellType):
            text = f"content({holder})"
        elif value is None and place.key == "stored_grad":
            text = f"gradient({holder})"
        elif value is absent or not place.key.isidentifier() or iskeyword(place.key):
            text = f"getattr({holder}, {key}, absent)"
        else:
            text = f"{holder}.{place.key}"
        values.append(f"(v{i} := {text})")
        if type(value) in modules or i in own:
            traits.add(i)
            equal += [f"v{i}.__class__", *([f"v{i}.shape", f"v{i}.dtype"] if type(value) in modules else ())]
            if type(value) in modules and modules[type(value)] is not host:
                equal.append(f"v{i}.device")  # of one class wherever it is
    partly = {id for id, _ in places.left_out}  # attributes that are not read come and go
    for x, _, around in places.holders:
        holder = mention(x) if around is None else f"v{at[around]}"
        if isinstance(x, Value):
            hooks = "((*n.hooks.values(),) if n.hooks else ())"
            equal.append(f"(n := {holder}.node) is not None and n.requires_grad and {hooks}")
        elif isinstance(x, dict) and all(isinstance(key, str | int) for key in x):
            equal.append(f"(*{holder},)")  # in their order
        elif isinstance(x, KEYED):
            equal.append(f"len({holder})")
        elif isinstance(x, set):
            equal.append(f"frozenset({holder})")
        elif hasattr(x, "__dict__") and is_object(x):
            counts.append(f"(*{holder}.__dict__,)" if id(x) in partly else f"len({holder}.__dict__)")
    watched = [f"v{i}" for i in at.values() if i not in traits]
    parts = ", ".join(f"({''.join(f'{text}, ' for text in texts)})" for texts in (values, equal, counts, watched))
    return traits, eval(f"lambda: ({parts})", space)


def fact(x: Any, is_read: bool) -> Any:
    """Return what a program takes for granted of what is in a place; of a number that it reads anew, that it is one."""
    kind = type(x)
    if kind in modules:
        return x.shape, x.dtype, device_of(x)
    if isinstance(x, Value):
        return fact(x.array, False)
    if kind in (*KEYED, tuple) or (isinstance(x, tuple) and hasattr(x, "_fields")):
        return kind, len(x), getattr(x, "maxlen", None)
    if kind in (int, float):
        return float if is_read else repr(x)  # 1.0 is not 1, and 0.0 not -0.0
    return x if kind in (bool, str, NoneType) else id(x)
