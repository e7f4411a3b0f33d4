"""The monitor: it keeps what is there to see, changes nothing, and costs little."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import KINDS, runs, seeds

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.optim import clip_grad_norm_


@given(run=runs(longest=3), limit=st.floats(0.01, 10.0))
def test_it_is_backward_and_clipping_and_nothing_else(run, limit):
    outputs, _ = run()
    sum((y * y).sum() for y in outputs).backward()
    plain = clip_grad_norm_(run.layer.parameters(), limit)
    grads = [p.grad.numpy().tobytes() for p in run.layer.parameters()]
    run.layer.zero_grad()
    monitor, (outputs, _) = ts.flow.Monitor(run.layer, max_norm=limit), run()
    monitor.backward(sum((y * y).sum() for y in outputs))
    assert [p.grad.numpy().tobytes() for p in run.layer.parameters()] == grads
    assert monitor.norms == [plain] and monitor.clipped == (plain > limit)


@given(seed=seeds, steps=st.integers(1, 8), kind=st.sampled_from(sorted(KINDS)))
def test_it_sees_the_share_of_saturated_values_and_the_lengths_of_states(seed, steps, kind):
    ts.manual_seed(seed)
    layer = KINDS[kind].layer(2, 5, **KINDS[kind].options).to("float64")
    for parameter in layer.parameters():
        parameter.assign(parameter * 8.0)
    monitor, x = ts.flow.Monitor(layer), ts.randn(steps, 3, 2).to("float64")
    out, _ = layer(x)
    names = {name: [y.numpy() for y in ts.flow.states(out, name)] for name in ("forget", "update", "h", "new")
             if f"{name!r}," in repr_of(out)}  # fmt: skip
    monitor.backward(out.sum())
    for name, values in names.items():
        where, y = f"{type(layer).__name__}, layer 0, forward: {name}", np.array(values)
        if name == "h":
            lengths = [np.sqrt((h * h).sum() / len(h)) for h in y]
            np.testing.assert_allclose(monitor.states[where], [np.mean(lengths)], rtol=1e-12)
        else:
            beyond = abs(y) > 0.95 if name == "new" else abs(y - 0.5) > 0.45
            np.testing.assert_allclose(monitor.saturation[where], [beyond.mean()], atol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 2, 3), (0, 3)])
def test_states_of_a_loop_of_ones_own_have_any_shape(shape):
    value = np.full(shape, 2.0)
    x = ts.tensor(value, requires_grad=True)
    with ts.scope(step=0):
        h = (x * 1.0).named("h")
        gate = x.sigmoid().named("gate")
    saturation, states = ts.flow.Monitor(nn.RNN(1, 1)).look((h + gate).sum())
    if not value.size:
        assert not states and not saturation
        return
    lengths = np.sqrt((value * value).sum(-1).mean()) if shape else 2.0
    assert states == {"outside all modules: h": [pytest.approx(lengths)]} and len(saturation) == 1


def repr_of(out):
    """The names there are, as the error that lists them does."""
    with pytest.raises(ValueError) as caught:
        ts.flow.states(out, "?")
    return ", ".join(repr(name) for name in str(caught.value).splitlines()[-1].split(", ")) + ","


def test_it_looks_now_and_then():
    gru = nn.GRU(2, 3)
    monitor = ts.flow.Monitor(gru, max_norm=1e-3, every=3)
    for _ in range(7):
        gru.zero_grad()
        monitor.backward(gru(ts.randn(20, 2, 2))[0].sum())
    assert monitor.looked == [0, 3, 6] and len(monitor.norms) == monitor.clipped == 7
    assert {len(values) for values in [*monitor.saturation.values(), *monitor.states.values()]} == {3}
    assert sorted(monitor.saturation) == [f"GRU, layer 0, forward: {name}" for name in ("new", "reset", "update")]
    assert list(monitor.states) == ["GRU, layer 0, forward: h"]
    assert "7 training steps, 7 clipped at 0.001" in repr(monitor)
    monitor.backward(gru(ts.randn(20, 2, 2))[0].sum())
    assert repr(monitor).splitlines()[2] == "  looked at in training step 6 of 0 … 7:"


def test_what_goes_wrong_is_not_kept():
    rnn = nn.RNN(2, 3)
    monitor = ts.flow.Monitor(rnn)
    with pytest.raises(RuntimeError, match="one element"):
        monitor.backward(rnn(ts.ones(2, 1, 2))[0])
    assert (monitor.norms, monitor.looked, dict(monitor.states)) == ([], [], {})
    with pytest.raises(TypeError, match=r"^Monitor\.backward: the loss must be a Tensor, got float"):
        monitor.backward(1.0)
    with pytest.raises(TypeError, match=r"^Monitor\.look: the loss must be a Tensor, got float"):
        monitor.look(1.0)


@pytest.mark.parametrize("error, says, model, options", [
    (ValueError, "every must be at least 1, got 0", nn.RNN(2, 3), {"every": 0}),
    (TypeError, "every must be an int, got True", nn.RNN(2, 3), {"every": True}),
    (ValueError, "max_norm must be at least 0, got -1", nn.RNN(2, 3), {"max_norm": -1}),
    (TypeError, "max_norm must be a number, got 'a'", nn.RNN(2, 3), {"max_norm": "a"}),
    (TypeError, "expected a Module, got NoneType", None, {}),
])  # fmt: skip
def test_what_cannot_be_watched_is_said_at_once(error, says, model, options):
    with pytest.raises(error, match=f"^Monitor: {says}"):
        ts.flow.Monitor(model, **options)


def test_a_number_of_steps_may_be_of_numpy():
    assert ts.flow.Monitor(nn.RNN(2, 3), every=np.int64(3)).every == 3


@pytest.mark.parametrize("steps", [3, 8, 200])
def test_it_looks_at_a_few_steps_however_long_the_sequence_is(steps):
    lstm = nn.LSTM(2, 3)
    saturation, states = ts.flow.Monitor(lstm).look(lstm(ts.randn(steps, 2, 2))[0].sum())
    assert {len(values) for values in [*saturation.values(), *states.values()]} == {min(steps, 8)}


def test_it_is_plotted():
    pytest.importorskip("matplotlib")
    lstm = nn.LSTM(2, 3)
    monitor = ts.flow.Monitor(lstm, max_norm=1e-3)
    for _ in range(12):
        lstm.zero_grad()
        monitor.backward(lstm(ts.randn(4, 2, 2))[0].sum())
    first, second, third = monitor.plot().axes
    assert (len(first.lines), len(second.lines), len(third.lines)) == (2, 4, 2)


@pytest.mark.parametrize("count", [1, 2])
def test_every_line_of_a_plot_is_seen_and_told_from_the_others(count):
    """One look is a point. There are ten colours."""
    pytest.importorskip("matplotlib")
    lstm = nn.LSTM(2, 3, num_layers=2, bidirectional=True)
    monitor = ts.flow.Monitor(lstm, every=1)
    for _ in range(count):
        monitor.backward(lstm(ts.randn(4, 2, 2))[0].sum())
    for axes in monitor.plot().axes:
        looks = [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in axes.lines]
        assert all((marker != "None") == (count == 1) for _, _, marker in looks)
        assert count == 1 or len(set(looks)) == len(looks)
