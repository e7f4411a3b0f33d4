"""Cell: a map (x_t, state) -> state, which a loop over time applies at every step with the same weights.

What does not change over a sequence (a transposed weight, a sum of biases) is made once per call, by `unrolled`; the
rest happens at every step, as on the blackboard, so that the graph shows one weight used T times.
"""

from typing import Any

from tinygrad_seq.engine.arguments import at_least, flag
from tinygrad_seq.engine.ops.shape import contiguous
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.derived import Derived
from tinygrad_seq.nn.init import uniform
from tinygrad_seq.nn.module import Module, Parameter
from tinygrad_seq.nn.parameter import check_input
from tinygrad_seq.nn.state import State, Step, checked_state, each, name_first, zero_state


class Cell(Module):
    """Base of the built-in cells: weights named as in PyTorch, all drawn from U(-1/sqrt(H), 1/sqrt(H)).

    A subclass writes `prepare`, which is called once, and `step`, the equations. x (B, I), or (I,) without a batch, and
    a state of (B, H) each, zeros if none is given -> the next state. Raises ValueError for another shape, TypeError
    for another dtype.

    >>> import tinygrad_seq as ts
    >>> class Leaky(ts.nn.Cell):
    ...     def prepare(self):
    ...         return self.weight_ih.T, self.weight_hh.T
    ...     def step(self, x, h, weight_ih, weight_hh):
    ...         return 0.9 * h + 0.1 * (x @ weight_ih + h @ weight_hh).tanh()
    >>> Leaky(3, 4)(ts.zeros(2, 3)).shape
    (2, 4)
    """

    gates = 1  # how many blocks of H rows the weights have
    states = 1  # how many Tensors the state has
    bias = Derived(lambda cell: cell.bias_ih is not None or cell.bias_hh is not None)

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        at_least(1, type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        flag(type(self).__name__, bias=bias)
        self.input_size, self.hidden_size = input_size, hidden_size
        rows, bound = self.gates * hidden_size, hidden_size**-0.5
        self.weight_ih = uniform(rows, input_size, bound=bound)
        self.weight_hh = uniform(rows, self.state_sizes[0], bound=bound)
        self.bias_ih: Parameter | None = uniform(rows, bound=bound) if bias else None
        self.bias_hh: Parameter | None = uniform(rows, bound=bound) if bias else None

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Return the last axis of each part of the state."""
        return (self.hidden_size,) * self.states

    def prepare(self) -> tuple[Any, ...]:
        """Return what `step` needs besides x and the state; called once, before the first step."""
        raise NotImplementedError

    def step(self, x: Tensor, state: State, *weights: Any) -> State:
        """Return the next state: the equations of one step."""
        raise NotImplementedError

    def unrolled(self) -> Step:
        """Return the function that a loop over time calls at every step."""
        weights = self.prepare()
        return lambda x, state: self.step(x, state, *weights)

    def forward(self, x: Tensor, state: State | None = None) -> State:
        """Take one step: x (B, I) or (I,), state of (B, H) or (H,) each, zeros if none is given."""
        state = self.state_for(x, state)
        if x.ndim == 1:
            new = self.forward(x.expand_dims(0), each(lambda part: part.expand_dims(0), state))
            return each(lambda part: part.squeeze(0), new)
        new = self.unrolled()(x, state)
        name_first(state, new)
        return new

    def state_for(self, x: Any, state: State | None) -> State:
        """Return the state, zeros if none is given; raise if x or the state does not fit the cell."""
        name, width = type(self).__name__, self.input_size
        check_input(name, "x", x, self.weight_ih)
        if x.ndim not in (1, 2) or x.shape[-1] != width:
            raise ValueError(
                f"{name}: x must have shape (B, {width}) or ({width},), got {x.shape} "
                "(python -m tinygrad_seq explain wrong-shape)"
            )
        if state is None:
            return zero_state(self, x.shape[:-1], x)
        shapes = [(*x.shape[:-1], size) for size in self.state_sizes]
        parts = checked_state(name, "the state", state, shapes, self.weight_ih)
        return parts if self.states > 1 else parts[0]

    def describe(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ", bias=False" * (not self.bias)


def transposed(weight: Tensor) -> Tensor:
    """Return W^T with its rows together in memory: made once per call, it makes every step's product faster."""
    return contiguous(weight.T)


def plus(a: Tensor, bias: Tensor | None) -> Tensor:
    """Return a + bias, or a itself where there is no bias."""
    return a if bias is None else a + bias


def row(bias: Tensor | None, other: Tensor | None = None) -> Tensor | None:
    """Return a bias, or the sum of two, as a row (1, ...): a batch of one adds it without broadcasting."""
    total = other if bias is None else bias if other is None else bias + other
    return None if total is None else total.expand_dims(0)
