"""A tape: the calls of array functions in the order in which they were made, as equations over numbered values.

    v7 = multiply(v3, v5)
    v8 = tanh(v7)

An argument is a Ref to a value, or what Python had there: a number, an axis, an index. A value never changes: what was
done in place is written as a new value of the same array. So the tape is a list of assignments, each to a new name.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinygrad_seq.engine.backend import anywhere, device_of, host, modules, on_device_of

SEQUENCES = (tuple, list)  # that may hold values
HOST = "np."  # begins the name of what a program of a GPU computes on the host
libraries = str(Path(__file__).parents[2]), str(Path(host.__file__).parent)


tracing: "ContextVar[Tape | None]" = ContextVar("tracing", default=None)


class TraceError(RuntimeError):
    """Say why a function cannot be replayed."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        found = tracing.get()
        if found is not None:
            found.refusal = found.refusal or self  # also if the function catches it


@dataclass(frozen=True, slots=True)
class Ref:
    """A value, by its number."""

    number: int


@dataclass(slots=True)
class Equation:
    """One call: the value that it makes, of what, its shape and dtype."""

    made: int
    function: str
    args: tuple[Any, ...]
    options: dict[str, Any]
    shape: tuple[int, ...] = ()
    dtype: Any = None
    reads: tuple[int, ...] | None = field(default=None, init=False, repr=False, compare=False)  # see `read_by`


def leaves(x: Any) -> Iterator[Any]:
    """Yield what an argument is made of."""
    if isinstance(x, SEQUENCES):
        for part in x:
            yield from leaves(part)
    else:
        yield x


def refs(x: Any) -> Iterator[int]:
    """Yield the values in an argument."""
    return (leaf.number for leaf in leaves(x) if type(leaf) is Ref)


def read_by(equation: Equation) -> tuple[int, ...]:
    """Return the values that an equation reads."""
    if equation.reads is None:
        parts = [*equation.args, *equation.options.values()] if equation.options else equation.args
        equation.reads = tuple([n for x in parts for n in ((x.number,) if type(x) is Ref else refs(x))])
    return equation.reads


@dataclass(slots=True)
class Source:
    """A value that the program is given: how to read it anew at every call, and what it is called."""

    number: int
    read: Any  # a function without arguments, or a Place
    name: str
    shape: tuple[int, ...] = ()
    dtype: Any = None  # None for a number of Python
    memory: int = -1  # the `owner` of the array
    is_draw: bool = False  # it is read even if nobody wants it, for the next draw to be the next


def owner(array: Any) -> int:
    """Return the id of the array whose memory a view looks into, or of an array that is no view."""
    base = getattr(array, "base", None)
    return id(array if base is None else base)


@dataclass
class Tape:
    """What a function did, on the arrays that it was given."""

    equations: list[Equation] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    constants: dict[int, Any] = field(default_factory=dict)  # arrays that were made outside of the tape
    known: dict[int, tuple[Any, int]] = field(default_factory=dict)  # by the id of an array: it, and its number
    names: dict[int, str] = field(default_factory=dict)  # what values were called
    lines: dict[int, str] = field(default_factory=dict)  # where constants came in
    memory: dict[int, list[Any]] = field(default_factory=dict)  # by `owner`: the traced arrays that look into it
    outside: set[int] = field(default_factory=set)  # of these: what was there before
    xp: Any = host  # the module that computes, NumPy or CuPy
    device: Any = anywhere  # the context in which it does, see on_device_of
    gpus: dict[str, None] = field(default_factory=dict)  # on which something is computed
    on_gpu: set[int] = field(default_factory=set)  # values that are computed there
    count: int = 0
    refusal: TraceError | None = None

    def new(self) -> int:
        """Return the number of a new value."""
        self.count += 1
        return self.count - 1

    def write(self, function: str, args: tuple[Any, ...], options: dict[str, Any], like: Any = None) -> int:
        """Add an equation that makes an array of this shape and dtype; return the number of what it makes."""
        made, (shape, dtype) = self.new(), ((), None) if like is None else (like.shape, like.dtype)
        self.equations.append(Equation(made, function, args, options, shape, dtype))
        if like is not None and type(like) is not host.ndarray and function != "to_device":
            self.xp, self.device = modules[type(like)], on_device_of(like)  # of a GPU, of which a program has one
            self.gpus[device_of(like)] = None
            self.on_gpu.add(made)
        return made

    def finish(self) -> None:
        """Mark what a program of a GPU computes on the host, `np.add`, where `add` is the GPU's; forget the arrays."""
        if len(self.gpus) > 1:
            raise TraceError(f"replay: the function computes on {' and '.join(self.gpus)}, a program on one GPU")
        for equation in self.equations if self.xp is not host else ():
            if equation.dtype is not None and equation.made not in self.on_gpu and equation.function != "to_device":
                equation.function = f"{HOST}{equation.function}"
        self.memory.clear()

    def source(self, read: Any, name: str, like: Any = None) -> int:
        """Add a value that every call reads anew: an array like this one, or a number."""
        shape, dtype = getattr(like, "shape", ()), getattr(like, "dtype", None)
        self.sources.append(Source(self.new(), read, name, shape, dtype, owner(like)))
        if like is not None:
            self.outside.add(owner(like))
        return self.sources[-1].number

    def constant(self, array: Any) -> int:
        """Return the number of an array that was made outside of the tape, and is the same at every call."""
        if id(array) not in self.known:
            with on_device_of(array):
                value = array.reshape(-1)[:1].item() if array.size else 0
                is_full = bool((array == value).all())  # zeros, ones
            number = self.write("full", (array.shape, value, array.dtype), {}, array) if is_full else self.new()
            self.known[id(array)], self.lines[number] = (array, number), line_of_caller()
            self.constants.update({} if is_full else {number: array})
            self.outside.add(owner(array))
        return self.known[id(array)][1]

    def shapes(self) -> dict[int, tuple[int, ...]]:
        """Return the shapes of what a program is given."""
        shapes = {source.number: source.shape for source in self.sources}
        return shapes | {number: array.shape for number, array in self.constants.items()}

    def dtypes(self) -> dict[int, Any]:
        """Return the dtypes of what a program is given."""
        dtypes = {source.number: source.dtype for source in self.sources}
        return dtypes | {number: array.dtype for number, array in self.constants.items()}

    def check(self, number: int, heard: Any) -> None:
        """Record a value that Python read: the program is valid only for calls where it is the same."""
        self.write("expect", (Ref(number), heard), {})


def line_of_caller() -> str:
    """Return the line outside of this package and NumPy that led here, as "file:number"."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(libraries):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def tape() -> Tape:
    """Return the tape that is being written."""
    found = tracing.get()
    if found is None:
        raise TraceError("replay: a value of a traced call was used after it; only what the function returns is kept")
    return found


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector from looking for garbage: a tape is many objects of which none is."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
