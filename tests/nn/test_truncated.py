"""Truncated backpropagation through time means something exact: which terms of the gradient stay, and what is let go.

Untie the weights, one copy for each step, and the gradient of the loss at step t by the copy at step s is one term of
the whole. Cut into windows, the terms with t and s in one window are what is left, and nothing else. The values stay
those of the whole sequence, bit for bit, and what is kept in memory does not grow with the number of windows.
"""

import copy
import gc
from collections import deque, namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import assert_near, assert_same, host
from networks import KINDS, flat, leaf, packed, runs, seeds

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import Node, ancestors


def made(kind, seed, steps):
    """A cell in float64, an input (T, 2, 2), a first state and what the loss of each step looks for."""
    ts.manual_seed(seed)
    rng = np.random.default_rng(seed)
    cell = KINDS[kind].cell(2, 3, **KINDS[kind].options).to("float64")
    states = packed([ts.tensor(rng.normal(size=(2, 3))) for _ in range(cell.states)])
    return cell, ts.tensor(rng.normal(size=(steps, 2, 2))), states, ts.tensor(rng.normal(size=(steps, 2, 3)))


def terms(cell, x, state, targets):
    """terms[t][s]: the gradients of the loss at step t by the weights as they were used at step s."""
    untied, found = [copy.deepcopy(cell) for _ in x], []
    sources = [parameter for one in untied for parameter in one.parameters()]
    for one, x_t, y_t in zip(untied, x, targets, strict=True):
        state = one(x_t, state)
        loss = (flat(state)[0] - y_t).pow(2.0).sum()
        grads = ts.grad(loss, sources, retain_graph=True, allow_unused=True)
        count = len(sources) // len(untied)
        found.append([grads[i : i + count] for i in range(0, len(grads), count)])
    return found


def window_losses(carried, x, targets, size):
    return [(carried(part) - y).pow(2.0).sum() for part, y in zip(x.split(size), targets.split(size), strict=True)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps, size", [(6, 2), (7, 3), (4, 1), (4, 9)])
@settings(max_examples=settings.default.max_examples // 3)  # the numbers alone are drawn
@given(seed=seeds)
def test_the_gradient_is_the_terms_within_windows(kind, steps, size, seed):
    cell, x, state, targets = made(kind, seed, steps)
    parts = terms(cell, x, state, targets)
    expected = [np.zeros(p.shape) for p in cell.parameters()]
    crossing = [np.zeros(p.shape) for p in cell.parameters()]
    for t in range(steps):
        for s in range(t + 1):
            into = expected if t // size == s // size else crossing
            for total, term in zip(into, parts[t][s], strict=True):
                total += term.numpy()
    sum(window_losses(ts.truncated(nn.Recurrent(cell), state), x, targets, size), ts.tensor(0.0)).backward()
    assert_near([p.grad.numpy() for p in cell.parameters()], expected)
    if size < steps and kind != "rnn relu":
        assert any(np.any(np.abs(total) > 1e-12) for total in crossing)  # there was something to cut
    cell.zero_grad()
    for loss in window_losses(ts.truncated(nn.Recurrent(cell), state), x, targets, size):
        loss.backward()  # one at a time is the same
    assert_near([p.grad.numpy() for p in cell.parameters()], expected)


@given(run=runs(bidirectional=st.just(False), longest=6), size=st.integers(1, 6))
def test_the_values_are_those_of_the_whole(run, size):
    (whole, *last), _ = run()
    carried = ts.truncated(run.layer, packed([ts.tensor(s) for s in run.states]))
    assert_same(host([ts.concatenate([carried(part) for part in ts.tensor(run.x).split(size)])]), host([whole]))
    assert_same(host(flat(carried.state)), host(last))
    assert not any(part.requires_grad for part in flat(carried.state))


@given(run=runs(bidirectional=st.just(False), longest=6), size=st.integers(1, 3), data=st.data())
def test_lengths_go_on_where_they_stopped(run, size, data):
    """Windows of a padded batch: what is left of each length, which is nothing for a sequence that has ended."""
    steps, batch = run.sizes["T"], run.sizes["B"]
    lengths = np.array(data.draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch)))
    states = packed([ts.tensor(s) for s in run.states])
    whole, *last = flat(run.layer(ts.tensor(run.x), states, lengths=lengths))
    carried = ts.truncated(run.layer, states)
    parts = []
    for start, part in zip(range(0, steps, size), ts.tensor(run.x).split(size), strict=True):
        parts.append(carried(part, lengths=np.clip(lengths - start, 0, len(part))))
    assert_same(host([ts.concatenate(parts), *flat(carried.state)]), host([whole, *last]))


