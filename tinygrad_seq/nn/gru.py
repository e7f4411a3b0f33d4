"""The gated recurrent unit (Cho et al., 2014), in the two forms in use."""

from typing import Any

from tinygrad_seq.engine.arguments import flag
from tinygrad_seq.engine.ops.joining import split
from tinygrad_seq.engine.ops.matmul import matmul
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.cell import Cell, row, transposed
from tinygrad_seq.nn.recurrent_layers import RecurrentLayers


class GRUCell(Cell):
    """Compute two gates, a candidate and the state between the candidate and the old one:

        reset  = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)      how much of the past the candidate sees
        update = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)      how much of the past stays
        new    =    tanh(W_in x_t + b_in + reset * (W_hn h_{t-1} + b_hn))
        h_t    = new + update * (h_{t-1} - new)                      = (1 - update) * new + update * h_{t-1}

    x (B, I), h (B, H) -> h (B, H). The weights are stacked in this order: `weight_ih` (3H, I), `weight_hh` (3H, H),
    `bias_ih` and `bias_hh` (3H,), as in PyTorch. With `reset_after=False` the reset gate acts before the product, as
    in the paper: new = tanh(W_in x_t + b_in + W_hn (reset * h_{t-1}) + b_hn).

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
        if self.reset_after:
            return weight_ih, weight_hh, row(self.bias_ih), row(self.bias_hh)
        gates, new = 2 * self.hidden_size, self.hidden_size
        bias_hh = row(self.bias_hh)
        biases = (None, None) if bias_hh is None else bias_hh.split([gates, new], 1)
        return (weight_ih, *weight_hh.split([gates, new], 1), row(self.bias_ih), *biases)

    def step(self, x: Tensor, h: Tensor, *weights: Any) -> Tensor:
        if not self.reset_after:
            return self.step_reset_before(x, h, *weights)
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        from_x, from_h = matmul(x, weight_ih), matmul(h, weight_hh)
        if bias_ih is not None:
            from_x = from_x + bias_ih
        if bias_hh is not None:
            from_h = from_h + bias_hh
        x_r, x_z, x_n = split(from_x, sizes=(self.hidden_size,) * 3, axis=1)
        h_r, h_z, h_n = split(from_h, sizes=(self.hidden_size,) * 3, axis=1)
        reset = (x_r + h_r).sigmoid().named("reset")
        update = (x_z + h_z).sigmoid().named("update")
        new = (x_n + reset * h_n).tanh().named("new")
        return (new + update * (h - new)).named("h")

    def step_reset_before(self, x: Tensor, h: Tensor, *weights: Any) -> Tensor:
        weight_ih, weight_gates, weight_new, bias_ih, bias_gates, bias_new = weights
        from_x, from_h = matmul(x, weight_ih), matmul(h, weight_gates)
        if bias_ih is not None:
            from_x = from_x + bias_ih
        if bias_gates is not None:
            from_h = from_h + bias_gates
        x_r, x_z, x_n = split(from_x, sizes=(self.hidden_size,) * 3, axis=1)
        h_r, h_z = split(from_h, sizes=(self.hidden_size,) * 2, axis=1)
        reset = (x_r + h_r).sigmoid().named("reset")
        update = (x_z + h_z).sigmoid().named("update")
        h_n = matmul(reset * h, weight_new)
        if bias_new is not None:
            h_n = h_n + bias_new
        new = (x_n + h_n).tanh().named("new")
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
