"""Sort things into groups: what most passes begin with."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import TypeVar

First = TypeVar("First", bound=Hashable)
Second = TypeVar("Second")


def grouped(pairs: Iterable[tuple[First, Second]]) -> dict[First, list[Second]]:
    """Return a list for each first, of its seconds; an empty one for what is no first."""
    found: dict[First, list[Second]] = defaultdict(list)
    for first, second in pairs:
        found[first].append(second)
    return found
