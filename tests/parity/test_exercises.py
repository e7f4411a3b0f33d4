"""Two exercises that everybody starts with, trained beside PyTorch: same start, same batches, the same losses.

A simple network of 5 relu units reads windows of 8 of a series and predicts the ninth; an LSTM of 20 units reads 20
one-hot characters and predicts the next. The losses agree step by step, and they fall.
"""

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn, optim

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[parity]'")
STEPS = 100
DICKENS = """it was the best of times, it was the worst of times, it was the age of wisdom, it was the age of
foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of light, it was the season
of darkness, it was the spring of hope, it was the winter of despair."""


class Reader(nn.Module):
    """The last state, read out linearly."""

    def __init__(self, recurrent, outputs):
        self.recurrent, self.head = recurrent, nn.Linear(recurrent.hidden_size, outputs)

    def forward(self, x):
        out, _ = self.recurrent(x)
        return self.head(out[:, -1])


class TorchReader(torch.nn.Module):
    def __init__(self, recurrent, outputs):
        super().__init__()
        self.recurrent, self.head = recurrent, torch.nn.Linear(recurrent.hidden_size, outputs)

    def forward(self, x):
        out, _ = self.recurrent(x)
        return self.head(out[:, -1])


def losses(ours, theirs, batches, loss, torch_loss, lr):
    """Both networks from the same start along the same batches: two lists of losses."""
    theirs.double()
    ours.to("float64").load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    optimiser, other, found = optim.Adam(ours.parameters(), lr), torch.optim.Adam(theirs.parameters(), lr), ([], [])
    for x, y in batches:
        ours.zero_grad()
        here = loss(ours(ts.tensor(x)), ts.tensor(y))
        here.backward()
        optimiser.step()
        other.zero_grad()
        there = torch_loss(theirs(torch.tensor(x)), torch.tensor(y))
        there.backward()
        other.step()
        found[0].append(here.item())
        found[1].append(there.item())
    return found


def test_the_ninth_of_a_series():
    torch.manual_seed(1)
    rng, t = np.random.default_rng(1), np.arange(400)
    series = np.sin(t / 5) + 0.5 * np.sin(t / 13) + 0.05 * rng.normal(size=t.size)
    windows = np.lib.stride_tricks.sliding_window_view(series, 9)
    drawn = [windows[rng.permutation(len(windows))[:30]] for _ in range(STEPS)]
    batches = [(w[:, :8, None], w[:, 8:]) for w in drawn]
    options = {"nonlinearity": "relu", "batch_first": True}
    ours, theirs = losses(
        Reader(nn.RNN(1, 5, **options), 1), TorchReader(torch.nn.RNN(1, 5, **options), 1), batches,
        lambda y, target: (y - target).pow(2.0).mean(), torch.nn.functional.mse_loss, 0.02,
    )  # fmt: skip
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    assert np.mean(ours[-5:]) < 0.2 * np.mean(ours[:5])


def test_the_next_character():
    torch.manual_seed(2)
    rng, characters = np.random.default_rng(2), sorted(set(DICKENS))
    ids = np.array([characters.index(character) for character in DICKENS])
    one_hot, windows = np.eye(len(characters)), np.lib.stride_tricks.sliding_window_view(ids, 21)
    drawn = [windows[rng.integers(0, len(windows), 30)] for _ in range(STEPS)]
    batches = [(one_hot[w[:, :20]], w[:, 20]) for w in drawn]
    ours, theirs = losses(
        Reader(nn.LSTM(len(characters), 20, batch_first=True), len(characters)),
        TorchReader(torch.nn.LSTM(len(characters), 20, batch_first=True), len(characters)), batches,
        nn.cross_entropy, torch.nn.functional.cross_entropy, 0.03,
    )  # fmt: skip
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    assert np.mean(ours[-5:]) < 0.5 * np.mean(ours[:5])
