"""`ts.checkpoint(f, x)` is f(x): the same values, gradients, draws and errors, or a refusal; but less memory."""

from collections import OrderedDict
from contextvars import copy_context

import numpy as np
import pytest
from checkpointed_windows import CELLS, Network, losses, plain
from hypothesis import example, given
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq import nn


def gradients(network, call, *args, seed=0):
    network.zero_grad()
    ts.manual_seed(seed)
    losses(network, call, *args).backward()
    return [parameter.grad.tolist() for parameter in network.parameters()], ts.rand(3).tolist()


@given(st.sampled_from([*CELLS]), st.integers(1, 7), st.integers(1, 4), st.sampled_from([0.0, 0.5]), st.integers(0, 9))
def test_it_is_the_plain_call(cell, length, window, p, seed):
    """Gradients and draws, those after it too, bit for bit."""
    ts.manual_seed(seed)
    network = Network(cell, p)
    x, ids = ts.randn(length, 2, 3), np.arange(2 * length).reshape(length, 2) % 5
    args = length, window, x, ids
    assert gradients(network, ts.checkpoint, *args, seed=seed) == gradients(network, plain, *args, seed=seed)


def twice(f, x, w):
    """Gradients of first and second order."""
    (first,) = ts.grad([f(x, w).sum()], [x], create_graph=True)
    return first.tolist(), [g.tolist() for g in ts.grad((first * first).sum(), [x, w])]


@given(st.integers(0, 99))
def test_gradients_of_gradients(seed):
    random = np.random.default_rng(seed)
    x, w = (ts.tensor(random.normal(size=(3, 3)), requires_grad=True) for _ in range(2))

    def f(x, w):
        return (x @ w).tanh() @ (x * w).sigmoid()

    assert twice(lambda x, w: ts.checkpoint(f, x, w), x, w) == twice(f, x, w)
    assert ts.gradcheck(lambda x: ts.checkpoint(f, x, w), [x]) and ts.gradgradcheck(
        lambda x: ts.checkpoint(f, x, w), [x]
    )


def test_inside_each_other():
    x = ts.tensor([0.3, -2.0], requires_grad=True)

    def inner(x):
        return (x * x).sin()

    found = [ts.grad(f(x).sum(), x).tolist() for f in (
        lambda x: inner(inner(x)),
        lambda x: ts.checkpoint(lambda y: ts.checkpoint(inner, ts.checkpoint(inner, y)), x),
    )]  # fmt: skip
    assert found[0] == found[1]


class Program:
    """A random computation: calls in calls, hooks on what they return, and values that are made from each other."""

    def __init__(self, seed, call):
        rng = np.random.default_rng(seed)
        self.call, self.heard = call, []
        self.leaves = [ts.tensor(rng.normal(size=shape), requires_grad=True) for shape in [(3,), (3,), (4, 3)]]
        self.pool = self.extended(self.leaves[:2], rng, 6, 2)
        self.loss = sum((x * x).sum() for x in self.pool)

    def extended(self, pool, rng, count, depth):
        pool = list(pool)
        for _ in range(count):
            a, b = (pool[i] for i in rng.integers(0, len(pool), 2))
            pool.append(self.op(rng.integers(8), a, b, rng.integers(0, 4, 2)))
            if depth and rng.random() < 0.5:
                seed = int(rng.integers(2**30))

                def f(*given, seed=seed):
                    rng = np.random.default_rng(seed)
                    made = self.extended(given, rng, int(rng.integers(1, 5)), depth - 1)[len(given) :]
                    return [made[i] for i in rng.integers(0, len(made), 3)], {"as it is": given[0]}

                results, _ = self.call(f, a, pool[-1])
                for y in results[:2]:
                    kind = int(rng.integers(3))
                    y.register_hook(lambda g, kind=kind: self.hook(kind, g))
                pool += results
        return pool

    def op(self, kind, a, b, ids):
        return [
            lambda: a * b, lambda: (a + b).tanh(), lambda: a.sin() - b, lambda: nn.dropout(a, 0.3) + b,
            lambda: ts.take(self.leaves[2], ids).sum(0) * a, lambda: ts.split(ts.concatenate([a, b]), 3)[1],
            lambda: a.detach() * b + a, lambda: a / (b * b + 1.0),
        ][kind]()  # fmt: skip

    def hook(self, kind, g):
        self.heard.append(np.round(g.detach().numpy(), 6).tolist())
        return [None, g.clip(-0.5, 0.5), g * 2.0][kind]

    def gradients(self, order):
        """Of leaves and of values on the way; of second order, they go through the gradients of the first."""
        inside = [x for x in self.pool if not x.is_leaf][::3]
        if order == 2:
            first = ts.grad(self.loss, self.leaves, create_graph=True, allow_unused=True)
            self.loss = sum((g * g).sum() for g in first if g is not None)
        for x in inside:
            x.retain_grad()
        self.loss.backward()
        return [0.0 if x.grad is None else x.grad.numpy() for x in [*self.leaves, *inside]]


