"""States and influence: what the recurrence itself recorded, and how far back a loss can see."""

import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import KINDS, Run, leaf, packed, runs, seeds, small

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors


def near(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


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


def linear_states(w, steps, rng, batch=1):
    """h_t = W h_{t-1} + x_t, for rows h, as a user writes it."""
    weight = ts.tensor(w, requires_grad=True)
    h, found = ts.tensor(rng.normal(size=(batch, len(w))), requires_grad=True), []
    for t in range(steps):
        with ts.scope(step=t):
            h = (h @ weight.T + ts.tensor(rng.normal(size=h.shape))).named("h")
        found.append(h)
    return found


# -------------------------------------------------------------------------------------------------------------- states


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


# ----------------------------------------------------------------------------------------------------------- influence


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
    assert ts.flow.influence([h[0].sum()], h).method == "products of Jacobians from step to step"
    out.sum().backward()
    with pytest.raises(RuntimeError, match="freed"):
        ts.flow.influence([h[0].sum()], h)


METHODS = ("walks", "products")


def by(method, losses, states):
    """The map by one method: a hook, though it changes nothing, has to be called as in a backward, by walks."""
    tensors = [tensor for given in (losses, states) for tensor in (given if isinstance(given, list) else [given])]
    for tensor in tensors:
        tensor.node.hooks = [lambda g: None] if method == "walks" else None
    found = ts.flow.influence(losses, states)
    for tensor in tensors:
        tensor.node.hooks = None
    assert method in found.method or not found.map.any()  # nothing to hook, and nothing to walk
    return found.map


@given(run=runs(proj=True, longest=5), data=st.data())
def test_both_methods_give_the_same_map(run, data):
    """Of states by earlier ones and by the first state, of outputs under `lengths`, of numbers by inputs."""
    lengths = data.draw(st.none() | st.lists(st.integers(0, run.sizes["T"]), min_size=run.sizes["B"],
                                             max_size=run.sizes["B"]))  # fmt: skip
    x, *first = map(leaf, [run.x, *run.states])
    out, _ = run.layer(x, packed(first), lengths=lengths)
    where = {"layer": run.sizes["layers"] - 1, "direction": run.layer.directions[-1]}
    h, low = ts.flow.states(out, **where), ts.flow.states(out, layer=0, direction="forward")
    for losses, states in ((h, low), (h, h), ([*out.unstack()], [*low, *first]), ([y.sum() for y in out], low)):
        walks, products = by("walks", losses, states), by("products", losses, states)
        near(walks, products)
        assert ((walks == 0) == (products == 0)).all()
    if lengths is None and (run.sizes["layers"] == 1 or len(run.layer.directions) == 1):  # else x is unstacked twice
        near(by("walks", h, x), by("products", h, x))


@pytest.mark.parametrize("method", METHODS)
def test_a_state_that_reads_the_last_two_has_the_influence_of_fibonacci(method):
    h = [leaf(np.ones(2)), leaf(np.ones(2))]
    for t in range(2, 9):
        with ts.scope(step=t):
            h.append(h[-1] + h[-2])
    near(by(method, h[-1], h), [[13, 21, 13, 8, 5, 3, 2, 1, 1]])


def test_steps_of_an_input_that_are_not_read_have_no_influence():
    x = leaf(np.ones((4, 2)))
    used = x.unstack()
    found = ts.flow.influence([used[1] * 2.0, used[3].sum() + used[1].sum()], x)
    near(found.map, [[0, 2, 0, 0], [0, 2**0.5, 0, 2**0.5]])
    assert list(found.nodes) == [used[1].node, used[3].node]
    swapped = ts.flow.influence((x.T * ts.tensor(np.arange(4.0))).sum(), x)
    near(swapped.map, [np.arange(4) * 2**0.5])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(), (0, 2), (1, 1)])
def test_a_number_is_a_state_and_nothing_has_no_influence(method, shape):
    h = [leaf(np.ones(shape))]
    for t in range(2):
        with ts.scope(step=t):
            h.append((h[-1] * 0.5).named("h"))
    near(by(method, h, h), np.tril([[1, 0, 0], [0.5, 1, 0], [0.25, 0.5, 1]]) * (np.size(h[0]) > 0))


