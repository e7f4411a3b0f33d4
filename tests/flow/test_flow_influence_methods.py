"""Both methods of influence, walks back and products of Jacobians, give the same map, and cost what they say."""

import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import leaf, linear_states, near, packed, runs

import tinygrad_seq as ts
from tinygrad_seq import nn

METHODS = ("walks", "products")


def by(method, losses, states):
    """The map by one method: a hook, though it changes nothing, has to be called as in a backward, by walks."""
    tensors = [tensor for given in (losses, states) for tensor in (given if isinstance(given, list) else [given])]
    for tensor in tensors:
        tensor.node.hooks = {0: lambda g: None} if method == "walks" else None
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
    (h[first:] or h)[0].node.hooks = {0: lambda g: None}
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