def test_a_learned_first_state_learns_from_the_first_window():
    layer, first = nn.GRU(2, 3), nn.Parameter(np.zeros((1, 4, 3), np.float32))
    carried, x = ts.truncated(layer, first), ts.randn(6, 4, 2)
    carried(x[:3]).sum().backward()
    there = first.grad.numpy().copy()
    assert there.any()
    carried(x[3:]).sum().backward()
    assert_same(host([first.grad]), [there])


def test_history_is_let_go():
    gc.collect()
    before, layer = nodes_alive(), nn.LSTM(2, 3)
    carried, counts = ts.truncated(layer), []
    for _ in range(5):
        loss = carried(ts.randn(4, 1, 2)).sum()
        counts.append((len(ancestors([loss.node])), nodes_alive()))
        loss.backward()
    assert len({reach for reach, _ in counts}) == 1
    assert counts[-1][1] == counts[1][1]  # only this window's nodes are alive
    del loss
    assert nodes_alive() - before == len(list(layer.parameters()))


def nodes_alive():
    return sum(type(thing) is Node for thing in gc.get_objects())


def test_a_new_sequence_and_an_error():
    layer, x = nn.RNN(2, 3), ts.randn(4, 1, 2)
    carried = ts.truncated(layer)
    first = carried(x)
    kept = carried.state
    with pytest.raises(ValueError, match=r"RNN: the first state"):
        carried(ts.randn(4, 5, 2))
    assert carried.state is kept
    assert np.any(carried(x).numpy() != first.numpy())
    carried.state = None
    assert_same(host([carried(x)]), host([first]))
    assert repr(carried) == "truncated(RNN(2, 3))"


def test_a_state_of_ones_own_making():
    def model(x, state):
        count, memory = state
        h = (x + memory["h"]).tanh()
        return h, [count + 1, {"h": h}]

    carried = ts.truncated(model, [0, {"h": leaf([0.5])}])
    for n in (1, 2):
        carried(ts.tensor([1.0], dtype="float64"))
        assert carried.state[0] == n and not carried.state[1]["h"].requires_grad


class Reader(nn.Module):
    def __init__(self):
        self.read = ts.truncated(nn.LSTM(3, 4, num_layers=2, dropout=0.9))
        self.head = nn.Linear(4, 1)


def test_in_a_model_it_is_a_part_like_any_other():
    model, x = Reader(), ts.ones(5, 2, 3)
    names = [name for name, _ in model.named_parameters()]
    assert "read.layer.weight_ih_l0" in names and len(names) == 10
    out = model.eval().read(x)
    model.read.state = None
    assert (out.numpy() == model.read(x).numpy()).all()  # no dropout
    assert list(model.state_dict()) == names


def test_a_first_state_that_is_learned_is_whose_it_was():
    h = nn.Parameter(ts.zeros(1, 2, 4)).named("first")
    windows = ts.truncated(nn.RNN(3, 4), h)
    assert len(list(windows.parameters())) == 4 and h.name == "first"


