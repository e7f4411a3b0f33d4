"""Saving and loading: what comes back is what went in, bit for bit; failed saves leave the old file.

Structures are drawn with any keys and every dtype, and compared by type and by bits, so that NaN payloads, -0.0 and
denormal numbers count.
"""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import tinygrad_seq as ts

KINDS = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", ">f8", ">i4"]


@st.composite
def bit_arrays(draw):
    """An array of any dtype and shape whose bits are drawn, not its values: any NaN, -0.0, any denormal."""
    dtype, shape = np.dtype(draw(st.sampled_from(KINDS))), draw(npst.array_shapes(min_dims=0, min_side=0, max_side=3))
    if dtype.kind == "b":
        return np.array(np.random.default_rng(draw(st.integers(0, 99))).random(shape) < 0.5)
    count = int(np.prod(shape))
    bits = draw(st.binary(min_size=count * dtype.itemsize, max_size=count * dtype.itemsize))
    array = np.frombuffer(bits, dtype).reshape(shape).copy()
    layout = draw(st.sampled_from(["C", "Fortran", "strided", "read-only"]))
    if layout == "Fortran":
        return np.asfortranarray(array) if array.ndim else array
    if layout == "strided" and array.ndim:
        return np.repeat(array, 2, axis=0)[::2]
    array.flags.writeable = layout != "read-only"
    return array


plain = st.none() | st.booleans() | st.integers() | st.integers(2**62, 2**200) | st.floats() | st.text()
names = ["", "file", "../up", "/root", "a.npy", "0.npy", "tree.json", "array", "dict", "tuple", "ü\n\0", "\ud800"]
special = st.sampled_from(names)
keys = special | st.text() | st.integers() | st.booleans() | st.none() | st.tuples(st.text(), st.integers())
structures = st.recursive(
    plain | bit_arrays(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)
    | st.tuples() | st.tuples(inner) | st.tuples(inner, inner),
    max_leaves=12,
)  # fmt: skip


def assert_identical(a, b):
    """Equal in type and in every bit."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    elif isinstance(a, dict):
        assert list(map(repr, a)) == list(map(repr, b))
        for key in a:
            assert_identical(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_identical(one, other)
    elif isinstance(a, float):
        assert np.isnan(a) == np.isnan(b) and (np.isnan(a) or a.hex() == b.hex())
    else:
        assert a == b


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("io")


@given(state=structures)
def test_what_is_saved_is_loaded_bit_for_bit(folder, state):
    path = folder / "state"
    ts.save(state, path)
    assert os.listdir(folder) == ["state"]
    assert_identical(ts.load(path), state)
    assert_identical(ts.load(str(path)), state)


@given(array=bit_arrays())
def test_the_layout_in_memory_is_kept_and_the_result_is_ones_own(folder, array):
    ts.save(array, folder / "state")
    found = ts.load(folder / "state")
    assert found.flags.f_contiguous or not array.flags.f_contiguous
    assert found.flags.c_contiguous or not array.flags.c_contiguous
    assert found.flags.writeable and not np.shares_memory(found, array)


@given(array=bit_arrays().filter(lambda array: array.dtype.kind in "fiub" and array.dtype.byteorder != ">"))
def test_tensors_and_parameters_are_saved_as_arrays(folder, array):
    tensor = ts.tensor(array)
    ts.save([tensor, {"w": tensor}], folder / "state")
    assert_identical(ts.load(folder / "state"), [tensor.numpy(), {"w": tensor.numpy()}])
    layer = ts.nn.LSTM(2, 3)
    ts.save(dict(layer.named_parameters()), folder / "state")
    assert_identical(ts.load(folder / "state"), layer.state_dict())


@pytest.mark.parametrize("name", ["state", "state.npz", "state.pt", ".hidden", "spaces and ü", "a.b.c"])
def test_the_file_is_exactly_the_path(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    ts.save({"x": 1}, name)
    assert os.listdir(tmp_path) == [name]
    ts.save({"x": 2}, name)
    assert os.listdir(tmp_path) == [name]
    assert ts.load(tmp_path / name) == {"x": 2}


# ------------------------------------------------------------------------------------------------------- failed saves


class Mine:
    """Nothing that can be saved."""


@pytest.mark.parametrize("place, bad", [
    (r"state\['a'\]\[1\]", {"a": [1, Mine()]}),
    (r"state\[0\]\['b'\]", ({"b": np.array([1, Mine()], dtype=object)},)),
    (r"state\['f'\]", {"f": len}),
    (r"state\['s'\]", {"s": {1, 2}}),
    (r"state\['c'\]", {"c": 1j}),
    (r"state\['b'\]", {"b": b"bytes"}),
    (r"a key of state", {Mine(): 1}),
])  # fmt: skip
def test_what_cannot_be_saved_is_said_and_the_old_file_stays(tmp_path, place, bad):
    path = tmp_path / "state"
    ts.save({"old": np.arange(3)}, path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match=f"^save: {place}"):
        ts.save(bad, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["state"]


def test_a_state_without_end_is_said(tmp_path):
    inside, deep = {}, []
    inside["again"] = inside
    for _ in range(10**5):
        deep = [deep]
    for bad in (inside, deep):
        with pytest.raises(ValueError, match=r"^save: .*itself.*deeply"):
            ts.save(bad, tmp_path / "state")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("where, error", [
    ("numpy.lib.format.write_array", OSError("No space left on device")),
    ("zipfile.ZipFile.writestr", KeyboardInterrupt()),
    ("zipfile.ZipFile.close", OSError("No space left on device")),
    ("os.replace", PermissionError("no")),
])  # fmt: skip
def test_a_save_that_breaks_off_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, where, error):
    path = tmp_path / "state"
    ts.save({"old": np.arange(3)}, path)
    before = path.read_bytes()

    def fails(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(where, fails)
        with pytest.raises(type(error)):
            ts.save({"new": np.arange(4), "more": np.arange(5)}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["state"]


def test_a_place_that_cannot_be_written_is_an_error_and_no_litter(tmp_path):
    with pytest.raises(OSError, match="missing"):
        ts.save({"x": 1}, tmp_path / "missing" / "state")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        ts.save({"x": 1}, tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == []
