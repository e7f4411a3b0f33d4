"""What is done to an array in place, done to a copy: a value of a program never changes.

Other arrays that look into the same memory would change, too, and their values are not known: they are not to be read
any more. At the end of a call, the program writes what is new into the arrays that are there.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from tinygrad_seq.engine.backend import modules
from tinygrad_seq.replay.trace.tape import Tape, TraceError, owner

T = TypeVar("T")


class Overwritten:
    """What a traced array has in place of its value, after another one, `by`, wrote into its memory."""

    def __init__(self, shape: tuple[int, ...], was: Any, by: Any) -> None:
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
    _ = x.number  # refused where that is not known
    for other in tape.memory.get(owner(x.array), ()):
        if other is not x and not isinstance(other.ref, Overwritten) and overlap(x.array, other.array):
            other.ref = Overwritten(other.shape, other.ref, x)


def changed_in(swapped: Mapping[T, tuple[Any, int]]) -> dict[T, Any]:
    """Return where values are others than they were, of places with what stands there and the number that it had.

    An array with a part that was written by way of another one is refused, if that one is in no place itself.
    """
    own = {id(x) for x, _ in swapped.values() if not isinstance(x.ref, Overwritten)}

    def is_as_before(x: Any, number: int) -> bool:
        along = isinstance(x.ref, Overwritten) and id(x.ref.by) in own  # its memory is written with that of another one
        return bool((x.ref.was.number if along else x.number) == number)

    return {place: x for place, (x, number) in swapped.items() if not is_as_before(x, number)}


def check_unseen(written: Iterable[tuple[str, Any]], others: Iterable[Any]) -> None:
    """Refuse to write into named arrays in place, where others, which are no Tensors, would see it."""
    seen = set(map(owner, others))
    for name, array in written:
        if owner(array) in seen:
            raise TraceError(
                f"replay: {name.lstrip('.') or 'an array'} is written in place, and an array that is no Tensor looks "
                "into its memory: make that a copy()"
            )


def layout(arrays: Iterable[Any]) -> list[int]:
    """Return, for every array, the first one in the same memory."""
    first: dict[int, int] = {}
    return [first.setdefault(owner(x), i) for i, x in enumerate(arrays)]


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
