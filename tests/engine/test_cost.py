"""Cost is linear in the length of a sequence, however its steps are read (x[t], unstack, iteration, split), and for
every layer.

Measured without a clock, at 1000 and 2000 steps (layers: 500 and 1000). What can be counted is exactly linear: nodes,
the numbers that they hold, calls of rules, a recorded backward's nodes and numbers. What happens once per sequence is
the same at any length. Bytes are twice as many to 2 % after the forward, and to 25 % at the peak of the backward, where
hash tables grow by jumps. Bytes of all arrays made, temporaries too, are counted on the device double. A gradient of
x[t] as large as x would square them.
"""

import gc
import tracemalloc

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.engine.primitive import registry

READ = {
    "x[t]": lambda x: [x[t] for t in range(len(x))],
    "unstack": ts.unstack,
    "iteration": list,
    "split": lambda x: [step.reshape(-1) for step in ts.split(x, 1)],
    "x[[t]]": lambda x: [x[[t]].reshape(-1) for t in range(len(x))],
}
LAYERS = {
    "RNN": lambda: nn.RNN(3, 2),
    "LSTM": lambda: nn.LSTM(3, 2),
    "GRU": lambda: nn.GRU(3, 2),
    "RNN, two layers, bidirectional": lambda: nn.RNN(3, 2, num_layers=2, bidirectional=True),
}


def recurrent(read):
    """A loop as a user writes it."""

    def run(steps, device="cpu"):
        x = ts.tensor(np.full((steps, 4), 0.1), device=device, requires_grad=True)
        w = ts.tensor(np.full(4, 0.5), device=device, requires_grad=True)
        h = ts.tensor(np.zeros(4), device=device)
        for step in read(x):
            h = ts.tanh(step + h * w)
        return h.sum(), [x, w]

    return run


def layered(make):
    layer = make()

    def run(steps, device="cpu"):
        x = ts.tensor(np.full((steps, 1, 3), 0.1, np.float32), device=device, requires_grad=True)
        out, _ = layer.to(device)(x)
        return (out * out).sum(), [x, *layer.parameters()]

    return run


def looked_up():
    """A table of which every step looks up a row."""
    table, cell = nn.Embedding(50, 3), nn.RNNCell(3, 2)

    def run(steps, device="cpu"):
        table.to(device), cell.to(device)
        h = None
        for t in range(steps):
            h = cell(table(ts.tensor([t % 50], device=device)), h)
        return h.sum(), [*table.parameters(), *cell.parameters()]

    return run


RUNS = {name: recurrent(read) for name, read in READ.items()}
RUNS |= {name: layered(make) for name, make in LAYERS.items()} | {"Embedding at every step": looked_up()}
runs = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


@pytest.fixture
def rule_calls(monkeypatch):
    """How often gradient rules were called, as a list of one number."""
    calls = [0]

    def counting(rule):
        def counted(*arguments, **static):
            calls[0] += 1
            return rule(*arguments, **static)

        return rule and counted

    for op in registry.values():
        monkeypatch.setattr(op, "rules", tuple(map(counting, op.rules)))
        monkeypatch.setattr(op, "joint", counting(op.joint))
        monkeypatch.setattr(op, "merge", counting(op.merge))
    return calls


def numbers(nodes):
    """How many numbers these nodes hold; of an op with several outputs (its shape is of shapes) the parts count."""
    return sum(int(np.prod(node.shape)) for node in nodes if all(isinstance(n, int) for n in node.shape))


def assert_linear(counts):
    """What is left of twice the count of half the steps: what happens once, which is little, and never more."""
    few, twice, many, most = counts
    once = 2 * counts[many] - counts[most]
    np.testing.assert_array_equal(once, 2 * counts[few] - counts[twice])
    assert np.all(np.abs(once) < 0.02 * counts[many]), f"what happens once costs {once} of {counts[many]}"


@pytest.mark.parametrize("run, many", [(run, 1000 if name in READ else 500) for name, run in RUNS.items()], ids=RUNS)
def test_twice_the_steps_are_twice_the_nodes_the_rules_and_the_bytes(run, many, rule_calls):
    counts, held, peak = {}, [], []
    for steps in (many, 2 * many):
        run(steps)  # makes what is made once and kept: constants, the numbers and cuts of parts
    for steps in (50, 100, many, 2 * many):
        gc.collect()  # empties the lists of free objects, which tracemalloc does not see
        tracemalloc.start()
        loss, sources = run(steps)
        held.append(tracemalloc.get_traced_memory()[0])
        nodes = ancestors([loss.node])
        rule_calls[0] = 0
        loss.backward()
        peak.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        counts[steps] = np.array([len(nodes), numbers(nodes), rule_calls[0]])
        assert all(np.any(source.grad.numpy() != 0) for source in sources)
        del nodes, loss, sources
    assert_linear(counts)
    assert held[-1] / held[-2] == pytest.approx(2, rel=0.02)
    assert peak[-1] / peak[-2] == pytest.approx(2, rel=0.25)


@pytest.mark.parametrize("read", READ)
def test_twice_the_steps_are_twice_as_much_in_a_recorded_backward(read):
    counts = {}
    for steps in (50, 100, 1000, 2000):
        loss, sources = RUNS[read](steps)
        gradients = ts.grad(loss, sources, create_graph=True)
        nodes = set(ancestors([gradient.node for gradient in gradients])) - set(ancestors([loss.node]))
        counts[steps] = np.array([len(nodes), numbers(nodes)])
    assert_linear(counts)


@runs
def test_twice_the_steps_are_twice_the_bytes_allocated(run, gpu):
    if gpu is None:
        pytest.skip("the double counts bytes, a device does not")
    run(1, "cuda")  # moves the parameters there
    made = {}
    for steps in (50, 100, 150):
        gpu.clear()
        loss, sources = run(steps, "cuda")
        for source in sources:
            source.grad = None  # added to, it would cost more
        forward = gpu["bytes"]
        loss.backward()
        made[steps] = np.array([forward, gpu["bytes"]])
    run(1, "cpu")  # and back
    np.testing.assert_array_equal(made[150] - made[100], made[100] - made[50])
    assert np.all(made[150] - made[100] > 0.4 * made[100])
