"""`detect_anomaly`: the first value that is not finite is an error that says where; outside it, NaN flows."""

import contextlib
import contextvars
import re
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import leaf, runs

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors

GATES = {"lstm": ["input", "forget", "cell", "output"], "gru": ["reset", "update", "new"], "rnn": ["h"]}
LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def bent(kind, gate, direction):
    """A layer in which only this gate reads x, so strongly that a large x overflows."""
    layer = LAYERS[kind](2, 3, bidirectional=True).to("float64")
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_ih"):
            rows = np.arange(len(parameter)) // 3 == GATES[kind].index(gate)
            mine = name.endswith("reverse") == (direction == "reverse")
            parameter.assign(np.where(rows[:, None] & mine, 1e30, 0.0) * np.ones(parameter.shape))
    return layer


@given(kind=st.sampled_from(sorted(GATES)), step=st.integers(0, 9), data=st.data(),
       direction=st.sampled_from(["forward", "reverse"]))  # fmt: skip
def test_an_inf_in_a_gate_is_found_where_it_starts(kind, step, data, direction):
    gate = data.draw(st.sampled_from(GATES[kind]))
    layer, x = bent(kind, gate, direction), np.ones((10, 2, 2))
    x[step, 1] = 1e300
    with pytest.raises(RuntimeError) as caught, ts.detect_anomaly():
        layer(ts.tensor(x))
    text = str(caught.value)
    assert text.startswith(f"detect_anomaly: {kind.upper()}, layer 0, {direction}, step {step}, {gate}: ")
    assert re.search(rf"(matmul|add) gave inf at \[1, \d+\] of \(2, \d+\), at .*{kind}\.py:\d+: .*matmul", text)
    path = caught.value.path
    assert path[caught.value.node] == len(path) and sorted(path.values()) == list(range(1, len(path) + 1))
    assert caught.value.output.node is caught.value.node and not np.isfinite(caught.value.output.numpy()).all()
    assert caught.value.node.op.name in ("matmul", "add") and f"step={step}" in repr(caught.value.node.scope)


def test_a_home_made_cell_is_named_the_same():
    class Broken(nn.Module):
        hidden_size = 2

        def __init__(self):
            self.weight = nn.Parameter(np.ones((2, 2)))

        def forward(self, x, h):
            a = (x + h) @ self.weight
            a = a / (1.0 - x[:, :1])  # which is 1 at step 7
            forget = a.sigmoid().named("forget")
            return (forget * h).named("h")

    x = np.arange(10.0).repeat(2).reshape(10, 1, 2) - 6.0
    with pytest.raises(RuntimeError) as caught, ts.detect_anomaly():
        nn.Recurrent(Broken())(ts.tensor(x))
    assert "Recurrent, step 7, cell, forget: divide gave inf at [0, 0] of (1, 2)" in str(caught.value)
    assert "a = a / (1.0 - x[:, :1])  # which is 1 at step 7" in str(caught.value)


def test_what_a_step_does_before_its_cell_is_not_named_after_a_gate():
    cell, x = nn.LSTMCell(2, 3), ts.ones(1, 2).named("x")
    with pytest.raises(RuntimeError, match=r"detect_anomaly: step 1: divide gave inf"), ts.detect_anomaly():
        state = None
        for t in range(3):
            with ts.scope(step=t):
                state = cell(x / float(t != 1), state)


def test_a_part_of_a_cell_is_named_after_the_gate_it_is_for():
    class Gated(nn.Module):
        hidden_size = 2

        def __init__(self):
            self.linear = nn.Linear(2, 2)
            self.linear.weight.assign(self.linear.weight * 1e30)

        def forward(self, x, h):
            return (self.linear(x).sigmoid().named("gate") * h).named("h")

    x = ts.full((2, 1, 2), 1e30)
    with pytest.raises(RuntimeError, match=r"step 0, cell, linear, gate: matmul gave"), ts.detect_anomaly():
        nn.Recurrent(Gated())(x)


