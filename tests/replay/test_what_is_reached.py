"""Tensors wherever a function finds them, and whatever it changes or returns: as with a graph, or refused."""

from collections import deque
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from agreement import assert_agree

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.replay.trace.tape import TraceError

x = ts.tensor([1.0, 2.0, 3.0])
scale = ts.tensor(1.0)


class Scaled(nn.Module):
    """Reads a Tensor and a number of its class, and a global Tensor in a method and in a property."""

    shift = ts.tensor([0.0, 0.0, 0.0])
    times = 1.0

    def forward(self, x):
        return x * scale * self.times + self.shift + self.twice

    @property
    def twice(self):
        return scale * 2.0


@pytest.mark.parametrize("as_argument", [False, True])
def test_tensors_of_classes_and_globals_of_methods_are_read_at_every_call(monkeypatch, as_argument):
    model = Scaled()
    fast = ts.replay(lambda model, x: model(x)) if as_argument else ts.replay(lambda _, x: model(x))
    given = model if as_argument else None
    assert fast(given, x).tolist() == [3.0, 4.0, 5.0]
    monkeypatch.setitem(globals(), "scale", ts.tensor(2.0))
    monkeypatch.setattr(Scaled, "shift", ts.ones(3))
    assert fast(given, x).tolist() == [7.0, 9.0, 11.0]
    assert fast.traces == 1
    monkeypatch.setattr(Scaled, "times", 10.0)
    assert fast(given, x).tolist() == [25.0, 45.0, 65.0]
    assert fast.traces == 2


def test_a_tensor_of_a_class_may_be_replaced(monkeypatch):
    monkeypatch.setattr(Scaled, "shift", ts.zeros(3))

    def count(x):
        Scaled.shift = Scaled.shift + x
        return Scaled.shift.sum()

    fast = ts.replay(count)
    assert [fast(x).item() for _ in range(3)] == [6.0, 12.0, 18.0]
    assert Scaled.shift.tolist() == [3.0, 6.0, 9.0]


settings = ModuleType("settings")
settings.inner = ModuleType("settings.inner")
settings.scale, settings.inner.weight = 1.0, nn.Parameter([1.0, 2.0, 3.0])
settings.times = lambda x: (x * settings.inner.weight * settings.scale).sum()


def test_variables_and_functions_of_other_modules_are_read_at_every_call(monkeypatch):
    def step(x):
        settings.inner.weight.grad = None
        settings.times(x).backward()

    fast = ts.replay(step)
    fast(x)
    assert settings.inner.weight.grad.tolist() == [1.0, 2.0, 3.0]
    monkeypatch.setattr(settings, "scale", 2.0)
    fast(x)
    assert settings.inner.weight.grad.tolist() == [2.0, 4.0, 6.0] and fast.traces == 2


def test_a_method_of_a_class_may_be_replaced(monkeypatch):
    model = Scaled()
    fast = ts.replay(lambda x: model(x))
    assert fast(x).tolist() == model(x).tolist()
    monkeypatch.setattr(Scaled, "forward", lambda self, x: x * self.times)
    assert fast(x).tolist() == [1.0, 2.0, 3.0]


def test_an_attribute_that_is_made_where_it_is_missing_may_be_taken_away():
    def step(kept, x):
        if not hasattr(kept, "h"):
            kept.h = x * 0.0
        kept.h = kept.h * 0.5 + x
        return kept.h

    kept, other = SimpleNamespace(), SimpleNamespace()
    fast = ts.replay(step)
    for k in range(6):
        if k == 3:
            del kept.h, other.h
        assert fast(kept, x * k).tolist() == step(other, x * k).tolist()


def test_a_counter_of_a_class_is_refused():
    def count(x):
        Scaled.times += 1.0
        return x

    with pytest.raises(TraceError, match=r"Scaled\.times is set to 2\.0 inside"):
        ts.replay(count)(x)
    assert Scaled.times == 1.0


@cache
def hidden():
    return ts.tensor([1.0, 2.0, 3.0])


def test_a_tensor_that_is_out_of_reach_is_refused():
    hidden()
    with pytest.raises(TraceError, match=r"shape \(3,\), which comes in at .*test_what_is_reached.*does not look"):
        ts.replay(lambda x: x * hidden())(x)


@dataclass(slots=True)
class State:
    """What a function reads and changes: attributes without a `__dict__`, one of which comes later."""

    h: ts.Tensor
    scale: float = 2.0
    before: ts.Tensor = field(init=False)


def test_slots_are_attributes():
    def step(state, x):
        state.before = state.h
        state.h = state.h * state.scale + x
        return state.h.sum()

    state, other = State(ts.zeros(3)), State(ts.zeros(3))
    fast = ts.replay(step)
    for k in range(4):
        state.scale = other.scale = 2.0 if k < 3 else 0.5
        assert fast(state, x).item() == step(other, x).item()
        assert state.h.tolist() == other.h.tolist() and state.before.tolist() == other.before.tolist()
    assert fast.traces == 2


