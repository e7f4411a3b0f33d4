"""What the strict double of CuPy computes: dtypes, views, indices, and chance where a device leaves an order open."""

import copy
import warnings

import numpy as np
import pytest
import strict_cupy
from deferred import Deferred
from strict_cupy import cupy as cp


@pytest.fixture
def x():
    return cp.asarray(np.arange(12.0).reshape(3, 4))


def test_reductions_are_0d_device_arrays(x):
    for reduced in (x.sum(), cp.mean(x), x.argmax(), cp.isfinite(x).all(), cp.allclose(x, x), x[0].dot(x[0]), x[0, 0]):
        assert type(reduced) is cp.ndarray and reduced.shape == ()


def test_a_loop_cupy_lacks_is_refused_and_its_result_type_wins():
    complex_values = np.ones(2, dtype=np.complex64)
    assert np.logical_not(complex_values).dtype == bool
    with pytest.raises(TypeError, match="Wrong type"):
        cp.logical_not(cp.asarray(complex_values))
    small = np.ones(2, dtype=np.int8)
    assert np.i0(small).dtype == np.float64 and cp.i0(cp.asarray(small)).dtype == np.float16
    assert (cp.asarray(small) / 2).dtype == (small / 2).dtype and (cp.asarray(small) < 2).dtype == bool


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zero = cp.zeros(2)
        assert np.isnan((zero / zero).get()).all() and np.isinf(cp.exp(zero + 1e6).get()).all()
        zero[0] = 1e300
        assert np.isinf(zero.astype(np.float32).get()[0])
        zero /= zero


def test_empty_is_never_zero_by_luck():
    for values in (cp.empty(3), cp.empty_like(cp.ones(3)), cp.ndarray((3,))):
        assert np.isnan(values.get()).all()
    assert cp.empty(50, dtype=np.int64).get().any()


def test_views_share_memory_and_know_their_root(x):
    for view in (x[1:][1:], x.T, x.reshape(-1), x[0, 0], x[None], cp.flip(x, 0), cp.broadcast_to(x, (2, 3, 4))):
        assert view.base is x and not view.flags.owndata
    x[1:][0, 0] = 50.0
    x.T[1] += 1.0
    assert x.get()[1, 0] == 50.0 and x.get()[:, 1].tolist() == [2.0, 6.0, 10.0]
    for owned in (x + 1, x.copy(), x.T.reshape(-1), x[cp.asarray([0])], x.sum(axis=0), copy.deepcopy(x)):
        assert owned.base is None and owned.flags.owndata
    assert cp.asarray(x) is x and cp.ascontiguousarray(x) is x and x.astype(np.float64, copy=False) is x
    assert not hasattr(x.flags, "writeable")


def test_upload_and_download_copy(x):
    host = np.zeros(3)
    device = cp.asarray(host)
    host[0] = 1.0
    device.get()[1] = 1.0
    assert cp.asnumpy(device).tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="Unsupported dtype"):
        cp.asarray(np.array([None]))


def test_operators_agree_with_numpy(x):
    a, b = x.get(), x.get()[::-1] - 3.0
    y = cp.asarray(b)
    for apply in (lambda u, v: u + v, lambda u, v: u - v, lambda u, v: u * v, lambda u, v: 2 / (1 + u * u),
                  lambda u, v: u ** 2, lambda u, v: -u, lambda u, v: abs(v), lambda u, v: u @ v.T, lambda u, v: u < v,
                  lambda u, v: u // 3 % 2, lambda u, v: (u > 1) & ~(v > 1)):
        assert np.array_equal(apply(x, y).get(), apply(a, b))
    assert [row.shape for row in x] == [(4,)] * 3


def test_an_operand_may_ask_to_take_over(x):
    other = Deferred()
    assert [x + other, x @ other, x == other, x < other] == ["mine"] * 4
    with pytest.raises(TypeError):
        x + object()


def test_integer_arrays_wrap_and_plain_integers_raise(x):
    a = x.get()
    index = cp.asarray([3, -4, 7])
    assert np.array_equal(x[index].get(), a[[0, 2, 1]])
    assert np.array_equal(x[:, index].get(), a[:, [3, 0, 3]])
    assert np.array_equal(x[..., None, index].get(), a[..., None, [3, 0, 3]])
    assert np.array_equal(cp.take(x, index, axis=1).get(), a[:, [3, 0, 3]])
    assert np.array_equal(cp.take_along_axis(x, cp.asarray([[5], [0], [-5]]), 1).get().ravel(), [1.0, 4.0, 11.0])
    for raises in (5, -4, (0, 4), (0, 0, 0), (..., ...)):
        with pytest.raises(IndexError):
            x[raises]
    with pytest.raises(IndexError):
        x[cp.ones(3)]
    with pytest.raises(IndexError):
        x[cp.ones(2, dtype=bool)]


def test_duplicate_indices_pick_any_winner():
    winners = set()
    for _ in range(50):
        target = cp.zeros(2)
        target[cp.asarray([0, 0, 0])] = cp.asarray([1.0, 2.0, 3.0])
        winners.add(float(target[0]))
    assert winners == {1.0, 2.0, 3.0}


def test_assignment_without_duplicates_agrees_with_numpy(x):
    a = x.get()
    x[cp.asarray([2, 0])] = cp.asarray([[1.0], [2.0]])
    a[[2, 0]] = [[1.0], [2.0]]
    x.T[cp.asarray([1]), 1:] = 9.0
    a.T[[1], 1:] = 9.0
    x[x > 8] = -1.0
    a[a > 8] = -1.0
    assert np.array_equal(x.get(), a)


def test_scatter_adds_every_duplicate_in_a_shuffled_order():
    values = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    sums = set()
    for _ in range(20):
        target = cp.zeros(1, dtype=np.float32)
        cp.add.at(target, cp.zeros(500, dtype=np.int64), cp.asarray(values))
        sums.add(float(target[0]))
    assert np.allclose(list(sums), values.sum(dtype=float), rtol=1e-4)
    assert len(sums) > 1


def test_scatter_takes_the_dtypes_cupy_has_atomics_for():
    index = cp.asarray([0, 0])
    taken = []
    for character in strict_cupy.API["scalars"]:
        target = cp.zeros(2, dtype=character)
        try:
            cp.add.at(target, index, cp.ones(2, dtype=character))
        except TypeError:
            continue
        assert target.get()[0] == 2
        taken.append(np.dtype(character).name)
    assert sorted(set(taken)) == ["float16", "float32", "float64", "int32", "int64", "uint32", "uint64"]
    with pytest.raises(NotImplementedError):
        cp.multiply.at(cp.ones(2), index, 2.0)