def test_what_came_in_bad_is_said_to_have_come_in():
    x = ts.tensor(np.full((3, 1, 2), np.nan)).named("prices")
    came = r"its argument 0, prices, of shape \(3, 1, 2\) came in with nan at \[0, 0, 0\]"
    with pytest.raises(RuntimeError, match=came), ts.detect_anomaly():
        nn.RNN(2, 3).to("float64")(x)


def test_ops_that_are_not_recorded_are_looked_at_too():
    with pytest.raises(RuntimeError, match=r"outside all modules: log gave -inf at \[1\]") as e, ts.detect_anomaly():
        ts.tensor([1.0, 0.0]).log()
    assert e.value.node is None and e.value.path == {}


@pytest.mark.parametrize("parts", [ts.unstack, lambda x: ts.split(x, 1), lambda x: [x.tanh()]])
def test_what_has_no_history_may_come_in_parts(parts):
    x = (leaf([1.0, 0.0]) * 1.0).detach()
    with ts.detect_anomaly():
        assert [y.requires_grad for y in parts(x)] == [False] * len(parts(x))
    with pytest.raises(RuntimeError, match=r"log gave -inf at \[1\]"), ts.detect_anomaly():
        parts(x.log())


def test_a_truncated_network_trains_under_its_eyes():
    windows = ts.truncated(nn.LSTM(2, 3))
    with ts.detect_anomaly():
        for window in ts.ones(6, 1, 2).split(2):
            windows(window).sum().backward()


@pytest.mark.parametrize("recorded", [False, True])
def test_a_rule_that_gives_inf_is_named_with_the_line_that_made_its_op(recorded):
    w = leaf([4.0, 0.0])
    with pytest.raises(RuntimeError) as caught, ts.detect_anomaly():
        with ts.scope(step=3):
            y = w.sqrt().named("root")
        y.sum().backward(create_graph=recorded)
    assert "step 3" in str(caught.value) and "inf at [1] of (2,)" in str(caught.value)
    if recorded:
        assert "step 3, backward: " in str(caught.value)
    else:
        assert "backward: step 3, root: the rule of sqrt gave a leaf inf" in str(caught.value)
        assert "y = w.sqrt()" in str(caught.value)
        assert list(caught.value.path) == [w.node, y.node]
        assert caught.value.node in ancestors([caught.value.output.node])
        assert "came in with" not in str(caught.value)
    assert w.grad is None
    assert "the way to the first NaN or inf" in ts.draw(caught.value.output, show=caught.value.path).dot


def test_grad_is_watched_as_backward_is():
    w = leaf([0.0])
    y = w.sqrt().sum()
    with pytest.raises(RuntimeError, match="rule of sqrt"), ts.detect_anomaly():
        ts.grad(y, w, retain_graph=True)
    with np.errstate(all="ignore"):
        assert ts.grad(y, w).tolist() == [np.inf]


@pytest.mark.filterwarnings("ignore:backward. the loss is nan")
def test_a_loss_that_is_nan_is_refused_before_backward():
    w = leaf([1.0])
    loss = (w * np.nan).sum()
    with pytest.raises(RuntimeError, match="backward: the loss is nan") as caught, ts.detect_anomaly():
        loss.backward()
    assert caught.value.output is loss and caught.value.path[loss.node] == len(caught.value.path) == 3
    assert w.grad is None
    loss.backward()  # the graph was not touched
    assert np.isnan(w.grad.item())


@given(run=runs(longest=3))
def test_a_sound_network_computes_and_records_the_same(run):
    def computed():
        outputs, leaves = run()
        loss = sum((y * y).sum() for y in outputs)
        nodes = [(node.op, node.name, node.shape, node.scope.path()) for node in ancestors([loss.node])]
        loss.backward()
        return [t.numpy().tobytes() for t in outputs] + [x.grad.numpy().tobytes() for x in leaves], nodes

    plain = computed()
    with ts.detect_anomaly():
        watched = computed()
    assert plain == watched


