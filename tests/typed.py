"""A program as its author's type checker sees it: `mypy --strict` finds every public name, and what it returns."""

from typing import assert_type

import tinygrad_seq as ts
from tinygrad_seq import data, flow, nn, optim


class Reader(nn.Module):
    def __init__(self, features: int, hidden: int) -> None:
        self.lstm, self.head = nn.LSTM(features, hidden), nn.Linear(hidden, 1)

    def forward(self, x: ts.Tensor) -> ts.Tensor:
        out, _ = self.lstm(x)
        y: ts.Tensor = self.head(out[-1])
        return y.named("y")


@ts.no_grad
def half(x: int) -> float:
    return x / 2


def train() -> float:
    model = Reader(3, 4)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    x = ts.tensor(data.pad_sequences([[[0.0] * 3] * 2, [[1.0] * 3]])[0])
    loss = nn.mse_loss(model(x), ts.zeros(2, 1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    assert_type(model.lstm.weight_hh_l0, nn.Parameter)
    assert_type(ts.draw(loss), ts.Drawing)
    assert_type(ts.tanh(x) + 1.0, ts.Tensor)
    flow.itemize(loss, model.lstm.weight_hh_l0)
    assert_type(half(3), float)
    with ts.no_grad(), ts.scope(step=0):
        return float(loss.item())
