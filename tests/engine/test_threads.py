"""Threads: four that train at once, each its own model, get the bits that one alone gets; nothing is shared but code.

Where we are (`scope`, `no_grad`, a recorded backward's place) belongs to the thread, and what the engine makes once and
keeps (constants, the numbers of parts) is the same whoever made it first.
"""

import sys
import threading

import numpy as np
import pytest
from laws import assert_same

import tinygrad_seq as ts
from tinygrad_seq import nn, optim

THREADS = 4


class Model(nn.Module):
    def __init__(self, rng):
        self.table, self.lstm, self.head = nn.Embedding(7, 5), nn.LSTM(5, 6), nn.Linear(6, 7)
        for parameter in self.parameters():
            parameter.assign(rng.normal(size=parameter.shape).astype("float32") * 0.5)

    def forward(self, ids):
        out, _ = self.lstm(self.table(ids))
        return self.head(out)


def trained(seed, steps=12):
    """Parameters after a few steps of everything: recorded and raw backward, scopes, `no_grad`, indexing in a loop."""
    rng = np.random.default_rng(seed)
    model = Model(rng)
    optimizer = optim.Adam(model.parameters(), lr=0.01 * (1 + seed))
    for step in range(steps):
        ids = rng.integers(0, 7, (6, 3))
        with ts.scope(step=step):
            logits = model(ts.tensor(ids))
            loss = nn.cross_entropy(logits, ids) + sum((row * row).mean() * (seed + 0.5) for row in logits)
        penalty = ts.grad(loss, model.head.weight, create_graph=True)
        optimizer.zero_grad()
        (loss + (penalty * penalty).sum()).backward()
        optimizer.step()
        with ts.no_grad():
            assert not model(ts.tensor(ids)).requires_grad
    return [parameter.numpy() for parameter in model.parameters()]


@pytest.fixture
def eager_switching():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(work):
    threads = [threading.Thread(target=work, args=(me,)) for me in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_four_threads_train_as_one_does(eager_switching):
    alone = [trained(seed) for seed in range(THREADS)]
    together, start = [None] * THREADS, threading.Barrier(THREADS)

    def work(seed):
        start.wait(60)
        together[seed] = trained(seed)

    in_threads(work)
    for mine, expected in zip(together, alone, strict=True):
        assert_same(mine, expected)


def test_gradients_of_one_model_asked_for_at_once_do_not_mix(eager_switching):
    """The graphs meet in the parameters only."""
    model = Model(np.random.default_rng(0))
    ids = np.random.default_rng(0).integers(0, 7, (THREADS, 9, 2))
    weights, together, start = list(model.parameters()), [None] * THREADS, threading.Barrier(THREADS)

    def gradients(mine):
        return [g.numpy() for g in ts.grad(nn.cross_entropy(model(mine[:-1]), mine[1:]), weights)]

    def work(me):
        start.wait(60)
        together[me] = gradients(ids[me])

    in_threads(work)
    for mine, found in zip(ids, together, strict=True):
        assert_same(found, gradients(mine))


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_that_threads_deliver_to_one_model_add_up(eager_switching, create_graph):
    """Every one is a whole number, so the sum has the same bits in whatever order."""
    layer, start, rounds = nn.Linear(64, 64), threading.Barrier(THREADS), 25
    x = ts.tensor(np.arange(128.0, dtype="float32").reshape(2, 64))

    def work(_me):
        start.wait(60)
        for _ in range(rounds):
            layer(x).sum().backward(create_graph=create_graph)

    in_threads(work)
    for parameter, once in zip(layer.parameters(), (np.tile(x.numpy().sum(0), (64, 1)), np.full(64, 2.0))):
        np.testing.assert_array_equal(parameter.grad.numpy(), once * (THREADS * rounds))


def test_a_delivery_waits_until_the_one_before_has_ended():
    """Another thread has all the time it wants while a sum is made, of what was read and is not replaced yet."""
    x, others = ts.tensor([1.0], device="cpu", requires_grad=True), []

    class Slow(np.ndarray):
        def __add__(self, other):
            if not others:
                others.append(threading.Thread(target=(x * 3.0).backward))
                others[0].start()
                others[0].join(0.2)
            return np.asarray(self) + other

    x.grad = ts.ones(1, device="cpu")
    x.grad.array = x.grad.array.view(Slow)
    (x * 2.0).backward()
    others[0].join()
    assert x.grad.item() == 1.0 + 2.0 + 3.0


def test_a_graph_that_another_thread_frees_is_said_to_be_freed():
    x, y = ts.tensor([2.0], requires_grad=True), ts.tensor([3.0], requires_grad=True)
    shared = x * x

    def elsewhere(_g):
        thread = threading.Thread(target=shared.sum().backward)
        thread.start()
        thread.join()

    loss = (shared * y).sum()
    loss.register_hook(elsewhere)
    with pytest.raises(RuntimeError, match=r"another thread freed the graph.*multiply.*retain_graph=True"):
        loss.backward()
    assert (x.grad.item(), y.grad) == (4.0, None)  # of the other thread's backward only


def test_scopes_and_no_grad_of_others_are_not_mine(eager_switching):
    """Every thread is in and out of its own all the time, and never sees another's."""
    x = ts.tensor([1.0], requires_grad=True)
    wrong, start = [], threading.Barrier(THREADS)

    def work(me):
        start.wait(60)
        for _ in range(300):
            with ts.scope(thread=me):
                inside = x * 2.0
                with ts.no_grad():
                    silent = x * 2.0
            outside = x * 2.0
            if [inside.node.scope.path(), silent.node, outside.node.scope.path()] != [(("thread", me),), None, ()]:
                wrong.append(me)

    in_threads(work)
    assert not wrong