def test_every_recorded_op_knows_its_line():
    with ts.detect_anomaly():
        out, _ = nn.LSTM(2, 3)(ts.ones(2, 1, 2))
        y = out.sum()
    assert re.search(r"test_anomaly\.py:\d+$", y.node.line)
    for node in ancestors([y.node]):
        assert node.op is None or re.search(r"(test_anomaly|lstm|cell|recurrent|recurrent_layers)\.py:\d+$", node.line)
    out, _ = nn.LSTM(2, 3)(ts.ones(2, 1, 2))
    assert {node.line for node in ancestors([out.node])} == {None}


def nan_flows():
    w = leaf([0.0])
    with np.errstate(all="ignore"):
        y = w / w
        y.sum().backward()
    return np.isnan(y.item())


@pytest.mark.filterwarnings("ignore:backward. the loss is nan")
def test_outside_nan_flows():
    assert nan_flows()
    with contextlib.suppress(RuntimeError), ts.detect_anomaly():
        leaf([0.0]).log()
    assert nan_flows()
    with ts.detect_anomaly(), ts.no_grad():
        assert np.isnan((leaf([0.0]) / 0.0).item())


@pytest.mark.filterwarnings("ignore:backward. the loss is nan")
def test_other_threads_are_not_watched():
    found = []
    with ts.detect_anomaly():
        thread = threading.Thread(target=lambda: found.append(nan_flows()))
        thread.start()
        thread.join()
    assert found == [True]


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_copy_of_the_context_is_watched_at_work_in_many_threads(steps):
    """As `asyncio.to_thread` makes one: each thread finds its own, and what still waits for a name the context does."""
    w, start, found, before = leaf([1.0]), threading.Barrier(4), [], np.geterr()

    def work(me):
        start.wait(10)
        for t in range(max(steps, 1)):
            with ts.scope(**{"thread": me, "step": t} if steps else {}):
                for _ in range(100):
                    w * 2.0
                leaf([0.0, me]).log()

    def caught(me):
        try:
            work(me)
        except RuntimeError as error:
            found.append((me, str(error)))

    def watched():
        with ts.detect_anomaly():
            threads = [threading.Thread(target=contextvars.copy_context().run, args=(caught, me)) for me in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    if steps == 1:
        with pytest.raises(RuntimeError, match=r"step 0: log gave -inf"):
            watched()
    else:
        watched()
        assert sorted(me for me, _ in found) == [0, 1, 2, 3]
        for me, text in found:
            assert f"{f'thread {me}, step 0' if steps else 'outside all modules'}: log gave -inf" in text
    assert np.geterr() == before


def test_an_op_is_looked_at_while_another_is_being_made_in_a_copy_of_the_context():
    missed = []

    @ts.primitive
    def crowded(xp, x):
        """Meanwhile another thread finds an inf."""
        thread = threading.Thread(target=copied.copy().run, args=(other,))
        thread.start()
        thread.join()
        return x

    def other():
        with contextlib.suppress(RuntimeError):
            missed.append(leaf([0.0]).log())

    crowded.vjps(None)
    with ts.detect_anomaly():
        copied = contextvars.copy_context()
        crowded(leaf([1.0]))
    assert not missed


def test_nothing_is_looked_at_under_no_grad_whichever_is_inside():
    with ts.no_grad(), ts.detect_anomaly():
        y = leaf([0.0]).log()
    assert not y.requires_grad and np.isinf(y.item())


def test_another_error_passes_unless_a_bad_value_led_to_it():
    with pytest.raises(KeyError), ts.detect_anomaly():
        raise KeyError("mine")
    with pytest.raises(RuntimeError, match="step 0: log gave -inf") as caught, ts.detect_anomaly(), ts.scope(step=0):
        y = leaf([0.0]).log()
        int(y)
    assert isinstance(caught.value.__cause__, OverflowError)


def test_the_last_step_is_over_when_the_context_is():
    with pytest.raises(RuntimeError, match="step 0: log gave -inf"), ts.detect_anomaly(), ts.scope(step=0):
        leaf([0.0]).log()
