"""Arrays that write down what is computed with them: a third backend, beside NumPy and CuPy.

The engine asks `modules[type(array)]` what computes on an array. For these it is `Recorder`, which computes with NumPy
and adds an equation to the tape. So a whole training step, with its backward and its optimiser, is recorded without a
word about it in the engine, and whatever is computed on arrays is on the tape: that is what makes it safe.
"""

import operator as operators
from collections.abc import Callable, Iterator
from typing import Any

from tinygrad_seq.engine.backend import host, modules
from tinygrad_seq.replay.tape import Ref, TraceError, tape

WITHOUT_ARRAYS = frozenset({"result_type", "finfo", "iinfo", "dtype", "errstate", "isscalar", "ndim", "shape", "size"})
BY_VALUE = frozenset({"nonzero", "flatnonzero", "unique", "argwhere"})  # the shape of what they give is data


class Traced(host.lib.mixins.NDArrayOperatorsMixin):
    """An array, and the number of its value on the tape; None for a number that stands in the program's text."""

    __slots__ = ("array", "number")

    def __init__(self, array: Any, number: int | None) -> None:
        self.array, self.number = array, number

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)
    ndim = property(lambda self: self.array.ndim)
    size = property(lambda self: self.array.size)
    strides = property(lambda self: self.array.strides)
    nbytes = property(lambda self: self.array.nbytes)
    itemsize = property(lambda self: self.array.itemsize)
    place = "cpu"

    @property
    def T(self) -> "Traced":  # noqa: N802
        return self.transpose()  # type: ignore[attr-defined, no-any-return]

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, out: Any = None, **options: Any) -> Any:
        if method == "at":
            return add_at(*args)
        if method != "__call__":
            raise TraceError(f"replay: {ufunc.__name__}.{method} has no program form")
        if out is None:
            return record(ufunc.__name__, ufunc, args, options)
        (target,) = out
        made = record(ufunc.__name__, ufunc, args, options)
        if not isinstance(target, Traced):
            raise TraceError(f"replay: {ufunc.__name__} writes into an array that was made outside of the function")
        target.array, target.number = made.array, made.number
        return target

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return record(function.__name__, function, args, options)

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise TraceError("replay: the values of an array are not known before the program runs")

    def __getitem__(self, index: Any) -> Any:
        return record("getitem", lambda x, i: host.asarray(x[i]), (self, by_value(index)), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        made = record("setitem", with_item, (self, by_value(index), value), {})
        self.array, self.number = made.array, made.number

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self.array)))

    def __bool__(self) -> bool:
        return bool(self.heard())

    def __int__(self) -> int:
        return int(self.heard())

    def __index__(self) -> int:
        return int(self.heard())

    def __float__(self) -> float:
        raise TraceError(
            "replay: float() of a Tensor would be the same number at every call; return the Tensor, or loss.item()"
        )

    def heard(self) -> Any:
        """Return the value, which every later call has to repeat."""
        if self.array.size != 1 or self.array.dtype.kind == "f":
            raise TraceError("replay: Python asks for the values of a Tensor: that has no program form")
        if self.number is not None:
            tape().check(self.number, self.array.item())
        return self.array.item()

    def item(self, *where: Any) -> Any:
        if self.array.dtype.kind in "iub" or self.number is None:
            return self.heard()
        return LazyNumber(self.number)

    def tolist(self) -> Any:
        raise TraceError("replay: .tolist() has no program form: return the Tensor")

    __hash__ = object.__hash__


def method(name: str) -> Callable[..., Any]:
    """Return the method of that name of arrays, recorded."""
    return lambda self, *args, **options: record(
        name, lambda x, *args, **options: host.asarray(getattr(x, name)(*args, **options)), (self, *args), options
    )


for name in (
    "all", "any", "argmax", "argmin", "astype", "clip", "conj", "copy", "cumsum", "diagonal", "dot", "flatten", "max", "mean", "min", "prod",
    "ravel", "repeat", "reshape", "round", "squeeze", "std", "sum", "swapaxes", "take", "trace", "transpose", "var",
):  # fmt: skip
    setattr(Traced, name, method(name))


class Scalar:
    """A Python number that every call reads anew, such as a learning rate, or what is computed of one."""

    __slots__ = ("value", "number")

    def __init__(self, value: Any, number: int) -> None:
        self.value, self.number = value, number

    def __bool__(self) -> bool:
        tape().check(tape().write("bool", (Ref(self.number),), {}), bool(self.value))
        return bool(self.value)

    def refuse(self, *_: Any) -> Any:
        raise TraceError("replay: an option of the optimiser is used in a way that has no program form")

    __float__ = __int__ = __index__ = __format__ = __round__ = refuse


