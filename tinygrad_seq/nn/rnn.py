"""The simple recurrent cell (Elman, 1990)."""

from typing import Any

from tinygrad_seq.engine.arguments import one_of
from tinygrad_seq.engine.ops.matmul import matmul
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.cell import Cell, plus, row, transposed
from tinygrad_seq.nn.derived import Derived
from tinygrad_seq.nn.recurrent_layers import RecurrentLayers


class RNNCell(Cell):
    """Compute h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), or relu instead of tanh.

    x (B, I), h (B, H), zeros if none is given -> h (B, H); also (I,) and (H,), without a batch. `weight_ih` (H, I),
    `weight_hh` (H, H), `bias_ih` and `bias_hh` (H,). Elman, "Finding Structure in Time" (1990). Raises ValueError for
    another shape, TypeError for another dtype.

    >>> import tinygrad_seq as ts
    >>> ts.nn.RNNCell(3, 4)(ts.zeros(2, 3)).shape
    (2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh") -> None:
        one_of("RNNCell", "nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(input_size, hidden_size, bias)
        self.nonlinearity = nonlinearity

    def prepare(self) -> tuple[Any, ...]:
        return transposed(self.weight_ih), transposed(self.weight_hh), row(self.bias_ih, self.bias_hh)

    def step(self, x: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor | None) -> Tensor:
        a = plus(matmul(x, weight_ih) + matmul(h, weight_hh), bias)
        h = a.tanh() if self.nonlinearity == "tanh" else a.relu()
        return h.named("h")


class RNN(RecurrentLayers):
    """Compute, at every step t of every layer and with the same weights (Elman, 1990),

        h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)            or relu, with nonlinearity="relu".

    x (T, B, I), h0 (L*D, B, H) -> out (T, B, D*H), h_n (L*D, B, H), for L layers and D directions; also (B, T, I) with
    batch_first, and (T, I) unbatched. `lengths` says where each sequence of a padded batch ends, as in `Recurrent`.
    While training, `dropout` acts between layers. Raises ValueError for another shape, TypeError for another dtype.

    >>> import tinygrad_seq as ts
    >>> out, h_n = ts.nn.RNN(3, 4)(ts.zeros(5, 2, 3), lengths=[5, 2])
    >>> out.shape, h_n.shape
    ((5, 2, 4), (1, 2, 4))
    """

    make_cell = RNNCell
    nonlinearity = Derived(lambda layer: layer.cells[0][0].nonlinearity)
