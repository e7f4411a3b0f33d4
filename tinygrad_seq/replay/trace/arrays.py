"""Arrays that write down what is computed with them: a third backend, beside NumPy and CuPy.

The engine asks `modules[type(array)]` what computes on an array. For these it is a Recorder, which computes with NumPy
or CuPy and adds an equation to the tape. So a whole training step, its backward and its optimiser, is recorded without
a word about it in the engine; and nothing that is computed with arrays is missed, which is what makes it safe.
"""

import operator
from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from typing import Any

from tinygrad_seq.engine import backend
from tinygrad_seq.engine.backend import copied_to, host, modules, place_of
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.replay.trace.in_place import Overwritten, look_into, overwrite, with_added, with_item
from tinygrad_seq.replay.trace.scalars import LazyNumber, Scalar
from tinygrad_seq.replay.trace.tape import SEQUENCES, Ref, TraceError, owner, refs, tape

NOT_RECORDED = frozenset({"result_type", "finfo", "iinfo", "dtype", "can_cast", "isscalar", "ndim", "shape", "size"})
BY_VALUE = frozenset({"nonzero", "flatnonzero", "argwhere", "unique"})  # the shape of what they give is data
METHODS = frozenset((
    "all", "any", "argmax", "argmin", "argsort", "astype", "clip", "conj", "copy", "cumsum", "diagonal", "dot",
    "flatten", "max", "mean", "min", "prod", "ravel", "repeat", "reshape", "round", "squeeze", "std", "sum",
    "swapaxes", "take", "trace", "transpose", "var",
))  # fmt: skip


class Traced(host.lib.mixins.NDArrayOperatorsMixin):
    """An array, and the number of its value on the tape; None for a number that stands in the program's text."""

    __slots__ = ("array", "part_of", "ref")
    __hash__ = object.__hash__

    def __init__(self, array: Any, number: int | None) -> None:
        self.array, self.ref = array, None if number is None else Ref(number)
        self.part_of: Any = None  # of x[i]: x and i

    number = property(lambda self: self.ref and self.ref.number)
    shape, dtype, ndim, size = (property(attrgetter(f"array.{name}")) for name in ("shape", "dtype", "ndim", "size"))
    strides, nbytes, itemsize = (property(attrgetter(f"array.{name}")) for name in ("strides", "nbytes", "itemsize"))
    device = property(lambda self: place_of(self.array))
    T = property(lambda self: self.transpose())
    label = property(lambda self: None, lambda self, name: called(self, name))  # what `.named` says it is

    def __getattr__(self, name: str) -> Any:
        """Return a method of arrays, recorded."""
        if name not in METHODS:
            raise AttributeError(f"replay: .{name} of an array has no program form")
        method = lambda x, *args, **options: getattr(x, name)(*args, **options)
        return lambda *args, **options: record(name, method, (self, *args), options)

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, out: Any = None, **options: Any) -> Any:
        if any(isinstance(x, Value) for x in args):
            return NotImplemented  # it is for the Tensor to say
        if (method, ufunc.__name__) == ("at", "add"):
            return add_at(*args)
        if method != "__call__" or "where" in options:
            refuse(f"{ufunc.__name__}{'(where=...)' if method == '__call__' else f'.{method}'}")
        return call(ufunc.__name__, args, options | ({"out": out[0]} if out else {}))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function.__name__ in NOT_RECORDED:
            return function(*map(bare, args), **options)
        library = function.__module__.partition(".")[2]  # numpy.linalg, say
        return call(f"{library}.{function.__name__}".lstrip("."), args, options)

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise TraceError("replay: NumPy asks for the values of an array, which are others at every call")

    def become(self, other: "Traced") -> "Traced":
        """Take over another value, as if it had been written in place; return this array."""
        if (self.shape, self.dtype) != (other.shape, other.dtype) or other.number is None:
            if not host.can_cast(other.dtype, self.dtype, "same_kind"):
                raise TraceError(f"replay: a result in {other.dtype} is written into an array of {self.dtype}")
            other = record("with_item", with_item, (self, ..., other), {})
        overwrite(tape(), self)
        self.array, self.ref = other.array, other.ref
        return self

    def __getitem__(self, index: Any) -> Any:
        at = index + (self.shape or (0,))[0] if type(index) is int and index < 0 else -1  # x[-t], as x[t]
        made = record("getitem", operator.getitem, (self, by_value(index) if at < 0 else at), {})
        made.part_of = self, index
        return made

    def __setitem__(self, index: Any, value: Any) -> None:
        part = self.ref.by.part_of if isinstance(self.ref, Overwritten) and self.ref.by is value else None
        if part and part[0] is self and part[1] is index:  # x[i] += y: a part was written, and comes back
            self.ref = self.ref.was
        self.become(record("with_item", with_item, (self, by_value(index), value), {}))

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self.array)))

    def heard(self) -> Any:
        """Return the value as a Python number, and record a check that later calls have the same."""
        if self.array.size != 1 or self.array.dtype.kind == "f":
            raise TraceError(
                "replay: Python asks for the value of a Tensor, which is another at every call: return the Tensor, or "
                "loss.item()"
            )
        if self.number is not None:
            tape().check(self.number, self.array.item())
        return self.array.item()

    __bool__ = lambda self: bool(self.heard())
    __int__ = __index__ = lambda self: int(self.heard())
    __float__ = lambda self: float(self.heard())
    tolist = lambda self: self.heard() if not self.array.ndim else [part.tolist() for part in self]

    def item(self, *where: Any) -> Any:
        if self.number is None or where or self.array.size != 1 or self.array.dtype.kind not in "fiu":
            return self.array.item(*where) if self.number is None else self.heard()
        return LazyNumber(self.array.item(), (self.reshape(()) if self.ndim else self).number)


