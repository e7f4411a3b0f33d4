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


def check_bits(op: str, *arrays: Any) -> None:
    """Raise TypeError unless all arrays are masks or whole numbers."""
    for array in arrays:
        if array.dtype.kind not in "biu":
            raise TypeError(f"{op}: expected masks or whole numbers, got {array.dtype}: compare first, (x > 0)")

@primitive
def bitwise_and(xp: Any, x: Any, y: Any) -> Any:
    """Return x & y, elementwise: both of two masks; of whole numbers their common bits."""
    check_bits("bitwise_and", x, y)
    return x & y

@primitive
def bitwise_or(xp: Any, x: Any, y: Any) -> Any:
    """Return x | y, elementwise: one of two masks, or both; of whole numbers all their bits."""
    check_bits("bitwise_or", x, y)
    return x | y

@primitive
def invert(xp: Any, x: Any) -> Any:
    """Return ~x, elementwise: where a mask is False; of whole numbers the other bits."""
    check_bits("invert", x)
    return ~x
