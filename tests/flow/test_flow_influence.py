"""Influence: how far back a loss can see, in networks whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import KINDS, Run, leaf, linear_states, near, packed, runs, seeds, small

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors


def rnn_of(w, rng, inputs=2):
    """A tanh RNN with this recurrent matrix, in float64."""
    rnn = nn.RNN(inputs, len(w)).to("float64")
    rnn.weight_hh_l0.assign(w)
    rnn.weight_ih_l0.assign(rng.uniform(-1, 1, (len(w), inputs)))
    return rnn


def symmetric(rng, size, largest):
    """A symmetric matrix with this spectral norm."""
    q, _ = np.linalg.qr(rng.normal(size=(size, size)))
    values = rng.uniform(-largest, largest, size)
    values[0] = largest
    return q * values @ q.T


@given(seed=seeds, size=small, steps=st.integers(1, 6), batch=small)
def test_a_linear_network_carries_powers_of_its_matrix(seed, size, steps, batch):
    rng = np.random.default_rng(seed)
    w = rng.uniform(-1, 1, (size, size))
    h = linear_states(w, steps, rng, batch)
    found, one = ts.flow.influence(h, h).map, ts.flow.influence([h_t[0, 0] for h_t in h], h).map
    for t in range(steps):
        for k in range(steps):
            power = np.linalg.matrix_power(w, max(t - k, 0)) * (k <= t)
            near(found[t, k], np.linalg.norm(power, 2))
            near(one[t, k], np.linalg.norm(power[0]))


@given(run=runs(layers=st.just(1), bidirectional=st.just(False), longest=5))
def test_the_future_has_no_influence(run):
    (out, *_), _ = run()
    h = ts.flow.states(out)
    found = ts.flow.influence([(h_t * h_t + h_t).sum() for h_t in h], h).map
    assert not np.triu(found, 1).any()
    assert (np.diag(found) > 0).all()  # 2 h + 1


@given(seed=seeds, size=small, steps=st.integers(2, 8))
def test_a_contraction_forgets_by_its_norm_at_every_step(seed, size, steps):
    rng = np.random.default_rng(seed)
    out, _ = rnn_of(symmetric(rng, size, 0.5), rng)(ts.tensor(rng.normal(size=(steps, 1, 2))))
    h = ts.flow.states(out)
    vector, number = ts.flow.influence(h, h).map, ts.flow.influence([h[-1].sum()], h).map
    ages = np.subtract.outer(np.arange(steps), np.arange(steps))
    assert (vector <= np.where(ages >= 0, 0.5 ** np.abs(ages), 0) + 1e-15).all()
    assert (number[0, :-1] <= 0.5 * number[0, 1:] + 1e-15).all()


@given(seed=seeds, hidden=small, batch=small, steps=st.integers(1, 6))
def test_a_cell_state_that_is_never_forgotten_is_carried_unchanged(seed, hidden, batch, steps):
    """Constant error carousel: the forget gate at one, no recurrent weights."""
    rng = np.random.default_rng(seed)
    lstm = nn.LSTM(2, hidden).to("float64")
    lstm.weight_hh_l0.assign(np.zeros((4 * hidden, hidden)))
    lstm.weight_ih_l0.assign(rng.normal(size=(4 * hidden, 2)) * np.repeat([1.0, 0, 1, 1], hidden)[:, None])
    lstm.bias_ih_l0.assign(np.repeat([0.0, 100, 0, 0], hidden))
    lstm.bias_hh_l0.assign(np.zeros(4 * hidden))
    _, (_, c_n) = lstm(ts.tensor(rng.normal(size=(steps, batch, 2))))
    assert ts.flow.influence(c_n, ts.flow.states(c_n, "c")).map.tolist() == [[1.0] * steps]


@given(kind=st.sampled_from(sorted(KINDS)), seed=seeds, steps=st.integers(1, 4), batch=small)
def test_the_map_by_input_is_the_length_of_the_gradient_by_each_input(kind, seed, steps, batch):
    rng = np.random.default_rng(seed)
    x = ts.tensor(rng.normal(size=(steps, batch, 2)), requires_grad=True)
    out, _ = KINDS[kind].layer(2, 3, **KINDS[kind].options).to("float64")(x)
    losses = [h.sum() for h in ts.flow.states(out)]
    found = ts.flow.influence(losses, x)
    for t, loss in enumerate(losses):
        g = ts.grad(loss, x, retain_graph=True).numpy()
        near(found.map[t], [np.linalg.norm(g[k]) for k in range(steps)])
    near(found.shares.sum(1), found.map.any(1))  # a relu may have heard nothing


@pytest.mark.filterwarnings("error")
def test_a_share_of_what_has_no_end_is_not_a_number():
    h = ts.tensor([1.0], requires_grad=True)
    found = ts.flow.influence((h * np.inf).sum(), [h])
    assert found.map.tolist() == [[np.inf]] and np.isnan(found.shares).all()


@given(run=runs(layers=st.just(1), bidirectional=st.just(False)))
def test_nothing_is_changed_by_looking(run: Run):
    outputs, leaves = run()
    h = ts.flow.states(outputs[0])
    before = [(node, node.saved, node.output, node.owner) for node in ancestors([outputs[0].node])]
    ts.flow.influence([h[-1].sum()], h)
    after = [(node, node.saved, node.output, node.owner) for node in ancestors([outputs[0].node])]
    assert all(a is b for one, other in zip(before, after, strict=True) for a, b in zip(one, other, strict=True))
    assert all(tensor.grad is None for tensor in [*leaves, *run.layer.parameters()])
    assert packed(leaves[1:]) is not None


def test_what_cannot_have_influence_is_said():
    out, _ = nn.RNN(2, 3)(ts.ones(2, 1, 2))
    h = ts.flow.states(out)
    with pytest.raises(RuntimeError, match=r"influence: states\[1\] was not made from .* got Tensor of shape \(2,\)"):
        ts.flow.influence([h[0].sum()], [h[0], ts.ones(2)])
    with pytest.raises(RuntimeError, match=r"influence: losses\[0\] was not made from .* got float"):
        ts.flow.influence([3.0], h)
    with pytest.raises(ValueError, match="influence: states must be at least one Tensor, got none"):
        ts.flow.influence(h, [])
    with pytest.raises(ValueError, match=r"influence: states: a Tensor of shape \(\) has no slices"):
        ts.flow.influence(h, h[0].sum())
    for new in ([out[0], out[1]], out.unstack(), out[:2]):
        with pytest.raises(RuntimeError, match=r"not made of these states: a slice .* ts\.flow\.states\(out\)"):
            ts.flow.influence(out[-1].sum(), new)
    assert ts.flow.influence([h[0].sum()], h[1:]).map.tolist() == [[0.0]]
    assert ts.flow.influence([h[0].sum()], h).method == "products of Jacobians from step to step"
    out.sum().backward()
    with pytest.raises(RuntimeError, match="freed"):
        ts.flow.influence([h[0].sum()], h)


def test_steps_of_an_input_that_are_not_read_have_no_influence():
    x = leaf(np.ones((4, 2)))
    used = x.unstack()
    found = ts.flow.influence([used[1] * 2.0, used[3].sum() + used[1].sum()], x)
    near(found.map, [[0, 2, 0, 0], [0, 2**0.5, 0, 2**0.5]])
    assert list(found.nodes) == [used[1].node, used[3].node]
    swapped = ts.flow.influence((x.T * ts.tensor(np.arange(4.0))).sum(), x)
    near(swapped.map, [np.arange(4) * 2**0.5])


def test_a_map_is_plotted():
    pytest.importorskip("matplotlib")
    out, _ = nn.RNN(2, 3)(ts.ones(4, 1, 2))
    h = ts.flow.states(out)
    found = ts.flow.influence([h_t.sum() for h_t in h], h)
    assert len(found.plot().axes) == 2
    assert "on the last loss" in repr(found)
