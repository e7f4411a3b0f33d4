"""Programs among other code: in functions and checkpoints, with results as arguments, as methods, in threads."""

import copy
import pickle
from threading import Thread

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn

x = None  # made for every test, on its device


@pytest.fixture(autouse=True)
def made(monkeypatch):
    monkeypatch.setitem(globals(), "x", ts.tensor([1.0, 2.0]))


def test_a_replayed_function_in_another_is_a_part_of_it():
    inner, outer = nn.Linear(2, 2), nn.Linear(2, 1)
    encode = ts.replay(lambda x: inner(x).tanh())

    def step(x):
        inner.zero_grad()
        outer(encode(x)).sum().backward()

    fast = ts.replay(step)
    for _ in range(3):
        fast(x)
        assert inner.weight.grad is not None and np.abs(inner.weight.grad.numpy()).sum() > 0


def test_a_gradient_through_a_result_is_refused():
    layer, head = nn.Linear(2, 2), nn.Linear(2, 1)
    encode = ts.replay(layer)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"call backward\(\) inside of that function, or detach\(\)"):
            head(encode(x)).sum().backward()
        assert head.weight.grad is None
        head(encode(x).detach()).sum().backward()
        head.zero_grad()
    with ts.no_grad():
        assert not encode(x).requires_grad
    result, weight, double = encode(x), layer.weight, ts.ones(2, dtype="float64", requires_grad=True)
    loss = (head(result) + weight.sum()).sum()
    lacking = [
        lambda: ts.grad(loss, weight, retain_graph=True), lambda: ts.grad(loss, (result, weight), retain_graph=True),
        lambda: ts.flow.itemize(loss, weight), lambda: ts.flow.influence(loss, [weight]),
        lambda: ts.flow.record(loss), lambda: ts.gradcheck(lambda w: (encode(x) * w).sum(), [double]),
    ]  # fmt: skip
    for find in lacking:  # a share of the weight's gradient comes through the result
        with pytest.raises(RuntimeError, match=r"call backward\(\) inside of that function, or detach\(\)"):
            find()
    assert ts.grad(loss, result).tolist() == head.weight[0].tolist()  # what a result was made of has no share in this
    assert encode(encode(x)).shape == (2,)  # a result may be an argument, and what is made of results

    def weighted(x, weight):
        head.zero_grad()
        (head(x) * weight).sum().backward()

    fast, plain = ts.replay(weighted), []
    for weight in (encode(x), 1.0 - encode(x), encode(x)[:1] / 2.0):
        fast(x, weight)
        plain.append(head.weight.grad.tolist())
        weighted(x, weight.detach())
        assert plain[-1] == head.weight.grad.tolist()
    with pytest.raises(RuntimeError, match="was made from what requires a gradient"):
        fast(x, encode(x) * head.weight[0, 0])


def test_a_checkpoint_in_a_program_is_the_plain_call():
    w = nn.Parameter([1.0, 2.0])

    def step(x):
        w.grad = None
        ts.checkpoint(lambda y: (y * w).tanh(), x).sum().backward()

    step(x)
    expected, fast = w.grad.tolist(), ts.replay(step)
    for _ in range(3):
        fast(x)
        assert w.grad.tolist() == expected
    inside = ts.replay(lambda y: (y * w).tanh())
    for _ in range(2):
        w.grad = None
        ts.checkpoint(inside, x).sum().backward()
        assert w.grad.tolist() == expected


@pytest.mark.parametrize("run", [
    lambda a, w: a * w, lambda a, w: a[0] * w, lambda a, w: a.mean() * w, lambda a, w: a[1] - w, lambda a, w: a[0] ** w,
    lambda a, w: a / w, lambda a, w: ts.where(a < w, a, w), lambda a, w: a @ w, lambda a, w: w @ a,
])  # fmt: skip
def test_an_array_on_the_left_of_a_tensor(run):
    w, fast = ts.tensor([1.0, 3.0]), ts.replay(run)
    for k in range(2):
        a = ts.tensor([1.0 + k, 2.0]).array  # of NumPy, or of CuPy
        assert fast(a, w).tolist() == run(a, w).tolist()


def test_a_number_that_is_compared_chooses_the_way():
    def step(x):
        total = x.sum()
        return x if total.item() > 3.0 else -x if total.item() >= 1.0 else x * 0.0 + float(total.item() == -1.0)

    fast = ts.replay(step)
    for numbers in ([1.0, 1.0], [2.0, 2.0], [0.0, 0.0], [3.0, 0.5], [0.0, -1.0], [1.5, 0.0]):
        assert fast(ts.tensor(numbers)).tolist() == step(ts.tensor(numbers)).tolist()
    assert fast.traces == 4
    exact = ts.replay(lambda x: x if x.sum().item() > 0.1 else -x)  # float32's 0.1 is above 0.1
    assert [exact(ts.tensor([0.1])).item() for _ in range(2)] == [ts.tensor([0.1]).item()] * 2


def doubled(x):
    return x * 2.0


def test_a_method_may_be_replayed_and_a_replayed_function_copied():
    class Doubler:
        factor = 2.0

        @ts.replay
        def step(self, x):
            return x * self.factor

    one = Doubler()
    assert one.step(x).tolist() == [2.0, 4.0] and "def step(" in one.step.source and Doubler.step.traces == 1
    one.factor = 3.0
    assert one.step(x).tolist() == [3.0, 6.0]
    fast = ts.replay(doubled)
    for other in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
        assert other is not fast and other(x).tolist() == fast(x).tolist()


def test_two_threads_trace_one_model_in_turn():
    layer, failed = nn.GRU(2, 2), []
    data = ts.randn(20, 1, 2)

    def trace():
        try:
            for _ in range(3):
                ts.replay(lambda data: (layer(data)[0] ** 2).sum().detach())(data)
        except Exception as error:
            failed.append(error)

    threads = [Thread(target=trace) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
