"""Ops that compare, element by element: the answer is truth, which has no gradient."""

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
