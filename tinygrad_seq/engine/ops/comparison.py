"""Ops that compare, element by element, and combine the answers: truth has no gradient."""

from typing import Any

from tinygrad_seq.engine.primitive import primitive


@primitive
def equal(xp: Any, x: Any, y: Any) -> Any:
    """Return x == y, elementwise."""
    return x == y

@primitive
def not_equal(xp: Any, x: Any, y: Any) -> Any:
    """Return x != y, elementwise."""
    return x != y

@primitive
def less(xp: Any, x: Any, y: Any) -> Any:
    """Return x < y, elementwise."""
    return x < y

@primitive
def less_equal(xp: Any, x: Any, y: Any) -> Any:
    """Return x <= y, elementwise."""
    return x <= y

@primitive
def greater(xp: Any, x: Any, y: Any) -> Any:
    """Return x > y, elementwise."""
    return x > y

@primitive
def greater_equal(xp: Any, x: Any, y: Any) -> Any:
    """Return x >= y, elementwise."""
    return x >= y


def masks(op: str, *arrays: Any) -> tuple[Any, ...]:
    """Return masks or whole numbers as they are; refuse what has no bits to speak of."""
    if any(array.dtype.kind not in "biu" for array in arrays):
        raise TypeError(f"{op}: expected masks or whole numbers, got {arrays[-1].dtype}: compare first, (x > 0)")
    return arrays

@primitive
def bitwise_and(xp: Any, x: Any, y: Any) -> Any:
    """Return x & y, elementwise: both of two masks; of whole numbers their common bits."""
    return masks("bitwise_and", x, y)[0] & y

@primitive
def bitwise_or(xp: Any, x: Any, y: Any) -> Any:
    """Return x | y, elementwise: one of two masks, or both; of whole numbers all their bits."""
    return masks("bitwise_or", x, y)[0] | y

@primitive
def invert(xp: Any, x: Any) -> Any:
    """Return ~x, elementwise: where a mask is False; of whole numbers the other bits."""
    return ~masks("invert", x)[0]
