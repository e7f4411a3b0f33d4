"""The arguments of a call: their arrays in order, and a key of all else."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from functools import cached_property
from itertools import count
from operator import is_not
from typing import Any

from tinygrad_seq.engine.backend import default_device, device_of, host, modules, to_host
from tinygrad_seq.engine.graph import Value, ancestors, leaf
from tinygrad_seq.engine.op import Primitive
from tinygrad_seq.engine.primitive import unary
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.scope import current
from tinygrad_seq.replay.trace.tape import TraceError


def made_by_program(xp: Any, x: Any) -> Any:
    """Return a result of a program. Of what it was made is not recorded, so it has no gradient to give."""
    return x


def refuse_gradient(g: Any, _y: Any, _x: Any) -> Any:
    """Raise RuntimeError: the gradient of all that a result was made of would be lost in silence."""
    raise RuntimeError(
        "replay: a gradient is asked of what a replayed function returned, and how it was made is not recorded: call "
        "backward() inside of that function, or detach() what it returns"
    )


op = Primitive(made_by_program)
op.vjps(refuse_gradient)
op.hides_history = True


def without_gradient(array: Any) -> Any:
    """Return a result as a Tensor that requires a gradient, and raises where that is asked for."""
    made = make_tensor(array)
    leaf(made, True)
    return unary(op)(made)


def is_array(x: Any) -> bool:
    """Tell whether this is an array of one axis at least."""
    return type(x) in modules and getattr(x, "ndim", 0) > 0


def is_input(x: Any) -> bool:
    """Tell whether this is a Tensor whose values are data: no leaf that a gradient is wanted of."""
    if not isinstance(x, Value) or x.node is None or not x.node.requires_grad:
        return isinstance(x, Value)
    if x.node.op is None:
        return False
    behind = ancestors([x.node], constants=False)
    results = {parent for node in behind if node.op is op for parent in node.parents}  # of programs: data
    if any(node.op is None and node not in results for node in behind):
        raise TraceError("replay: an argument was made from what requires a gradient: detach() it first")
    return True


def items_of(x: Any) -> Iterable[Any]:
    """Return what is in a tuple, list, dict or Tensor."""
    if isinstance(x, Value):
        return [x.array]
    return x.values() if isinstance(x, dict) else x


class Given:
    """The arguments of a call. Two calls with equal keys differ in the values of `arrays` only."""

    def __init__(self, function: Callable[..., Any], args: Any, options: Any) -> None:
        self.function, self.args = function, (args, options)
        self.ways: list[tuple[Any, str]] = []  # of the arrays: in which argument, and where in there
        self.arrays: list[Any] = []
        self.kept: list[Any] = []  # what they are the arrays of
        self.first: dict[int, int] = {}  # of the id of an argument: the first of the arrays, where it is given twice
        self.copies: list[tuple[Any, list[Any]]] = []  # what `with_arrays` made, and what was in there
        self.others: list[Any] = []  # what is no array and no atom: models, optimisers, parameters
        self.key = (
            current.get().recording,
            default_device.get(),
            tuple([self.key_of(x, i) for i, x in enumerate(args)]),
            tuple([(name, self.key_of(x, name)) for name, x in options.items()]),
        )

    @cached_property
    def parameters(self) -> dict[Any, str]:
        """Return the names of the function's parameters, by position."""
        try:
            return dict(enumerate(inspect.signature(self.function).parameters))
        except (TypeError, ValueError):  # it tells none
            return {}

    @cached_property
    def names(self) -> list[str]:
        """Return what the function calls the arrays."""
        return [f"{self.parameters.get(i, 'x') if isinstance(i, int) else i}{rest}" for i, rest in self.ways]

    def differs_from(self, key: Any) -> str:
        """Return in words which argument is not what it was in another call, and what to do about it."""
        positional = zip(self.args[0], self.key[2], key[2], (self.parameters.get(i, i) for i in count()))
        named = ((x, now, was, name) for (name, x), now, was in zip(self.args[1].items(), self.key[3], key[3]))
        for x, now, was, name in (*positional, *named):
            if now != was and any(x is other for other in self.others):
                kind, do = type(x).__name__, "give its Tensors, in a tuple or dict"
                if isinstance(x, Value):
                    kind, do = f"{kind} that requires a gradient", "detach it, and set x.requires_grad = True inside"
                return f"argument {name}, another {kind} at every call: {do}"
            if now != was and isinstance(x, int | float | str):
                return f"argument {name}, {x!r:.60} now: a number that changes should be a Tensor"
            if now != was:
                return f"argument {name}: another shape, dtype or structure, or other Python values in it"
        return "the number of its arguments, the default device or no_grad"

    def key_of(self, x: Any, i: Any, rest: str = "") -> Any:
        """Return what a program takes for granted of an argument; collect its arrays."""
        if is_input(x) or is_array(x):
            array = x.array if isinstance(x, Value) else x
            first = self.first.setdefault(id(x), len(self.arrays))
            self.kept.append(x)
            self.arrays.append(array)
            self.ways.append((i, rest))
            return type(x), first, array.shape, array.dtype, device_of(array)
        if isinstance(x, tuple | list | dict):
            own = [self.key_of(vars(x), i, rest)] if hasattr(x, "__dict__") else []
            parts = x.items() if isinstance(x, dict) else enumerate(x)
            return type(x), *own, *((key, self.key_of(part, i, f"{rest}_{key}")) for key, part in parts)
        if isinstance(x, Iterator):
            raise TraceError(f"replay: an argument is a {type(x).__name__}, which is read only once: make it a list")
        if isinstance(x, host.ndarray) and type(x) is not host.ndarray:  # its values may change unseen
            raise TraceError(f"replay: an argument is a {type(x).__name__}: give np.asarray(x)")
        if type(x) in modules:  # a number, which is a constant
            return type(x), device_of(x), repr(to_host(x)[()])
        if isinstance(x, bool | int | float | complex | str | bytes | None):
            return type(x), repr(x) if isinstance(x, float) else x  # 0.0 is not -0.0
        self.others.append(x)
        return type(x), id(x)

    def with_arrays(self, replace: Callable[[int, Any], Any]) -> Any:
        """Return the arguments with other arrays, given by position and array."""
        known: dict[int, Any] = {}  # what stands for an argument that may be given twice

        def rebuilt(x: Any) -> Any:
            if id(x) in known:
                return known[id(x)]
            if is_array(x):
                return known.setdefault(id(x), replace(self.first[id(x)], x))
            if is_input(x):
                parts = [replace(self.first[id(x)], x.array)]
                made: Any = known.setdefault(id(x), make_tensor(parts[0]))
            elif isinstance(x, dict):
                parts, made = [rebuilt(part) for part in x.values()], copy(x)  # of its own kind, a defaultdict, say
                dict.update(made, zip(x, parts))
            elif isinstance(x, list):
                parts, made = [rebuilt(part) for part in x], copy(x)
                made[:] = parts
            elif isinstance(x, tuple):
                parts = [rebuilt(part) for part in x]
                made = type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
            else:
                return x
            self.copies.append((made, parts))
            return made

        self.copies = []
        return rebuilt(self.args)

    def without_history(self) -> Any:
        """Return the arguments; those that were made of results of programs without that history, for they are data."""
        is_made = any(isinstance(x, Value) and x.node is not None and x.node.op is not None for x in self.kept)
        return self.with_arrays(lambda i, array: array) if is_made else self.args

    def is_changed(self) -> bool:
        """Tell whether something in the arguments is another one than when `with_arrays` made them."""
        now = [(list(items_of(made)), parts) for made, parts in self.copies]
        return any(len(items) != len(parts) or any(map(is_not, items, parts)) for items, parts in now)
