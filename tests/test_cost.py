"""Cost is linear in the length of a sequence, however its steps are read: x[t], unstack, iteration, split.

Measured without a clock: twice the steps are twice the nodes, twice the numbers that the backward computes (counted on
a recorded backward), and as many more bytes at its peak. A gradient of x[t] as large as x would square them.
"""

import tracemalloc

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq.graph import ancestors

READ = {
    "x[t]": lambda x: [x[t] for t in range(len(x))],
    "unstack": ts.unstack,
    "iteration": list,
    "split": lambda x: [step.reshape(-1) for step in ts.split(x, 1)],
    "x[[t]]": lambda x: [x[[t]].reshape(-1) for t in range(len(x))],
}


def recurrent(steps, read):
    x = ts.tensor(np.full((steps, 4), 0.1), requires_grad=True)
    w = ts.tensor(np.full(4, 0.5), requires_grad=True)
    h = ts.tensor(np.zeros(4))
    for step in read(x):
        h = ts.tanh(step + h * w)
    return x, w, h.sum()


def numbers(nodes):
    """How many numbers these nodes hold; of an op with several outputs (its shape is of shapes) the parts count."""
    return sum(int(np.prod(node.shape)) for node in nodes if all(isinstance(n, int) for n in node.shape))


@pytest.mark.parametrize("read", READ.values(), ids=READ.keys())
def test_twice_the_steps_are_twice_the_nodes_and_numbers(read):
    counts = []
    for steps in (1000, 2000):
        x, w, loss = recurrent(steps, read)
        forward = ancestors([loss.node])
        gradients = ts.grad(loss, [x, w], create_graph=True)
        backward = set(ancestors([gradient.node for gradient in gradients])) - set(forward)
        counts.append((len(forward), len(backward), numbers(backward)))
    for once, twice in zip(*counts, strict=True):
        assert 1.9 < twice / once < 2.1


@pytest.mark.parametrize("read", READ.values(), ids=READ.keys())
def test_four_times_the_steps_are_four_times_the_bytes(read):
    peaks = []
    for steps in (1000, 4000):
        tracemalloc.start()
        x, _, loss = recurrent(steps, read)
        loss.backward()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert np.all(x.grad.numpy()[-3:] > 0)
    assert 3 < peaks[1] / peaks[0] < 6  # hash tables grow by jumps; squared would be 16
