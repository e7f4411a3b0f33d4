"""Optimisers against their formulas, written out in NumPy for ten steps; and what a step must leave alone.

A step records nothing and changes no array in place: a graph recorded before it keeps the old values. An optimiser
saved and loaded goes on bit for bit.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from laws import assert_same, shares_memory
from networks import seeds

import tinygrad_seq as ts
from tinygrad_seq import nn, optim
from tinygrad_seq.engine.backend import to_host

shapes = st.lists(npst.array_shapes(min_dims=0, max_dims=2, max_side=3), min_size=1, max_size=3)
sizes = st.floats(1e-4, 0.5)
decays = st.sampled_from([0.0, 0.01, 0.3])
STEPS = 10


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


def adam(x, g, state, lr, betas, eps, weight_decay, amsgrad, decoupled):
    t, m, v, (b1, b2) = state.get("t", 0) + 1, state.get("m", 0.0), state.get("v", 0.0), betas
    x, g = (x - lr * weight_decay * x, g) if decoupled else (x, g + weight_decay * x)
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    largest = np.maximum(state.get("largest", 0.0), v) if amsgrad else v
    state.update(t=t, m=m, v=v, largest=largest)
    return x - lr * (m / (1 - b1**t)) / (np.sqrt(largest / (1 - b2**t)) + eps)


def rmsprop(x, g, state, lr, alpha, eps, weight_decay, momentum, centered):
    g = g + weight_decay * x
    v = state["v"] = alpha * state.get("v", 0.0) + (1 - alpha) * g**2
    mean = state["mean"] = alpha * state.get("mean", 0.0) + (1 - alpha) * g
    u = state["u"] = momentum * state.get("u", 0.0) + g / (np.sqrt(v - mean**2 * centered) + eps)
    return x - lr * u


def adagrad(x, g, state, lr, lr_decay, weight_decay, initial_accumulator_value, eps):
    g, t = g + weight_decay * x, state.get("t", 0)
    state.update(t=t + 1, s=state.get("s", initial_accumulator_value) + g**2)
    return x - lr / (1 + t * lr_decay) * g / (np.sqrt(state["s"]) + eps)


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


@pytest.mark.parametrize("make, decoupled", [(optim.Adam, False), (optim.AdamW, True)])
@given(seed=seeds, shapes=shapes, options=st.fixed_dictionaries({
    "lr": sizes, "betas": st.tuples(st.floats(0, 0.99), st.floats(0, 0.999)), "eps": st.sampled_from([1e-8, 1e-3]),
    "weight_decay": decays, "amsgrad": st.booleans()}))  # fmt: skip
def test_adam_is_its_formula(make, decoupled, seed, shapes, options):
    assert_follows(lambda p: make(p, **options),
                   lambda x, g, state: adam(x, g, state, decoupled=decoupled, **options), seed, shapes)


@given(seed=seeds, shapes=shapes, options=st.fixed_dictionaries({
    "lr": sizes, "alpha": st.floats(0.1, 0.99), "eps": st.sampled_from([1e-8, 1e-3]), "weight_decay": decays,
    "momentum": st.sampled_from([0.0, 0.9]), "centered": st.booleans()}))  # fmt: skip
def test_rmsprop_is_its_formula(seed, shapes, options):
    assert_follows(lambda p: optim.RMSprop(p, **options), lambda x, g, state: rmsprop(x, g, state, **options), seed,
                   shapes)


@given(seed=seeds, shapes=shapes, options=st.fixed_dictionaries({
    "lr": sizes, "lr_decay": decays, "weight_decay": decays, "initial_accumulator_value": st.floats(0, 2),
    "eps": st.sampled_from([1e-10, 1e-3])}))  # fmt: skip
def test_adagrad_is_its_formula(seed, shapes, options):
    assert_follows(lambda p: optim.Adagrad(p, **options), lambda x, g, state: adagrad(x, g, state, **options), seed,
                   shapes)


@given(seed=seeds, shapes=shapes, lr=sizes, momentum=st.sampled_from([0.0, 0.5, 0.9]), dampening=st.floats(0, 1),
       decay=decays, nesterov=st.booleans())
def test_sgd_is_its_formula(seed, shapes, lr, momentum, dampening, decay, nesterov):
    nesterov = nesterov and momentum > 0
    options = {"lr": lr, "momentum": momentum, "dampening": 0.0 if nesterov else dampening, "weight_decay": decay,
               "nesterov": nesterov}
    assert_follows(lambda p: optim.SGD(p, **options), lambda x, g, state: sgd(x, g, state, **options), seed, shapes)


MAKERS = {
    "Adam": lambda p, lr=0.05: optim.Adam(p, lr=lr, weight_decay=0.01),
    "Adam amsgrad": lambda p, lr=0.05: optim.Adam(p, lr=lr, amsgrad=True),
    "AdamW": lambda p, lr=0.05: optim.AdamW(p, lr=lr),
    "RMSprop": lambda p, lr=0.05: optim.RMSprop(p, lr=lr),
    "RMSprop all": lambda p, lr=0.05: optim.RMSprop(p, lr=lr, momentum=0.5, centered=True, weight_decay=0.01),
    "Adagrad": lambda p, lr=0.05: optim.Adagrad(p, lr=lr, lr_decay=0.1, initial_accumulator_value=0.1),
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
    assert_same(list(map(to_host, old)), copies)
    assert_same([p.grad.numpy() for p in parameters], given_gradients)
    for parameter, node, array in zip(parameters, nodes, old, strict=True):
        assert parameter.is_leaf and parameter.node is node and parameter.requires_grad
        assert parameter.dtype == dtype
        assert not shares_memory(parameter.array, array)
        assert not shares_memory(parameter.array, parameter.grad.array)
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
    lambda p, number: optim.AdamW(p, lr=number(0.1), weight_decay=number(0.1)),
    lambda p, number: optim.RMSprop(p, number(0.1), number(0.9), number(0.1), number(0.1), number(0.5), True),
    lambda p, number: optim.Adagrad(p, *(number(0.1) for _ in range(5))),
], ids=["Adam lr", "Adam betas eps", "Adam decay", "SGD lr", "SGD all", "AdamW", "RMSprop", "Adagrad"])  # fmt: skip
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


@each_maker
@given(seed=seeds, shapes=shapes)
def test_a_state_goes_where_its_parameter_goes(make, seed, shapes):
    """A model that is cast to float64 after some steps goes on in float64, and back in float32."""
    rng = np.random.default_rng(seed)
    model = nn.Module()
    for i, shape in enumerate(shapes):
        setattr(model, f"w{i}", nn.Parameter(rng.normal(size=shape).astype("float32")))
    optimizer = make(model.parameters())
    for dtype in ("float32", "float64", "float32"):
        model.to(dtype)
        give(rng, list(model.parameters()))
        optimizer.step()
        assert {p.dtype for p in model.parameters()} == {np.dtype(dtype)}
        assert all(type(p.array) is type(ts.ones(1).array) for p in model.parameters())


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.99])
def test_a_variance_of_equal_gradients_is_never_negative(alpha):
    w = nn.Parameter(np.zeros(1, "float32"))
    optimizer = optim.RMSprop([w], alpha=alpha, centered=True, eps=1.0)
    for _ in range(2000):
        w.grad = ts.tensor(np.float32([0.1]))
        optimizer.step()
    assert np.isfinite(w.item())