def test_a_named_tuple_is_a_state():
    State = namedtuple("State", "h c")
    windows = ts.truncated(lambda x, state: (x, State(x, x * 2.0)))
    windows(ts.ones(1))
    assert windows.state.c.item() == 2.0


def test_a_state_of_tensors_that_cannot_be_cut_is_refused():
    carried = ts.truncated(lambda x, state: (x, deque([x * 2.0])))
    with pytest.raises(TypeError, match=r"truncated: a state is Tensors in tuples, .* got some in a deque"):
        carried(leaf([1.0]))
    assert carried.state is None


NO_PAIR = {
    "RNNCell": lambda: nn.RNNCell(3, 3),
    "LSTMCell": lambda: nn.LSTMCell(3, 3),  # its h and c are two Tensors, but no (out, state)
    "GRUCell": lambda: nn.GRUCell(3, 3),
    "Linear": lambda: nn.Linear(3, 3),
    "Sequential": lambda: nn.Sequential(nn.RNN(3, 3)),
    "truncated": lambda: ts.truncated(nn.RNN(3, 3)),
    "LSTM": lambda: nn.LSTM,
    "NoneType": lambda: None,
}


@pytest.mark.parametrize("name", NO_PAIR)
def test_what_cannot_give_an_output_and_a_state_is_refused_when_it_is_made(name):
    says = rf"truncated: expected layer\(x, state\) -> \(out, state\), got {name}: .*nn\.Recurrent\(cell\)"
    with pytest.raises(TypeError, match=says):
        ts.truncated(NO_PAIR[name]())


class Answering(nn.Module):
    """Gives what it is told to, whatever it hears."""

    def __init__(self, answer):
        self.answer = answer

    def forward(self, x, state):
        return self.answer(x, state)


@pytest.mark.parametrize("got, answer", [
    ("Tensor", lambda x, _: x * 2.0),  # of two rows, which would unpack
    ("3 results", lambda x, _: (x, x, x)),
    ("dict", lambda x, _: {"out": x, "state": x}),
    ("NoneType", lambda x, _: None),
])  # fmt: skip
def test_what_gives_no_output_and_state_is_refused_at_its_first_window(got, answer):
    for layer, name in ((Answering(answer), "Answering"), (answer, "function")):
        carried = ts.truncated(layer, "begun")
        with pytest.raises(TypeError, match=rf"truncated: {name} must give \(out, state\), got {got}: .*nn\.Recurrent"):
            carried(ts.ones(2, 3))
        assert carried.state == "begun"


class Twofold(nn.Module):
    """Two layers, of which one hands on its state; the other reads every window anew."""

    def __init__(self, carried, fresh):
        self.carried, self.fresh = carried, fresh

    def forward(self, x, state):
        out, state = self.carried(x, None if state is None else state["carried"])
        return self.fresh(x)[0].sum() + out, {"carried": state}


BACKWARDS = {
    "bidirectional": lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "Recurrent": lambda: nn.Recurrent(nn.LSTMCell(3, 4), reverse=True),
}


@pytest.mark.parametrize("kind", BACKWARDS)
def test_a_state_from_the_future_is_refused(kind):
    layer = BACKWARDS[kind]()
    with pytest.raises(ValueError, match=rf"truncated: {type(layer).__name__} reads from the last step to the first"):
        ts.truncated(layer)
    carried = ts.truncated(Twofold(layer, nn.LSTM(3, 4)))
    with pytest.raises(ValueError, match=r"truncated: carried reads from the last step to the first"):
        carried(ts.randn(5, 2, 3))
    assert carried.state is None


@pytest.mark.parametrize("kind", BACKWARDS)
def test_a_window_may_be_read_in_reverse_where_no_state_is_handed_on(kind):
    carried = ts.truncated(Twofold(nn.LSTM(3, 4), BACKWARDS[kind]()))
    for _ in range(2):
        carried(ts.randn(5, 2, 3)).sum().backward()
    assert not carried.state["carried"][0].requires_grad
