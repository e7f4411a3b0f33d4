"""Starting values: the range, the spread or the orthogonality that each promises, from a generator or the seed.

Statistics are of 40,000 draws and allow five standard deviations. A start is a new array: a graph keeps the old one.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_same, shares_memory
from networks import seeds

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.nn import init

FUNCTIONS = [init.uniform_, init.normal_, init.xavier_uniform_, init.xavier_normal_, init.orthogonal_]
sizes = st.integers(1, 6)


def weight(*shape, dtype="float64", device=None):
    return nn.Parameter(np.full(shape, 7.0, dtype), device=device)


def assert_normal(draws, mean, std):
    n = draws.size
    assert abs(draws.mean() - mean) < 5 * std / n**0.5
    assert abs(draws.var() / std**2 - 1) < 5 * (2 / n) ** 0.5
    assert abs(((draws - mean) ** 4).mean() / std**4 - 3) < 5 * (96 / n) ** 0.5  # a uniform one has 1.8


def assert_uniform(draws, low, high):
    n, width = draws.size, high - low
    assert low <= draws.min() < low + width * 20 / n and high - width * 20 / n < draws.max() <= high
    assert abs(draws.mean() - (low + high) / 2) < 5 * width / (12 * n) ** 0.5
    assert abs(draws.var() / (width**2 / 12) - 1) < 5 * (0.8 / n) ** 0.5


def test_uniform_and_normal_have_their_range_and_spread():
    random = np.random.default_rng(0)
    assert_uniform(init.uniform_(weight(200, 200), generator=random).numpy(), 0, 1)
    assert_uniform(init.uniform_(weight(40_000), -3.0, 1.0, random).numpy(), -3, 1)
    assert_normal(init.normal_(weight(200, 200), generator=random).numpy(), 0, 1)
    assert_normal(init.normal_(weight(40_000), 5.0, 0.1, random).numpy(), 5, 0.1)


@pytest.mark.parametrize("outputs, inputs, gain", [(100, 400, 1.0), (400, 100, 1.0), (200, 200, 5 / 3)])
def test_xavier_depends_on_inputs_and_outputs(outputs, inputs, gain):
    random, std = np.random.default_rng(1), gain * (2 / (inputs + outputs)) ** 0.5
    assert_normal(init.xavier_normal_(weight(outputs, inputs), gain, random).numpy(), 0, std)
    bound = std * 3**0.5
    assert_uniform(init.xavier_uniform_(weight(outputs, inputs), gain, random).numpy(), -bound, bound)


@given(seed=seeds, rows=sizes, columns=sizes, gain=st.sampled_from([1.0, 0.5, -2.0]))
def test_orthogonal_rows_or_columns(seed, rows, columns, gain):
    w = init.orthogonal_(weight(rows, columns), gain, np.random.default_rng(seed)).numpy()
    product = w @ w.T if rows <= columns else w.T @ w
    np.testing.assert_allclose(product, gain**2 * np.eye(min(rows, columns)), atol=1e-13)


def test_every_orthogonal_matrix_is_as_likely():
    """Turned by any rotation the distribution is the same: mean 0 everywhere, also on the diagonal."""
    random = np.random.default_rng(2)
    draws = np.array([init.orthogonal_(weight(3, 3), generator=random).numpy() for _ in range(4000)])
    assert np.abs(draws.mean(0)).max() < 5 * (1 / 3 / 4000) ** 0.5
    assert abs((np.linalg.det(draws) > 0).mean() - 0.5) < 5 * 0.5 / 4000**0.5


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@given(seed=seeds, rows=sizes, columns=sizes, dtype=st.sampled_from(["float32", "float64"]))
def test_a_seed_gives_the_same_start_on_every_device(gpu, function, seed, rows, columns, dtype):
    found = []
    for device in ("cpu", "cuda"):
        w = weight(rows, columns, dtype=dtype, device=device)
        ts.manual_seed(seed)
        assert function(w) is w
        assert (w.dtype, w.device) == (dtype, "cpu" if device == "cpu" else "cuda:0")
        found.append(w.numpy())
        function(w, generator=np.random.default_rng(seed))
        found.append(w.numpy())
    assert_same(found[:1] * 3, found[1:])


@pytest.mark.parametrize("function", [*FUNCTIONS, init.zeros_, lambda w: init.constant_(w, 0.0)])
def test_a_graph_keeps_the_old_value(function):
    w = weight(2, 2)
    old, loss = w.array, (w * w).sum()
    function(w)
    assert not shares_memory(w.array, old)
    assert w.is_leaf and w.requires_grad
    loss.backward()
    assert w.grad.tolist() == [[14.0, 14.0], [14.0, 14.0]]


@given(value=st.floats(-1e30, 1e30), rows=sizes)
def test_constants(value, rows):
    assert np.all(init.constant_(weight(rows, 2), value).numpy() == value)
    assert np.all(init.zeros_(weight(rows)).numpy() == 0.0)


@pytest.mark.parametrize("kind, says, call", [
    (TypeError, "zeros_: .*Parameter.*ndarray", lambda: init.zeros_(np.ones(2))),
    (TypeError, "normal_: .*Parameter.*Tensor", lambda: init.normal_(ts.ones(2))),
    (TypeError, "orthogonal_: .*Parameter.*Tensor", lambda: init.orthogonal_(ts.ones(2, 2))),
    (ValueError, "uniform_: .*2.*1", lambda: init.uniform_(weight(2), 2, 1)),
    (ValueError, "uniform_: .*nan", lambda: init.uniform_(weight(2), float("nan"), 1)),
    (ValueError, "normal_: std.*-1", lambda: init.normal_(weight(2), std=-1)),
    (ValueError, r"xavier_normal_: .*\(outputs, inputs\).*\(3,\)", lambda: init.xavier_normal_(weight(3))),
    (ValueError, r"xavier_uniform_: .*\(2, 0\)", lambda: init.xavier_uniform_(weight(2, 0))),
    (ValueError, r"orthogonal_: .*\(2, 2, 2\)", lambda: init.orthogonal_(weight(2, 2, 2))),
    (TypeError, "orthogonal_: .*list", lambda: init.orthogonal_([[1.0]])),
])  # fmt: skip
def test_wrong_input_is_said(kind, says, call):
    with pytest.raises(kind, match=f"^{says}"):
        call()
