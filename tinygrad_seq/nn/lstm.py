"""The long short-term memory cell (Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000)."""

from typing import Any

from tinygrad_seq.engine.arguments import at_least
from tinygrad_seq.engine.ops.joining import split
from tinygrad_seq.engine.ops.matmul import matmul
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.cell import Cell, plus, row, transposed
from tinygrad_seq.nn.derived import Derived
from tinygrad_seq.nn.init import uniform
from tinygrad_seq.nn.recurrent_layers import RecurrentLayers


class LSTMCell(Cell):
    """Compute four gates, and a cell state that is only ever scaled and added to:

        input  = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)      what to write
        forget = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf)      what to keep
        cell   =    tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)      the candidate
        output = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho)      what to show
        c_t = forget * c_{t-1} + input * cell
        h_t = output * tanh(c_t)

    x (B, I), (h, c) of (B, H) each, zeros if none is given -> (h, c); also (I,) and (H,), without a batch. The gates'
    weights are stacked in this order: `weight_ih` (4H, I), `weight_hh` (4H, H), `bias_ih` and `bias_hh` (4H,), as in
    PyTorch. With `proj_size` P < H (Sak et al., 2014) what is shown is smaller than what is remembered: h_t = W_hr
    (output * tanh(c_t)) of (B, P), `weight_hr` (P, H), and `weight_hh` (4H, P). Hochreiter and Schmidhuber, "Long
    Short-Term Memory" (1997). Raises ValueError for another shape, TypeError for another dtype.

    >>> import tinygrad_seq as ts
    >>> h, c = ts.nn.LSTMCell(3, 4)(ts.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    gates = 4
    states = 2

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, proj_size: int = 0) -> None:
        at_least(1, "LSTMCell", hidden_size=hidden_size)
        at_least(0, "LSTMCell", proj_size=proj_size)
        if proj_size >= hidden_size:
            raise ValueError(f"LSTMCell: proj_size must be less than hidden_size {hidden_size}, got {proj_size}")
        self.proj_size = proj_size
        super().__init__(input_size, hidden_size, bias)
        if proj_size:
            self.weight_hr = uniform(proj_size, hidden_size, bound=hidden_size**-0.5)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return self.proj_size or self.hidden_size, self.hidden_size

    def prepare(self) -> tuple[Any, ...]:
        weight_hr = transposed(self.weight_hr) if self.proj_size else None
        return transposed(self.weight_ih), transposed(self.weight_hh), row(self.bias_ih, self.bias_hh), weight_hr

    def step(self, x: Tensor, state: tuple[Tensor, Tensor], *weights: Any) -> tuple[Tensor, Tensor]:
        weight_ih, weight_hh, bias, weight_hr = weights
        h, c = state
        a = plus(matmul(x, weight_ih) + matmul(h, weight_hh), bias)
        i, f, g, o = split(a, sizes=(self.hidden_size,) * 4, axis=1)
        input = i.sigmoid().named("input")
        forget = f.sigmoid().named("forget")
        cell = g.tanh().named("cell")
        output = o.sigmoid().named("output")
        c = (forget * c + input * cell).named("c")
        h = output * c.tanh()
        if weight_hr is not None:
            h = matmul(h, weight_hr)
        return h.named("h"), c


class LSTM(RecurrentLayers):
    """Apply an `LSTMCell`, whose equations these are, at every step (Hochreiter and Schmidhuber, 1997).

        c_t = forget * c_{t-1} + input * cell,   h_t = output * tanh(c_t)

    x (T, B, I), (h0, c0) of (L*D, B, H) each -> out (T, B, D*H), (h_n, c_n) of (L*D, B, H) each, for L layers and D
    directions; also (B, T, I) with batch_first, and (T, I) unbatched. With `proj_size` P, h and out have P instead of
    H. `lengths` says where each sequence of a padded batch ends, as in `Recurrent`. While training, `dropout` acts
    between layers. Raises ValueError for another shape, TypeError for another dtype.

    >>> import tinygrad_seq as ts
    >>> out, (h_n, c_n) = ts.nn.LSTM(3, 4, bidirectional=True)(ts.zeros(5, 2, 3), lengths=[5, 2])
    >>> out.shape, c_n.shape
    ((5, 2, 8), (2, 2, 4))
    """

    make_cell = LSTMCell
    proj_size = Derived(lambda layer: layer.cells[0][0].proj_size)
