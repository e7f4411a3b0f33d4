"""A state carried between windows without being cut is noticed, and nothing else is taken for it.

The second backward is an error that names the layer, how many windows back it reaches, and `detach`; with
retain_graph=True it is a warning that does. Two losses of one window, two networks side by side, or a graph gone
through twice are something else, and told so.
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
    def __init__(self, layer):
        self.encoder = layer
        self.head = nn.Linear(3, 1)

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
@given(silent=st.integers(1, 4))
def test_the_error_names_the_layer_and_how_far_it_reaches(kind, silent):
    """After `silent` windows without a backward, the first frees them all, and the next would go through them again."""
    layer = nn.Recurrent(nn.GRUCell(2, 3)) if kind == "own" else KINDS[kind].layer(2, 3, **KINDS[kind].options)
    model = Model(layer)
    *_, first, second = losses(lambda x, s: model(x, s), silent + 1)
    first.backward()
    before = [p.grad.tolist() for p in model.parameters()]
    reach = "1 window" if silent == 1 else f"{silent} windows"
    expected = rf"Model\.encoder was given a state that reaches {reach} back.*state\.detach\(\)"
    with pytest.raises(RuntimeError, match=expected):
        second.backward()
    with pytest.raises(RuntimeError, match=expected):
        ts.grad(second, list(model.parameters()))
    assert [p.grad.tolist() for p in model.parameters()] == before


def test_a_loop_of_ones_own_in_a_model_counts_its_calls_not_its_steps():
    class Loop(nn.Module):
        def __init__(self):
            self.cell = nn.RNNCell(2, 3)

        def forward(self, x, h=None):
            for t in range(len(x)):
                with ts.scope(step=t):
                    h = self.cell(x[t], h)
            return h.sum(), h

    first, second = losses(Loop(), 2)
    first.backward()
    with pytest.raises(RuntimeError, match=r"Loop was given a state that reaches 1 window back"):
        second.backward()


def test_keeping_the_graph_is_a_warning_each_time_and_reaches_further():
    lstm = nn.LSTM(2, 3)
    windows = losses(lambda x, s: (lambda out, last: (out.sum(), last))(*lstm(x, s)), 4)
    next(windows).backward(retain_graph=True)
    for back, loss in enumerate(windows, start=1):
        reach = re.escape(f"LSTM was given a state that reaches {back} window" + "s" * (back > 1) + " back")
        with pytest.warns(UserWarning, match=rf"retain_graph=True.*{reach}.*detach") as caught:
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
        with pytest.raises(RuntimeError, match=r"freed by an earlier backward.*LSTM.*retain_graph=True to the first"):
            again.backward()


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
