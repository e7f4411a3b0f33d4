"""Numbers of Python that are others at every call: options of an optimiser, and what `.item()` gives."""

import operator
from collections.abc import Callable
from typing import Any

from tinygrad_seq.replay.trace.tape import Ref, TraceError, tape


class Scalar:
    """A Python number that every call reads anew, such as a learning rate, or what is computed of one."""

    __slots__ = ("ref", "value")

    def __init__(self, value: Any, number: int) -> None:
        self.value, self.ref = value, Ref(number)

    number = property(lambda self: self.ref.number)

    def __bool__(self) -> bool:
        tape().check(tape().write("bool", (self.ref,), {}), bool(self.value))
        return bool(self.value)


class LazyNumber:
    """What `.item()` gives of a number that is another at every call: to be returned. Its text holds for one call."""

    __slots__ = ("number", "value")

    def __init__(self, value: float, number: int | None) -> None:
        self.value, self.number = value, number

    def __format__(self, spec: str) -> str:
        """Return the text of the number, which every later call has to repeat."""
        if self.number is not None:
            tape().check(self.number, self.value)
        return format(self.value, spec)

    __str__ = __repr__ = lambda self: format(self)


def calculated(name: str, reflected: bool) -> Callable[..., Any]:
    """Return an operator of Scalars, recorded; beside an array it is the array's."""

    def apply(self: Scalar, other: Any) -> Any:
        if not isinstance(other, Scalar | int | float):
            return NotImplemented
        pair = (other, self) if reflected else (self, other)
        values, told = zip(*((x.value, x.ref) if isinstance(x, Scalar) else (x, x) for x in pair))
        return Scalar(getattr(operator, name)(*values), tape().write(name, told, {}))

    return apply


def compared(name: str) -> Callable[..., Any]:
    """Return a comparison of what `.item()` gives with a number: every later call has to come to the same."""

    def apply(self: LazyNumber, other: Any) -> Any:
        values = [x.value if isinstance(x, LazyNumber) else x for x in (self, other)]
        if not all(isinstance(x, int | float) for x in values):
            return NotImplemented
        numbers = [getattr(x, "number", None) for x in (self, other)]
        told = [x if n is None else Ref(tape().write("float", (Ref(n),), {})) for x, n in zip(values, numbers)]
        answer = getattr(operator, name)(*values)
        tape().check(tape().write(name, tuple(told), {}), answer)
        return answer

    return apply


def refuse(self: Any, *_: Any) -> Any:
    """Refuse to compute with a number of the first call."""
    raise TraceError(
        "replay: Python computes with a number that is another at every call: keep it a Tensor, or return it and "
        "compute outside of the function"
    )


for name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Scalar, f"__{name}__", calculated(name, False))
    setattr(Scalar, f"__r{name}__", calculated(name, True))
    setattr(LazyNumber, f"__{name}__", refuse)
    setattr(LazyNumber, f"__r{name}__", refuse)
for name in ("float", "int", "index", "round", "neg", "abs"):
    setattr(LazyNumber, f"__{name}__", refuse)
    setattr(Scalar, f"__{name}__", refuse)
for name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(LazyNumber, f"__{name}__", compared(name))
    setattr(Scalar, f"__{name}__", refuse)
setattr(LazyNumber, "__bool__", refuse)  # noqa: B010 (beside the others)
