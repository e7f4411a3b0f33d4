"""The log of a backward: as many frames as calls of rules, in the walk's order, and the gradients in it bit for bit."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import leaf, runs, seeds

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.engine.primitive import registry


def loss_of(run):
    outputs, leaves = run()
    weights = [ts.tensor(run.rng.uniform(-1, 1, y.shape)) for y in outputs]
    return sum((y * w).sum() for y, w in zip(outputs, weights, strict=True)), leaves


@contextmanager
def rule_calls():
    """Every call of a rule, of any kind, counted."""
    counts, before = [], [(op, op.rules, op.joint, op.merge) for op in registry.values()]

    def counted(rule):
        return rule if rule is None else lambda *args, **static: (counts.append(1), rule(*args, **static))[1]

    try:
        for op, rules, joint, merge in before:
            op.rules, op.joint, op.merge = tuple(map(counted, rules)), counted(joint), counted(merge)
        yield counts
    finally:
        for op, rules, joint, merge in before:
            op.rules, op.joint, op.merge = rules, joint, merge


@given(run=runs(proj=True))
def test_replaying_the_log_gives_every_leaf_gradient_bit_for_bit(run):
    loss, leaves = loss_of(run)
    log = ts.flow.record(loss)
    assert all(parameter.grad is None for parameter in run.layer.parameters())
    replayed = log.replay()
    loss.backward()
    tensors = [*leaves, *run.layer.parameters()]
    for tensor in tensors:
        assert tensor.grad.numpy().tobytes() == replayed.pop(tensor.node).tobytes()
    assert not replayed


@given(seed=seeds, kinds=st.lists(st.sampled_from(["take", "getitem", "mask", "sum", "self", "cast"]), min_size=1))
def test_uses_of_every_kind_are_replayed_bit_for_bit(seed, kinds):
    rng = np.random.default_rng(seed)
    x = leaf(rng.normal(size=(4, 3)).astype("float32"))
    uses = {
        "take": lambda: x.take(rng.integers(0, 4, 5)),
        "getitem": lambda: x[int(rng.integers(4)) :],
        "mask": lambda: x[rng.random((4, 3)) < 0.5],
        "sum": lambda: x.sum(0),
        "self": lambda: ts.concatenate([x * x, x]),
        "cast": lambda: x.to("float64") * ts.tensor(rng.normal(size=3)),
    }
    terms = [uses[kind]() for kind in kinds]
    loss = sum((y * ts.tensor(rng.normal(size=y.shape).astype(y.dtype))).sum() for y in terms) + 0.0 * x.sum()
    replayed = ts.flow.record(loss).replay()
    loss.backward()
    assert x.grad.numpy().tobytes() == replayed[x.node].tobytes() and replayed[x.node].dtype == np.float32


@given(run=runs())
def test_a_frame_for_every_call_of_a_rule(run):
    loss, _ = loss_of(run)
    with rule_calls() as counts:
        log = ts.flow.record(loss)
    assert len(log.frames) == len(counts)
    with rule_calls() as again:
        loss.backward()
    assert len(again) == len(counts)


@given(run=runs())
def test_every_node_comes_after_all_its_consumers(run):
    loss, _ = loss_of(run)
    log = ts.flow.record(loss)
    nodes = ancestors([loss.node], constants=False)
    assert list(log) == nodes[::-1]
    place = {node: i for i, node in enumerate(log)}
    spent = set()
    for frame in log.frames:
        assert spent.isdisjoint(frame.into), "something arrived after it was passed on"
        spent.update(frame.nodes)
        assert all(place[node] < place[parent] for node in frame.nodes for parent in frame.into)
    assert {node for frame in log.frames for node in frame.into} | {loss.node} == set(nodes)


@given(run=runs(layers=st.just(1), bidirectional=st.just(False)))
def test_lengths_are_those_of_the_gradients(run):
    loss, leaves = loss_of(run)
    log = ts.flow.record(loss)
    tensors = [*leaves, *run.layer.parameters()]
    for tensor, g in zip(tensors, ts.grad(loss, tensors, retain_graph=True), strict=True):
        np.testing.assert_allclose(log[tensor.node], np.linalg.norm(g.numpy()), rtol=1e-12)
    assert log[loss.node] == 1.0
    for frame in log.frames:
        assert frame.incoming == pytest.approx(np.linalg.norm([log[node] for node in frame.nodes]), rel=1e-12)
        assert len(frame.into) == len(frame.outgoing) == len(frame.first)


def test_frames_say_where_they_belong():
    out, _ = nn.LSTM(2, 3)(ts.ones(3, 1, 2))
    log = ts.flow.record(out.sum())
    assert [frame.step for frame in log.frames if frame.op == "tanh"] == [2, 2, 1, 1, 0, 0]
    assert {frame.step for frame in log.frames} == {None, 0, 1, 2}
    first = next(frame for frame in log.frames if frame.nodes[0].name == "forget")
    assert first.op == "sigmoid" and "LSTM/0/forward/2" in repr(first)
    assert f"{len(log.frames)} calls of rules through {len(log)} nodes" in repr(log)
    assert len(repr(log).splitlines()) <= 22


def test_a_loss_that_is_a_leaf_and_a_freed_graph():
    w = leaf([2.0])
    log = ts.flow.record(w)
    assert (dict(log), log.frames, log.replay()[w.node].tolist()) == ({w.node: 1.0}, [], [1.0])
    number = leaf(2.0)
    log = ts.flow.record(number * number)
    assert log[number.node] == 4.0 and log.replay()[number.node].tolist() == 4.0
    with pytest.raises(TypeError, match="record: the loss must be a Tensor, got list"):
        ts.flow.record([w])
    loss = (w * w).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="freed"):
        ts.flow.record(loss)


def test_a_log_is_plotted():
    pytest.importorskip("matplotlib")
    out, _ = nn.RNN(2, 3)(ts.ones(4, 1, 2))
    (axes,) = ts.flow.record(out.sum()).plot().axes
    assert len(axes.lines) == 3
