"""Dropout: zeros and x / (1 - p), the right share of each, the same on every device, and nothing after `.eval()`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from laws import assert_same
from networks import gradients, leaf, seeds

import tinygrad_seq as ts
from tinygrad_seq import nn

shapes = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
chances = st.floats(0, 0.99)
dtypes = st.sampled_from(["float32", "float64"])


@given(seed=seeds, shape=shapes, p=chances, dtype=dtypes)
def test_each_number_is_dropped_or_scaled_and_so_is_its_gradient(seed, shape, p, dtype):
    rng = np.random.default_rng(seed)
    x = leaf((rng.normal(size=shape) + 10).astype(dtype))
    y = nn.dropout(x, p, generator=rng)
    kept = y.numpy() != 0
    scale = np.where(kept, 1 / (1 - p), 0).astype(dtype)
    assert y.dtype == dtype
    assert_same([y.numpy()], [x.numpy() * scale])
    upstream = rng.normal(size=shape).astype(dtype)
    assert_same(gradients([y], [upstream], x), [upstream * scale])


@given(seed=seeds, shape=npst.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4), p=chances, data=st.data())
def test_along_a_shared_axis_all_are_dropped_or_none(seed, shape, p, data):
    """The same draw as for an axis of length 1, whatever the length; in the gradient, too."""
    axes = data.draw(st.integers(-len(shape), len(shape) - 1) | npst.valid_tuple_axes(len(shape)))
    x, rng = leaf(np.random.default_rng(seed).normal(size=shape) + 10), np.random.default_rng(seed)
    y = nn.dropout(x, p, rng, shared_axis=axes)
    after, once = rng.random(), np.random.default_rng(seed)
    numbers = [axis % len(shape) for axis in (axes if isinstance(axes, tuple) else (axes,))]
    one = [1 if axis in numbers else size for axis, size in enumerate(shape)]
    mask = nn.dropout(ts.ones(one, dtype="float64"), p, once).numpy()
    assert_same([y.numpy()], [x.numpy() * mask])
    assert_same(gradients([y], [np.cos(x.numpy())], x), [np.cos(x.numpy()) * mask])
    assert once.random() == after  # and nothing else was drawn
    ts.manual_seed(seed)
    found = nn.Dropout(p, shared_axis=axes)(x)
    ts.manual_seed(seed)
    assert_same([found.numpy()], [nn.dropout(x, p, shared_axis=axes).numpy()])


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_share_is_p_and_the_mean_stays(p):
    n = 100_000
    y = nn.dropout(ts.ones(n, dtype="float64"), p, generator=np.random.default_rng(0)).numpy()
    assert abs(np.mean(y == 0) - p) <= 5 * np.sqrt(p * (1 - p) / n)
    assert p == 1 or abs(y.mean() - 1) <= 5 * np.sqrt(p / (1 - p) / n)


@given(seed=seeds, shape=shapes, p=st.floats(0, 1))
def test_a_seed_drops_the_same_numbers_on_every_device(gpu, seed, shape, p):
    x, found = np.random.default_rng(seed).normal(size=shape), []
    for device in ("cpu", "cuda"):
        ts.manual_seed(seed)
        x_there = leaf(x, device)
        y = nn.Dropout(p)(x_there)
        assert y.device == x_there.device
        found.append([y.numpy(), *gradients([y], [np.ones(shape)], x_there)])
    assert_same(*found)


@given(seed=seeds, shape=shapes, p=st.floats(0, 1))
def test_evaluation_is_the_identity_and_draws_nothing(seed, shape, p):
    layer, x = nn.Dropout(p).eval(), leaf(np.random.default_rng(seed).normal(size=shape))
    ts.manual_seed(seed)
    assert layer(x) is x
    after = ts.rand(1).item()
    ts.manual_seed(seed)
    assert ts.rand(1).item() == after
    assert layer.train()(x) is x or p > 0


def test_p_1_leaves_zeros_and_no_gradient():
    x = leaf(np.array([1.0, -2.0]))
    y = nn.Dropout(1)(x)
    assert y.tolist() == [0.0, 0.0]
    assert ts.grad(y.sum(), x).tolist() == [0.0, 0.0]
    assert repr(nn.Dropout(1)) == "Dropout(p=1.0)"
    assert repr(nn.Dropout(0.5, shared_axis=0)) == "Dropout(p=0.5, shared_axis=0)"


@pytest.mark.parametrize("kind, says, call", [
    (ValueError, r"Dropout: p .*1\.5", lambda: nn.Dropout(1.5)),
    (ValueError, r"Dropout: p .*-0\.1", lambda: nn.Dropout(-0.1)),
    (ValueError, r"Dropout: p .*nan", lambda: nn.Dropout(float("nan"))),
    (TypeError, r"Dropout: p .*True", lambda: nn.Dropout(True)),
    (TypeError, r"Dropout: p .*'0\.5'", lambda: nn.Dropout("0.5")),
    (TypeError, r"dropout: generator .* got bool: nn\.Dropout\(p\) follows model\.train\(\)",
     lambda: nn.dropout(ts.ones(2), 0.5, True)),  # PyTorch's `training`
    (ValueError, r"dropout: p .*2", lambda: nn.dropout(ts.ones(2), 2)),
    (TypeError, r"Dropout: x .*ndarray", lambda: nn.Dropout(0.5)(np.ones(2))),
    (TypeError, r"Dropout: x .*list", lambda: nn.Dropout(0.5)([1.0])),
    (TypeError, r"dropout: x .*int64", lambda: nn.Dropout(0.5)(ts.tensor([1]))),
    (TypeError, r"Dropout: x .*NoneType", lambda: nn.Dropout(0.5, shared_axis=0)(None)),
    (TypeError, r"Dropout: shared_axis.*True", lambda: nn.Dropout(0.5, True)),  # PyTorch's `inplace`
    (TypeError, r"Dropout: shared_axis.*'0'", lambda: nn.Dropout(0.5, shared_axis="0")),
    (TypeError, r"Dropout: shared_axis.*1\.5", lambda: nn.Dropout(0.5, shared_axis=(0, 1.5))),
    (TypeError, r"Dropout: shared_axis.*None", lambda: nn.Dropout(0.5, shared_axis=(0, None))),
    (IndexError, r"dropout: shared_axis.*2 .*2 dim", lambda: nn.Dropout(0.5, shared_axis=2)(ts.ones(3, 2))),
    (IndexError, r"dropout: shared_axis.*-3 .*2 dim", lambda: nn.Dropout(0.5, shared_axis=-3)(ts.ones(3, 2))),
    (IndexError, r"dropout: shared_axis.*0 .*0 dim", lambda: nn.Dropout(0.5, shared_axis=0)(ts.tensor(1.0))),
    (ValueError, r"dropout: shared_axis.*twice", lambda: nn.Dropout(0.5, shared_axis=(0, -2))(ts.ones(3, 2))),
])  # fmt: skip
def test_wrong_input_is_said(kind, says, call):
    with pytest.raises(kind, match=f"^{says}"):
        call()
