"""The loop over time, once for all cells: layers upward, directions side by side, steps left to right.

This is the only place that says `step=t`. A layer holds one cell per level and direction and shows their parameters
under PyTorch's names (`weight_ih_l0`, `weight_ih_l0_reverse`, ...).
"""

from collections.abc import Callable
from typing import Any, ClassVar

from tinygrad_seq.nn.cell import Cell, State, check_dtype
from tinygrad_seq.nn.gru import GRUCell
from tinygrad_seq.nn.lstm import LSTMCell
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.rnn import RNNCell
from tinygrad_seq.ops.arrangement import concatenate, stack
from tinygrad_seq.scope import scope
from tinygrad_seq.tensor import Tensor


def unroll(cell: Cell, inputs: list[Tensor], state: State, *, reverse: bool = False) -> tuple[list[Tensor], State]:
    """Apply a cell at every step, with the same weights; the hidden states in input order and the last state."""
    step = cell.unrolled()
    outputs: list[Any] = [None] * len(inputs)
    for t in reversed(range(len(inputs))) if reverse else range(len(inputs)):
        with scope(step=t):
            state = step(inputs[t], state)
        outputs[t] = state[0] if isinstance(state, tuple) else state
    return outputs, state


class Recurrent(Module):
    """Base of RNN, LSTM and GRU: the same call for all.

    x (T, B, I), (B, T, I) with batch_first, or (T, I); initial state of (L*D, B, H) each, zeros if none is given.
    Returns out (T, B, D*H), the hidden state at every step of the last layer, and the last state of (L*D, B, H) each.
    """

    make_cell: ClassVar[Callable[..., Cell]]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        bidirectional: bool = False,
        **options: Any,
    ) -> None:
        if num_layers < 1:
            raise ValueError(f"{type(self).__name__}: num_layers must be at least 1, got {num_layers}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.batch_first, self.directions = batch_first, ("forward", "reverse")[: 1 + bidirectional]
        self.cells: list[list[Cell]] = []
        for layer in range(num_layers):
            width = input_size if layer == 0 else hidden_size * len(self.directions)
            self.cells.append([type(self).make_cell(width, hidden_size, bias, **options) for _ in self.directions])
            for cell, suffix in zip(self.cells[-1], ("", "_reverse")):
                for name, parameter in cell.parts():
                    setattr(self, f"{name}_l{layer}{suffix}", parameter)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        batched = self.checked(x).ndim == 3
        if not batched:
            x = x.expand_dims(1)
        elif self.batch_first:
            x = x.swapaxes(0, 1)
        steps = x.unstack()
        starts = self.starting_states(state, x, batched)
        finals: list[tuple[Tensor, ...]] = []
        sides: list[list[Tensor]] = []
        for layer, cells in enumerate(self.cells):
            sides = []
            for cell, direction in zip(cells, self.directions):
                with scope(layer=layer, direction=direction):
                    outputs, final = unroll(cell, steps, starts[len(finals)], reverse=direction == "reverse")
                sides.append(outputs)
                finals.append(final if isinstance(final, tuple) else (final,))
            steps = sides[0]
            if len(sides) > 1 and layer < self.num_layers - 1:
                steps = concatenate([stack(side) for side in sides], -1).unstack()
        out = stack(steps) if len(sides) == 1 else concatenate([stack(side) for side in sides], -1)
        last = tuple(stack([final[k] for final in finals]) for k in range(len(finals[0])))
        if not batched:
            out, last = out.squeeze(1), tuple(part.squeeze(1) for part in last)
        elif self.batch_first:
            out = out.swapaxes(0, 1)
        return out, last if len(last) > 1 else last[0]

    def checked(self, x: Any) -> Tensor:
        """The input, or an error that says what it should have been."""
        name, expected = type(self).__name__, "(B, T, {})" if self.batch_first else "(T, B, {})"
        if not isinstance(x, Tensor):
            raise TypeError(f"{name}: x must be a Tensor, got {type(x).__name__}")
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"{name}: x must have shape {expected.format(self.input_size)} or (T, {self.input_size}), got {x.shape}"
            )
        if x.shape[1 if x.ndim == 3 and self.batch_first else 0] == 0:
            raise ValueError(f"{name}: x has no steps, its shape is {x.shape}")
        check_dtype(name, "x", x, self.cells[0][0].weight_ih)
        return x

    def starting_states(self, state: State | None, x: Tensor, batched: bool) -> list[State]:
        """One state for each layer and direction."""
        flat = [cell for cells in self.cells for cell in cells]
        batch = x.shape[1]
        if state is None:
            return [cell.zero_state((batch,), x) for cell in flat]
        name, parts = type(self).__name__, state if isinstance(state, tuple) else (state,)
        if len(parts) != flat[0].states:
            raise ValueError(f"{name}: the initial state has {flat[0].states} part(s), got {len(parts)}")
        expected = (len(flat), batch, self.hidden_size) if batched else (len(flat), self.hidden_size)
        for part in parts:
            if not isinstance(part, Tensor) or part.shape != expected:
                raise ValueError(
                    f"{name}: the initial state must have shape {expected}, got {getattr(part, 'shape', part)}"
                )
            check_dtype(name, "the initial state", part, flat[0].weight_ih)
        rows = [(part if batched else part.expand_dims(1)).unstack() for part in parts]
        return [tuple(row) if len(row) > 1 else row[0] for row in zip(*rows)]

    def describe(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        text += f", num_layers={self.num_layers}" if self.num_layers > 1 else ""
        text += ", batch_first=True" if self.batch_first else ""
        return text + (", bidirectional=True" if len(self.directions) > 1 else "")


class RNN(Recurrent):
    """The simple recurrent network (Elman, 1990): at every step t of every layer, with the same weights,

        h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)            or relu, with nonlinearity="relu".

    x (T, B, I), h0 (L*D, B, H) -> out (T, B, D*H), h_n (L*D, B, H), for L layers and D directions; also (B, T, I) with
    batch_first, and (T, I) unbatched. Raises ValueError for another shape, TypeError for another dtype.

    >>> import tinygrad_seq as ts
    >>> out, h_n = ts.nn.RNN(3, 4)(ts.zeros(5, 2, 3))
    >>> out.shape, h_n.shape
    ((5, 2, 4), (1, 2, 4))
    """

    make_cell = RNNCell


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997): `LSTMCell`, whose equations these are, at every step.

        c_t = forget * c_{t-1} + input * cell,   h_t = output * tanh(c_t)

    x (T, B, I), (h0, c0) of (L*D, B, H) each -> out (T, B, D*H), (h_n, c_n) of (L*D, B, H) each, for L layers and D
    directions; also (B, T, I) with batch_first, and (T, I) unbatched. Raises ValueError for another shape, TypeError
    for another dtype.

    >>> import tinygrad_seq as ts
    >>> out, (h_n, c_n) = ts.nn.LSTM(3, 4)(ts.zeros(5, 2, 3))
    >>> out.shape, c_n.shape
    ((5, 2, 4), (1, 2, 4))
    """

    make_cell = LSTMCell


class GRU(Recurrent):
    """The gated recurrent unit (Cho et al., 2014): `GRUCell`, whose equations these are, at every step.

        h_t = (1 - update) * new + update * h_{t-1}

    x (T, B, I), h0 (L*D, B, H) -> out (T, B, D*H), h_n (L*D, B, H), for L layers and D directions; also (B, T, I) with
    batch_first, and (T, I) unbatched. `reset_after=False` is the paper's own formula. Raises ValueError for another
    shape, TypeError for another dtype.

    >>> import tinygrad_seq as ts
    >>> out, h_n = ts.nn.GRU(3, 4)(ts.zeros(5, 2, 3))
    >>> out.shape, h_n.shape
    ((5, 2, 4), (1, 2, 4))
    """

    make_cell = GRUCell
