"""The strict double of CuPy, judged twice: against what its own page promises, and against the real wheel.

The contract half needs CuPy installed but no GPU: real cupy.ndarray objects on host memory do everything that launches
no kernel (views, indexing, refusals), and fail with a CUDARuntimeError where a kernel would start. It is skipped where
CuPy is missing, and where a device is present: a kernel on host memory would break that device's context.
"""

import copy
import importlib
import json
import os
import pickle
import runpy
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import strict_cupy

cp = strict_cupy.cupy


@pytest.fixture
def x():
    return cp.asarray(np.arange(12.0).reshape(3, 4))


@pytest.fixture
def counts():
    strict_cupy.counts.clear()
    return strict_cupy.counts


# ---------------------------------------------------------------- installing

def test_install_is_what_import_finds_and_uninstall_restores():
    before = sys.modules.get("cupy")
    installed = strict_cupy.install()
    try:
        assert strict_cupy.install() is installed
        assert importlib.import_module("cupy") is installed
        assert importlib.import_module("cupy.cuda").is_available() is True
        assert {np.ndarray: np, installed.ndarray: installed}[type(installed.zeros(2))] is installed
    finally:
        strict_cupy.uninstall()
    assert sys.modules.get("cupy") is before


# ---------------------------------------------------------------- nothing crosses between host and device unasked

REFUSED = {
    "asarray": lambda x, a: np.asarray(x),
    "array of device arrays": lambda x, a: np.array([x, x]),
    "assert_allclose": lambda x, a: np.testing.assert_allclose(x, x),
    "NumPy ufunc": lambda x, a: np.add(a, x),
    "NumPy function": lambda x, a: np.concatenate([x, a]),
    "array on the left": lambda x, a: a * x,
    "array on the right": lambda x, a: x * a,
    "0-d array": lambda x, a: x + np.array(1.0),
    "in place": lambda x, a: x.__iadd__(a),
    "into a NumPy array": lambda x, a: cp.exp(x, out=a),
    "list": lambda x, a: x * [1.0, 2.0, 3.0, 4.0],
    "list compared": lambda x, a: x == [1.0],
    "text": lambda x, a: x == "text",
    "None ordered": lambda x, a: x < None,
    "matmul": lambda x, a: x @ a.T,
    "matmul reflected": lambda x, a: a.T @ x,
    "reduction of a NumPy array": lambda x, a: cp.sum(a),
    "reduction of a list": lambda x, a: cp.sum([1.0]),
    "concatenate": lambda x, a: cp.concatenate([x, a]),
    "stack of lists": lambda x, a: cp.stack([[1.0], [2.0]]),
    "dot with a list": lambda x, a: cp.dot(x, [1.0, 2.0, 3.0, 4.0]),
    "where on a bool": lambda x, a: cp.where(True, x, x),
    "where with a NumPy branch": lambda x, a: cp.where(x > 1, x, a),
    "ascontiguousarray": lambda x, a: cp.ascontiguousarray(a),
    "range": lambda x, a: range(cp.asarray(3)),
}


@pytest.mark.parametrize("mixed", REFUSED.values(), ids=REFUSED)
def test_mixing_with_the_host_is_a_type_error(x, mixed):
    with pytest.raises(TypeError):
        mixed(x, np.ones((3, 4)))


def test_an_array_is_foreign_to_numpy(x):
    assert not isinstance(x, np.ndarray) and not hasattr(x, "__array_interface__")
    assert type(x) is cp.ndarray and cp.get_array_module(x) is cp and cp.get_array_module(np.ones(2)) is np


def test_scalars_of_python_and_numpy_are_accepted_and_promote_as_numpy_two():
    single = cp.ones(2, dtype=np.float32)
    assert (single + 1.0).dtype == (2 * single).dtype == np.float32
    assert (np.float64(2) * single).dtype == (single + cp.asarray(1.0)).dtype == np.float64
    assert type(np.float64(2) * single) is cp.ndarray
    with pytest.raises(TypeError):
        single + np.longdouble(1)


def test_assigning_host_data_to_a_slice_is_refused_as_in_cupy(x):
    for values in (np.ones(4), [1.0, 2.0, 3.0, 4.0]):
        with pytest.raises(ValueError, match="cannot be used for fill"):
            x[0] = values
    x[0] = np.float32(7)
    x[1] = cp.ones(4)
    assert x.get()[:2].tolist() == [[7.0] * 4, [1.0] * 4]


# ---------------------------------------------------------------- names and keywords

