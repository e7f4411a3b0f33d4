"""A save that fails says what it was, leaves the old file, and no litter."""

import os

import numpy as np
import pytest
from saved_states import Mine

import tinygrad_seq as ts


@pytest.mark.parametrize("place, bad", [
    (r"state\['a'\]\[1\]", {"a": [1, Mine()]}),
    (r"state\[0\]\['b'\] is an array of object", ({"b": np.array([1, Mine()], dtype=object)},)),
    (r"state\['f'\]", {"f": len}),
    (r"state\['s'\]", {"s": {1, 2}}),
    (r"state\['c'\]", {"c": 1j}),
    (r"state\['b'\]", {"b": b"bytes"}),
    (r"a key of state", {Mine(): 1}),
    (r"state\['i'\]", {"i": 10**5000}),
    (r"a key of state", {10**5000: 1}),
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
    ("numpy.nditer", OSError("No space left on device")),
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
    with pytest.raises(FileNotFoundError, match=r"missing/state'$"):  # the path that was given, not the one beside it
        ts.save({"x": 1}, tmp_path / "missing" / "state")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        ts.save({"x": 1}, tmp_path / "folder")
    for folder in ("folder/", "missing/", "missing.safetensors/"):
        with pytest.raises(IsADirectoryError, match=folder):
            ts.save({"x": np.ones(1)}, f"{tmp_path}/{folder}")
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == []
