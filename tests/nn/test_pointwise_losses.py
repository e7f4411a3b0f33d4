"""The losses that compare number by number, squared error and binary cross entropy, against their formulas in NumPy.

Of any shape, with every reduction, their gradients too, on the CPU and on the strict double of a GPU. The binary loss
is the cross entropy of the two classes (0, logit); it is finite, accurate in the tails and silent at +-1e4.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from laws import assert_near, assert_same
from networks import gradients, leaf, seeds

import tinygrad_seq as ts
from tinygrad_seq import nn

shapes = npst.array_shapes(min_dims=0, max_dims=3, max_side=3)
reductions = st.sampled_from(["mean", "sum", "none"])
weights = st.sampled_from([None, 0.5, 3.0])


def squared(x, z):
    return (x - z) ** 2, 2 * (x - z)


def test_a_weight_of_the_positives_moves_with_the_module_and_is_uploaded_once(gpu):
    x, z = ts.ones(2, device="cuda"), ts.tensor([0.0, 1.0], device="cuda")
    loss = nn.BCEWithLogitsLoss(pos_weight=[1.0, 3.0]).to("cuda")
    assert loss.pos_weight.device == "cuda:0" and [*loss.state_dict()] == ["pos_weight"]
    for ask in (lambda: loss(x, z), lambda: nn.binary_cross_entropy_with_logits(x, z, pos_weight=3.0)):
        expected = ask().item()  # makes what is made once
        before = gpu and gpu["uploads"]
        assert ask().item() == expected and (gpu and gpu["uploads"]) == before
        np.testing.assert_allclose(expected, binary(x.numpy(), z.numpy(), 3.0)[0].mean(), rtol=1e-6)


def binary(x, z, pos_weight=None):
    p, q, w = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x)), pos_weight or 1.0  # q is 1 - p, to all digits
    return w * z * np.log1p(np.exp(-x)) + (1 - z) * np.log1p(np.exp(x)), -w * z * q + (1 - z) * p


def assert_is(formula, function, module, x, z, reduction, device="cpu", **options):
    each, slope = formula(x, z, **options)
    value = each if reduction == "none" else np.asarray(each.mean() if reduction == "mean" else each.sum())
    prediction = leaf(x, device)
    loss = function(prediction, z, reduction=reduction, **options)
    assert_near([loss.numpy()], [value])
    assert_near(gradients([loss], [np.ones(loss.shape)], prediction), [slope / (x.size if reduction == "mean" else 1)])
    again = module(reduction=reduction, **options)(prediction, ts.tensor(z, device=device))
    assert_same([again.numpy()], [loss.numpy()])


@given(seed=seeds, shape=shapes, reduction=reductions)
def test_mse_is_its_formula(gpu, seed, shape, reduction):
    x, z = np.random.default_rng(seed).normal(size=(2, *shape))
    for device in ("cpu", "cuda"):
        assert_is(squared, nn.mse_loss, nn.MSELoss, x, z, reduction, device)


@given(seed=seeds, shape=shapes, reduction=reductions, soft=st.booleans(), weight=weights)
def test_binary_cross_entropy_is_its_formula(gpu, seed, shape, reduction, soft, weight):
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=shape) * 3, rng.random(shape)
    z = np.asarray(z if soft else np.round(z))
    for device in ("cpu", "cuda"):
        assert_is(binary, nn.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss, np.asarray(x), z, reduction,
                  device, pos_weight=weight)


@given(seed=seeds, shape=shapes, reduction=reductions)
def test_binary_is_cross_entropy_of_two_classes(seed, shape, reduction):
    rng = np.random.default_rng(seed)
    x, z = leaf(rng.normal(size=shape)), np.asarray(rng.integers(0, 2, shape))
    two = ts.stack([x * 0.0, x], axis=-1)
    assert_near([nn.binary_cross_entropy_with_logits(x, z, reduction=reduction).numpy()],
                [nn.cross_entropy(two, z, reduction=reduction).numpy()])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_logits_are_finite_accurate_and_silent(dtype):
    x = leaf(np.array([1e4, -1e4, 1e4, -1e4, 40.0, -40.0, 0.0], dtype))
    z = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    loss = nn.binary_cross_entropy_with_logits(x, z, reduction="none")
    assert loss.dtype == dtype
    tail = np.exp(-40.0)
    np.testing.assert_allclose(loss.numpy(), [0, 0, 1e4, 1e4, tail, tail, np.log(2)], rtol=1e-6)
    slopes = gradients([loss], [np.ones(7)], x)[0] if dtype == "float64" else ts.grad(loss.sum(), x).numpy()
    np.testing.assert_allclose(slopes, [0, 0, 1, -1, -tail, tail, -0.5], rtol=1e-6)


@given(seed=seeds, kind=st.sampled_from(["bool", "int64", "uint8", "float32", "float64", "list"]),
       dtype=st.sampled_from(["float32", "float64"]))  # fmt: skip
def test_targets_of_any_kind_are_taken_in_the_predictions_dtype(seed, kind, dtype):
    rng = np.random.default_rng(seed)
    x, z = leaf(rng.normal(size=4).astype(dtype)), rng.integers(0, 2, 4)
    for function in (nn.mse_loss, nn.binary_cross_entropy_with_logits):
        expected = function(x, z.astype(dtype))
        found = function(x, z.tolist() if kind == "list" else z.astype(kind))
        assert found.dtype == dtype
        assert_same([found.numpy()], [expected.numpy()])


@given(seed=seeds, shape=shapes)
def test_a_target_may_learn_too(seed, shape):
    x, z = map(leaf, np.random.default_rng(seed).normal(size=(2, *shape)))
    there, here = ts.grad(nn.mse_loss(x, z), [x, z])
    assert_same([there.numpy()], [-here.numpy()])


@pytest.mark.parametrize("function", [nn.mse_loss, nn.binary_cross_entropy_with_logits])
def test_the_mean_of_nothing_is_nan_and_the_sum_0(function):
    x = leaf(np.zeros((0, 3)))
    assert np.isnan(function(x, np.zeros((0, 3))).item())
    assert function(x, np.zeros((0, 3)), reduction="sum").item() == 0.0
    assert function(x, np.zeros((0, 3)), reduction="none").shape == (0, 3)


@pytest.mark.parametrize("function", [nn.mse_loss, nn.binary_cross_entropy_with_logits])
@pytest.mark.parametrize("kind, says, x, z, options", [
    (ValueError, r"\(2, 1\).*\(2,\)", ts.zeros(2, 1), [0, 1], {}),
    (ValueError, r"\(2,\).*\(\)", ts.zeros(2), 0, {}),
    (ValueError, r"reduction.*'average'", ts.zeros(2), [0, 1], {"reduction": "average"}),
    (ValueError, r"reduction.*None", ts.zeros(2), [0, 1], {"reduction": None}),
    (TypeError, r"floating.*int64", ts.tensor([0, 1]), [0, 1], {}),
    (TypeError, r"Tensor.*ndarray", np.zeros(2), [0, 1], {}),
])  # fmt: skip
def test_wrong_input_is_said(function, kind, says, x, z, options):
    with pytest.raises(kind, match=rf"^{function.__name__}: .*{says}"):
        function(x, z, **options)