def operator(name: str, function: Callable[..., Any], reflected: bool) -> Callable[..., Any]:
    """Return an operator of Python numbers, recorded; beside an array it is the array's."""

    def apply(self: Scalar, other: Any) -> Any:
        if not isinstance(other, Scalar | int | float):
            return NotImplemented
        x, y = (other, self) if reflected else (self, other)
        return Scalar(function(bare(x), bare(y)), tape().write(name, (referred(x), referred(y)), {}))

    return apply


for symbol in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Scalar, f"__{symbol}__", operator(symbol, getattr(operators, symbol), False))
    setattr(Scalar, f"__r{symbol}__", operator(symbol, getattr(operators, symbol), True))


class LazyNumber:
    """The number that `.item()` will give. It can be returned, and nothing else."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def refuse(self, *_: Any) -> Any:
        raise TraceError("replay: what .item() gives can be returned, but not computed with or asked inside the function")


for name in "bool float int index add radd sub rsub mul rmul truediv rtruediv pow rpow neg abs lt le gt ge eq ne format round".split():
    setattr(LazyNumber, f"__{name}__", LazyNumber.refuse)


class Recorder:
    """Compute as NumPy does, and write it down."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(host, name)
        if not callable(found) or isinstance(found, type) or name in WITHOUT_ARRAYS:
            return found if not callable(found) else lambda *args, **options: found(*map(bare, args), **options)
        if name in BY_VALUE:
            return lambda x: tuple(lifted(part) for part in found(by_value(x)))
        call = lambda *args, **options: record(name, found, args, options)
        call.at = add_at  # type: ignore[attr-defined]
        return call

    def asarray(self, x: Any, dtype: Any = None) -> Traced:
        """Return a number as what stands in the program's text, an array of the host as a constant."""
        if isinstance(x, Traced):
            return x if dtype in (None, x.dtype) else x.astype(dtype)  # type: ignore[attr-defined, no-any-return]
        return lifted(host.asarray(x, dtype))

    def array(self, x: Any, dtype: Any = None) -> Traced:
        """Return a copy; a value never changes, so it is the value itself."""
        return self.asarray(x, dtype)

    def asnumpy(self, x: Traced) -> Any:
        """Refuse: the values would be those of the first call."""
        raise TraceError("replay: .numpy() inside the function has no program form: return the Tensor")


def bare(x: Any) -> Any:
    """Return an argument with arrays in place of what is traced."""
    if isinstance(x, Traced):
        return x.array
    if isinstance(x, Scalar):
        return x.value
    if isinstance(x, tuple | list):
        return type(x)(map(bare, x))
    return x


def lifted(array: Any) -> Traced:
    """Return an array of the host as a traced one: a number as a literal, others as constants."""
    return Traced(array, None if not array.ndim else tape().constant(array))


def referred(x: Any) -> Any:
    """Return an argument as it stands on the tape."""
    if isinstance(x, Traced):
        return Ref(x.number) if x.number is not None else x.array
    if isinstance(x, Scalar):
        return Ref(x.number)
    if isinstance(x, tuple | list):
        return type(x)(map(referred, x))
    return Ref(tape().constant(x)) if isinstance(x, host.ndarray) and x.ndim else x


def record(name: str, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Compute, and add an equation."""
    result = function(*map(bare, args), **{key: bare(option) for key, option in options.items()})
    if isinstance(result, tuple | list):
        raise TraceError(f"replay: {name} gives several arrays: that has no program form")
    if not isinstance(result, host.ndarray):
        if not isinstance(result, host.generic):
            raise TraceError(f"replay: {name} gives {type(result).__name__}: that has no program form")
        result = host.asarray(result)
    options = {key: referred(option) for key, option in options.items()}
    return Traced(result, tape().write(name, tuple(map(referred, args)), options))


def by_value(index: Any) -> Any:
    """Return an index with masks in it as they are now, which every later call has to repeat: they make the shape."""
    if isinstance(index, tuple):
        return tuple(map(by_value, index))
    if isinstance(index, Traced) and index.array.dtype.kind == "b":
        if index.number is not None:
            tape().check(index.number, index.array)
        return index.array
    return index


def with_item(x: Any, index: Any, value: Any) -> Any:
    """Return a copy of x in which the value stands at an index."""
    x = x.copy()
    x[index] = value
    return x


def add_at(x: Traced, index: Any, value: Any) -> None:
    """Add in place, repeats included, as `add.at` does."""
    made = record("add_at", with_added, (x, index, value), {})
    x.array, x.number = made.array, made.number


def with_added(x: Any, index: Any, value: Any) -> Any:
    """Return a copy of x with a value added at an index, repeats included."""
    x = x.copy()
    host.add.at(x, index, value)
    return x


recorder = Recorder()
modules[Traced] = recorder
