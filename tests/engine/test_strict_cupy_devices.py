"""What the strict double of CuPy counts, kernels, copies and waits, and on which of two devices its arrays are."""

import copy
import pickle
from collections import Counter

import numpy as np
import pytest
import strict_cupy
from strict_cupy import cupy as cp


@pytest.fixture
def x():
    return cp.asarray(np.arange(12.0).reshape(3, 4))


@pytest.fixture
def counts():
    strict_cupy.counts.clear()
    return strict_cupy.counts


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
