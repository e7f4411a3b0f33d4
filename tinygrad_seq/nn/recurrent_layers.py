"""The base of RNN, LSTM and GRU: layers on top of each other, directions side by side.

It holds one cell per layer and direction, runs each over time by the one loop (see recurrent.py), and shows their
parameters under PyTorch's names (`weight_ih_l0`, `weight_ih_l0_reverse`, ...).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from tinygrad_seq.engine.arguments import at_least, flag, probability
from tinygrad_seq.engine.callers import warn
from tinygrad_seq.engine.functions.shapes import concatenate, stack
from tinygrad_seq.engine.hints import keywords, no_argument
from tinygrad_seq.engine.scope import scope
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.cell import Cell
from tinygrad_seq.nn.derived import Derived
from tinygrad_seq.nn.dropout import dropout as dropped
from tinygrad_seq.nn.dropout import warn_if_evaluating
from tinygrad_seq.nn.lengths import without_padding
from tinygrad_seq.nn.module import Module, Parameter
from tinygrad_seq.nn.parameter import check_input
from tinygrad_seq.nn.recurrent import time_first, unroll
from tinygrad_seq.nn.state import State, checked_state, parts_of, zero_state


class RecurrentLayers(Module):
    """Base of RNN, LSTM and GRU, which are called in the same way.

    x (T, B, I), (B, T, I) with batch_first, or (T, I); first state of (L*D, B, H) each, zeros if none is given.
    Returns out (T, B, D*H), the hidden state at every step of the last layer, and the last state of (L*D, B, H) each.
    """

    make_cell: ClassVar[Callable[..., Cell]]
    bidirectional = Derived(lambda layer: len(layer.directions) > 1)
    if TYPE_CHECKING:  # how many parameters there are, and their names, is known only when it runs

        def __getattr__(self, name: str) -> Parameter: ...

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Any,
    ) -> None:
        name, of_cell = type(self).__name__, keywords(type(self).make_cell)
        for option in options:
            if option not in of_cell:
                raise no_argument(name, option, dict.fromkeys(keywords(RecurrentLayers.__init__) + of_cell))
        at_least(1, name, most=10_000, num_layers=num_layers)
        flag(name, bias=bias, batch_first=batch_first, bidirectional=bidirectional)
        dropout = probability(name, "dropout", dropout)
        if dropout and num_layers == 1:
            warn(f"{name}: dropout={dropout} acts between layers, and there is only one")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.options = bias, batch_first, dropout, options
        self.directions = ("forward", "reverse")[: 1 + bidirectional]
        self.cells: list[list[Cell]] = []
        self.owners: dict[str, tuple[Cell, str]] = {}  # by name here: the cell that has it, its name there
        for layer in range(num_layers):
            width = input_size if layer == 0 else self.cells[0][0].state_sizes[0] * len(self.directions)
            self.cells.append([self.new_cell(width, hidden_size, bias, **options) for _ in self.directions])
            for cell, suffix in zip(self.cells[-1], ("", "_reverse")):
                for part, parameter in list(vars(cell).items()):
                    if isinstance(parameter, Parameter | None):  # a bias of None may be given later
                        self.owners[f"{part}_l{layer}{suffix}"] = cell, part
                    if isinstance(parameter, Parameter):
                        setattr(self, f"{part}_l{layer}{suffix}", parameter)

    def new_cell(self, *args: Any, **options: Any) -> Cell:
        """Return a cell; an error begins with the name of the layer."""
        make = type(self).make_cell
        cell = getattr(make, "__name__", "a cell")
        try:
            return make(*args, **options)
        except (TypeError, ValueError) as error:
            raise type(error)(str(error).replace(f"{cell}: ", f"{type(self).__name__}: ", 1)) from error

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in vars(self).get("owners", ()):  # a parameter that replaces another replaces it in the cell, too
            cell, part = self.owners[name]
            vars(cell)[part] = value

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in self.owners:
            cell, part = self.owners[name]
            delattr(cell, part)

    def forward(self, x: Tensor, state: State | None = None, lengths: Any = None) -> tuple[Tensor, State]:
        name = type(self).__name__
        x, batched = time_first(name, x, self.batch_first, self.input_size)
        check_input(name, "x", x, self.cells[0][0].weight_ih)
        starts = self.first_states(state, x, batched)
        x, mask = without_padding(name, lengths, x)
        dropout = self.dropout if self.training else 0.0
        if dropout:
            warn_if_evaluating(self)
        finals: list[tuple[Tensor, ...]] = []
        out: Any = x
        for layer, cells in enumerate(self.cells):
            is_last = layer == self.num_layers - 1
            sides: list[Any] = []
            for cell, direction in zip(cells, self.directions):
                with scope(layer=layer, direction=direction):
                    back, steps = direction == "reverse", out if isinstance(out, list) else out.unstack()
                    side, final = unroll(cell.unrolled(), steps, starts[len(finals)], reverse=back, mask=mask)
                    sides.append(stack(side) if len(cells) > 1 else side)
                finals.append(parts_of(final))
            out = concatenate(sides, -1) if len(sides) > 1 else stack(sides[0]) if is_last or dropout else sides[0]
            if dropout and not is_last:
                out = dropped(out, dropout)
        last = tuple(stack(parts) for parts in zip(*finals))
        if mask is not None:
            out = mask.zero_padding(out)
        if not batched:
            out, last = out.squeeze(1), tuple(part.squeeze(1) for part in last)
        elif self.batch_first:
            out = out.swapaxes(0, 1)
        return out, last if len(last) > 1 else last[0]

    def first_states(self, state: State | None, x: Tensor, batched: bool) -> list[State]:
        """Return one state for each layer and direction: of the state given, or zeros."""
        flat = [cell for cells in self.cells for cell in cells]
        batch = x.shape[1]
        if state is None:
            return [zero_state(cell, (batch,), x) for cell in flat]
        shapes = [(len(flat), batch, size) if batched else (len(flat), size) for size in flat[0].state_sizes]
        parts = checked_state(type(self).__name__, "the first state", state, shapes, flat[0].weight_ih, len(x))
        rows = [(part if batched else part.expand_dims(1)).unstack() for part in parts]
        return [tuple(row) if len(row) > 1 else row[0] for row in zip(*rows)]

    def describe(self) -> str:
        options = {
            "num_layers": (self.num_layers, 1),
            "bias": (bool(self.bias), True),
            "batch_first": (bool(self.batch_first), False),
            "dropout": (self.dropout, 0.0),
            "bidirectional": (self.bidirectional, False),
        }
        shown = {name: value for name, (value, default) in options.items() if value != default} | self.options
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *(f"{name}={shown[name]!r}" for name in shown)])
