"""LayerNorm against its formula in NumPy: over the last axes, of any shape, in every floating dtype, at any offset."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from laws import assert_near
from networks import as_function, gradients, leaf, seeds
from pictures import clusters, items

import tinygrad_seq as ts
from tinygrad_seq import nn

leading = npst.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)
normalized = npst.array_shapes(min_dims=1, max_dims=2, max_side=4)
settings = st.sampled_from([{}, {"bias": False}, {"elementwise_affine": False}, {"eps": 0.5}])


def formula(x, axes, eps=1e-5, weight=1.0, bias=0.0):
    """With more digits than the layer has."""
    x = x.astype("longdouble")
    mean = x.mean(axes, keepdims=True)
    y = (x - mean) / np.sqrt(((x - mean) ** 2).mean(axes, keepdims=True) + eps) * weight + bias
    return y.astype("float64")


def layer_of(shape, options, rng, dtype="float64"):
    layer = nn.LayerNorm(shape, **options).to(dtype)
    for parameter in layer.parameters():
        parameter.assign(rng.uniform(0.5, 2.0, parameter.shape).astype(dtype))
    affine = {name: parameter.numpy() for name, parameter in layer.named_parameters()}
    return layer, {"eps": layer.eps, **affine}, tuple(range(-len(layer.normalized_shape), 0))


@given(seed=seeds, before=leading, shape=normalized, options=settings)
def test_it_is_the_formula_on_the_last_axes(seed, before, shape, options):
    rng = np.random.default_rng(seed)
    layer, known, axes = layer_of(shape, options, rng)
    x = rng.normal(size=(*before, *shape))
    assert_near([layer(leaf(x)).numpy()], [formula(x, axes, **known)])
    assert list(layer.state_dict()) == [name for name in ("weight", "bias") if name in known]
    assert all(parameter.shape == shape for parameter in layer.parameters())


@given(seed=seeds, before=npst.array_shapes(min_dims=0, max_dims=2, max_side=2), shape=normalized, options=settings)
def test_its_gradients_of_first_and_second_order(seed, before, shape, options):
    rng = np.random.default_rng(seed)
    layer, _, _ = layer_of(shape, {"eps": 0.1, **options}, rng)
    weights, x = [leaf(parameter.numpy()) for parameter in layer.parameters()], leaf(rng.normal(size=(*before, *shape)))
    assert ts.gradcheck(as_function(layer), [*weights, x], seed=seed)
    assert ts.gradgradcheck(as_function(layer), [*weights, x], seed=seed)


@given(seed=seeds, shape=normalized, dtype=st.sampled_from(["float16", "float32", "float64"]))
def test_in_every_dtype_it_is_the_formula_rounded(seed, shape, dtype):
    rng = np.random.default_rng(seed)
    layer, known, axes = layer_of(shape, {}, rng, dtype)
    x = (rng.normal(size=(3, *shape)) * 300).astype(dtype)  # the squares are beyond float16
    y = layer(leaf(x))
    assert y.dtype == dtype
    known["eps"] = 1e-5
    np.testing.assert_allclose(y.numpy(), formula(x, axes, **known), rtol=0, atol=16 * np.finfo(dtype).eps)


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e5, 1e7])
@given(seed=seeds, width=st.integers(1, 300))
def test_an_offset_costs_no_accuracy(offset, seed, width):
    """E[x^2] - E[x]^2 would be noise from 1e4 on in single precision, and the mean itself is rounded from there on."""
    x = (np.random.default_rng(seed).normal(size=(2, width)) + offset).astype("float32")
    np.testing.assert_allclose(nn.LayerNorm(width)(leaf(x)).numpy(), formula(x, -1), rtol=0, atol=1e-5)


@given(seed=seeds, shape=normalized, number=st.floats(-1e6, 1e6))
def test_what_does_not_vary_becomes_the_bias(seed, shape, number):
    layer, known, _ = layer_of(shape, {}, np.random.default_rng(seed))
    x = leaf(np.full((2, *shape), number))
    y = layer(x)
    assert_near([y.numpy()], [np.broadcast_to(known["bias"], y.shape)])
    assert np.isfinite(gradients([y], [np.ones(y.shape)], x)[0]).all()


@given(seed=seeds, before=leading, shape=normalized)
def test_on_every_device(gpu, seed, before, shape):
    rng, found = np.random.default_rng(seed), []
    layer, _, _ = layer_of(shape, {}, rng)
    x = rng.normal(size=(*before, *shape))
    for device in ("cpu", "cuda"):
        there = copy.deepcopy(layer).to(device)
        here = leaf(x, device)
        y = there(here)
        found.append([y.numpy(), *gradients([y], [np.cos(x)], here, *there.parameters())])
    assert_near(*reversed(found))


def test_its_repr_and_its_place_in_a_picture():
    assert repr(nn.LayerNorm(3)) == "LayerNorm((3,), eps=1e-05)"
    assert repr(nn.LayerNorm([2, 3], eps=0.1, bias=False)) == "LayerNorm((2, 3), eps=0.1, bias=False)"
    assert repr(nn.LayerNorm(3, elementwise_affine=False)) == "LayerNorm((3,), eps=1e-05, elementwise_affine=False)"
    model = nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 2))
    y = model(leaf(np.ones((2, 3), "float32")))
    assert [cluster.label for cluster in clusters(ts.draw(y).view)][1:] == ["Sequential", "0", "1"]
    assert [item.label for item in items(ts.draw(y, depth=1).view)] == ["0 · 14 ops", "x", "1 · 2 ops"]


@pytest.mark.parametrize("kind, says, call", [
    (ValueError, r"\(\.\.\., 3\).*\(2, 4\)", lambda: nn.LayerNorm(3)(ts.zeros(2, 4))),
    (ValueError, r"\(\.\.\., 2, 3\).*\(3,\)", lambda: nn.LayerNorm((2, 3))(ts.zeros(3))),
    (ValueError, r"\(\.\.\., 1\).*\(\)", lambda: nn.LayerNorm(1)(ts.tensor(1.0))),
    (TypeError, r"float64.*float32", lambda: nn.LayerNorm(3)(ts.zeros(3, dtype="float64"))),
    (TypeError, r"floating.*int64", lambda: nn.LayerNorm(3, elementwise_affine=False)(ts.tensor([1, 2, 3]))),
    (TypeError, r"Tensor.*list", lambda: nn.LayerNorm(2)([1.0, 2.0])),
    (TypeError, r"Tensor.*NoneType", lambda: nn.LayerNorm(2)(None)),
    (TypeError, r"normalized_shape.*None", lambda: nn.LayerNorm(None)),
    (TypeError, r"normalized_shape.*'3'", lambda: nn.LayerNorm("3")),
    (TypeError, r"normalized_shape.*2\.5", lambda: nn.LayerNorm((3, 2.5))),
    (TypeError, r"normalized_shape.*True", lambda: nn.LayerNorm(True)),
    (TypeError, r"eps.*False", lambda: nn.LayerNorm(3, False)),
    (TypeError, r"eps.*'a'", lambda: nn.LayerNorm(3, eps="a")),
    (TypeError, r"eps.*None", lambda: nn.LayerNorm(3, eps=None)),
    (ValueError, r"eps.*-1", lambda: nn.LayerNorm(3, eps=-1)),
    (ValueError, r"eps.*nan", lambda: nn.LayerNorm(3, eps=float("nan"))),
    (ValueError, r"normalized_shape.*at least 1.*0", lambda: nn.LayerNorm((3, 0))),
    (ValueError, r"normalized_shape.*at least 1.*-3", lambda: nn.LayerNorm(-3)),
    (ValueError, r"normalized_shape.*\(\)", lambda: nn.LayerNorm(())),
])  # fmt: skip
def test_wrong_input_is_said(kind, says, call):
    with pytest.raises(kind, match=rf"^LayerNorm: .*{says}") as caught:
        call()
    assert type(caught.value) is kind
