"""Optimisers against their formulas, written out in NumPy for twenty steps; and what a step must leave alone.

A step records nothing and changes no array in place: a graph recorded before it keeps the old values. An optimiser
saved and loaded goes on bit for bit. Clipping is one factor for all gradients together, or an error that changes none.
"""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from laws import assert_same
from networks import seeds

import tinygrad_seq as ts
from tinygrad_seq import nn, optim

shapes = st.lists(npst.array_shapes(min_dims=0, max_dims=2, max_side=3), min_size=1, max_size=3)
sizes = st.floats(1e-4, 0.5)
decays = st.sampled_from([0.0, 0.01, 0.3])
STEPS = 20


def parameters_of(rng, shapes, dtype="float64"):
    return [nn.Parameter(rng.normal(size=shape).astype(dtype)) for shape in shapes]


def give(rng, parameters):
    """A new gradient each; now and then none, as where a branch was not taken."""
    for parameter in parameters:
        parameter.grad = None
        if rng.random() < 0.9:
            parameter.grad = ts.tensor(rng.normal(size=parameter.shape).astype(parameter.dtype))


def values(parameters):
    return [parameter.numpy().copy() for parameter in parameters]


def adam(x, g, state, lr, b1, b2, eps, weight_decay):
    t, m, v = state.get("t", 0) + 1, state.get("m", 0.0), state.get("v", 0.0)
    g = g + weight_decay * x
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    state.update(t=t, m=m, v=v)
    return x - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)


def sgd(x, g, state, lr, momentum, dampening, weight_decay, nesterov):
    g = g + weight_decay * x
    if momentum:
        state["v"] = momentum * state["v"] + (1 - dampening) * g if "v" in state else g
        g = g + momentum * state["v"] if nesterov else state["v"]
    return x - lr * g


