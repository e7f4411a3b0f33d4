"""Loading what `save` did not write: noticed, said, and never executed.

Every byte of a file is flipped in turn, and the checksum notices it; files whose checksum is right are wrong otherwise.
"""

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq.io import DIGEST, sealed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bad")


STATE = {"w": np.array([[1.5, -0.0], [np.nan, 2.0]], dtype="float32"), "steps": [3, "words", (True, None)]}


@pytest.fixture(scope="module")
def saved(folder):
    path = folder / "small"
    ts.save(STATE, path)
    data = path.read_bytes()
    path.unlink()
    return data


def assert_noticed(path, data):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"load: .* is not a file that ts\.save wrote, or is damaged") as caught:
        ts.load(path)
    assert str(path) in str(caught.value)


@given(mask=st.integers(1, 255))
def test_a_flipped_byte_is_noticed_anywhere(folder, saved, mask):
    path = folder / "flipped"
    for at in range(len(saved)):
        assert_noticed(path, saved[:at] + bytes([saved[at] ^ mask]) + saved[at + 1 :])
    path.unlink()


@given(data=st.data())
def test_a_file_with_several_wrong_bytes_is_noticed(folder, saved, data):
    spoiled = bytearray(saved)
    for at in data.draw(st.lists(st.integers(0, len(saved) - 1), min_size=2, max_size=8, unique=True)):
        spoiled[at] ^= data.draw(st.integers(1, 255))
    assert_noticed(folder / "flipped", bytes(spoiled))
    (folder / "flipped").unlink()


@given(more=st.binary(min_size=1, max_size=40))
def test_bytes_before_or_after_are_noticed(folder, saved, more):
    assert_noticed(folder / "longer", saved + more)
    assert_noticed(folder / "longer", more + saved)
    (folder / "longer").unlink()


def test_a_truncated_file_is_refused_at_every_length(tmp_path, saved):
    for length in range(len(saved)):
        (tmp_path / "cut").write_bytes(saved[:length])
        with pytest.raises(ValueError, match=r"load: .*cut"):
            ts.load(tmp_path / "cut")


@given(junk=st.binary(max_size=100))
def test_any_other_file_is_refused(folder, junk):
    (folder / "junk").write_bytes(junk)
    with pytest.raises(ValueError, match=r"load: .*junk"):
        ts.load(folder / "junk")
    (folder / "junk").unlink()


def test_no_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ts.load(tmp_path / "nowhere")
    with pytest.raises(OSError, match=r"folder|directory"):
        ts.load(tmp_path)


class Trap:
    """Unpickled, it leaves a trace."""

    def __reduce__(self):
        return (os.mkdir, ("sprung",))


def archive(path, tree, **members):
    """A file with a right checksum, whatever else is wrong with it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("tree.json", tree if isinstance(tree, str) else json.dumps(tree))
        for name, content in members.items():
            file.writestr(name, content)
        file.comment = bytes(DIGEST)
    path.write_bytes(sealed(buffer.getvalue()[:-DIGEST]))


def test_a_hand_made_archive_is_read(tmp_path):
    """So what is refused below is not refused for its checksum."""
    archive(tmp_path / "made", {"version": 1, "tree": {"dict": [["a", {"tuple": [1, None]}]]}})
    assert ts.load(tmp_path / "made") == {"a": (1, None)}


def test_nothing_in_a_file_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("trap.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    content = (tmp_path / "trap.npy").read_bytes()
    archive(tmp_path / "trap", {"version": 1, "tree": {"array": 0}}, **{"0.npy": content})
    np.savez("other.npz", x=np.array([Trap()], dtype=object))
    (tmp_path / "pickle").write_bytes(pickle.dumps(Trap()))
    for name in ("trap", "trap.npy", "other.npz", "pickle"):
        with pytest.raises(ValueError, match=f"load: '{name}'") as caught:
            ts.load(name)
        assert ("checksum" in str(caught.value)) is (name != "trap")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("tree", [
    "", "[", "null", "[]", "{}", '{"version": 1}', '{"version": 2, "tree": 1}', '{"version": 1, "tree": {"array": 5}}',
    '{"version": 1, "tree": {"array": -1}}', '{"version": 1, "tree": {"array": "0"}}', '{"version": 1, "tree": {}}',
    '{"version": 1, "tree": {"dict": [[1]]}}', '{"version": 1, "tree": {"dict": [[[], 1]]}}',
    '{"version": 1, "tree": {"other": []}}', '{"version": 1, "tree": ' + "[" * 10**5 + "]" * 10**5 + "}",
])  # fmt: skip
def test_an_archive_of_another_structure_is_refused(tmp_path, tree):
    archive(tmp_path / "odd", tree)
    with pytest.raises(ValueError, match=r"load: .*odd") as caught:
        ts.load(tmp_path / "odd")
    assert "checksum" not in str(caught.value)
