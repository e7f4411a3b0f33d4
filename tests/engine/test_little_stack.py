"""Depth and sharing: every walk is a loop, so a graph of any depth needs no stack, however it is walked or freed.

It visits a node once, so that y + y, sixty times, is sixty steps and not 2**60.
"""

import contextlib
import sys
from weakref import ref

import numpy as np
import pytest
from counted import counted, runs

import tinygrad_seq as ts
from tinygrad_seq.engine.graph import ancestors


def leaf(*values):
    return ts.tensor(np.array(values), requires_grad=True)


@contextlib.contextmanager
def spare_frames(count):
    """Leave this many frames of Python's stack."""
    before, depth, frame = sys.getrecursionlimit(), 0, sys._getframe()
    while frame:
        depth, frame = depth + 1, frame.f_back
    sys.setrecursionlimit(depth + count)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def test_sharing_sixty_times_is_sixty_steps():
    runs.clear()
    x = y = leaf(1.0)
    for _ in range(60):
        y = counted(y + y)
    y.backward()
    assert y.item() == x.grad.item() == 2.0**60
    assert len(runs) == 60
    y = x
    for _ in range(60):
        y = y + y
    assert ts.grad(y, x, create_graph=True).item() == y.item() == 2.0**60


def chain(steps):
    x, w = leaf(0.3), leaf(0.9)
    y = x
    for _ in range(steps):
        y = ts.sin(y) * w
    return [x, w], y.sum()


def recurrence(steps):
    x, w, h = leaf(*[0.1] * steps), leaf(0.9), ts.tensor(np.zeros(1))
    for t, x_t in enumerate(x):
        with ts.scope(step=t):
            h = ts.tanh(x_t + h * w)
    return [x, w], h.sum()


@pytest.mark.parametrize("run", [chain, recurrence])
def test_five_thousand_steps_to_any_order_on_little_stack(run):
    with spare_frames(150):
        sources, y = run(5_000)
        first = ts.grad(y, sources, create_graph=True)
        sum((g * g).sum() for g in first).backward()
        del y, first  # freeing it needs no more
    assert all(np.all(np.isfinite(source.grad.numpy())) for source in sources)


@pytest.mark.parametrize("layer", [ts.nn.RNN, ts.nn.LSTM, ts.nn.GRU])
def test_five_thousand_steps_of_a_layer_on_little_stack(layer):
    with spare_frames(150):
        layer = layer(1, 1)
        out, state = layer(ts.tensor(np.full((5_000, 1, 1), 0.1, np.float32)))
        out.sum().backward()
        del out, state
    assert all(np.any(parameter.grad.numpy() != 0) for parameter in layer.parameters())


def test_a_chain_of_a_hundred_thousand_is_walked_and_freed_on_little_stack():
    with spare_frames(150):
        x = y = leaf(1.0)
        for _ in range(100_000):
            y = y * 1.0
        assert len(ancestors([y.node], constants=False)) == 100_001
        y.backward()
        repr(y), repr(y.node)
        held = ref(y.array)
        del y
    assert held() is None
    assert x.grad.item() == 1.0


def test_a_recorded_walk_and_its_own_walk_need_little_stack_too():
    with spare_frames(150):
        x = y = leaf(0.5)
        for _ in range(2_000):
            y = ts.sin(y)
        first = ts.grad(y, x, create_graph=True)
        first.backward()
        del y, first
    assert np.isfinite(x.grad.item())
