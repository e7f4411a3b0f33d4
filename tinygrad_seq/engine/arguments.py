"""Arguments of the public functions: completed, or refused with a sentence that names the op."""

from collections.abc import Sequence
from numbers import Real
from operator import index as as_int
from typing import Any, TypeAlias, TypeVar

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.graph import Value

T = TypeVar("T")  # a Tensor gives a Tensor, a raw array an array
Axis: TypeAlias = int | Sequence[int] | None


def shape_of(x: Any) -> tuple[int, ...]:
    """Return the shape of a Tensor, an array, a list or a number."""
    found: tuple[int, ...] = x.array.shape if isinstance(x, Value) else host.shape(x)
    return found


def an_int(op: str, argument: str, value: Any) -> int:
    """Return a whole number as an int; refuse anything else, truth values too."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return as_int(value)
    except (TypeError, ValueError):  # the latter from a Tensor
        raise TypeError(f"{op}: {argument} must be an int, got {value!r:.60}") from None


def one_axis(op: str, axis: Any, ndim: int) -> int:
    """Return an axis as a non-negative int; refuse what is none."""
    number = an_int(op, "axis", axis)
    if not -ndim <= number < ndim:
        raise IndexError(f"{op}: axis {axis} is out of range for {ndim} dimension(s)")
    return number % ndim


def axes_of(op: str, axis: Axis, x: Any) -> tuple[int, ...]:
    """Return the axes to work over, as non-negative ints: all for None."""
    ndim = len(shape_of(x))
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(one_axis(op, a, ndim) for a in (axis if isinstance(axis, list | tuple) else (axis,)))
    if len(set(axes)) != len(axes):
        raise ValueError(f"{op}: axis {axis} names an axis twice")
    return axes


def spread(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return as a tuple what is given one by one, or as one tuple or list."""
    return tuple(given[0]) if len(given) == 1 and isinstance(given[0], list | tuple) else given


def ints(op: str, numbers: Any) -> tuple[int, ...]:
    """Return a sequence of whole numbers as ints; refuse anything else."""
    try:
        return tuple(as_int(n) for n in numbers)
    except (TypeError, ValueError):
        raise TypeError(f"{op}: expected ints, got {numbers!r:.60}") from None


def flag(op: str, **flags: Any) -> None:
    """Refuse a switch that is neither True nor False: "False" would count as True."""
    for name, value in flags.items():
        if not isinstance(value, bool | host.bool_):
            raise TypeError(f"{op}: {name} must be True or False, got {value!r:.60}")


def at_least(least: int, op: str, most: int = 2**31 - 1, **counts: Any) -> list[int]:
    """Return counts as ints, in order; refuse what is no whole number, too small or too large."""
    found = []
    for name, count in counts.items():
        found.append(an_int(op, name, count))
        if not least <= found[-1] <= most:
            bound = f"at least {least}" if found[-1] < least else f"at most {most:,}"
            raise ValueError(f"{op}: {name} must be {bound}, got {count}")
    return found


def one_of(op: str, name: str, value: Any, known: tuple[str, ...]) -> None:
    """Refuse an option that is not one of these words."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{op}: {name} must be {' or '.join(map(repr, known))}, got {value!r:.60}")


def as_number(op: str, argument: str, value: Any) -> Any:
    """Return anything that is a number as Python's (NumPy's scalars would promote); refuse what is none."""
    number = None if isinstance(value, Value | list | tuple) else host.asarray(value)
    if number is None or number.shape or number.dtype.kind not in "fiub":
        raise TypeError(f"{op}: {argument} must be a number, got {type(value).__name__} {value!r:.60}")
    return number.item()


def probability(place: str, name: str, p: Any) -> float:
    """Return a number from 0 to 1 as a float; refuse any other."""
    if not isinstance(p, Real) or isinstance(p, bool):
        raise TypeError(f"{place}: {name} must be a number, got {p!r}")
    if not 0 <= float(p) <= 1:
        raise ValueError(f"{place}: {name} must be between 0 and 1, got {p!r}")
    return float(p)
