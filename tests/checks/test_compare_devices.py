"""A model on two devices gives the same gradients, and where it does not, that is seen."""

import numpy as np
import pytest
from networks import KINDS

import tinygrad_seq as ts
from tinygrad_seq import nn


@pytest.mark.parametrize("kind", KINDS)
def test_layers_give_the_same_gradients_on_both(gpu, kind, capsys):
    layer = KINDS[kind].layer(2, 3, num_layers=2, dropout=0.5, **KINDS[kind].options).to("cpu")
    before = [p.numpy().copy() for p in layer.parameters()]
    state = ts.get_rng_state()
    found = ts.compare_devices(layer, ts.tensor(np.ones((4, 2, 2), "float32"), device="cpu"))
    names = [name for name, _ in layer.named_parameters()]
    assert list(found) == names and max(found.values()) < 1e-5
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == names
    assert all(p.grad is None and (p.numpy() == old).all() for p, old in zip(layer.parameters(), before))
    assert ts.get_rng_state() == state


def test_a_difference_is_seen(gpu):
    class Odd(nn.Module):
        def __init__(self):
            self.a, self.b = nn.Parameter([1.0, 2.0]), nn.Parameter([1.0, 2.0])

        def forward(self, x):
            return (self.a * x).sum() * (1.0 if x.device == "cpu" else 1.5) + (self.b * x).sum()

    found = ts.compare_devices(Odd().to("cpu"), ts.tensor([1.0, 1.0], device="cpu"))
    assert found["a"] == pytest.approx(0.5) and found["b"] == 0


class Named(nn.Module):
    """Takes and gives Tensors in tuples and dicts."""

    def __init__(self):
        self.net = nn.LSTM(2, 3)

    def forward(self, batch, state):
        out, (h, c) = self.net(batch["x"], state)
        return {"out": out, "last": [h, c]}


def test_what_a_model_takes_is_moved_wherever_it_is_and_stays_as_it_was(gpu):
    x = ts.ones(4, 2, 2, device="cpu", requires_grad=True)
    state = tuple(ts.ones(1, 2, 3, device="cpu") for _ in "hc")
    found = ts.compare_devices(Named().to("cpu"), {"x": x, "name": "some"}, state)
    assert len(found) == 4 and max(found.values()) < 1e-5
    assert x.grad is None and x.device == "cpu"


class Positions(nn.Module):
    """Takes ids, makes Tensors of its own, remembers a mean, drops, and gives a tuple."""

    def __init__(self):
        self.table, self.running, self.drop = nn.Embedding(5, 3), nn.Buffer(ts.zeros(3)), nn.Dropout(0.5)

    def forward(self, ids):
        x = self.drop(self.table(ids)) * ts.arange(1.0, 4.0) + self.running
        self.running = self.running + x.mean((0, 1)).detach()
        return x, ts.zeros(2), ids


@pytest.mark.parametrize("around", ["cpu", "cuda"])
def test_what_a_model_makes_is_made_where_it_runs(gpu, around):
    with ts.device("cpu"):
        model = Positions()
    for ids in (ts.tensor([[1, 2], [0, 4]], device="cpu"), np.array([[1, 2], [0, 4]])):
        with ts.device(around):
            found = ts.compare_devices(model, ids)
        assert list(found) == ["table.weight"] and found["table.weight"] < 1e-5
        assert model.running.device == "cpu" and model.running.tolist() == [0.0] * 3


class Nothing(nn.Module):
    def forward(self, x):
        return None


def test_what_cannot_be_compared_is_said():
    with pytest.raises(TypeError, match="compare_devices: expected a Module, got function"):
        ts.compare_devices(ts.tanh, 1.0)
    with pytest.raises(TypeError, match="compare_devices: the model must return Tensors"):
        ts.compare_devices(Nothing(), 1.0, device="cpu")
    with pytest.raises(TypeError, match=r"outside of ts\.no_grad"), ts.no_grad():
        ts.compare_devices(nn.Linear(1, 1), ts.ones(1, 1), device="cpu")
    for wrong in (3, None, "gpu", "float32", np.float32):
        with pytest.raises(ValueError, match=r"compare_devices: device .* is not known"):
            ts.compare_devices(nn.Linear(1, 1), ts.ones(1, 1), device=wrong)
