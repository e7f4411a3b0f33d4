"""The loop over time, once for all cells: those of the library, and any that you write.

This is the only place that says `step=t`. RNN, LSTM and GRU are layers and directions of it (recurrent_layers.py).
"""

from typing import Any

from tinygrad_seq.engine.arguments import flag
from tinygrad_seq.engine.backend import check_device
from tinygrad_seq.engine.functions.shapes import stack
from tinygrad_seq.engine.scope import scope
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.cell import Cell
from tinygrad_seq.nn.lengths import PaddingMask, without_padding
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.parameter import check_input
from tinygrad_seq.nn.state import State, Step, checked_state, each, name_first, zero_state

SEVERAL = "for a state of several parts give the first one as a tuple, or set the cell's state_sizes to their sizes"


def unroll(
    step: Step, inputs: list[Tensor], state: State, *, reverse: bool = False, mask: PaddingMask | None = None
) -> tuple[list[Tensor], State]:
    """Apply a step at every time; return the hidden states, in the order of the inputs, and the last state."""
    outputs: list[Any] = [None] * len(inputs)
    first = state
    if mask is not None:
        state = mask.first_state(state)
    start = state
    for t in reversed(range(len(inputs))) if reverse else range(len(inputs)):
        with scope(step=t):
            new = step(inputs[t], state)
            state = new if mask is None else mask.next_state(t, new, state)
        outputs[t] = state[0] if isinstance(state, tuple) else state
    name_first(start, new)
    return outputs, state if mask is None else mask.last_state(state, first)


def time_first(name: str, x: Any, batch_first: bool, width: int | None = None) -> tuple[Tensor, bool]:
    """Return x as (T, B, I), and whether it had a batch; raise for other axes, other features or no steps.

    Without a width the features may have any number of axes: (T, B, ...).
    """
    check_input(name, "x", x, None)
    if x.ndim < 2 or (width and (x.ndim > 3 or x.shape[-1] != width)):
        layout, last = "B, T" if batch_first else "T, B", width or "..."
        turned = x.ndim in (2, 3) and width in x.shape[:-1] and x.shape[-1] != width
        hint = f": x.swapaxes({x.shape.index(width)}, -1) has the features as the last axis" if turned else ""
        raise ValueError(
            f"{name}: x must have shape ({layout}, {last}) or (T, {width or 'I'}), got {x.shape}{hint} "
            f"(python -m tinygrad_seq explain {'features-as-time' if turned else 'wrong-shape'})"
        )
    batched = x.ndim > 2
    if x.shape[1 if batched and batch_first else 0] == 0:
        raise ValueError(f"{name}: x has no steps, its shape is {x.shape}")
    return (x.expand_dims(1) if not batched else x.swapaxes(0, 1) if batch_first else x), batched


class Recurrent(Module):
    """Apply any cell over time: state_t = cell(x_t, state_{t-1}), with the same weights at every step.

    A cell is a Module whose `forward(x, state)` takes x (B, ...) and gives the next state: a Tensor h (B, ...), or a
    tuple of Tensors that begins with h. x (T, B, ...), (B, T, ...) with batch_first, or one sequence (T, I) -> out
    (T, B, ...), h at every step, and the last state. Without a first state it is zeros: (B, cell.hidden_size), or for a
    tuple (B, size) for each of `cell.state_sizes`. With `reverse` it reads from the last step to the first. `lengths`
    (B ints, in any order, 0 allowed) says where each sequence ends: out is zero after that, and the last state is the
    one of the last real step, whatever the padding holds. Raises ValueError for another shape, of x, the state or what
    the cell returns.

    >>> import tinygrad_seq as ts
    >>> class Leaky(ts.nn.Module):
    ...     def __init__(self, inputs, hidden):
    ...         self.hidden_size = hidden
    ...         self.mix = ts.nn.Linear(inputs + hidden, hidden)
    ...     def forward(self, x, h):
    ...         return 0.9 * h + 0.1 * self.mix(ts.concatenate([x, h], -1)).tanh()
    >>> out, h_n = ts.nn.Recurrent(Leaky(3, 4))(ts.zeros(5, 2, 3), lengths=[5, 2])
    >>> out.shape, h_n.shape
    ((5, 2, 4), (2, 4))
    """

    def __init__(self, cell: Module, batch_first: bool = False, reverse: bool = False) -> None:
        if not isinstance(cell, Module):
            raise TypeError(f"Recurrent: the cell must be a Module, got {cell!r:.60}")
        flag("Recurrent", batch_first=batch_first, reverse=reverse)
        self.cell, self.batch_first, self.reverse = cell, batch_first, reverse

    def forward(self, x: Tensor, state: State | None = None, lengths: Any = None) -> tuple[Tensor, State]:
        x, batched = time_first("Recurrent", x, self.batch_first)
        x, mask = without_padding("Recurrent", lengths, x)
        steps = x.unstack()
        first = self.first_state(steps[0], state, batched)
        try:
            outputs, last = unroll(self.step_from(first), steps, first, reverse=self.reverse, mask=mask)
        except ValueError as error:
            if state is None and not isinstance(first, tuple) and "to unpack" in str(error):
                error.add_note(f"Recurrent: the first state was zeros, of shape {first.shape}: {SEVERAL}")
            raise
        out = stack(outputs) if mask is None else mask.zero_padding(stack(outputs))
        if not batched:
            return out.squeeze(1), each(lambda part: part.squeeze(0), last)
        return out.swapaxes(0, 1) if self.batch_first else out, last

    def first_state(self, x: Tensor, state: State | None, batched: bool) -> State:
        """Return the state given, with a batch, or zeros; raise if it does not fit x (B, ...)."""
        if state is not None:
            parts = checked_state("Recurrent", "the first state", state)
            if not batched:
                parts = tuple(part.expand_dims(0) for part in parts)
            for part in parts:
                if part.shape[:1] != x.shape[:1]:
                    raise ValueError(f"Recurrent: the first state must have shape ({len(x)}, ...), got {part.shape}")
                check_device("Recurrent", "the first state", part.array, "x", x.array)
            state = parts if isinstance(state, tuple | list) else parts[0]
        if isinstance(self.cell, Cell):
            return self.cell.state_for(x, state)
        return zero_state(self.cell, x.shape[:1], x) if state is None else state

    def step_from(self, state: State) -> Step:
        """Return the function that the loop calls; it checks what a cell of your own returns, at every step."""
        if isinstance(self.cell, Cell):
            return self.cell.unrolled()
        expected = shapes_of(state)

        def step(x: Tensor, state: State) -> State:
            new = self.cell(x, state)
            if shapes_of(new) != expected:
                hint = f": {SEVERAL}" if isinstance(new, tuple) > isinstance(state, tuple) else ""
                raise ValueError(
                    f"Recurrent: {type(self.cell).__name__} must return the next state, of shape {expected}, "
                    f"got {shapes_of(new)}{hint}"
                )
            return new

        return step


def shapes_of(state: State) -> Any:
    """Return the shapes of a state's Tensors, in its own form, and the type of what is no Tensor."""
    return each(lambda part: part.shape if isinstance(part, Tensor) else type(part).__name__, state)
