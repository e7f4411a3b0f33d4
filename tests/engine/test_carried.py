"""A state carried from one call of a layer to the next without being cut is noticed, and nothing else is taken for it.

The second backward is an error that names the layer and `detach`; with retain_graph=True it is a warning that does. It
advises nothing that would not work there. Two losses of one window, two networks side by side, or a graph gone through
twice are something else, and told so.
"""

import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import KINDS, flat

import tinygrad_seq as ts
from tinygrad_seq import nn


class Model(nn.Module):
    def __init__(self, layer, width=3):
        self.encoder = layer
        self.head = nn.Linear(width, 1)

    def forward(self, x, state=None):
        out, state = self.encoder(x, state)
        return self.head(out).sum(), state


def losses(call, windows):
    """The loss of each window, its state handed on as it is."""
    state = None
    for _ in range(windows):
        loss, state = call(ts.randn(4, 2, 2), state)
        yield loss


@pytest.mark.parametrize("kind", [*KINDS, "own"])
@given(silent=st.integers(1, 4), both=st.booleans())
def test_the_error_names_the_layer_and_what_works(kind, silent, both):
    """After `silent` calls without a backward, the first frees them all, and the next would go through them again."""
    options = {} if kind == "own" else KINDS[kind].options | {"bidirectional": both}
    layer = nn.Recurrent(nn.GRUCell(2, 3)) if kind == "own" else KINDS[kind].layer(2, 3, **options)
    model = Model(layer, 6 if options.get("bidirectional") else 3)
    *_, first, second = losses(lambda x, s: model(x, s), silent + 1)
    first.backward()
    before = [p.grad.tolist() for p in model.parameters()]
    expected = r"retain_graph=True.*; Model\.encoder was given a state of its earlier calls: .*state\.detach\(\)"
    with pytest.raises(RuntimeError, match=expected) as caught:
        second.backward()
    assert ("ts.truncated" in str(caught.value)) == (kind != "own" and not both)  # where it would take the layer
    with pytest.raises(RuntimeError, match=expected):
        ts.grad(second, list(model.parameters()))
    assert [p.grad.tolist() for p in model.parameters()] == before


class Loop(nn.Module):
    def __init__(self):
        self.cell = nn.RNNCell(2, 3)

    def forward(self, x, h=None):
        for t in range(len(x)):
            with ts.scope(step=t):
                h = self.cell(x[t], h)
        return h.sum(), h


def by_hand(cell):
    def call(x, state):
        for x_t in x:
            state = cell(x_t, state)
        return flat(state)[0].sum(), state

    return call


def of_linear():
    linear = nn.Linear(5, 3)

    def call(x, h):
        for x_t in x:
            h = linear(ts.concatenate([x_t, ts.zeros(2, 3) if h is None else h], 1)).tanh()
        return h.sum(), h

    return call


LOOPS = {
    "Loop": Loop,
    "LSTMCell": lambda: by_hand(nn.LSTMCell(2, 3)),
    "RNNCell": lambda: by_hand(nn.RNNCell(2, 3)),
    "Linear": of_linear,
}


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("keep", [False, True])
def test_a_loop_of_ones_own_is_not_told_of_windows_and_truncated(name, keep):
    windows = losses(LOOPS[name](), 2)
    next(windows).backward(retain_graph=keep)
    second = next(windows)
    said = rf"{name} was given a state of its earlier calls: cut it after each backward with state\.detach\(\)"
    noticed = pytest.warns(UserWarning, match=said) if keep else pytest.raises(RuntimeError, match=said)
    with noticed as caught:
        second.backward(retain_graph=keep)
    assert not {"window", "truncated"} & set(re.findall(r"\w+", str(caught[0].message if keep else caught.value)))


def test_a_loop_outside_all_modules_is_told_of_its_state():
    w = nn.Parameter([2.0])

    def call(x, h):
        with ts.scope(step=0):
            h = w * (x.sum() if h is None else h)
        return h.sum(), h

    first, second = losses(call, 2)
    first.backward()
    with pytest.raises(RuntimeError, match=r"at multiply \(step 0\).*retain_graph=True.*steps.*state\.detach\(\) \(py"):
        second.backward()


def test_keeping_the_graph_is_a_warning_each_time():
    lstm = nn.LSTM(2, 3)
    windows = losses(lambda x, s: (lambda out, last: (out.sum(), last))(*lstm(x, s)), 4)
    next(windows).backward(retain_graph=True)
    for loss in windows:
        said = r"retain_graph=True goes.*LSTM was given a state of its earlier calls.*detach.*as ts\.truncated does"
        with pytest.warns(UserWarning, match=said) as caught:
            loss.backward(retain_graph=True)
        assert caught[0].filename == __file__


def test_what_is_not_a_carried_state():
    """None of this warns (warnings are errors here), and the error speaks of retain_graph."""
    lstm, x = nn.LSTM(2, 3), ts.randn(4, 2, 2)
    out, state = lstm(x)
    out.sum().backward(retain_graph=True)
    (out * out).sum().backward(retain_graph=True)  # two losses of one window
    later, _ = lstm(x, tuple(s.detach() for s in state))
    (out.sum() + later.sum()).backward(retain_graph=True)  # side by side
    later.sum().backward()
    for again in (later.sum(), out.sum() + lstm(x)[0].sum() + later.sum(), later.sum() * 2.0):
        said = r"freed by an earlier backward.*LSTM.*retain_graph=True to the first"
        with pytest.raises(RuntimeError, match=said) as caught:
            again.backward()
        assert "was given a state" not in str(caught.value)


@pytest.mark.parametrize("name", LOOPS)
def test_several_backwards_through_one_forward_are_silent(name):
    """All calls are made before the first backward: no state was carried on from it."""
    every = list(losses(LOOPS[name](), 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            for loss in every:
                loss.backward(retain_graph=True)


@pytest.mark.parametrize("cut", ["truncated", "detach", "one backward"])
def test_what_is_right_is_silent(cut):
    lstm, x = nn.LSTM(2, 3), ts.randn(12, 2, 2)
    carried, state, total = ts.truncated(lstm), None, ts.tensor(0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for keep, window in zip((True, True, False), x.split(4), strict=True):
            out, state = (carried(window), None) if cut == "truncated" else lstm(window, state)
            total = total + out.sum()
            if cut == "one backward":
                continue
            out.sum().backward(retain_graph=keep)
            if cut == "detach":
                state = tuple(part.detach() for part in flat(state))
        if cut == "one backward":  # through all windows: plain backpropagation through time
            total.backward(retain_graph=True)
            total.backward()
