"""States: the values that the recurrence itself went through, found by their name and their scopes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import runs

import tinygrad_seq as ts
from tinygrad_seq import nn


@given(run=runs(layers=st.just(1), bidirectional=st.just(False), proj=True))
def test_states_are_the_values_that_the_recurrence_went_through(run):
    (out, *_), _ = run()
    found = ts.flow.states(out)
    np.testing.assert_array_equal([h.numpy() for h in found], out.numpy())
    if run.kind.layer is nn.LSTM:
        assert len(ts.flow.states(out, "c")) == run.sizes["T"]


@given(run=runs(kinds=("lstm",), layers=st.just(1), bidirectional=st.just(False)))
def test_the_last_cell_state_is_the_last_of_the_states(run):
    (out, _, c_n), _ = run()
    np.testing.assert_array_equal(ts.flow.states(out + 0.0 * c_n.sum(), "c")[-1].numpy(), c_n.numpy()[0])


@given(run=runs(bidirectional=st.just(True)), data=st.data())
def test_layers_and_directions_are_chosen_by_their_scopes(run, data):
    layer = data.draw(st.integers(0, run.sizes["layers"] - 1))
    (out, *_), _ = run()
    forward = ts.flow.states(out, layer=layer, direction="forward")
    back = ts.flow.states(out, layer=layer, direction="reverse")
    if layer == run.sizes["layers"] - 1:
        both = [np.concatenate([f.numpy(), b.numpy()], -1) for f, b in zip(forward, back, strict=True)]
        np.testing.assert_array_equal(both, out.numpy())
    times = [dict(h.node.scope.path())["step"] for h in back]
    assert times == list(range(run.sizes["T"]))


def test_what_states_there_are_is_said():
    out, _ = nn.LSTM(2, 3, num_layers=2)(ts.ones(2, 1, 2))
    with pytest.raises(ValueError, match=r"2 loops over time have 'h': choose one by its scopes(.|\n)*layer=1"):
        ts.flow.states(out)
    with pytest.raises(ValueError, match=r"no loop has 'z', layer=0(.|\n)*input, forget, cell, output, c, h"):
        ts.flow.states(out, "z", layer=0)
    with pytest.raises(ValueError, match="no loop has 'h', layer=2"):
        ts.flow.states(out, layer=2)
    for bad in ((out, None), None, 3.0):
        with pytest.raises(TypeError, match=f"states: the output must be a Tensor, got {type(bad).__name__}"):
            ts.flow.states(bad)
    with pytest.raises(ValueError, match="was not recorded"):
        ts.flow.states(ts.ones(2))
    with pytest.raises(ValueError, match="none"):
        ts.flow.states(nn.Linear(2, 2)(ts.ones(2)))
    out.sum().backward()
    with pytest.raises(RuntimeError, match="freed"):
        ts.flow.states(out, layer=0)


@pytest.mark.parametrize("declared", [True, False])
def test_a_loop_whose_ops_have_no_names_is_said_to_have_none(declared):
    w, h = nn.Parameter(np.ones((3, 3))), ts.ones(1, 3)
    for t in range(5):
        with ts.scope(**{"step" if declared else "part": t if declared else 0}):
            h = (h @ w).tanh()
    with pytest.raises(ValueError, match=r"ops have no names(.|\n)*named\(\"h\"\)") as caught:
        ts.flow.states(h)
    assert "ts.scope" not in str(caught.value)


def test_two_calls_of_one_layer_are_told_apart_by_a_scope():
    rnn = nn.RNN(2, 3)
    with ts.scope(part=1):
        _, h = rnn(ts.ones(3, 1, 2))
    with ts.scope(part=2):
        out, _ = rnn(ts.ones(2, 1, 2), h)
    assert [len(ts.flow.states(out, part=part)) for part in (1, 2)] == [3, 2]
    with pytest.raises(ValueError, match="choose one by its scopes"):
        ts.flow.states(out)
    out, _ = rnn(ts.ones(2, 1, 2), rnn(ts.ones(3, 1, 2))[1])
    with pytest.raises(ValueError, match=r"2 loops over time have 'h': call each in .* `with ts\.scope\(part=1\):`"):
        ts.flow.states(out)


def test_two_cells_in_one_step_are_two_loops():
    class Two(nn.Module):
        def __init__(self):
            self.low, self.high = nn.RNNCell(2, 3), nn.GRUCell(3, 4)

        def forward(self, x):
            low = high = None
            for t in range(3):
                with ts.scope(step=t):
                    low = self.low(x[t], low)
                    high = self.high(low, high)
            return high

    out = Two()(ts.ones(3, 1, 2))
    assert [h.shape for h in ts.flow.states(out, module="low")] == [(1, 3)] * 3
    assert [h.shape for h in ts.flow.states(out, module="high")] == [(1, 4)] * 3
