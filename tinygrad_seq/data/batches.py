"""Examples in batches, in a new random order for every pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tinygrad_seq.data.arrays import as_array
from tinygrad_seq.engine.arguments import at_least
from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.random import chosen


@dataclass(frozen=True, eq=False, repr=False)
class Batches:
    """Iterate over the batches of arrays that belong together: `len` is their number, every `for` is one pass."""

    arrays: tuple[Any, ...]
    size: int
    shuffle: bool
    generator: Any
    drop_last: bool

    def __len__(self) -> int:
        count = len(self.arrays[0])
        return count // self.size if self.drop_last else -(-count // self.size)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        order = host.arange(len(self.arrays[0]))
        if self.shuffle:
            self.generator.shuffle(order)
        for number in range(len(self)):
            part = order[number * self.size : (number + 1) * self.size]
            yield tuple(array[part] for array in self.arrays)


def batches(*arrays: Any, size: int, shuffle: bool = False, generator: Any = None, drop_last: bool = False) -> Batches:
    """Return the elements of one or several arrays, along their first axis, `size` at a time.

    Each pass gives every element once, the same elements of every array together; with `shuffle` in an order that
    `generator` draws, else the one that `ts.manual_seed` sets. The last batch may be smaller, or be dropped with
    `drop_last`. Arrays (N, ...) -> tuples of NumPy arrays (size, ...), copies. Raises ValueError for arrays of
    different lengths or none.

    >>> import numpy as np, tinygrad_seq as ts
    >>> x, y = np.arange(5), np.arange(5) ** 2
    >>> len(ts.data.batches(x, y, size=2))
    3
    >>> for x_part, y_part in ts.data.batches(x, y, size=2):
    ...     print(x_part, y_part)
    [0 1] [0 1]
    [2 3] [4 9]
    [4] [16]
    """
    at_least(1, "batches", size=size)
    if not arrays:
        raise ValueError("batches: there are no arrays to take batches of")
    found = tuple(as_array("batches", f"array {number}", array) for number, array in enumerate(arrays))
    if len({len(array) for array in found}) > 1:
        raise ValueError(f"batches: the arrays have different lengths: {', '.join(str(len(a)) for a in found)}")
    return Batches(found, size, shuffle, chosen("batches", generator), drop_last)
