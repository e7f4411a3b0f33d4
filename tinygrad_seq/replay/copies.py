"""What is done to an array in place, done to a copy: a value of a program never changes."""

from typing import Any

from tinygrad_seq.engine.backend import modules


def with_item(x: Any, index: Any, value: Any) -> Any:
    """Return a copy of x in which the value stands at an index."""
    x = x.copy()
    x[index] = value
    return x


def with_added(x: Any, index: Any, value: Any) -> Any:
    """Return a copy of x with a value added at an index, repeats included."""
    x = x.copy()
    modules[type(x)].add.at(x, index, value)
    return x
