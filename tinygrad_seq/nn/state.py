"""The state of a recurrent layer: a Tensor h, or a tuple of Tensors that begins with h; how it is made and checked."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from tinygrad_seq.engine.backend import default_dtype, modules, on_device_of
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.parameter import check_input, kind_of

State: TypeAlias = Any  # Tensor, or a tuple of Tensors that begins with the hidden state
Step: TypeAlias = Callable[[Tensor, State], State]


def parts_of(state: State) -> tuple[Any, ...]:
    """Return the parts of a state as a tuple."""
    return tuple(state) if isinstance(state, tuple | list) else (state,)


def each(function: Callable[..., Any], *states: State) -> State:
    """Apply a function to every part of a state, or of several states side by side."""
    return tuple(map(function, *states)) if isinstance(states[0], tuple) else function(*states)


def zero_state(cell: Module, batch: tuple[int, ...], like: Tensor) -> State:
    """Return a state of zeros: as wide as the cell says, on the device of a Tensor and of its dtype."""
    sizes = getattr(cell, "state_sizes", None) or (getattr(cell, "hidden_size", None),)
    if None in sizes:
        name = type(cell).__name__
        raise ValueError(
            f"{name} has no hidden_size to make its first state of: give the state, or set hidden_size, or state_sizes "
            "for a state of several parts"
        )
    xp, dtype = modules[type(like.array)], like.dtype if like.dtype.kind == "f" else default_dtype
    with on_device_of(like.array):
        zeros = tuple(make_tensor(xp.zeros((*batch, size), dtype)) for size in sizes)
    return zeros if len(zeros) > 1 else zeros[0]


def name_first(start: State, new: State) -> None:
    """Name the parts of a first state after those of the next one, for pictures: "h0"."""
    for part, made in zip(parts_of(start), parts_of(new)):
        if made.name and part.name is None and part.node is not None and part.node.op is None:
            part.named(f"{made.name}0")


def read_as(steps: int | None, batch: int) -> str:
    """Return how a layer has read an input, for errors over something else that has a batch."""
    return f"where x was read as {steps} steps of {batch} sequences (python -m tinygrad_seq explain batch-first)"


def checked_state(
    place: str,
    name: str,
    state: State,
    shapes: Sequence[Any] | None = None,
    weight: Tensor | None = None,
    steps: int | None = None,
) -> tuple[Tensor, ...]:
    """Return the parts of a state; raise unless they are Tensors, of these shapes and of the dtype of a weight.

    `steps`: of the input, for the error.
    """
    parts = parts_of(state)
    others = [part for part in parts if not isinstance(part, Tensor)]
    count = None if shapes is None else len(shapes)
    page = "(python -m tinygrad_seq explain first-state)"
    if others or not parts or count not in (None, len(parts)):
        form = {None: "a Tensor, or a tuple of them", 1: "a Tensor"}.get(count, f"a tuple of {count} Tensors")
        kinds = ", ".join(map(kind_of, parts))
        found = f"({kinds})" if isinstance(state, tuple | list) else kinds
        raise (TypeError if others else ValueError)(f"{place}: {name} must be {form}, got {found:.80} {page}")
    for part, shape in zip(parts, shapes or ()):
        if part.shape != shape:
            hint = read_as(steps, shape[1]) if part.shape[1:2] == (steps,) != shape[1:2] else page
            raise ValueError(f"{place}: {name} must have shape {shape}, got {part.shape} {hint}")
        check_input(place, name, part, weight)
    return parts
