"""A checkpoint holds the memory of a window, nothing after the backward, and no cycles."""

import gc
import tracemalloc

import numpy as np
import pytest
from checkpointed_windows import Network, losses, plain

import tinygrad_seq as ts
from tinygrad_seq.engine.graph import ancestors


def peak(call, length, window):
    network, x, ids = Network("lstm"), ts.randn(length, 2, 3), np.zeros((length, 2), int)
    gc.collect()
    tracemalloc.start()
    try:
        losses(network, call, length, window, x, ids).backward()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_that_of_a_window():
    """Ten windows and what goes in and out of each: at most a fifth of the whole."""
    peak(ts.checkpoint, 20, 10)  # what is made once
    assert peak(ts.checkpoint, 300, 30) < 0.2 * peak(plain, 300, 30)


def test_it_keeps_nothing_after_the_backward():
    network, x = Network("gru"), ts.randn(4, 2, 3)
    loss, _ = ts.checkpoint(network, x, np.zeros((4, 2), int))
    (node,) = [node for node in ancestors([loss.node]) if node.op is not None and node.op.name == "checkpoint"]
    loss.backward()
    assert node.saved is None and node.output is None


@pytest.mark.parametrize("wanted", ["all", "an output", "nothing"])
def test_it_needs_no_garbage_collector(wanted):
    network, x = Network("lstm"), ts.randn(4, 2, 3)
    gc.collect()
    gc.disable()
    try:
        loss, more = ts.checkpoint(network, x, np.zeros((4, 2), int))
        y, z = ts.checkpoint(lambda h: (y := h.tanh(), y.sin()), more["state"][0])
        loss = loss + z.sum()
        if wanted == "all":
            loss.backward()
        elif wanted == "an output":
            ts.grad(loss, y)
        del loss, more, y, z
        assert gc.collect() == 0
    finally:
        gc.enable()
