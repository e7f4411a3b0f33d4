"""What is around a call: methods and what they reach, contexts, draws, threads, programs within functions."""

import copy
import pickle
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Thread

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn


@dataclass
class Settings:
    scale: float = 1.0


settings, table, nobody_asks = Settings(), {"shift": 1.0}, {"count": 0}
x = teacher = values = None  # made for every test, on its device


@pytest.fixture(autouse=True)
def made(monkeypatch):
    here = {"x": ts.tensor([1.0, 2.0]), "teacher": nn.Linear(2, 2, bias=False), "values": ts.ones(2).array.copy()}
    for name, value in here.items():
        monkeypatch.setitem(globals(), name, value)


class Model(nn.Module):
    def __init__(self, inside):
        super().__init__()
        self.inside = inside

    @property
    def scale(self):
        return settings.scale

    @staticmethod
    def shifted(x):
        return x + table["shift"]

    def forward(self, x):
        return self.shifted(x) * self.scale * values + teacher(x) * self.factor()

    def factor(self):
        raise NotImplementedError

    def __repr__(self):  # which no call needs
        return f"Model of {nobody_asks}"


def model():
    inside = {"factor": 2.0}

    class Inner(Model):
        def factor(self):
            return inside["factor"]

    return Inner(inside)


def change_nothing(_):
    pass


def change_number(net):
    settings.scale += 1.0


def change_dict(net):
    table["shift"] += 1.0


def change_array(net):
    values[0] += 1.0


def change_closure(net):
    net.inside["factor"] += 1.0


def change_weight(net):
    teacher.weight.assign(teacher.weight.detach() * 2.0)


@pytest.mark.parametrize("change", [change_nothing, change_number, change_dict, change_array, change_closure,
                                    change_weight])  # fmt: skip
def test_what_methods_reach_is_looked_at(change):
    net = model()
    fast = ts.replay(lambda x: net(x).detach())
    for _ in range(3):
        assert fast(x).tolist() == net(x).tolist()
        change(net)
    nobody_asks["count"] += 1
    traces = fast.traces
    fast(x)
    assert fast.traces <= traces + (change in (change_number, change_dict, change_array, change_closure))


def test_a_step_in_a_method_trains_what_is_global():
    student = nn.Linear(2, 1)
    start = student.state_dict()
    optimizer = ts.optim.Adam(student.parameters(), lr=0.1)

    class Trainer:
        def fit(self, x):
            optimizer.zero_grad()
            loss = (student(x) ** 2).sum()
            loss.backward()
            optimizer.step()
            return loss.item()

    trainer, found = Trainer(), []
    for step in (trainer.fit, ts.replay(lambda x: trainer.fit(x))):
        student.load_state_dict(start)
        optimizer.state.clear()
        student.zero_grad()
        found.append([step(x) for _ in range(4)])
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_what_a_function_keeps_as_its_attribute():
    def total(x):
        total.sum = (total.sum + x).detach()
        return total.sum * total.factor

    total.sum, total.factor = ts.zeros(2), 1.0
    fast = ts.replay(total)
    assert [fast(x).tolist() for _ in range(2)] == [[1.0, 2.0], [2.0, 4.0]]
    total.factor = 10.0
    assert fast(x).tolist() == [30.0, 60.0]


def test_an_unused_draw_is_drawn():
    def step(x):
        ts.rand(2)
        return x + ts.rand(2)

    found = []
    for run in (step, ts.replay(step)):
        ts.manual_seed(0)
        found.append([run(x).tolist() for _ in range(3)])
    assert found[0] == found[1]


@pytest.mark.parametrize("first", [ts.no_grad, nullcontext])
def test_a_program_is_of_calls_that_record_or_of_those_that_do_not(first):
    w = nn.Parameter([1.0, 1.0])

    def step(x):
        loss = (x * w).sum()
        if loss.requires_grad:
            w.assign(w.detach() - 0.5 * ts.grad(loss, w))
        return loss.item()

    fast = ts.replay(step)
    with first():
        fast(x)
    w.assign([1.0, 1.0])
    assert [fast(x) for _ in range(2)] == [3.0, 0.5]
    with ts.no_grad():
        assert [fast(x) for _ in range(2)] == [-2.0, -2.0]


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
    assert encode(encode(x)).shape == (2,)  # a result may be an argument


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


@pytest.mark.parametrize("run", [
    lambda a, w: a * w, lambda a, w: a[0] * w, lambda a, w: a.mean() * w, lambda a, w: a[1] - w, lambda a, w: a[0] ** w,
    lambda a, w: a / w, lambda a, w: ts.where(a < w, a, w),
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