@given(st.integers(0, 2**30), st.sampled_from([1, 2]))
@example(256, 2)  # calls in calls, whose outputs are made from each other
@example(17695, 2)
def test_any_program(seed, order):
    """Gradients of leaves and of what calls return, and what hooks hear."""
    ran = []
    for call in (plain, ts.checkpoint):
        ts.manual_seed(seed)
        try:
            program = Program(seed, call)
            ran.append((program.gradients(order), sorted(program.heard), ts.rand(2).tolist()))
        except RuntimeError as error:
            assert call is ts.checkpoint and "parts of the gradient" in str(error)
            return
    for expected, found in zip(ran[0][0], ran[1][0], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
    assert np.allclose(ran[0][1], ran[1][1], atol=1e-5) and ran[0][2] == ran[1][2]


def test_many_outputs_run_the_function_once():
    x, count = ts.ones(2, requires_grad=True), []

    def f(h):
        count.append(0)
        states = [h := (h * 0.5).tanh() for _ in range(5)]
        return states

    ts.stack(ts.checkpoint(f, x)).sum().backward()
    assert len(count) == 2


def test_two_tensors_of_one_node():
    def f(a, b):
        s = a + b
        return ts.grad((s * s * s).sum(), [a, b], create_graph=True)

    found = []
    for call in (plain, ts.checkpoint):
        a, b = (ts.tensor([value], requires_grad=True) for value in (1.0, 2.0))
        first, second = call(f, a, b)
        (2.0 * first + 3.0 * second).sum().backward()
        found.append((a.grad.tolist(), b.grad.tolist()))
    assert found[0] == found[1]


def test_the_result_is_what_the_function_returned():
    kept, x = [], ts.ones(2, requires_grad=True)

    def f(x, function):
        kept.append(OrderedDict(a=function(x), b=[ts.ones(1, requires_grad=True), None]))
        return kept[-1]

    result = ts.checkpoint(f, x, function=ts.exp)
    assert result is kept[0] and result["a"].node.parents[0].op.name == "checkpoint"


def test_the_generator_is_left_alone():
    def f(x):
        ts.manual_seed(0)
        return x * 2.0

    y, state = ts.checkpoint(f, ts.ones(2, requires_grad=True)), ts.get_rng_state()
    y.sum().backward()
    assert ts.get_rng_state() == state


def test_anomaly_names_the_op_inside():
    def f(x):
        return (x * 0.0).sqrt() * x

    def run(call):
        x = ts.tensor([1.0, 2.0], requires_grad=True)
        y = call(f, x).sum()
        with ts.detect_anomaly():
            y.backward()

    for call in (plain, ts.checkpoint):
        with pytest.raises(RuntimeError, match="the rule of sqrt gave"):
            copy_context().run(run, call)
    with pytest.raises(RuntimeError, match="log gave -inf"), ts.detect_anomaly():
        ts.checkpoint(lambda x: (x * 0.0).log(), ts.ones(2, requires_grad=True))


def test_an_output_without_use_gets_no_gradient():
    """Zeros would become NaN where the slope is infinite."""
    x = ts.tensor([0.0, 1.0], requires_grad=True)
    used, _ = ts.checkpoint(lambda x: (x * 2.0, x.sqrt()), x)
    assert ts.grad(used.sum(), x).tolist() == [2.0, 2.0]


def test_what_was_there_before_is_handed_through():
    x, w = ts.ones(2, requires_grad=True), ts.ones(2)
    assert ts.checkpoint(lambda: (x, w, 3)) == (x, w, 3)
    with ts.no_grad():
        assert not ts.checkpoint(lambda x: x * 2.0, x).requires_grad
    ids, y = ts.checkpoint(lambda x: [x.argmax(), x * 2.0], x)
    assert not ids.requires_grad and y.requires_grad
    assert ts.checkpoint(lambda w: w * 2.0, w).tolist() == [2.0, 2.0]


def test_names_go_on():
    assert ts.checkpoint(lambda x: (x * 2.0).named("h"), ts.ones(2, requires_grad=True)).name == "h"


def test_twice_through_a_graph_that_was_kept():
    x = ts.tensor([3.0], requires_grad=True)
    y = ts.checkpoint(lambda x: x * x, x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12.0]
    with pytest.raises(RuntimeError, match="retain_graph"):
        y.backward()


def test_the_readers_of_the_graph():
    """A picture says "recomputed", gradients are shown, shares sum to the gradient, and a log replays it."""
    network, length = Network("lstm"), 6
    args = ts.randn(length, 2, 3), np.zeros((length, 2), int)
    loss = losses(network, ts.checkpoint, length, 2, *args)
    weight = network.cell.weight_hh_l0
    shares = ts.flow.itemize(loss, weight)
    replayed = ts.flow.record(loss).replay()[weight.node]
    loss.backward(retain_graph=True)
    assert np.allclose(shares.items.sum(0), weight.grad.numpy()) and np.array_equal(replayed, weight.grad.numpy())
    picture = ts.draw(loss, show="gradient")
    assert picture.svg.count(">recomputed<") == 3 and "recomputed" in picture.dot and "recomputed" in picture.html