@pytest.mark.parametrize("name", ["errstate", "insert", "unstack", "vecdot", "erf", "seterr", "block"])
def test_absent_names_are_attribute_errors(name):
    with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
        getattr(cp, name)


def test_a_name_only_the_double_lacks_says_so():
    with pytest.raises(AttributeError, match="here, but CuPy has it"):
        _ = cp.RawKernel


KEYWORDS = {
    "ufunc where": lambda x: cp.add(x, x, where=True),
    "ufunc order": lambda x: cp.exp(x, order="C"),
    "sum initial": lambda x: cp.sum(x, initial=0.0),
    "max where": lambda x: cp.max(x, where=True),
    "method initial": lambda x: x.max(initial=0.0),
    "clip by NumPy's new names": lambda x: cp.clip(x, min=0, max=1),
    "take mode": lambda x: cp.take(x, 0, mode="wrap"),
    "device": lambda x: cp.zeros(3, device=None),
    "like": lambda x: cp.zeros(3, like=x),
    "astype casting": lambda x: x.astype("f4", casting="unsafe"),
    "too many": lambda x: cp.swapaxes(x, 0, 1, 2),
}


@pytest.mark.parametrize("call", KEYWORDS.values(), ids=KEYWORDS)
def test_keywords_cupy_lacks_are_type_errors(x, call):
    with pytest.raises(TypeError):
        call(x)


def test_out_dtype_and_casting_are_accepted(x):
    out = cp.empty((3, 4), dtype=np.float32)
    assert cp.exp(x, out=out) is out and np.array_equal(out.get(), np.exp(x.get()).astype("f4"))
    assert cp.sum(x, axis=0, dtype=np.float32).dtype == np.float32
    with pytest.raises(TypeError):
        cp.add(x, x, out=cp.zeros((3, 4), dtype=np.int64))
    with pytest.raises(ValueError, match="Out shape"):
        cp.add(x, x, out=cp.zeros((2, 3, 4)))


# ---------------------------------------------------------------- results

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


class Deferred:
    __array_ufunc__ = None

    def __radd__(self, other):
        return "mine"

    __rmatmul__ = __eq__ = __gt__ = __radd__
    __hash__ = None


def test_an_operand_may_ask_to_take_over(x):
    other = Deferred()
    assert [x + other, x @ other, x == other, x < other] == ["mine"] * 4
    with pytest.raises(TypeError):
        x + object()


# ---------------------------------------------------------------- indices

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


# ---------------------------------------------------------------- what it costs

def test_counts_of_kernels_copies_and_waits(counts):
    device = cp.asarray(np.ones((2, 2)))
    assert counts == Counter(uploads=1, bytes=32)
    _ = device.T.reshape(4, 1)[0], device[None], device.shape, device.dtype, len(device)
    _ = (device + 1.0) * 2.0
    device.sum()
    assert counts == Counter(uploads=1, kernels=4, bytes=32 + 32 + 2 * 32 + 8)  # the transposed reshape copies


@pytest.mark.parametrize("read", [float, int, bool, complex, repr, str, cp.ndarray.item, cp.ndarray.tolist, cp.asnumpy])
def test_reading_waits_for_the_device(counts, read):
    device = cp.ones(())
    counts.clear()
    read(device)
    assert counts == Counter(downloads=1, synchronizations=1)


def test_masks_wait_and_host_indices_are_copied(x, counts):
    x[x > 3]
    assert counts["synchronizations"] == 1
    x[np.array([0, 1])], x[[0, 1]], x[:, np.array(1)]
    assert counts["uploads"] == 3 and counts["synchronizations"] == 1


# ---------------------------------------------------------------- devices and random numbers

def test_there_are_two_devices(x):
    assert cp.cuda.runtime.getDeviceCount() == 2 and x.device.id == 0 and x.device == cp.cuda.Device(0)
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="invalid device"), cp.cuda.Device(2):
        pass
    with cp.cuda.Device(1):
        y = cp.ones(2)
        with cp.cuda.Device(0):
            assert cp.zeros(2).device.id == 0
        assert (y.device.id, (y + y).device.id, y[:1].device.id, cp.cuda.Device().id) == (1, 1, 1, 1)
    assert cp.cuda.Device().id == 0


ELSEWHERE = {
    "ufunc": lambda x, y: cp.exp(y),
    "operator": lambda x, y: x + y,
    "function": lambda x, y: cp.concatenate([x, y]),
    "method": lambda x, y: y.sum(),
    "cast": lambda x, y: y.astype("float32"),
    "fill": lambda x, y: y.fill(1.0),
    "from there": lambda x, y: x.__setitem__(0, y),
    "gather": lambda x, y: y[[0, 1]],
    "scatter": lambda x, y: cp.add.at(y, cp.asarray([0]), 1.0),
    "out": lambda x, y: cp.exp(x, out=y),
}


