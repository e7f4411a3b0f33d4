"""Trace a call twice and compare: only what is the same in both may be a constant of the program."""

from collections.abc import Sequence
from typing import Any

from tinygrad_seq.engine.backend import modules, on_device_of
from tinygrad_seq.replay.trace.place import ATOMS
from tinygrad_seq.replay.trace.tape import SEQUENCES, Equation, Ref, Tape, TraceError

PLAIN: tuple[Any, ...] = (*ATOMS, *modules, range, slice, set, frozenset)  # what is the same where it is equal


def check_tapes(first: Tape, second: Tape, reached: set[int]) -> None:
    """Refuse a function whose constants are not constant, such as random numbers, or are where replay does not look.

    `reached` has the ids of what is in the places of the function.
    """
    for key in (first.known.keys() & second.known.keys()) - reached:
        array, number = first.known[key]
        raise TraceError(
            f"replay: an array of shape {array.shape}, which comes in at {first.lines[number]}, is kept where "
            "replay does not look, such as a cache: keep it in an attribute or a variable, or make it an argument"
        )
    same = len(first.equations) == len(second.equations) and all(map(alike, first.equations, second.equations))
    for number, array in first.constants.items():
        again = second.constants.get(number)
        if again is None or not alike(again, array):
            raise TraceError(
                f"replay: an array of shape {array.shape}, which comes in at {first.lines[number]}, is another at "
                "every call: make it an argument"
            )
    if not same:
        raise TraceError("replay: the function does something else when it is called again")


def check_kept(ones: Sequence[Any], others: Sequence[Any]) -> None:
    """Refuse a function that returns or keeps something new, other than arrays, at every call."""
    for one, other in zip(ones, others):
        if one is not other and not (isinstance(one, PLAIN) and alike(one, other)):
            raise TraceError(
                f"replay: the function returns or keeps an object of type {type(one).__name__} that is another at "
                "every call: use Tensors in tuples, lists and dicts, or compute it outside of the function"
            )


def alike(a: Any, b: Any) -> bool:
    """Tell whether two equations, or arguments in them, are the same."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if type(a) is Equation:
        return a.function == b.function and alike(a.args, b.args) and alike(a.options, b.options)
    if type(a) is Ref:
        return bool(a.number == b.number)
    if isinstance(a, SEQUENCES):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(map(alike, a.values(), map(b.get, a)))
    if type(a) in modules:
        with on_device_of(a):
            same_kind = a.shape == b.shape and a.dtype == b.dtype and a.device == b.device
            return same_kind and bool(((a == b) | ((a != a) & (b != b))).all())
    return bool(a == b) or (a != a and b != b)
