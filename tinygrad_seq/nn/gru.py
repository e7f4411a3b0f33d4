"""The gated recurrent unit (Cho et al., 2014), in the two forms in use."""

from typing import Any

from tinygrad_seq.engine.arguments import flag
from tinygrad_seq.engine.ops.joining import split
from tinygrad_seq.engine.ops.matmul import matmul
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.cell import Cell, plus, row, transposed
from tinygrad_seq.nn.derived import Derived
from tinygrad_seq.nn.recurrent_layers import RecurrentLayers


class GRUCell(Cell):
    """Compute two gates, a candidate and the state between the candidate and the old one:

        reset  = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)      how much of the past the candidate sees
        update = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)      how much of the past stays
        new    =    tanh(W_in x_t + b_in + reset * (W_hn h_{t-1} + b_hn))
        h_t    = new + update * (h_{t-1} - new)                      = (1 - update) * new + update * h_{t-1}

    x (B, I), h (B, H), zeros if none is given -> h (B, H); also (I,) and (H,), without a batch. The weights are stacked
    in this order: `weight_ih` (3H, I), `weight_hh` (3H, H), `bias_ih` and `bias_hh` (3H,), as in PyTorch. With
    `reset_after=False` the reset gate acts before the product, as in the paper (Cho et al., 2014): new = tanh(W_in x_t
    + b_in + W_hn (reset * h_{t-1}) + b_hn). Raises ValueError for another shape, TypeError for another dtype.

    >>> import tinygrad_seq as ts
    >>> ts.nn.GRUCell(3, 4)(ts.zeros(2, 3)).shape
    (2, 4)
    """

    gates = 3

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, reset_after: bool = True) -> None:
        super().__init__(input_size, hidden_size, bias)
        flag("GRUCell", reset_after=reset_after)
        self.reset_after = reset_after

    def prepare(self) -> tuple[Any, ...]:
        weight_ih, weight_hh = transposed(self.weight_ih), transposed(self.weight_hh)
        bias_ih, bias_hh = row(self.bias_ih), row(self.bias_hh)
        if self.reset_after:
            return weight_ih, bias_ih, weight_hh, bias_hh, None, None
        parts = [2 * self.hidden_size, self.hidden_size]  # of the gates, and of `new`, which waits for the reset gate
        weight_hh, weight_hn = weight_hh.split(parts, 1)
        bias_hh, bias_hn = (None, None) if bias_hh is None else bias_hh.split(parts, 1)
        return weight_ih, bias_ih, weight_hh, bias_hh, weight_hn, bias_hn

    def step(self, x: Tensor, h: Tensor, *weights: Any) -> Tensor:
        weight_ih, bias_ih, weight_hh, bias_hh, weight_hn, bias_hn = weights
        from_x, from_h = matmul(x, weight_ih), matmul(h, weight_hh)
        from_x, from_h = plus(from_x, bias_ih), plus(from_h, bias_hh)
        size, after = self.hidden_size, self.reset_after
        x_r, x_z, x_n = split(from_x, sizes=(size, size, size), axis=1)
        h_r, h_z, *h_n = split(from_h, sizes=(size, size, size) if after else (size, size), axis=1)
        reset = (x_r + h_r).sigmoid().named("reset")
        update = (x_z + h_z).sigmoid().named("update")
        old = reset * h_n[0] if after else plus(matmul(reset * h, weight_hn), bias_hn)
        new = (x_n + old).tanh().named("new")
        return (new + update * (h - new)).named("h")


class GRU(RecurrentLayers):
    """Apply a `GRUCell`, whose equations these are, at every step (Cho et al., 2014).

        h_t = (1 - update) * new + update * h_{t-1}

    x (T, B, I), h0 (L*D, B, H) -> out (T, B, D*H), h_n (L*D, B, H), for L layers and D directions; also (B, T, I) with
    batch_first, and (T, I) unbatched. `reset_after=False` is the paper's own formula. `lengths` says where each
    sequence of a padded batch ends, as in `Recurrent`. While training, `dropout` acts between layers. Raises ValueError
    for another shape, TypeError for another dtype.

    >>> import tinygrad_seq as ts
    >>> out, h_n = ts.nn.GRU(3, 4, reset_after=False)(ts.zeros(5, 2, 3), lengths=[5, 2])
    >>> out.shape, h_n.shape
    ((5, 2, 4), (1, 2, 4))
    """

    make_cell = GRUCell
    reset_after = Derived(lambda layer: layer.cells[0][0].reset_after)