@pytest.mark.parametrize("launch", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_kernel_takes_arrays_of_the_current_device_only(launch):
    x = cp.ones(2)
    with cp.cuda.Device(1):
        y = cp.ones(2)
    with pytest.raises(ValueError, match=r"array resides \(1\) is different from the current device \(0\)"):
        launch(x, y)
    with y.device, pytest.raises(ValueError, match=r"array resides \(0\) is different from the current device \(1\)"):
        launch(y, x)


def test_a_copy_and_what_is_read_back_are_on_the_current_device(x):
    with cp.cuda.Device(1):
        assert [moved.device.id for moved in (x.copy(), cp.asarray(x), cp.array(x), copy.copy(x))] == [1] * 4
        assert pickle.loads(pickle.dumps(x)).device.id == 1 and copy.deepcopy(x).device.id == 0
        assert x.T[1].device.id == 0 and x.get().tolist() == cp.asarray(x).get().tolist()  # views and the host may
        with pytest.raises(NotImplementedError, match="cannot copy non-contiguous array"):
            cp.asarray(x[:, 1])


def test_the_pool_says_what_is_held():
    pool = cp.get_default_memory_pool()
    before = pool.used_bytes()
    held = [cp.ones(10), cp.ones(10)[2:]]
    assert pool.used_bytes() == before + 160
    with cp.cuda.Device(1):
        held += [cp.ones(5)]
        assert pool.used_bytes() >= 40
    held.clear()
    assert pool.used_bytes() == before


def test_the_generator_has_fewer_distributions_and_another_stream():
    ours, theirs = cp.random.default_rng(7), np.random.default_rng(7)
    assert not any(hasattr(ours, name) for name in ("normal", "permutation", "choice", "shuffle"))
    drawn = ours.random(5)
    assert type(drawn) is cp.ndarray and not np.array_equal(drawn.get(), theirs.random(5))
    assert np.array_equal(cp.random.default_rng(7).random(5).get(), drawn.get())
    assert ours.standard_normal((2, 3), dtype=np.float32).dtype == np.float32


# ---------------------------------------------------------------- the contract with the real wheel

def real_cupy():
    """The real CuPy, or why there is none to compare with."""
    try:
        real = importlib.import_module("cupy")
    except ImportError:
        return None, "CuPy is not installed: the double is not compared with the real wheel"
    if real.cuda.is_available():
        return None, "a CUDA device is present: kernels on host memory would break it; the gpu tests run instead"
    return real, ""


real, reason = real_cupy()
contract = pytest.mark.skipif(real is None, reason=reason)


class World:
    """One 3 x 4 array, its NumPy memory, and the module it belongs to: once of the real CuPy, once of the double."""

    def __init__(self, xp):
        self.xp = self.cp = xp
        self.a = np.arange(12.0).reshape(3, 4)
        self.x = self.array(self.a)

    def array(self, host):
        if self.xp is cp:
            return strict_cupy.fresh(host)
        memory = self.xp.cuda.UnownedMemory(host.ctypes.data, host.nbytes, host, 0)
        return self.xp.ndarray(host.shape, host.dtype, self.xp.cuda.MemoryPointer(memory, 0), strides=host.strides)

    def values(self, array):
        if self.xp is cp:
            return array.get()
        offset = array.data.ptr - self.a.ctypes.data
        return np.ndarray(array.shape, array.dtype, self.a, offset, array.strides)

    def run(self, text):
        """What a line of code gives here: a description of the array it makes, or the exception it raises."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy deprecates the real __array__, which refuses just the same
                result = eval(text, {"np": np, "x": self.x, "a": self.a, "xp": self.xp, "array": self.array,
                                     "Deferred": Deferred})
        except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            name = type(error).__name__
            assert name != "CUDARuntimeError", f"{text} needs a device: it proves nothing"
            return name
        if type(result) is not self.xp.ndarray:
            return result
        strides = [stride for length, stride in zip(result.shape, result.strides) if length > 1]
        return {"shape": result.shape, "strides": strides, "dtype": result.dtype,
                "values": self.values(result).tolist(),
                "contiguous": (result.flags.c_contiguous, result.flags.f_contiguous),
                "owned": result.flags.owndata,
                "is x": result is self.x, "base is x": result.base is self.x}


VIEWS = """x | x[1:] | x[1:][1:] | x[::2, 1] | x[::-1] | x[:, ::-2] | x[1] | x[-1, -4] | x[None] | x[..., None, 1]
x[()] | x[...] | x[1:1] | x[np.int64(1)] | x.T | x.mT | x.transpose() | x.transpose(1, 0) | x.swapaxes(0, -1)
x.reshape(4, 3) | x.reshape(-1) | x.reshape((2, 2, 3)) | x.ravel() | x[None].squeeze() | x[:1].squeeze(0)
x.diagonal() | x.view() | x.view('i8') | x.real | x.astype('f8', copy=False) | xp.transpose(x) | np.transpose(x)
xp.reshape(x, (6, 2)) | xp.ravel(x) | xp.swapaxes(x, 0, 1) | xp.moveaxis(x, 0, 1) | xp.expand_dims(x, 1)
xp.expand_dims(x, (0, 2)) | xp.squeeze(x[:, :1]) | xp.broadcast_to(x, (2, 3, 4)) | xp.broadcast_to(x[:, :1], (3, 5))
xp.flip(x) | xp.flip(x, 0) | xp.flip(x, (0, 1)) | xp.ascontiguousarray(x) | xp.ascontiguousarray(x[0, 0])
xp.rollaxis(x, 1) | xp.diagonal(x, 1) | next(iter(x)) | x.T[1:, ::2] | x[0, 0].reshape(1, 1) | x.T.T
x.T.ravel(order='F') | xp.permute_dims(x, (1, 0)) | xp.matrix_transpose(x)"""

SAME_ERROR = """np.asarray(x) | np.array(x) | np.testing.assert_allclose(x, x) | np.insert(x, 0, 1) | x @ a | a @ x
xp.dot(x, a) | xp.matmul(x, a) | xp.stack([a]) | xp.ascontiguousarray(a) | xp.add(x, x, where=True)
xp.exp(x, order='C') | xp.exp(x, axis=1) | xp.add(x) | xp.add(x, x, x, x) | x.sum(initial=1) | x.sum(where=True)
x.max(initial=0) | xp.sum(x, where=True) | xp.min(x, initial=0) | xp.any(x, where=True) | xp.mean(x, where=True)
xp.clip(x, min=0, max=1) | xp.take(x, 0, mode='wrap') | xp.zeros(3, device=None) | xp.zeros(3, like=x)
xp.arange(3, device='cpu') | xp.asarray(x, device=None) | xp.concatenate([x, x], 1, foo=1) | xp.swapaxes(x, 0, 1, 2)
xp.matmul(x, x, where=True) | x.astype('f8', casting='unsafe') | x.astype('O') | xp.empty(3, dtype='O') | x[3]
x[-4] | x[0, 4] | x[0, 0, 0] | x[..., ...] | x[array(np.ones(3))] | x[array(np.ones(2, bool))]
x[array(np.ones((3, 5), bool))] | x.__setitem__(slice(None), a) | x.__setitem__(0, a[0])
x.__setitem__(0, [1, 2, 3, 4]) | len(x[0, 0]) | iter(x[0, 0]) | hash(x) | bool(x) | x.item() | x.reshape(5)
x.reshape(-1, 5) | x.reshape(-1, -1) | x.transpose(0, 0) | x.transpose(0) | x.squeeze(0) | x.sum(axis=7)
xp.broadcast_to(x, (2, 3, 5)) | xp.broadcast_to(x, (4,)) | xp.expand_dims(x, 5) | xp.flip(x, 3)
xp.moveaxis(x, 0, 5) | x.T.view('f4') | x.foo | setattr(x, 'foo', 1) | setattr(x, 'dtype', 'i8')
setattr(x, 'T', x) | x.flags.writeable | x.__array_interface__ | x.__index__() | x.__array_namespace__
x.__contains__ | x.setflags | x.ctypes | range(x[0, 0]) | xp.errstate | xp.unstack | xp.insert | xp.vecdot | xp.erf
xp.seterr | xp.bogus | xp.multiply.at(x, 0, x)
xp.add.at(array(np.zeros(3, 'i1')), array(np.array([0])), array(np.ones(1, 'i1')))
xp.add.at(array(np.zeros(3, 'F')), array(np.array([0])), array(np.ones(1, 'F')))
xp.maximum.at(array(np.zeros(3, 'e')), array(np.array([0])), array(np.ones(1, 'e')))"""

SAME_ANSWER = """x + Deferred() | x @ Deferred() | x == Deferred() | x < Deferred() | x.shape | x.ndim | x.size
x.dtype | x.itemsize | x.nbytes | len(x) | x.device.id | x.__array_priority__ | x.base | xp.shape(x) | xp.ndim(x)
xp.size(x) | np.shape(x) | xp.isscalar(x[0, 0]) | xp.isscalar(np.float64(1)) | xp.result_type(x, 1.0)
xp.result_type(array(np.ones(2, 'f4')), 1.0) | xp.result_type(array(np.ones(2, 'f4')), x[0, 0])
xp.can_cast('f8', 'f4') | xp.result_type(array(np.ones(2, 'i4')), np.float32) | xp.broadcast_shapes((3, 1), (4,))
xp.float32 | xp.newaxis | xp.pi | xp.get_array_module(a) is np | xp.get_array_module(x) is xp
type(x) is xp.ndarray | isinstance(x, np.ndarray) | xp.add.nin | xp.exp.nin | xp.exp.types | xp.divide.types
x.__array_ufunc__(np.exp, '__call__', [1]) | x.__array_ufunc__(np.exp, '__call__', None)
x.__array_ufunc__(np.exp, '__call__', np.longdouble(1)) | xp.iinfo('i4').max"""


def lines(text):
    return [line.strip() for line in text.replace("\n", "|").split("|")]


@contract
@pytest.mark.parametrize("text", lines(VIEWS))
def test_views_are_those_of_the_wheel(text):
    theirs, ours = World(real).run(text), World(cp).run(text)
    assert isinstance(theirs, dict)
    assert ours == theirs


@contract
@pytest.mark.parametrize("text", lines(SAME_ERROR))
def test_refusals_are_those_of_the_wheel(text):
    theirs, ours = World(real).run(text), World(cp).run(text)
    assert isinstance(theirs, str) and theirs.endswith("Error")
    assert ours == theirs


@contract
@pytest.mark.parametrize("text", lines(SAME_ANSWER))
def test_answers_are_those_of_the_wheel(text):
    assert World(cp).run(text) == World(real).run(text)


@contract
def test_the_double_has_no_name_the_wheel_lacks():
    for name in dir(np):
        if not name.startswith("_") and hasattr(cp, name):
            assert hasattr(real, name), name
    plumbing = {"__del__", "__slots__", "__slotnames__", "__weakref__", "_device", "_host", "__module__", "__imatmul__"}
    assert set(dir(cp.ndarray)) - set(dir(real.ndarray)) <= plumbing


@contract
def test_the_double_has_what_an_engine_asks_for():
    needed = """abs add arange argmax argmin all any array asarray asnumpy ascontiguousarray broadcast_to can_cast clip
        concatenate cos divide dot dtype empty empty_like exp expand_dims eye flip float32 full full_like isfinite log
        logaddexp matmul max maximum mean min minimum multiply ndarray negative ones ones_like pad power reshape
        result_type sign sin sqrt squeeze stack subtract sum swapaxes take take_along_axis tanh transpose
        where zeros zeros_like"""
    for name in needed.split():
        assert hasattr(cp, name) and hasattr(real, name), name


@contract
def test_the_wheel_has_the_streams_events_and_graphs_that_the_measuring_script_uses():
    extras = runpy.run_path(str(Path(__file__).parents[1] / "gpu" / "as_if_real.py"))["EXTRAS"]
    for added, module in zip(extras.values(), (real.cuda, real.cuda.runtime), strict=True):
        for name, extra in added.items():
            assert hasattr(module, name), name
            public = [part for part in vars(extra) if not part.startswith("_")] if isinstance(extra, type) else []
            assert set(public) <= set(dir(getattr(module, name))), name
    assert hasattr(real.cuda.graph.Graph, "launch")


@contract
@pytest.mark.parametrize("value", [1, 1.0, True, 1j, np.float16(1), np.float64(1), np.int8(1), np.bool_(1)])
def test_scalars_the_wheel_would_launch_are_accepted(value):
    with pytest.raises(real.cuda.runtime.CUDARuntimeError):
        World(real).x.__array_ufunc__(np.exp, "__call__", value)
    assert type(cp.exp(value)) is cp.ndarray


@contract
def test_the_snapshot_is_what_the_installed_wheel_says(tmp_path):
    if real.__version__ != strict_cupy.API["cupy"]:
        pytest.skip(f"CuPy {real.__version__} is installed, the snapshot is of {strict_cupy.API['cupy']}")
    script = Path(__file__).parents[1] / "make_cupy_api.py"
    code = f"import json, runpy; print(json.dumps(runpy.run_path({str(script)!r})['snapshot']()))"
    made = subprocess.run([sys.executable, "-c", code], env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}, check=True,
                          capture_output=True, text=True)
    assert json.loads(made.stdout) == strict_cupy.API
