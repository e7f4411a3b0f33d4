"""What a recurrent cell is: a map (x_t, state) -> state, applied at every step with the same weights.

A cell's state is a Tensor h, or a tuple of Tensors that begins with h. What does not change over a sequence (a
transposed weight, a sum of biases) is made once per call, by `unrolled`; the rest happens at every step, as on the
blackboard, so that the graph shows one weight used T times.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from tinygrad_seq.backend import modules
from tinygrad_seq.nn.init import uniform
from tinygrad_seq.nn.module import Module, Parameter
from tinygrad_seq.ops.shape import contiguous
from tinygrad_seq.record import handle
from tinygrad_seq.tensor import Tensor

State: TypeAlias = Any  # Tensor, or a tuple of Tensors that begins with the hidden state
Step: TypeAlias = Callable[[Tensor, State], State]


class Cell(Module):
    """Base of the built-in cells: weights named as in PyTorch, all drawn from U(-1/sqrt(H), 1/sqrt(H))."""

    gates = 1  # how many blocks of H rows the weights have
    states = 1  # how many Tensors the state has

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        if input_size < 1 or hidden_size < 1:
            raise ValueError(f"{type(self).__name__}: sizes must be positive, got {input_size} and {hidden_size}")
        self.input_size, self.hidden_size = input_size, hidden_size
        rows, bound = self.gates * hidden_size, hidden_size**-0.5
        self.weight_ih = uniform(rows, input_size, bound=bound)
        self.weight_hh = uniform(rows, hidden_size, bound=bound)
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
        self.check("x", x, self.input_size)
        batched = x.ndim == 2
        if state is None:
            state = self.zero_state((*x.shape[:-1],), x)
        parts = state if isinstance(state, tuple) else (state,)
        if len(parts) != self.states:
            raise ValueError(f"{type(self).__name__}: the state has {self.states} part(s), got {len(parts)}")
        for part in parts:
            self.check("the state", part, self.hidden_size)
            if part.shape[:-1] != x.shape[:-1]:
                expected = (*x.shape[:-1], self.hidden_size)
                raise ValueError(f"{type(self).__name__}: the state must have shape {expected}, got {part.shape}")
        if not batched:
            x, parts = x.expand_dims(0), tuple(part.expand_dims(0) for part in parts)
        result = self.unrolled()(x, parts if self.states > 1 else parts[0])
        if batched:
            return result
        return tuple(part.squeeze(0) for part in result) if self.states > 1 else result.squeeze(0)

    def zero_state(self, batch: tuple[int, ...], like: Tensor) -> State:
        """The state before the first step."""
        zeros = [
            handle(modules[type(like.array)].zeros((*batch, self.hidden_size), self.weight_hh.dtype))
            for _ in range(self.states)
        ]
        return tuple(zeros) if self.states > 1 else zeros[0]

    def check(self, what: str, x: Any, width: int) -> None:
        if not isinstance(x, Tensor):
            raise TypeError(f"{type(self).__name__}: {what} must be a Tensor, got {type(x).__name__}")
        if x.ndim not in (1, 2) or x.shape[-1] != width:
            raise ValueError(f"{type(self).__name__}: {what} must have shape (B, {width}) or ({width},), got {x.shape}")
        check_dtype(type(self).__name__, what, x, self.weight_ih)

    def describe(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias_ih is not None else ", bias=False")


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
    if bias is None:
        return None
    return (bias if other is None else bias + other).expand_dims(0)
