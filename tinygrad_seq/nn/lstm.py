"""The long short-term memory cell (Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000)."""

from typing import Any

from tinygrad_seq.nn.cell import Cell, row, transposed
from tinygrad_seq.ops.contraction import matmul
from tinygrad_seq.ops.joining import split
from tinygrad_seq.tensor import Tensor


class LSTMCell(Cell):
    """Four gates around a cell state that is only ever scaled and added to:

        input  = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)      what to write
        forget = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf)      what to keep
        cell   =    tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)      the candidate
        output = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho)      what to show
        c_t = forget * c_{t-1} + input * cell
        h_t = output * tanh(c_t)

    x (B, I), (h, c) of (B, H) each -> (h, c). The gates' weights are stacked in this order: `weight_ih` (4H, I),
    `weight_hh` (4H, H), `bias_ih` and `bias_hh` (4H,), as in PyTorch.

    >>> import tinygrad_seq as ts
    >>> h, c = ts.nn.LSTMCell(3, 4)(ts.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    gates = 4
    states = 2

    def prepare(self) -> tuple[Any, ...]:
        return transposed(self.weight_ih), transposed(self.weight_hh), row(self.bias_ih, self.bias_hh)

    def step(
        self, x: Tensor, state: tuple[Tensor, Tensor], weight_ih: Tensor, weight_hh: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        h, c = state
        a = matmul(x, weight_ih) + matmul(h, weight_hh)
        if bias is not None:
            a = a + bias
        i, f, g, o = split(a, sizes=(self.hidden_size,) * 4, axis=1)
        input = i.sigmoid().named("input")
        forget = f.sigmoid().named("forget")
        cell = g.tanh().named("cell")
        output = o.sigmoid().named("output")
        c = (forget * c + input * cell).named("c")
        h = (output * c.tanh()).named("h")
        return h, c
