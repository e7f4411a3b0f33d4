"""What is around a call: methods and what they reach, contexts, draws, threads, programs within functions."""

from contextlib import nullcontext
from dataclasses import dataclass
from unittest import mock

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
        return self.shifted(x) * self.scale * values**self.Settings.power + teacher(x) * self.factor()

    class Settings:
        power = 1.0

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


def change_inner_class(net):
    net.Settings.power += 1.0


def change_property(net):
    type(net).scale = property(lambda self: settings.scale + 2.0)


def change_closure(net):
    net.inside["factor"] += 1.0


def change_weight(net):
    teacher.weight.assign(teacher.weight.detach() * 2.0)


@pytest.mark.parametrize("change", [change_nothing, change_number, change_dict, change_array, change_inner_class,
                                    change_property, change_closure, change_weight])  # fmt: skip
def test_what_methods_reach_is_looked_at(change):
    net = model()
    fast = ts.replay(lambda x: net(x).detach())
    for _ in range(3):
        assert fast(x).tolist() == net(x).tolist()
        change(net)
    nobody_asks["count"] += 1
    traces = fast.traces
    fast(x)
    assert fast.traces <= traces + (change not in (change_nothing, change_weight))


def test_data_that_no_call_reads_is_not_looked_at():
    class Data:
        table = np.zeros(10)

        def scaled(self, x):
            return x * 2.0

        def __len__(self):
            return len(nobody_asks)

    data = Data()
    fast = ts.replay(lambda x: data.scaled(x))
    fast(x)
    Data.table[0] = nobody_asks["count"] = 7.0
    assert fast(x).tolist() == [2.0, 4.0] and fast.traces == 1


def test_what_cannot_be_looked_into_is_only_asked_for_whether_it_is_the_same():
    class Closed(dict):
        def __iter__(self):
            raise RuntimeError("closed")

    objects = [mock.Mock(spec=dict), mock.MagicMock(spec=list), Closed(a=1)]

    class Model:
        def scaled(self, x):
            return x * 2.0 if objects else self

    model = Model()
    fast = ts.replay(lambda x: model.scaled(x))
    assert [fast(x).tolist() for _ in range(2)] == [[2.0, 4.0]] * 2
    objects[0] = mock.Mock(spec=dict)
    assert fast(x).tolist() == [2.0, 4.0] and fast.traces == 2


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
