"""Clipping: one factor for all gradients together, whatever the norm, or an error that changes none of them.

Gradients get new arrays: whoever holds an old one still has what it was.
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


def with_gradients(seed, shapes, scale=1.0):
    rng = np.random.default_rng(seed)
    parameters = [nn.Parameter(rng.normal(size=shape)) for shape in shapes]
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


@pytest.mark.filterwarnings("error")
def test_a_limit_beyond_the_dtype_limits_nothing():
    w = nn.Parameter(np.zeros(2, "float16"))
    w.grad = ts.tensor(np.array([6e4, -1.0], "float16"))
    optim.clip_grad_value_([w], 1e5)
    assert w.grad.tolist() == [6e4, -1.0]


@given(seed=seeds, shapes=shapes)
def test_clipping_makes_new_arrays(seed, shapes):
    for clip in (optim.clip_grad_norm_, optim.clip_grad_value_):
        parameters, whole = with_gradients(seed, shapes)
        assume(np.abs(whole).max() > 0.01)
        held = [p.grad for p in parameters]
        clip(parameters, 0.01)
        assert_same([np.concatenate([g.numpy().ravel() for g in held])], [whole])


def test_an_endless_limit_only_looks():
    parameters, whole = with_gradients(0, [(3,), (2, 2)])
    held = [p.grad for p in parameters]
    assert optim.clip_grad_norm_(iter(parameters), math.inf) == pytest.approx(np.linalg.norm(whole), rel=1e-12)
    assert all(p.grad is g for p, g in zip(parameters, held, strict=True))


@pytest.mark.parametrize("clip", [optim.clip_grad_norm_, optim.clip_grad_value_])
def test_an_iterator_that_is_used_up_warns(clip):
    layer = nn.Linear(2, 1)
    layer.weight.grad = ts.ones(1, 2)
    parameters = layer.parameters()
    optim.SGD(parameters)
    with pytest.warns(UserWarning, match=rf"{clip.__name__}: the iterator of parameters is empty, or used up"):
        clip(parameters, 0.5)
    clip([], 0.5)  # nothing to clip, and meant so
    clip(layer.parameters(), 0.5)
    assert layer.weight.grad.numpy().max() <= 0.5


@pytest.mark.parametrize("clip", [optim.clip_grad_norm_, optim.clip_grad_value_])
def test_a_parameter_that_is_listed_twice_counts_once(clip):
    """A tied weight is in the lists of two layers; PyTorch counts its gradient twice, and clips it twice."""
    w, other = nn.Parameter([1.0, 2.0]), nn.Parameter([1.0, 2.0])
    found = []
    for parameters in ([w, other], [w, other, w]):
        w.grad, other.grad = ts.tensor([3.0, 4.0]), ts.tensor([0.5, 6.0])
        found.append((clip(parameters, 2.0), w.grad.tolist(), other.grad.tolist()))
    assert found[0] == found[1]


@pytest.mark.parametrize("kind, says, call", [
    (ValueError, r"clip_grad_norm_: max_norm .*-1", lambda w: optim.clip_grad_norm_([w], -1.0)),
    (ValueError, r"clip_grad_norm_: max_norm .*nan", lambda w: optim.clip_grad_norm_([w], math.nan)),
    (TypeError, r"clip_grad_norm_: max_norm .*True", lambda w: optim.clip_grad_norm_([w], True)),
    (TypeError, r"clip_grad_norm_: max_norm .*'1'", lambda w: optim.clip_grad_norm_([w], "1")),
    (ValueError, r"clip_grad_norm_: norm_type .*0", lambda w: optim.clip_grad_norm_([w], 1.0, 0)),
    (ValueError, r"clip_grad_norm_: norm_type .*-2", lambda w: optim.clip_grad_norm_([w], 1.0, -2)),
    (RuntimeError, r"clip_grad_norm_: .* is inf: norm_type=0.0001 is too small",
     lambda w: optim.clip_grad_norm_([w], 1.0, 1e-4)),
    (TypeError, r"clip_grad_norm_: .*single ndarray", lambda w: optim.clip_grad_norm_(np.array(1.0), 1.0)),
    (TypeError, r"clip_grad_norm_: .*single dict", lambda w: optim.clip_grad_norm_({"w": w}, 1.0)),
    (TypeError, r"clip_grad_norm_: .*single Parameter", lambda w: optim.clip_grad_norm_(w, 1.0)),
    (TypeError, r"clip_grad_value_: parameter 0 .*ndarray", lambda w: optim.clip_grad_value_([np.ones(2)], 1.0)),
    (ValueError, r"clip_grad_value_: clip_value .*-1", lambda w: optim.clip_grad_value_([w], -1.0)),
    (TypeError, r"clip_grad_value_: .*Linear.*parameters\(\)", lambda w: optim.clip_grad_value_(nn.Linear(1, 1), 1.0)),
])  # fmt: skip
def test_wrong_input_is_said_and_changes_nothing(kind, says, call):
    w = nn.Parameter([1.0, 2.0])
    w.grad = held = ts.tensor([30.0, 40.0])
    with pytest.raises(kind, match=f"^{says}"):
        call(w)
    assert w.grad is held and held.tolist() == [30.0, 40.0]
