"""Examples in batches, in a new random order for every pass; a pass that was interrupted can be taken up again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tinygrad_seq.data.arrays import as_array
from tinygrad_seq.engine.arguments import at_least, flag
from tinygrad_seq.engine.backend import existing_device, host
from tinygrad_seq.engine.commit import Change, commit
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.engine.hints import public
from tinygrad_seq.engine.random import chosen


def twin(generator: Any, state: Any) -> Any:
    """Return a generator of the same kind, in that state."""
    bits = type(generator.bit_generator)()
    bits.state = state
    return host.random.Generator(bits)


@dataclass(eq=False, repr=False)
class Batches:
    """Iterate over the batches of arrays that belong together: `len` is their number, every `for` is one pass.

    >>> import tinygrad_seq as ts
    >>> batches = ts.data.batches([1, 2, 3], size=2)
    >>> len(batches), [batch.tolist() for (batch,) in batches]
    (2, [[1, 2], [3]])
    """

    arrays: tuple[Any, ...]
    size: int
    shuffle: bool
    generator: Any
    drop_last: bool
    # how many batches the last pass has given, and from which state of the generator its order was drawn
    progress: dict[str, Any] = field(default_factory=lambda: {"given": 0, "order": None})
    resumes: bool = False  # whether the next pass is the rest of that one
    device: str | None = None  # where the batches are made Tensors, if they are

    def __len__(self) -> int:
        count = len(self.arrays[0])
        return count // self.size if self.drop_last else -(-count // self.size)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        order, generator, progress = host.arange(len(self.arrays[0])), self.generator, self.progress
        if self.resumes and self.shuffle:
            generator = twin(generator, progress["order"])  # which leaves the numbers to come to whoever draws them
        elif not self.resumes:
            progress = {"given": 0, "order": generator.bit_generator.state if self.shuffle else None}
        self.progress, self.resumes = progress, False
        if self.shuffle:
            generator.shuffle(order)
        while progress["given"] < len(self):
            part = order[progress["given"] * self.size :][: self.size]
            progress["given"] += 1
            batch = tuple(array[part] for array in self.arrays)
            yield batch if self.device is None else tuple(tensor(array, device=self.device) for array in batch)
        progress.update(given=0, order=None)

    def to(self, device: str) -> "Batches":
        """Give batches as Tensors on a device from now on, each uploaded when its turn comes; return these batches.

        `device` is "cpu", "cuda" or "cuda:N". Raises ValueError for another name, RuntimeError where there is no such
        GPU.

        >>> import tinygrad_seq as ts
        >>> for (x,) in ts.data.batches([1.0, 2.0], size=2).to("cpu"):
        ...     print(x)
        tensor([1., 2.])
        """
        self.device = existing_device(device, "Batches.to: ")
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return where the last pass that began has come to, and the state of the generator, for `ts.save`.

        >>> import numpy as np, tinygrad_seq as ts
        >>> ts.manual_seed(0)
        >>> digits = ts.data.batches(np.arange(10), size=5, shuffle=True)
        >>> for (part,) in digits:
        ...     state = digits.state_dict()
        ...     break
        >>> ts.manual_seed(1)
        >>> again = ts.data.batches(np.arange(10), size=5, shuffle=True)
        >>> again.load_state_dict(state)
        >>> for (rest,) in again:  # what was left of the pass
        ...     print(sorted([*part.tolist(), *rest.tolist()]))
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        """
        now = self.generator.bit_generator.state if self.shuffle else None
        return {"examples": len(self.arrays[0]), "size": self.size, **self.progress, "generator": now}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on where `state_dict` was called: the next `for` gives what was left of the pass, if one had begun.

        The generator (that of `ts.manual_seed`, if none was given) is put back to its state at that time, so that later
        passes are the same, too. Raises ValueError, and changes nothing, for a state of other batches. There is an
        example at `state_dict`.
        """
        place, ours = "Batches.load_state_dict", self.state_dict()
        if not isinstance(saved, dict) or saved.keys() != ours.keys():
            raise ValueError(f"{place}: expected what state_dict() gives, with {', '.join(ours)}")
        examples, size, given, order, generator = (saved[name] for name in ours)
        if not all(type(number) is int for number in (examples, size, given)) or not 0 <= given <= len(self):
            raise ValueError(f"{place}: {given!r:.60} batches of {size!r:.60} cannot have been given")
        if (examples, size) != (ours["examples"], self.size):
            raise ValueError(
                f"{place}: the state is of {examples} examples, {size} at a time, "
                f"but here are {ours['examples']}, {self.size} at a time"
            )
        if (generator is not None, order is not None) != (self.shuffle, self.shuffle and given > 0):
            raise ValueError(f"{place}: the state is not of batches with shuffle={self.shuffle}")
        changes: list[Change] = [(self, "resumes", given > 0)]
        try:  # copies, that nobody else changes
            order = None if order is None else twin(self.generator, order).bit_generator.state
            if self.shuffle:
                bits = self.generator.bit_generator
                changes.append((bits, "state", twin(self.generator, generator).bit_generator.state))
        except Exception as error:
            raise ValueError(f"{place}: the state is not of this kind of generator: {error}") from error
        commit([*changes, (self, "progress", {"given": given, "order": order})])


@public
def batches(*arrays: Any, size: int, shuffle: bool = False, generator: Any = None, drop_last: bool = False) -> Batches:
    """Return the elements of one or several arrays, along their first axis, `size` at a time.

    Each pass gives every element once, the same elements of every array together; with `shuffle` in an order that
    `generator` draws, else the one that `ts.manual_seed` sets. The last batch may be smaller, or be dropped with
    `drop_last`. Arrays (N, ...) -> tuples of NumPy arrays (size, ...), copies. `state_dict` and `load_state_dict` of
    what is returned go on in the middle of a pass. Raises ValueError for no arrays, or arrays of different lengths;
    TypeError for arrays in a tuple, and if `generator` is not NumPy's, such as `numpy.random.default_rng(seed)`.

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
    (size,) = at_least(1, "batches", size=size)
    flag("batches", shuffle=shuffle, drop_last=drop_last)
    if not arrays:
        raise ValueError("batches: there are no arrays to take batches of")
    tuples = [array for array in arrays if isinstance(array, tuple)]
    if any(isinstance(part, list | Value | host.ndarray) for parts in tuples for part in parts):
        raise TypeError("batches: a tuple of arrays: pass the arrays one by one, batches(x, y, size=...)")
    found = tuple(as_array("batches", f"array {number}", array) for number, array in enumerate(arrays))
    if len({len(array) for array in found}) > 1:
        raise ValueError(f"batches: the arrays have different lengths: {', '.join(str(len(a)) for a in found)}")
    return Batches(found, size, bool(shuffle), chosen("batches", generator), bool(drop_last))
