"""The safetensors format: named arrays out and in, bit for bit, whatever their layout; all else is refused by name.

Needs the extra `safetensors`; where that package is missing, saving and loading say so, and the other laws are skipped.
"""

import json
import os
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saved_states import assert_identical, bit_arrays

import tinygrad_seq as ts
from tinygrad_seq import nn

names = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda name: name != "__metadata__")
ENDLESS = {}
ENDLESS["again"] = ENDLESS
arrays = bit_arrays().filter(lambda array: array.dtype.kind in "fiub")


def native(array):
    return array.astype(array.dtype.newbyteorder("="))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    pytest.importorskip("safetensors", reason="safetensors is not installed: pip install '.[safetensors]'")
    return tmp_path_factory.mktemp("safetensors") / "state.safetensors"


@given(state=st.dictionaries(names.filter(bool), arrays, max_size=4))
def test_what_is_saved_is_loaded_bit_for_bit(path, state):
    ts.save(state, path)
    found = ts.load(str(path))
    assert os.listdir(path.parent) == ["state.safetensors"]
    assert found.keys() == state.keys()
    for name, array in state.items():
        assert_identical(found[name], native(array))
        assert found[name].flags.writeable and found[name].flags.c_contiguous


@given(seed=st.integers(0, 2**32 - 1), order=st.sampled_from(["F", "T", "strided", "reversed", "broadcast"]))
def test_an_array_that_is_not_contiguous_is_what_it_looks_like(path, seed, order):
    """The package alone would write the memory as it lies, and another array would come back."""
    x = np.random.default_rng(seed).normal(size=(3, 4))
    view = {"F": np.asfortranarray(x), "T": x.T, "strided": x[:, ::2], "reversed": x[::-1],
            "broadcast": np.broadcast_to(x[0], (3, 4))}[order]  # fmt: skip
    ts.save({"view": view}, path)
    np.testing.assert_array_equal(ts.load(path)["view"], view)


def test_nested_names_are_joined_by_dots_and_a_module_loads_them(path):
    model, other = nn.Sequential(nn.LSTM(2, 3), nn.Linear(3, 1)), nn.Sequential(nn.LSTM(2, 3), nn.Linear(3, 1))
    ts.save(model.state_dict(), path)
    other.load_state_dict(ts.load(path))
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert_identical(p.numpy(), q.numpy())
    ts.save({"0": model[0].state_dict(), "1": dict(model[1].named_parameters()), "nothing": {}}, path)
    assert ts.load(path).keys() == model.state_dict().keys()


def test_the_package_itself_reads_it(path):
    numpy = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    ts.save({"w": np.asfortranarray([[1.5, 2.5], [3.5, 4.5]])}, path)
    assert numpy.load_file(path)["w"].tolist() == [[1.5, 2.5], [3.5, 4.5]]
    numpy.save_file({"v": np.arange(3)}, path)
    assert_identical(ts.load(path), {"v": np.arange(3)})


def test_a_gpu_array_is_brought_over(path, gpu):
    ts.save({"w": ts.tensor([1.0, 2.0], device="cuda")}, path)
    assert ts.load(path)["w"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("kind, says, state", [
    (TypeError, "the state is an array of float64", np.ones(2)),
    (TypeError, "a.b is of type int", {"a": {"b": 1}}),
    (TypeError, "a is of type list", {"a": [np.ones(2)]}),
    (TypeError, "a is of type str", {"a": "text"}),
    (TypeError, "a is of type NoneType", {"a": None}),
    (TypeError, "names arrays by strings, got the key 1", {1: np.ones(2)}),
    (TypeError, r"a\.b: .* got the key \(2,\)", {"a": {"b": {"c": np.ones(2), (2,): np.ones(2)}}}),
    (TypeError, "a is .*complex128", {"a": np.ones(2, complex)}),
    (TypeError, "a is .*object", {"a": np.array([None])}),
    (ValueError, "two arrays .*'a.b'", {"a.b": np.ones(1), "a": {"b": np.ones(1)}}),
    (ValueError, "__metadata__", {"__metadata__": np.ones(1)}),
    (ValueError, "itself", ENDLESS),
])  # fmt: skip
def test_what_it_cannot_hold_is_said_and_the_old_file_stays(path, kind, says, state):
    ts.save({"old": np.arange(3)}, path)
    before = path.read_bytes()
    with pytest.raises(kind, match=f"^save: .*({says})"):
        ts.save(state, path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["state.safetensors"]


def test_a_full_disk_is_an_error_of_the_system(path):
    resource = pytest.importorskip("resource", reason="not on Windows")
    ts.save({"old": np.arange(3)}, path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        with pytest.raises(OSError, match=r"File too large: .*/state\.safetensors'$"):
            ts.save({"new": np.ones(1000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(path.parent) == ["state.safetensors"] and ts.load(path)["old"].tolist() == [0, 1, 2]


def test_a_bad_file_is_said(path):
    ts.save({"w": np.arange(3)}, path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"load: .*safetensors"):
            ts.load(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        ts.load(path)


@pytest.mark.parametrize("dtype, size", [("BF16", 2), ("F8_E4M3", 1)])
def test_a_dtype_that_numpy_lacks_is_said(path, dtype, size):
    header = json.dumps({"w": {"dtype": dtype, "shape": [1], "data_offsets": [0, size]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    with pytest.raises(ValueError, match=r"^load: .* a dtype that NumPy lacks, .*: convert it to float32"):
        ts.load(path)


def test_without_the_package_its_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for name, use in {"save": lambda path: ts.save({"w": np.ones(1)}, path), "load": ts.load}.items():
        with pytest.raises(RuntimeError, match=rf"^{name}: .*pip install .*\[safetensors\]"):
            use(tmp_path / "w.safetensors")
    assert os.listdir(tmp_path) == []