def test_a_window_of_the_last_states_moves():
    windows = [deque([ts.zeros(3), ts.ones(3), ts.ones(3)], maxlen=3) for _ in range(2)]

    def step(window, x):
        window.append((window[0] + window[-1] * x).tanh())
        return window[1].sum()

    fast = ts.replay(step)
    for k in range(5):
        one, other = (function(window, x * k) for function, window in zip((fast, step), windows))
        assert one.item() == other.item()
        assert [h.tolist() for h in windows[0]] == [h.tolist() for h in windows[1]]
    assert fast.traces == 1


class Private:
    """Has a slot with a name of its own, as its class sees it."""

    __slots__ = ("__scale",)

    def __init__(self):
        self.__scale = 2.0

    def double(self):
        self.__scale *= 2.0

    def scaled(self, x):
        return x * self.__scale


class Several(list):
    """A list with an attribute, which is a number or a Tensor."""

    scale: object

    def double(self):
        self.scale = self.scale * 2.0

    def scaled(self, x):
        return x * self.scale * self[0]


class Ordered(dict):
    """A dict whose order matters."""

    def double(self):
        self["first"] = self.pop("first")

    def scaled(self, x):
        return x * next(iter(self.values()))


@pytest.mark.parametrize("make", [
    Private, lambda: vars(kept := Several([3.0])).update(scale=2.0) or kept,
    lambda: vars(kept := Several([3.0])).update(scale=ts.tensor(2.0)) or kept,
    lambda: Ordered(first=2.0, second=4.0), lambda: Ordered(first=ts.tensor(2.0), second=ts.tensor(4.0)),
], ids=["private slot", "number of a list", "Tensor of a list", "order", "order of Tensors"])  # fmt: skip
def test_private_slots_attributes_of_lists_and_orders_of_dicts_are_settings(make):
    kept = make()
    fast = ts.replay(lambda x: kept.scaled(x))
    for _ in range(3):
        assert fast(x).tolist() == kept.scaled(x).tolist()
        kept.double()


@pytest.mark.parametrize("kept", [deque([1]), {1}, np.zeros(2), [np.zeros(2)], {"a": 1, "b": 2}])
def test_what_is_written_and_no_tensor_is_refused_and_left_alone(kept):
    before = repr(kept)
    write = {deque: lambda: kept.append(2), set: lambda: kept.add(2), list: lambda: kept[0].fill(1.0)}
    write[dict] = lambda: kept.update(a=kept.pop("a"))

    def step(x):
        write.get(type(kept), lambda: kept.fill(1.0))()
        return x.sum()

    with pytest.raises(TraceError, match=r"kept.* (grows|is changed) inside the function"):
        ts.replay(step)(x)
    assert repr(kept) == before


class Idle(nn.Module):
    """A module with an attribute that is a note of optimisers."""

    idle = 1.0


@pytest.mark.parametrize("kind", [SimpleNamespace, Idle])
def test_settings_may_be_called_as_the_notes_of_a_module(kind):
    settings = kind()
    vars(settings).update(training=True, idle=1.0)
    fast = ts.replay(lambda x: x * (2.0 if settings.training else settings.idle))
    assert fast(x).tolist() == [2.0, 4.0, 6.0]
    settings.training = False
    assert fast(x).tolist() == [1.0, 2.0, 3.0]
    settings.idle = 3.0
    assert fast(x).tolist() == [3.0, 6.0, 9.0]


def step_by_hand(w, x):
    w.grad = None
    (w * w * x).sum().backward()
    w.grad.array *= 0.5
    w.array -= w.grad.array * 0.1
    w.array[0] = 1.0
    return w.sum()


def test_arrays_of_tensors_may_be_written_in_place():
    w, again = nn.Parameter([1.0, 2.0, 3.0]), nn.Parameter([1.0, 2.0, 3.0])
    fast = ts.replay(step_by_hand)
    for _ in range(3):
        assert_agree(step_by_hand(again, x), fast(w, x))
        assert_agree(again, w)
        assert_agree(again.grad, w.grad)


def test_arrays_that_the_function_replaces_trace_again():
    state = {"mean": (x * 0.0).array}

    def mean(x):
        state["mean"] = state["mean"] * 0.5 + x.array
        return x * 1.0

    fast = ts.replay(mean)
    for _ in range(3):
        fast(x)
    assert state["mean"].tolist() == [1.75, 3.5, 5.25]


weight = nn.Parameter([1.0, 2.0, 3.0])


@pytest.mark.parametrize("compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("function", [
    lambda ids: (ids > 1) * 0.5, lambda ids: 1.5 - ids * 0.25, lambda ids: ids / 3.0, lambda ids: ids**0.5,
    lambda ids: ts.maximum(ids, 1.5), lambda ids: ts.where(ids > 1, 0.5, 2.0), lambda ids: (ids > 1) + 0.5 * x,
    lambda ids: ts.stack([(part > 1) * 0.5 for part in ids.unstack()]),
    lambda ids: ts.grad((weight * (ids > 1)).sum(), weight), lambda ids: ts.grad((weight * ids).sum() * 0.5, weight),
])  # fmt: skip
def test_numbers_beside_ints_and_bools_keep_their_dtype(function, compile):
    fast = ts.replay(function, compile=compile)
    for ids in ([0, 1, 2], [3, 1, 0]):
        ids = ts.tensor(ids)
        assert fast(ids).dtype == function(ids).dtype
        assert_agree(function(ids), fast(ids))
