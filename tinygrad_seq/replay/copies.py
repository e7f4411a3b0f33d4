"""What is done to an array in place, done to a copy: a value of a program never changes.

An array that looks into the memory of one that is written would change, too: it is not to be read any more.
"""

from collections.abc import Iterable
from typing import Any

from tinygrad_seq.engine.backend import modules
from tinygrad_seq.replay.tape import Ref, Tape, TraceError, owner


class Overwritten:
    """What a traced array has in place of its value, after another one, `by`, wrote into its memory."""

    def __init__(self, shape: tuple[int, ...], was: Ref | None, by: Any) -> None:
        self.shape, self.was, self.by = shape, was, by

    @property
    def number(self) -> int:
        """Refuse to say what the value is."""
        raise TraceError(
            f"replay: an array of shape {self.shape} is written in place by way of another one that looks into its "
            "memory: write into the array itself, or into a copy() of it"
        )


def look_into(tape: Tape, x: Any, args: Iterable[Any] = ()) -> None:
    """Note that a traced array looks into some memory, which that of an argument may be."""
    memory = owner(x.array)
    if memory not in tape.memory:
        tape.memory[memory] = [each for each in args if owner(getattr(each, "array", None)) == memory]
    tape.memory[memory].append(x)


def overwrite(tape: Tape, x: Any) -> None:
    """Note that a traced array is written in place: what others had in this memory is no longer there."""
    overlap = modules[type(x.array)].may_share_memory
    for other in tape.memory.get(owner(x.array), ()):
        if other is not x and overlap(x.array, other.array):
            other.ref = Overwritten(other.shape, getattr(other.ref, "was", other.ref), x)


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
