"""What a function returns and keeps, and how the same is made of the values of another call."""

from collections.abc import Callable, Iterator
from typing import Any

from tinygrad_seq.engine.backend import host, modules
from tinygrad_seq.engine.graph import Value, leaf
from tinygrad_seq.replay.trace.arrays import Traced
from tinygrad_seq.replay.trace.calls import without_gradient
from tinygrad_seq.replay.trace.place import Place, gradient
from tinygrad_seq.replay.trace.places import Places
from tinygrad_seq.replay.trace.scalars import LazyNumber, Scalar
from tinygrad_seq.replay.trace.surroundings import Surroundings
from tinygrad_seq.replay.trace.tape import owner

Maker = Callable[[tuple[Any, ...]], Any]  # makes something of the values that a program returns


class Results:
    """The values that a program has to return, and the makers of what the function returns and keeps.

    `outputs` tells of a number, and the memory of its array, which output it is; `fixed` has what is no array of the
    tape, and the same at every call.
    """

    surroundings: Surroundings  # of the program, once there is one

    def __init__(self, places: Places) -> None:
        self.places = places
        self.outputs: dict[Any, int] = {}
        self.tensors: dict[int, tuple[Value, Maker]] = {}  # by id
        self.shared: set[int] = set()  # of these: those that are in two places, and made once
        self.made: dict[int, Any] = {}  # of these, by a call
        self.fixed: list[Any] = []

    def output(self, x: Any) -> int:
        """Return which of the outputs a value is. One that is in two places of memory is two of them."""
        memory = owner(x.array) if isinstance(x, Traced) else None
        return self.outputs.setdefault((x.number, memory), len(self.outputs))

    def maker(self, x: Any) -> Maker:
        """Return the function that makes the same of the values of another call."""
        if isinstance(x, Traced | Scalar):
            if x.number is None:
                return lambda values: x.array.copy() if isinstance(x, Traced) else x.value
            i = self.output(x)
            if isinstance(x, Traced) and type(x.array) is host.ndarray and not x.shape:
                return lambda values: host.asarray(values[i])  # a NumPy scalar could not be written
            return (lambda values: values[i].item()) if isinstance(x, LazyNumber) else lambda values: values[i]
        if isinstance(x, Value) and id(x) not in self.places.flags:
            key = id(x)
            self.shared.update({key} & self.tensors.keys())
            _, make = self.tensors.setdefault(key, (x, self.maker_of_tensor(x)))
            return lambda values: self.once(key, make, values) if key in self.shared else make(values)
        if isinstance(x, tuple | list):
            parts, kind = [self.maker(part) for part in x], type(x)
            made: Maker = lambda values: [part(values) for part in parts]
            return (lambda values: kind(*made(values))) if hasattr(x, "_fields") else lambda values: kind(made(values))
        if type(x) is dict:
            items = {heard(key): self.maker(part) for key, part in x.items()}
            return lambda values: {key: part(values) for key, part in items.items()}
        places = (place for place, was in self.places.before.items() if was is x)
        place = next(places, None) if isinstance(x, Value) else None
        if place is not None:  # a Tensor that was there before: every call finds its own
            self.fixed.append(x)
            return lambda values: self.surroundings.values[self.surroundings.at[place]]
        x = type(x)(map(heard, x)) if type(x) in (set, frozenset) else x
        self.fixed.append(x)
        is_new = type(x) in modules and all(was is not x for was in self.places.before.values())
        return (lambda values: x.copy()) if is_new else lambda values: x

    def once(self, key: int, make: Maker, values: tuple[Any, ...]) -> Any:
        """Return a Tensor that is in two places; this call has made it, or makes it now."""
        if key not in self.made:
            self.made[key] = make(values)
        return self.made[key]

    def maker_of_tensor(self, x: Value) -> Maker:
        """Return the function that makes a Tensor of its kind: a result, or a leaf that learns, such as a Parameter."""
        array, kind, node = self.maker(x.array), type(x), x.node
        if node is None or not node.requires_grad:
            return lambda values: tensor_of(kind, array(values))
        if node.op is not None and node.saved is not None:
            return lambda values: without_gradient(array(values))  # it has a graph, which no backward has freed
        if node.op is not None:
            return lambda values: tensor_of(kind, array(values))
        own = self.maker(gradient(x))
        return lambda values: leaf_of(kind, array(values), node.name, own(values))


def heard(x: Any) -> Any:
    """Return what Python has as a key: a number that is another at every call was checked when it was hashed."""
    return x.value if isinstance(x, Scalar) else x


def tensor_of(kind: type[Value], array: Any) -> Value:
    """Return a Tensor of some kind, such as a Buffer, which nothing is recorded of."""
    made = kind.__new__(kind)
    made.array, made.node, made.stored_grad = array, None, None
    return made


def leaf_of(kind: type[Value], array: Any, name: str | None, own: Any) -> Value:
    """Return a Tensor that a gradient is wanted of, with that gradient, or None."""
    made = tensor_of(kind, array)
    leaf(made, True).name = name
    made.stored_grad = own
    return made


def names_of(place: Place, value: Any) -> Iterator[tuple[int | None, str]]:
    """Yield the numbers of what the function puts in a place, such as an optimiser's state, and what to call it."""
    whole, _, end = place.name.rpartition(".")
    is_gradient = place.key == "stored_grad"
    todo = [(f"d_{whole.rpartition('.')[2]}", getattr(value, "array", None)) if is_gradient else (f"new_{end}", value)]
    for name, x in todo:  # the list grows while it is read
        if type(x) is dict:
            todo += [(f"new_{key}" if isinstance(key, str) else name, part) for key, part in x.items()]
        yield getattr(x, "number", None), name
