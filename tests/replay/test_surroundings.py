"""What is around a replayed function may change in any way between two calls, and the next call does what Python would.

Globals, numbers, lists, dicts, attributes, parameters and the state of optimisers: another value of the same kind is
read, and anything else traces again.
"""

import weakref

import numpy as np
import pytest
from laws import assert_same

import tinygrad_seq as ts
from tinygrad_seq import nn

x = ts.tensor([1.0, 2.0, 3.0])
scale, weight = 1.0, ts.ones(3)


def uses_globals(x):
    return x * weight * scale


def test_globals_that_are_bound_anew(monkeypatch):
    fast = ts.replay(uses_globals)
    assert fast(x).tolist() == [1.0, 2.0, 3.0]
    monkeypatch.setitem(globals(), "weight", ts.zeros(3))
    assert fast(x).tolist() == [0.0, 0.0, 0.0]
    monkeypatch.setitem(globals(), "weight", ts.tensor(2.0))
    assert fast(x).tolist() == [2.0, 4.0, 6.0]
    monkeypatch.setitem(globals(), "scale", 2.0)
    assert fast(x).tolist() == [4.0, 8.0, 12.0]


def test_a_parameter_that_is_frozen_or_gets_a_hook():
    w, b = nn.Parameter([1.0, 2.0, 3.0]), nn.Parameter([0.0, 0.0, 0.0])

    def step(x):
        w.grad = b.grad = None
        (w * x + b).sum().backward()

    fast = ts.replay(step)
    fast(x)
    assert w.grad.tolist() == [1.0, 2.0, 3.0]
    w.requires_grad = False
    fast(x)
    assert w.grad is None and b.grad.tolist() == [1.0, 1.0, 1.0]
    w.requires_grad = True
    fast(x)
    assert w.grad.tolist() == [1.0, 2.0, 3.0]
    remove = w.register_hook(lambda g: g * 10.0)
    fast(x)
    assert w.grad.tolist() == [10.0, 20.0, 30.0]
    remove()
    fast(x)
    assert w.grad.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.filterwarnings("ignore:replay")
def test_a_number_at_the_address_of_another():
    kept = {"scale": 1.0}
    fast = ts.replay(lambda x: x * kept["scale"])
    for k in range(50):
        kept["scale"] = float(f"{1 + k // 2}.5")
        assert fast(x)[0].item() == kept["scale"]


def test_attribute_that_comes_later():
    class Scaled(nn.Module):
        scale = 1.0

        def forward(self, x):
            return x * self.scale if not getattr(self, "off", False) else x * 0.0

    layer = Scaled()
    fast = ts.replay(layer)
    assert fast(x).tolist() == [1.0, 2.0, 3.0]
    layer.scale = 2.0
    assert fast(x).tolist() == [2.0, 4.0, 6.0]
    layer.off = True
    assert fast(x).tolist() == [0.0, 0.0, 0.0]