def assert_follows(make, formula, seed, shapes):
    rng = np.random.default_rng(seed)
    parameters = parameters_of(rng, shapes)
    optimizer, expected, states = make(parameters), values(parameters), [{} for _ in parameters]
    for _ in range(STEPS):
        give(rng, parameters)
        optimizer.step()
        for i, parameter in enumerate(parameters):
            if parameter.grad is not None:
                expected[i] = formula(expected[i], parameter.grad.numpy(), states[i])
        for found, wanted in zip(values(parameters), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


@given(seed=seeds, shapes=shapes, lr=sizes, b1=st.floats(0, 0.99), b2=st.floats(0, 0.999), decay=decays,
       eps=st.sampled_from([1e-8, 1e-3]))
def test_adam_is_its_formula(seed, shapes, lr, b1, b2, decay, eps):
    assert_follows(lambda p: optim.Adam(p, lr=lr, betas=(b1, b2), eps=eps, weight_decay=decay),
                   lambda x, g, state: adam(x, g, state, lr, b1, b2, eps, decay), seed, shapes)


@given(seed=seeds, shapes=shapes, lr=sizes, momentum=st.sampled_from([0.0, 0.5, 0.9]), dampening=st.floats(0, 1),
       decay=decays, nesterov=st.booleans())
def test_sgd_is_its_formula(seed, shapes, lr, momentum, dampening, decay, nesterov):
    nesterov = nesterov and momentum > 0
    options = {"lr": lr, "momentum": momentum, "dampening": 0.0 if nesterov else dampening, "weight_decay": decay,
               "nesterov": nesterov}
    assert_follows(lambda p: optim.SGD(p, **options), lambda x, g, state: sgd(x, g, state, **options), seed, shapes)


MAKERS = {
    "Adam": lambda p, lr=0.05: optim.Adam(p, lr=lr, weight_decay=0.01),
    "SGD": lambda p, lr=0.05: optim.SGD(p, lr=lr),
    "SGD momentum": lambda p, lr=0.05: optim.SGD(p, lr=lr, momentum=0.9, dampening=0.2, weight_decay=0.01),
    "SGD nesterov": lambda p, lr=0.05: optim.SGD(p, lr=lr, momentum=0.9, nesterov=True),
}
each_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
dtypes = st.sampled_from(["float32", "float64"])


@each_maker
@given(seed=seeds, shapes=shapes, dtype=dtypes, at=st.integers(0, 5))
def test_a_saved_optimiser_goes_on_bit_for_bit(make, tmp_path_factory, seed, shapes, dtype, at):
    rng, path = np.random.default_rng(seed), tmp_path_factory.getbasetemp() / "optimiser"
    parameters = parameters_of(rng, shapes, dtype)
    optimizer = make(parameters)
    for _ in range(at):
        give(rng, parameters)
        optimizer.step()
    ts.save(optimizer.state_dict(), path)
    snapshot = optimizer.state_dict()
    twins = [nn.Parameter(p.numpy()) for p in parameters]
    other = make(twins, lr=0.7)
    other.load_state_dict(ts.load(path))
    assert other.lr == optimizer.lr
    for _ in range(5):
        give(rng, parameters)
        for parameter, twin in zip(parameters, twins, strict=True):
            twin.grad = parameter.grad
        optimizer.step()
        other.step()
        assert_same(values(twins), values(parameters))
    again = make(twins)
    again.load_state_dict(snapshot)  # what state_dict gave has not moved since
    for before, after in zip(ts.load(path)["state"], again.state_dict()["state"], strict=True):
        assert before.keys() == after.keys()
        assert_same(list(before.values()), list(after.values()))


@each_maker
@given(seed=seeds, shapes=shapes, dtype=dtypes)
def test_a_step_records_nothing_and_changes_no_array(make, seed, shapes, dtype):
    rng = np.random.default_rng(seed)
    parameters = parameters_of(rng, shapes, dtype)
    optimizer = make(parameters)
    losses = [(p * p * p).sum() for p in parameters]  # recorded before the step
    old, nodes, copies = [p.array for p in parameters], [p.node for p in parameters], values(parameters)
    for parameter in parameters:
        parameter.grad = ts.tensor(rng.normal(size=parameter.shape).astype(dtype))
    given_gradients = [p.grad.numpy().copy() for p in parameters]
    for _ in range(3):
        optimizer.step()
    assert_same(old, copies)
    assert_same([p.grad.numpy() for p in parameters], given_gradients)
    for parameter, node, array in zip(parameters, nodes, old, strict=True):
        assert parameter.is_leaf and parameter.node is node and parameter.requires_grad
        assert parameter.dtype == dtype
        assert not np.shares_memory(parameter.array, array)
        assert not np.shares_memory(parameter.array, parameter.grad.array)
    optimizer.zero_grad()
    assert [p.grad for p in parameters] == [None] * len(parameters)
    for loss, parameter, x in zip(losses, parameters, copies, strict=True):
        loss.backward()
        np.testing.assert_allclose(parameter.grad.numpy(), 3 * x**2, rtol=1e-5)


@pytest.mark.parametrize("make", [
    lambda p, number: optim.Adam(p, lr=number(0.1)),
    lambda p, number: optim.Adam(p, lr=0.1, betas=(number(0.9), number(0.99)), eps=number(1e-8)),
    lambda p, number: optim.Adam(p, lr=0.1, weight_decay=number(0.1)),
    lambda p, number: optim.SGD(p, lr=number(0.1)),
    lambda p, number: optim.SGD(p, lr=0.1, momentum=number(0.9), dampening=number(0.1), weight_decay=number(0.1)),
], ids=["Adam lr", "Adam betas eps", "Adam decay", "SGD lr", "SGD all"])  # fmt: skip
@pytest.mark.parametrize("number", [float, np.float64, np.float32], ids=str)
def test_numbers_of_numpy_leave_float32_parameters_float32(make, number):
    w = nn.Parameter(np.ones(3, "float32"))
    optimizer = make([w], number)
    for _ in range(2):
        w.grad = ts.ones(3)
        optimizer.step()
        assert w.dtype == np.float32
    optimizer.lr = number(0.5)
    optimizer.step()
    assert (w.dtype, optimizer.lr) == (np.float32, 0.5)


# ------------------------------------------------------------------------------------------------------------ clipping


def with_gradients(seed, shapes, scale=1.0):
    rng = np.random.default_rng(seed)
    parameters = parameters_of(rng, shapes)
    for parameter in parameters:
        parameter.grad = ts.tensor(rng.normal(size=parameter.shape) * scale)
    return parameters, np.concatenate([p.grad.numpy().ravel() for p in parameters])


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, math.inf])
@given(seed=seeds, shapes=shapes, scale=st.sampled_from([1e-3, 1.0, 1e3]), limit=st.floats(0.01, 10))
def test_the_joint_norm_is_clipped_by_one_factor(order, seed, shapes, scale, limit):
    parameters, whole = with_gradients(seed, shapes, scale)
    ignored = nn.Parameter([1.0])
    norm = optim.clip_grad_norm_([ignored, *parameters], limit, order)
    np.testing.assert_allclose(norm, np.linalg.norm(whole, order), rtol=1e-12)
    factor = min(1.0, limit / (norm + 1e-6))
    found = np.concatenate([p.grad.numpy().ravel() for p in parameters])
    np.testing.assert_allclose(found, whole * factor, rtol=1e-12)
    if factor == 1.0:
        assert_same([found], [whole])
    assert np.linalg.norm(found, order) <= limit * (1 + 1e-12)
    assert ignored.grad is None