class TracedThere(Traced):
    """The same of an array on a GPU: its type says what computes on it."""

    __slots__ = ()


def traced(array: Any, number: int | None) -> Traced:
    """Return an array, which the host or a GPU holds, and the number of its value."""
    return (Traced if modules[type(array)] is host else TracedThere)(array, number)


class Recorder:
    """Compute as NumPy or CuPy does, and write it down."""

    def __init__(self, on_gpu: bool) -> None:
        self.on_gpu = on_gpu

    @property
    def xp(self) -> Any:
        """Return what computes."""
        return backend.gpu if self.on_gpu else host

    def __getattr__(self, name: str) -> Any:
        found = getattr(host, name)
        if not callable(found) or isinstance(found, type):
            return found
        if name in NOT_RECORDED:
            return lambda *args, **options: found(*map(bare, args), **options)
        if name in BY_VALUE:
            return lambda x: tuple(lifted(part) for part in getattr(self.xp, name)(by_value(x)))
        recorded: Any = lambda *args, **options: call(name, args, options, self.xp)
        for method in dir(host.ufunc) if isinstance(found, host.ufunc) else ():
            if method[:2] != "__":
                setattr(recorded, method, partial(refuse, f"{name}.{method}"))
        if name == "add":
            recorded.at = add_at
        vars(self)[name] = recorded  # found at once from now on
        return recorded

    def asarray(self, x: Any, dtype: Any = None) -> Traced:
        """Return a number as what stands in the program's text, an array as a constant."""
        if isinstance(x, Traced):
            return x if dtype in (None, x.dtype) else x.astype(dtype)
        return lifted(self.xp.asarray(x, dtype))

    def array(self, x: Any, dtype: Any = None) -> Traced:
        """Return what `asarray` does, in memory of its own."""
        made = self.asarray(x, dtype)
        if made is x:  # a value that never changes is its own copy, if it is not the caller's, nor one number repeated
            repeats = any(size > 1 and not step for size, step in zip(x.shape, x.strides))
            is_own = not repeats and owner(x.array) not in tape().outside
            made = traced(x.array.copy("K"), x.number) if is_own else x.copy("K")
        return made

    def moved(self, x: Traced, device: str) -> Any:
        """Return an array on another device."""
        return record("to_device", copied_to, (x, device), {})

    def asnumpy(self, x: Traced) -> Any:
        """Refuse: the values would be those of the first call."""
        raise TraceError(
            "replay: .numpy(), .tolist() or state_dict() inside the function gives the values of one call: return the "
            "Tensor; p.assign(q) copies a parameter"
        )


