"""Derived: an attribute of a module that is computed of its others, and so agrees with them."""

from collections.abc import Callable
from typing import Any


class Derived:
    """Compute an attribute where it is read, unless it was set by hand, as code for PyTorch does in its own layers."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self.compute = compute

    def __get__(self, module: Any, _: Any = None) -> Any:
        return self if module is None else self.compute(module)