def test_state_that_is_there_already_is_read_anew():
    def training():
        ts.manual_seed(0)
        model = nn.Linear(3, 1)
        optimizer = ts.optim.Adam(model.parameters(), lr=0.1)

        def step(x):
            loss = (model(x) ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.item()

        return model, optimizer, step

    (model, optimizer, step), (again, other, eager) = training(), training()
    step(x), step(x), eager(x), eager(x)
    saved = optimizer.state_dict()
    fast = ts.replay(step)
    assert [fast(x) for _ in range(5)] == [eager(x) for _ in range(5)]
    assert fast.traces == 1
    optimizer.load_state_dict(saved), other.load_state_dict(saved)
    assert [fast(x) for _ in range(3)] == [eager(x) for _ in range(3)] and fast.traces == 1
    optimizer.state.clear(), other.state.clear()
    assert [fast(x) for _ in range(3)] == [eager(x) for _ in range(3)]
    model.weight = nn.Parameter(ts.ones(1, 3))
    again.weight = nn.Parameter(ts.ones(1, 3))
    assert [fast(x) for _ in range(3)] == [eager(x) for _ in range(3)]
    optimizer.param_groups[0]["unknown"] = 1
    with pytest.raises(ValueError, match="no option 'unknown'"):
        fast(x)
    del optimizer.param_groups[0]["unknown"]
    fast(x)
    optimizer.param_groups[0]["betas"] = (0.5, 2.0)
    with pytest.raises(ValueError, match="betas"):
        fast(x)
    with pytest.raises(ValueError, match="betas"):
        fast(x)


def test_things_in_things_that_are_replaced():
    kept = {"inner": {"w": ts.ones(3), "list": [ts.ones(3), 1.0]}}
    fast = ts.replay(lambda x: x * kept["inner"]["w"] * kept["inner"]["list"][0] * kept["inner"]["list"][1])
    assert fast(x).tolist() == [1.0, 2.0, 3.0]
    kept["inner"] = {"w": ts.ones(3) * 2.0, "list": [ts.ones(3) * 3.0, 1.0]}
    assert fast(x).tolist() == [6.0, 12.0, 18.0] and fast.traces == 1
    kept["inner"]["list"] = [ts.ones(3), 5.0]
    assert fast(x).tolist() == [10.0, 20.0, 30.0] and fast.traces == 2
    kept["inner"]["list"] = (ts.ones(3), 1.0)
    assert fast(x).tolist() == [2.0, 4.0, 6.0]
    kept["inner"] = [1]
    with pytest.raises((TypeError, KeyError)):
        fast(x)
    kept["inner"] = {"w": ts.ones(3), "list": [ts.ones(3), 1.0]}
    assert fast(x).tolist() == [1.0, 2.0, 3.0]


def test_lists_and_dicts_that_grow():
    kept = {"scales": [2.0], "weights": {"a": ts.ones(3)}}

    def product(x):
        for scale in kept["scales"]:
            x = x * scale
        for weight in kept["weights"].values():
            x = x * weight
        return x

    fast = ts.replay(product)
    assert fast(x).tolist() == [2.0, 4.0, 6.0]
    kept["scales"].append(5.0)
    assert fast(x).tolist() == [10.0, 20.0, 30.0]
    kept["weights"]["b"] = ts.zeros(3)
    assert fast(x).tolist() == [0.0, 0.0, 0.0]
    del kept["weights"]["b"], kept["scales"][1]
    assert fast(x).tolist() == [2.0, 4.0, 6.0] and fast.traces == 3


def test_two_weights_that_become_one():
    pair = {"a": nn.Parameter([1.0, 2.0, 3.0]), "b": nn.Parameter([1.0, 2.0, 3.0])}

    def step(x):
        pair["a"].grad = pair["b"].grad = None
        (pair["a"] * pair["b"] * x).sum().backward()
        return pair["a"].grad

    fast = ts.replay(step)
    assert fast(x).tolist() == [1.0, 4.0, 9.0]
    other, pair["b"] = pair["b"], pair["a"]
    assert fast(x).tolist() == [2.0, 8.0, 18.0]
    pair["b"] = other
    assert fast(x).tolist() == [1.0, 4.0, 9.0]


def test_a_call_keeps_nothing_that_it_replaced():
    w = nn.Parameter([1.0, 2.0])
    optimizer = ts.optim.Adam([w])

    def step():
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()

    fast = ts.replay(step)
    for _ in range(4):
        fast()
    before = [weakref.ref(w.grad), weakref.ref(w.array)]
    fast()
    assert [ref() for ref in before] == [None, None]


def test_arrays_that_are_no_tensors_are_constants_until_they_change():
    class Holder:
        table = None

    holder, listed, array = Holder(), [np.float32([1.0, 2.0, 3.0])], np.float32([1.0, 2.0, np.nan])
    holder.table = np.float32([1.0, 1.0, 1.0])
    fast = ts.replay(lambda x: x * ts.tensor(holder.table) + x * ts.tensor(listed[0]) + x * ts.tensor(array))

    def agree(traces):
        for _ in range(2):
            assert_same([fast(x).numpy()], [fast.function(x).numpy()])
        assert fast.traces == traces

    agree(1)
    listed[0][1] = 7.0
    agree(2)
    holder.table = holder.table * 2.0
    agree(3)
    array[2] = 0.0
    agree(4)
    array = array + 1.0
    agree(5)


class State:
    def __init__(self):
        self.h = self.c = self.old = ts.zeros(3)  # one Tensor
        self.past = [ts.zeros(3), ts.ones(3)]


def update_both(state, x):
    state.h, state.c = (state.h + x).tanh(), state.c * 0.5 + state.h + 1.0
    return state.h, state.c


def exchange(state, x):
    state.h, state.c = state.c, (state.h + x).tanh()
    return state.h, state.c


def keep_the_last(state, x):
    state.old, state.h = state.h, (state.h + x).tanh()
    return state.old, state.h


def keep_a_list(state, x):
    state.past = [state.h, *state.past[:-1]]
    state.h = (state.h + x).tanh()
    return (*state.past, state.h)


@pytest.mark.parametrize("update", [update_both, exchange, keep_the_last, keep_a_list])
def test_a_state_becomes_another_one(update):
    told, replayed = State(), State()
    fast = ts.replay(lambda x: update(replayed, x))
    for k in range(5):
        for one, other in zip(update(told, x * k), fast(x * k), strict=True):
            assert one.tolist() == other.tolist()
    for name in ("h", "c", "old"):
        assert getattr(told, name).tolist() == getattr(replayed, name).tolist()
