"""An embedding's gradient: the same sums with SciPy as without, and one table however often rows were looked up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_same

import tinygrad_seq as ts
from tinygrad_seq.engine import backend
from tinygrad_seq.engine.ops import indexing

tables = st.tuples(st.integers(1, 60), st.sampled_from([32, 64]), st.integers(1024, 1100))


@given(tables, st.sampled_from(["float32", "float64"]), st.integers(0, 2**32 - 1))
def test_a_sparse_product_adds_in_the_same_order(sizes, dtype, seed):
    count, width, n = sizes
    rng = np.random.default_rng(seed)
    ids, rows = rng.integers(0, count, (2, n)), rng.normal(size=(2, n, width)).astype(dtype)
    assert indexing.sparse_products(rows) is not None  # SciPy is in the `test` extra
    plain = np.zeros((count, width), dtype)
    np.add.at(plain, ids, rows)
    assert_same([indexing.scatter_rows(rows, ids, count=count)], [plain])


def test_without_scipy_it_is_add_at(monkeypatch):
    rng = np.random.default_rng(0)
    ids, rows = rng.integers(0, 50, 1024), rng.normal(size=(1024, 32))
    with_scipy = indexing.scatter_rows(rows, ids, count=50)
    backend.scipy_sparse.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "scipy.sparse", None)  # what importing a missing module meets
    assert indexing.sparse_products(rows) is None
    assert_same([indexing.scatter_rows(rows, ids, count=50)], [with_scipy])
    monkeypatch.undo()
    backend.scipy_sparse.cache_clear()


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_many_look_ups_make_one_table(steps, monkeypatch):
    made = []
    forward = indexing.scatter_rows.op.forward
    monkeypatch.setattr(indexing.scatter_rows.op, "forward", lambda *a, **k: made.append(1) or forward(*a, **k))
    table = ts.tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)
    sum(((t + 1.0) * table.take([[t % 3, 0]]).sum() for t in range(steps)), ts.tensor(0.0)).backward()
    expected = np.zeros((3, 2))
    for t in range(steps):
        np.add.at(expected, [t % 3, 0], t + 1.0)
    assert_same(table.grad.numpy(), expected)
    assert len(made) <= 1