@pytest.mark.parametrize("order", [1.0, 2.0, math.inf])
@given(seed=seeds, shapes=shapes, bad=st.sampled_from([np.nan, np.inf, -np.inf]), data=st.data())
def test_a_gradient_that_is_not_finite_is_refused_and_nothing_changes(order, seed, shapes, bad, data):
    parameters, _ = with_gradients(seed, shapes)
    chosen = data.draw(st.sampled_from(range(len(parameters))))
    spoiled = parameters[chosen].grad.numpy().copy()
    spoiled.flat[data.draw(st.integers(0, spoiled.size - 1))] = bad
    parameters[chosen].grad = ts.tensor(spoiled)
    before = [p.grad.numpy().copy() for p in parameters]
    with pytest.raises(RuntimeError, match=r"clip_grad_norm_.*not finite"):
        optim.clip_grad_norm_(parameters, 1.0, order)
    assert_same([p.grad.numpy() for p in parameters], before)


def test_large_gradients_are_finite_and_clipped():
    w = nn.Parameter(np.zeros(4, "float32"))
    w.grad = ts.tensor(np.full(4, 1e30, "float32"))  # whose square is not a float32
    assert optim.clip_grad_norm_([w], 1.0) == pytest.approx(2e30)
    np.testing.assert_allclose(w.grad.numpy(), 0.5, rtol=1e-6)


@given(seed=seeds, shapes=shapes, limit=st.floats(0, 2))
def test_values_are_clipped_one_by_one(seed, shapes, limit):
    parameters, whole = with_gradients(seed, shapes)
    optim.clip_grad_value_(parameters, limit)
    assert_same([np.concatenate([p.grad.numpy().ravel() for p in parameters])], [np.clip(whole, -limit, limit)])


@given(seed=seeds, shapes=shapes)
def test_clipping_makes_new_arrays(seed, shapes):
    for clip in (optim.clip_grad_norm_, optim.clip_grad_value_):
        parameters, whole = with_gradients(seed, shapes)
        assume(np.abs(whole).max() > 0.01)
        held = [p.grad for p in parameters]
        clip(parameters, 0.01)
        assert_same([np.concatenate([g.numpy().ravel() for g in held])], [whole])


# -------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("kind, says, call", [
    (ValueError, r"Adam: lr .*-0\.1", lambda w: optim.Adam([w], lr=-0.1)),
    (ValueError, r"SGD: lr .*nan", lambda w: optim.SGD([w], lr=math.nan)),
    (ValueError, r"Adam: lr .*inf", lambda w: optim.Adam([w], lr=math.inf)),
    (TypeError, r"Adam: lr .*fast", lambda w: optim.Adam([w], lr="fast")),
    (TypeError, r"SGD: momentum .*None", lambda w: optim.SGD([w], momentum=None)),
    (ValueError, r"Adam: betas .*1\.0", lambda w: optim.Adam([w], betas=(0.9, 1.0))),
    (ValueError, r"Adam: betas .*-0\.1", lambda w: optim.Adam([w], betas=(-0.1, 0.9))),
    (ValueError, r"Adam: betas .*nan", lambda w: optim.Adam([w], betas=(0.9, math.nan))),
    ((TypeError, ValueError), r"Adam: betas .*0\.9", lambda w: optim.Adam([w], betas=0.9)),
    ((TypeError, ValueError), r"Adam: betas .*0\.9", lambda w: optim.Adam([w], betas=(0.9,))),
    (ValueError, r"Adam: eps", lambda w: optim.Adam([w], eps=-1.0)),
    (ValueError, r"Adam: weight_decay", lambda w: optim.Adam([w], weight_decay=-1.0)),
    (ValueError, r"SGD: momentum", lambda w: optim.SGD([w], momentum=-1.0)),
    (ValueError, r"SGD: nesterov", lambda w: optim.SGD([w], nesterov=True)),
    (ValueError, r"SGD: nesterov", lambda w: optim.SGD([w], momentum=0.9, dampening=0.1, nesterov=True)),
    (ValueError, r"SGD: .*no parameters", lambda w: optim.SGD([])),
    (TypeError, r"SGD: parameter 1 .*Tensor", lambda w: optim.SGD([w, ts.ones(2)])),
    (ValueError, r"lr.*-1", lambda w: setattr(optim.SGD([w]), r"lr", -1.0)),
    (ValueError, r"1 parameters.* 2", lambda w: optim.SGD([w, w]).load_state_dict(optim.SGD([w]).state_dict())),
])  # fmt: skip
def test_wrong_numbers_are_said(kind, says, call):
    with pytest.raises(kind, match=says):
        call(nn.Parameter([1.0, 2.0]))
