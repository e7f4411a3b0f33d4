"""What a recurrent cell is: a map (x_t, state) -> state, applied at every step with the same weights.

A cell's state is a Tensor h, or a tuple of Tensors that begins with h. What does not change over a sequence (a
transposed weight, a sum of biases) is made once per call, by `unrolled`; the rest happens at every step, as on the
blackboard, so that the graph shows one weight used T times.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from tinygrad_seq.engine.arguments import at_least
from tinygrad_seq.engine.backend import default_dtype, modules
from tinygrad_seq.engine.ops.shape import contiguous
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.init import uniform
from tinygrad_seq.nn.module import Module, Parameter

State: TypeAlias = Any  # Tensor, or a tuple of Tensors that begins with the hidden state
Step: TypeAlias = Callable[[Tensor, State], State]


class Cell(Module):
    """Base of the built-in cells: weights named as in PyTorch, all drawn from U(-1/sqrt(H), 1/sqrt(H))."""

    gates = 1  # how many blocks of H rows the weights have
    states = 1  # how many Tensors the state has

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        at_least(1, type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        rows, bound = self.gates * hidden_size, hidden_size**-0.5
        self.weight_ih = uniform(rows, input_size, bound=bound)
        self.weight_hh = uniform(rows, self.state_sizes[0], bound=bound)
        self.bias_ih: Parameter | None = uniform(rows, bound=bound) if bias else None
        self.bias_hh: Parameter | None = uniform(rows, bound=bound) if bias else None

    def prepare(self) -> tuple[Any, ...]:
        """What `step` needs besides x and the state, made once per call."""
        raise NotImplementedError

    def step(self, x: Tensor, state: State, *weights: Any) -> State:
        """The equations of one step."""
        raise NotImplementedError

    def unrolled(self) -> Step:
        """The function that a loop over time calls at every step."""
        weights = self.prepare()
        return lambda x, state: self.step(x, state, *weights)

    def forward(self, x: Tensor, state: State | None = None) -> State:
        """One step: x (B, I) or (I,), state of (B, H) or (H,) each (zeros if none is given)."""
        self.check_input(x)
        if state is None:
            state = zero_state(self, x.shape[:-1], x)
        state = self.check_state(x, state)
        if x.ndim == 2:
            return self.unrolled()(x, state)
        result = self.unrolled()(x.expand_dims(0), each(lambda part: part.expand_dims(0), state))
        return each(lambda part: part.squeeze(0), result)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """The last axis of each part of the state."""
        return (self.hidden_size,) * self.states

    def check_input(self, x: Any) -> None:
        name, width = type(self).__name__, self.input_size
        if not isinstance(x, Tensor):
            raise TypeError(f"{name}: x must be a Tensor, got {type(x).__name__}")
        if x.ndim not in (1, 2) or x.shape[-1] != width:
            raise ValueError(f"{name}: x must have shape (B, {width}) or ({width},), got {x.shape}")
        check_dtype(name, "x", x, self.weight_ih)

    def check_state(self, x: Tensor, state: State) -> State:
        """The state, if it fits x and the cell."""
        shapes = [(*x.shape[:-1], width) for width in self.state_sizes]
        parts = state_parts(type(self).__name__, "the state", state, shapes, self.weight_ih)
        return parts if self.states > 1 else parts[0]

    def describe(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ", bias=False" * (self.bias_ih is self.bias_hh is None)


def zero_state(cell: Module, batch: tuple[int, ...], like: Tensor) -> State:
    """The state before the first step: zeros, as wide as the cell says, where x is and of its dtype."""
    sizes = getattr(cell, "state_sizes", None) or (getattr(cell, "hidden_size", None),)
    if None in sizes:
        name = type(cell).__name__
        raise ValueError(f"{name} has no hidden_size to make its first state of: give the state, or set hidden_size")
    xp, dtype = modules[type(like.array)], like.dtype if like.dtype.kind == "f" else default_dtype
    zeros = tuple(make_tensor(xp.zeros((*batch, size), dtype)) for size in sizes)
    return zeros if len(zeros) > 1 else zeros[0]


def parts_of(state: State) -> tuple[Any, ...]:
    return tuple(state) if isinstance(state, tuple | list) else (state,)


def tensors_of(name: str, what: str, state: State, count: int | None = None) -> tuple[Tensor, ...]:
    """Return the parts of a state if they are Tensors, so many of them if a count is given."""
    parts = parts_of(state)
    others = [part for part in parts if not isinstance(part, Tensor)]
    if parts and not others and (count is None or count == len(parts)):
        return parts
    form = {None: "a Tensor, or a tuple of them", 1: "a Tensor"}.get(count, f"a tuple of {count} Tensors")
    kinds = ", ".join(type(part).__name__ for part in parts)
    found = f"({kinds})" if isinstance(state, tuple | list) else kinds
    raise (TypeError if others else ValueError)(f"{name}: {what} must be {form}, got {found:.80}")


def state_parts(name: str, what: str, state: State, shapes: Sequence[Any], weight: Tensor) -> tuple[Tensor, ...]:
    """Return the parts of a state if they have these shapes and the dtype of the weight."""
    parts = tensors_of(name, what, state, len(shapes))
    for part, shape in zip(parts, shapes):
        if part.shape != shape:
            raise ValueError(f"{name}: {what} must have shape {shape}, got {part.shape}")
        check_dtype(name, what, part, weight)
    return parts


def each(function: Callable[..., Any], *states: State) -> State:
    """The function on every part of a state, or of several side by side."""
    return tuple(map(function, *states)) if isinstance(states[0], tuple) else function(*states)


def check_dtype(name: str, what: str, x: Tensor, weight: Tensor) -> None:
    """An input of another dtype than the weights would compute in a mixture nobody asked for."""
    if x.dtype != weight.dtype:
        raise TypeError(
            f'{name}: {what} is {x.dtype}, the parameters are {weight.dtype}: convert it with .to("{weight.dtype}")'
        )


def transposed(weight: Tensor) -> Tensor:
    """W^T with its rows together in memory: made once per call, it makes every step's product faster."""
    return contiguous(weight.T)


def row(bias: Tensor | None, other: Tensor | None = None) -> Tensor | None:
    """A bias, or two that are always added together, as a row (1, ...): a batch of one adds it without broadcasting."""
    total = other if bias is None else bias if other is None else bias + other
    return None if total is None else total.expand_dims(0)
