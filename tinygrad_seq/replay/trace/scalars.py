"""Numbers of Python that are others at every call: options of an optimiser, what `.item()` gives, and sums of them."""

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.replay.trace.tape import Ref, Tape, TraceError, tape

ASKED = frozenset({"isnan", "isinf", "isfinite"})  # what NumPy tells of a number
CALLED = {  # by NumPy, where one of its numbers is the other one
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "power": "pow", "less": "lt",
    "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq", "not_equal": "ne",
}  # fmt: skip


class Scalar:
    """A Python number that every call reads anew, such as a learning rate, or what is computed of one."""

    __slots__ = ("hashed", "known", "value")

    def __init__(self, value: Any, number: int | None) -> None:
        self.value, self.known = value, None if number is None else Ref(number)
        self.hashed: int | None = None

    ref = property(lambda self: self.known)
    number = property(lambda self: self.ref and self.ref.number)

    def heard(self) -> Any:
        """Return the number, which every later call has to repeat: Python does something with it."""
        if self.number is not None:
            tape().check(self.number, self.value)
        return self.value

    def counted(self) -> Any:
        """Return a whole number, which every later call has to repeat; refuse others, which hardly ever do."""
        if type(self.value) is float:
            raise TraceError(
                "replay: Python computes with a number that is another at every call, other than by + - * / ** and "
                "comparisons with numbers: keep it a Tensor, or return it and compute outside of the function; x != x "
                "and np.isnan(x) tell NaN"
            )
        return self.heard()

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        name = ufunc.__name__
        args = tuple(map(plain, args))
        if method != "__call__" or options or not all(isinstance(x, Scalar | int | float) for x in args):
            return NotImplemented  # beside an array it is the array's
        if name in ASKED:
            return told_of(name, bool(ufunc(self.value)), self)
        if name in CALLED:
            return getattr(operator, CALLED[name])(*args)
        return ufunc(*(x.counted() if isinstance(x, Scalar) else x for x in args))

    def __format__(self, spec: str) -> str:
        return format(self.heard(), spec)

    def __repr__(self) -> str:
        return repr(self.heard())

    def __bool__(self) -> bool:
        return told_of("bool", bool(self.value), self)

    def __hash__(self) -> int:
        if self.hashed is None:
            self.hashed = hash(self.heard())
        return self.hashed

    def __array__(self, *_: Any, **__: Any) -> Any:
        return host.asarray(self.counted())


class LazyNumber(Scalar):
    """What `.item()` gives of a number that is another at every call. Its array is read where Python computes with it.

    `number` is that of the array, None for one that is always the same.
    """

    __slots__ = ("of",)

    def __init__(self, value: float, of: int | None) -> None:
        super().__init__(value, None)
        self.of = of

    number = property(lambda self: self.of)

    @property
    def ref(self) -> Ref | None:
        """Return the number as Python has it."""
        if self.known is None and self.of is not None:
            self.known = Ref(tape().write(type(self.value).__name__, (Ref(self.of),), {}))
        return self.known


def plain(x: Any) -> Any:
    """Return a number of NumPy as one of Python, if that is as exact."""
    is_number = isinstance(x, host.generic | host.ndarray) and not x.ndim
    return x.item() if is_number and (x.dtype.kind in "iu" or x.dtype == "float64") else x


def told_of(function: str, answer: bool, *args: Any) -> bool:
    """Return what Python hears of numbers, which every later call has to repeat."""
    told = [getattr(x, "ref", None) or getattr(x, "value", x) for x in args]
    if any(isinstance(x, Ref) for x in told):
        tape().check(tape().write(function, tuple(told), {}), answer)
    return answer


def calculated(name: str, reflected: bool) -> Callable[..., Any]:
    """Return an operator of Scalars, recorded; beside an array it is the array's."""

    def apply(self: Scalar, other: Any) -> Any:
        other = plain(other)
        if not isinstance(other, Scalar | int | float):
            return NotImplemented
        pair = (other, self) if reflected else (self, other)
        result = getattr(operator, name)(*(getattr(x, "value", x) for x in pair))
        told = tuple([getattr(x, "ref", None) or getattr(x, "value", x) for x in pair])
        return Scalar(result, tape().write(name, told, {})) if any(isinstance(x, Ref) for x in told) else result

    return apply


def compared(name: str) -> Callable[..., Any]:
    """Return a comparison of a Scalar with a number: every later call has to come to the same."""

    def apply(self: Scalar, other: Any) -> Any:
        other = plain(other)
        if not isinstance(other, Scalar | int | float):
            return NotImplemented
        return told_of(name, getattr(operator, name)(self.value, getattr(other, "value", other)), self, other)

    return apply


def of_ints(function: Callable[..., Any], reflected: bool = False) -> Callable[..., Any]:
    """Return what Python computes with a whole number, and other numbers."""

    def apply(self: Scalar, *others: Any) -> Any:
        numbers = [x.counted() if isinstance(x, Scalar) else x for x in (self, *others)]
        return function(*(numbers[::-1] if reflected else numbers))

    return apply


def read_anew(tape: Tape, optimizer: Any, way: tuple[Any, ...], value: Any) -> Any:
    """Return an option of an optimiser as a Scalar, which every call reads anew; `way` leads there from its groups."""
    if type(value) is tuple:
        return tuple(read_anew(tape, optimizer, (*way, k), part) for k, part in enumerate(value))
    read = lambda: reduce(operator.getitem, way, optimizer.param_groups)
    return Scalar(value, tape.source(read, "_".join(map(str, way[1:])))) if type(value) in (int, float) else value


for name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Scalar, f"__{name}__", calculated(name, False))
    setattr(Scalar, f"__r{name}__", calculated(name, True))
for name in ("floordiv", "mod", "and_", "or_", "xor", "lshift", "rshift"):
    setattr(Scalar, f"__{name.strip('_')}__", of_ints(getattr(operator, name)))
    setattr(Scalar, f"__r{name.strip('_')}__", of_ints(getattr(operator, name), True))
for name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Scalar, f"__{name}__", compared(name))
setattr(Scalar, "__rdivmod__", of_ints(divmod, True))  # noqa: B010 (beside the others)
for function in (float, int, round, abs, divmod, operator.index, operator.invert, operator.pos):
    setattr(Scalar, f"__{function.__name__}__", of_ints(function))
setattr(Scalar, "__neg__", lambda self: self * -1)  # noqa: B010 (beside the others)