# ------------------------------------------------------------------------------------------------------------ recording

TRACED = frozenset({Traced, TracedThere, Scalar, LazyNumber})


def refuse(what: str, *_: Any, **__: Any) -> None:
    """Raise TraceError for what a program cannot do."""
    raise TraceError(f"replay: {what} has no program form")


def call(name: str, args: tuple[Any, ...], options: dict[str, Any], xp: Any = None) -> Any:
    """Call a function of the module that computes, and write it down."""
    for x in args:
        for part in x if isinstance(x, SEQUENCES) else (x,):
            if isinstance(part, Traced):
                return record(name, attrgetter(name)(modules[type(part.array)]), args, options)
    return record(name, attrgetter(name)(xp or host), args, options)


def record(name: str, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Compute, and add an equation."""
    if options.get("out") is not None:
        options = options.copy()
        return written(options.pop("out"), record(name, function, args, options))
    if options:
        result = function(*map(bare, args), **{key: bare(option) for key, option in options.items()})
        options = {key: referred(x) for key, x in options.items()}
    else:
        result = function(*map(bare, args))
    kind = type(result)
    if kind is not host.ndarray:
        result = host.asarray(result) if isinstance(result, host.generic) else result
        if type(result) not in modules:
            raise TraceError(f"replay: {name} gives {kind.__name__}: that has no program form")
    told = tuple(map(referred, args))
    if not result.shape and next(refs((told, *options.values())), None) is None:
        return traced(result, None)  # what is computed of numbers is a number
    same = given_back(name, args, told, result)
    if same is not None:
        return traced(result, same)
    made = traced(result, tape().write(name, told, options, result))
    if result.base is not None or any(getattr(x, "array", None) is result for x in args):
        look_into(tape(), made, args)
    return made


def written(out: Any, made: Any) -> Any:
    """Return the array into which a call writes its result."""
    if not isinstance(out, Traced):
        raise TraceError("replay: a result is written into an array that was made outside of the function")
    return out.become(made)


def given_back(name: str, args: tuple[Any, ...], told: tuple[Any, ...], like: Any) -> int | None:
    """Return the value that a call gives back: of `where`, if the condition is a number, and of x ** 1."""
    if name == "where" and not isinstance(told[0], Ref):
        x = args[1 if told[0] else 2]
    elif name == "power" and not isinstance(told[1], Ref) and told[1] == 1.0:
        x = args[0]
    else:
        return None
    is_like = isinstance(x, Traced) and (x.shape, x.dtype) == (like.shape, like.dtype)
    return x.number if is_like else None


def bare(x: Any) -> Any:
    """Return an argument with traced values replaced by their arrays or numbers."""
    if type(x) in TRACED:
        return x.value if isinstance(x, Scalar) else x.array
    return type(x)(map(bare, x)) if isinstance(x, SEQUENCES) else x


def referred(x: Any) -> Any:
    """Return an argument with traced values replaced by Refs."""
    kind = type(x)
    if kind in TRACED:
        return bare(x) if x.ref is None else x.ref if type(x.ref) is Ref else x.ref.number
    if isinstance(x, SEQUENCES):
        return kind(map(referred, x))
    return Ref(tape().constant(x)) if kind in modules and x.ndim else x


def lifted(array: Any) -> Traced:
    """Return an array as a traced one: a number as a literal, others as constants."""
    return traced(array, tape().constant(array) if array.ndim else None)


def by_value(index: Any) -> Any:
    """Return an index with masks as plain arrays, and record a check: a mask decides the shape of the result."""
    if isinstance(index, tuple):
        return tuple(map(by_value, index))
    if isinstance(index, Scalar):
        return index.counted()
    if isinstance(index, Traced) and index.dtype.kind == "b":
        if index.number is not None:
            tape().check(index.number, index.array)
        return index.array
    return index


def called(x: Traced, name: str) -> None:
    """Note what a value was called first."""
    if x.number is not None:
        tape().names.setdefault(x.number, name)


def add_at(x: Traced, index: Any, value: Any) -> None:
    """Add in place, repeats included."""
    x.become(record("with_added", with_added, (x, index, value), {}))


modules[Traced], modules[TracedThere] = Recorder(False), Recorder(True)