def test_hooks_are_called_as_in_a_backward():
    h = linear_states(np.eye(2), 3, np.random.default_rng(0))
    h[1].register_hook(lambda g: g * 0.5)
    near(ts.flow.influence(h[-1:], h).map, [[0.5, 0.5, 1.0]])
    assert ts.flow.influence(h[-1:], h).method.startswith("2 walks")


@pytest.mark.parametrize("method", METHODS)
def test_what_explodes_or_vanishes_beyond_squares_is_still_measured(method):
    for scale, last in ((1e-100, 1e-300), (1e66, 1e198)):
        h = linear_states(scale * np.eye(2), 4, np.random.default_rng(0))
        np.testing.assert_allclose(by(method, h[-1:], h)[0, 0], last, rtol=1e-12)
        np.testing.assert_allclose(by(method, h[-1].sum(), h)[0, 0], last * 2**0.5, rtol=1e-12)
    with np.errstate(all="ignore"):
        h = linear_states(1e200 * np.eye(2), 4, np.random.default_rng(0))
        assert not np.isfinite(by(method, h[-1:], h)[0, 0])


# ---------------------------------------------------------------------------------------------------------------- cost

ANSWERS = {"numbers": lambda h: (h * h).sum(), "vectors": lambda h: h}


@pytest.fixture
def walks(monkeypatch):
    """The number of nodes that each walk of `influence` goes through."""
    walks, module = [], sys.modules["tinygrad_seq.flow.jacobians"]
    walk = module.walk
    monkeypatch.setattr(module, "walk", lambda nodes, *args: (walks.append(len(nodes)), walk(nodes, *args))[1])
    return walks


def states_of(layer, hidden, steps):
    return ts.flow.states(layer(2, hidden)(ts.ones(steps, 1, 2))[0])


def cost(walks, method, losses, h):
    """The nodes that the walks of a map go through."""
    walks.clear()
    by(method, losses, h)
    return sum(walks)


@given(run=runs(longest=4), first=st.integers(0, 3), answer=st.sampled_from([*ANSWERS]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_method_says_how_many_walks_back_there_were(walks, run, first, answer):
    """Also where some losses were made from none of the states."""
    (out, *_), _ = run()
    h = ts.flow.states(out, layer=0, direction="forward")
    walks.clear()
    (h[first:] or h)[0].node.hooks = [lambda g: None]
    found = ts.flow.influence([ANSWERS[answer](h_t) for h_t in h], h[first:] or h)
    assert found.method.startswith(f"{len(walks)} walks back from {len(h)} losses")


@pytest.mark.parametrize("steps, hidden", [(4, 8), (16, 2), (16, 4)])
@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_products_cost_as_little_as_walks_and_for_many_losses_less(walks, layer, steps, hidden):
    """For one loss about the same: each node that is handed on has a walk, and a few nodes lie on the way of two."""
    h = states_of(layer, hidden, steps)
    for losses in ([h[-1].sum()], [h[-1]], [h_t.sum() for h_t in h]):
        assert cost(walks, "products", losses, h) < 2 * cost(walks, "walks", losses, h)
    assert cost(walks, "products", h, h) < 5 / steps * cost(walks, "walks", h, h)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_the_walks_grow_with_the_length_and_not_with_its_square(walks, layer, answer):
    """Once there are more losses than elements of a state."""
    costs = []
    for steps in (10, 20, 30):
        h = states_of(layer, 4, steps)
        costs.append(cost(walks, "products", list(map(ANSWERS[answer], h)), h))
    assert costs[2] - costs[1] == pytest.approx(costs[1] - costs[0], rel=0.01)


def test_a_map_is_plotted():
    pytest.importorskip("matplotlib")
    out, _ = nn.RNN(2, 3)(ts.ones(4, 1, 2))
    h = ts.flow.states(out)
    found = ts.flow.influence([h_t.sum() for h_t in h], h)
    assert len(found.plot().axes) == 2
    assert "on the last loss" in repr(found)
