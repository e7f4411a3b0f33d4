"""A training loop: it leaves nothing behind, and four at once are four apart, to the last bit."""

import gc
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from laws import assert_same

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.graph import Node, Value

CELLS = [nn.RNN, nn.LSTM, nn.GRU]


class Reader(nn.Module):
    def __init__(self, layer):
        self.embedding = nn.Embedding(7, 3)
        self.layer = layer(3, 5)
        self.head = nn.Linear(5, 7)

    def forward(self, ids):
        return self.head(self.layer(self.embedding(ids))[0])


def model_of(layer, seed):
    ts.manual_seed(seed)  # one generator serves all threads, so models are made before they start
    return Reader(layer)


def train(model, seed, steps=5):
    """The losses of a few steps on ids that the seed draws, clipped and all."""
    rng = np.random.default_rng(seed)
    optimizer = ts.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(steps):
        ids = rng.integers(0, 7, (9, 2))
        loss = nn.cross_entropy(model(ids[:-1]), ids[1:])
        optimizer.zero_grad()
        loss.backward()
        ts.optim.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("layer", CELLS)
def test_four_threads_give_the_bits_of_one(layer):
    alone = [model_of(layer, seed) for seed in range(4)]
    together = [model_of(layer, seed) for seed in range(4)]
    losses = [train(model, seed) for seed, model in enumerate(alone)]
    gate = Barrier(4)

    def start(seed):
        gate.wait()
        return train(together[seed], seed)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(start, range(4))) == losses
    for one, other in zip(alone, together, strict=True):
        assert_same([p.numpy() for p in one.parameters()], [p.numpy() for p in other.parameters()])


def test_four_threads_read_one_model():
    """The graphs meet in the parameters only, so gradients asked for at the same time do not mix."""
    model = model_of(nn.LSTM, 0)
    ids = np.random.default_rng(0).integers(0, 7, (4, 9, 2))
    weights = list(model.parameters())

    def gradients(mine):
        return [g.numpy() for g in ts.grad(nn.cross_entropy(model(mine[:-1]), mine[1:]), weights)]

    alone = [gradients(mine) for mine in ids]
    gate = Barrier(4)

    def start(mine):
        gate.wait()
        return gradients(mine)

    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(start, ids), alone, strict=True):
            assert_same(found, expected)


@pytest.mark.parametrize("layer", CELLS)
def test_without_the_collector_a_loop_leaves_nothing_behind(layer):
    model = model_of(layer, 0)
    train(model, 0)
    gc.collect()
    gc.disable()
    try:
        counts = []
        for _ in range(3):
            train(model, 0)
            counts.append(sum(isinstance(x, Node | Value) for x in gc.get_objects()))
    finally:
        gc.enable()
    assert counts[0] == counts[1] == counts[2]
