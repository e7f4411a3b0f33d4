"""Loading what `save` did not write: noticed, said, and never executed.

Every byte of a file is flipped in turn, and the checksum notices it; files whose checksum is right are wrong otherwise.
"""

import contextlib
import hashlib
import io
import json
import os
import pickle
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import seeds

import tinygrad_seq as ts
from tinygrad_seq.saving.archive import DIGEST


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


@settings(max_examples=settings.default.max_examples // 10)  # an example is every byte of the file
@given(seed=seeds)
def test_a_flipped_byte_is_noticed_anywhere(folder, saved, seed):
    path, masks = folder / "flipped", np.random.default_rng(seed).integers(1, 256, len(saved)).tolist()
    for at, mask in enumerate(masks):
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


@pytest.mark.parametrize("says, data", [
    ("it does not begin with a tree.json", b"epoch 1: 0.25"), ("it does not begin with a tree.json", b""),
    (r"it is PyTorch's: torch\.load it, then load_state_dict\(", b"PK\3\4" + bytes(26) + b"model/data.pkl" + b"FB"),
    (r"it is PyTorch's", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."),
])
def test_it_is_said_whose_a_file_is(tmp_path, says, data):
    (tmp_path / "model.pt").write_bytes(data)
    with pytest.raises(ValueError, match=rf"model\.pt' is not a file that ts\.save wrote, or is damaged: {says}"):
        ts.load(tmp_path / "model.pt")


def test_what_save_wrote_is_damaged(tmp_path, saved):
    (tmp_path / "cut").write_bytes(saved[:-1])
    with pytest.raises(ValueError, match="its checksum is wrong"):
        ts.load(tmp_path / "cut")


def test_no_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ts.load(tmp_path / "nowhere")
    with pytest.raises(OSError, match=r"folder|directory"):
        ts.load(tmp_path)


class Trap:
    """Unpickled, it leaves a trace."""

    def __reduce__(self):
        return (os.mkdir, ("sprung",))


def archive(path, tree, *members, spoil=lambda content: content, method=zipfile.ZIP_STORED):
    """A file with a right checksum, whatever else is wrong with it; `members` are pairs of a name and a content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        file.writestr("tree.json", tree if isinstance(tree, str) else json.dumps(tree))
        for name, content in members:
            file.writestr(name, content)
        file.comment = bytes(DIGEST)
    content = spoil(buffer.getvalue()[:-DIGEST])
    path.write_bytes(content + hashlib.sha256(content).digest())


def npy(shape, content=b"", dtype="'|u1'"):
    """An .npy file that says of itself what it likes."""
    header = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + content


ONE = {"version": 1, "tree": {"array": 0}}


def test_a_hand_made_archive_is_read(tmp_path):
    """So what is refused below is not refused for its checksum."""
    archive(tmp_path / "made", {"version": 1, "tree": {"dict": [["a", {"tuple": [1, None]}]]}})
    assert ts.load(tmp_path / "made") == {"a": (1, None)}
    archive(tmp_path / "made", ONE, ("0.npy", npy((2, 3), bytes(range(6)))))
    assert ts.load(tmp_path / "made").tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.warns(UserWarning, match=r"format 3\.0"):  # which earlier versions wrote for such names of fields
        np.save(newer := io.BytesIO(), np.ones(2, [("日", "i2")]))
    archive(tmp_path / "made", ONE, ("0.npy", newer.getvalue()))
    assert ts.load(tmp_path / "made")["日"].tolist() == [1, 1]


def test_nothing_in_a_file_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("trap.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    pickled = pickle.dumps(Trap())
    pickled += bytes(-len(pickled) % 8)  # as long as so many objects are said to be
    archive(tmp_path / "trap", ONE, ("0.npy", npy((len(pickled) // 8,), pickled, "'|O'")))
    np.savez("other.npz", x=np.array([Trap()], dtype=object))
    (tmp_path / "pickle").write_bytes(pickle.dumps(Trap()))
    for name in ("trap", "trap.npy", "other.npz", "pickle"):
        with pytest.raises(ValueError, match=f"load: '{name}'") as caught:
            ts.load(name)
        assert ("begin with" in str(caught.value)) is (name != "trap")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("tree", [
    "", "[", "null", "[]", "{}", '{"version": 1}', '{"version": 2, "tree": 1}', '{"version": 1, "tree": {"array": 5}}',
    '{"version": 1, "tree": {"array": -1}}', '{"version": 1, "tree": {"array": "0"}}', '{"version": 1, "tree": {}}',
    '{"version": 1, "tree": {"dict": [[1]]}}', '{"version": 1, "tree": {"dict": [[[], 1]]}}',
    '{"version": 1, "tree": {"tuple": "ab"}}', '{"version": 1, "tree": {"dict": {"ab": 1}}}',
    '{"version": 1, "tree": {"dict": ["ab"]}}', '{"version": 1, "tree": {"dict": [["a", 1, 2]]}}',
    '{"version": 1, "tree": {"dict": [["a", 1], ["a", 2]]}}', '{"version": 1, "tree": {"dict": [[1, 1], [true, 2]]}}',
    '{"version": 1, "tree": {"tuple": [], "dict": []}}', '{"version": 1, "tree": 1, "more": 1}',
    '{"version": 1, "tree": {"scalar": 0}}', '{"version": 1, "tree": 1' + "0" * 5000 + "}",
    '{"version": 1, "tree": {"other": []}}', '{"version": 1, "tree": ' + "[" * 10**5 + "]" * 10**5 + "}",
])  # fmt: skip
def test_an_archive_of_another_structure_is_refused(tmp_path, tree):
    archive(tmp_path / "odd", tree)
    with pytest.raises(ValueError, match=r"load: .*odd") as caught:
        ts.load(tmp_path / "odd")
    assert "checksum" not in str(caught.value)


BOMB = npy((1 << 25,), bytes(1 << 25))
LIES = "(" * 5000, "-" * 9000 + "1", "2, 3", "(-2, -3)", "(6.0,)", "(10**9,)", "None"


@pytest.mark.parametrize("members, options, says", [
    ([("0.npy", BOMB)], {"method": zipfile.ZIP_DEFLATED}, "compressed"),
    ([("0.npy", npy((3,), b"abc"))], {"method": zipfile.ZIP_LZMA}, "compressed"),
    ([("0.npy", npy((6,), b"abc"))], {}, "not as long"),
    ([("0.npy", npy((2,), b"abc"))], {}, "not as long"),
    ([("0.npy", npy((1 << 40,), b"abc"))], {}, "not as long"),
    ([("0.npy", npy((1 << 62, 4), b"abc"))], {}, "not as long"),
    ([("0.npy", npy((0, 1 << 62), b"abc"))], {}, "not as long"),
    ([("0.npy", npy((3,), b"abc")), ("extra", b"")], {}, "members"),
    ([("1.npy", npy((3,), b"abc"))], {}, "members"),
    ([("../0.npy", npy((3,), b"abc"))], {}, "members"),
    ([("0.npy", b"")], {}, ""),
    *[([("0.npy", npy(lie, b"abcdef"))], {}, "") for lie in LIES],
    ([("0.npy", npy((3,), b"abc", "'|O'"))], {}, ""),
    ([("0.npy", npy((3,), b"abc"))], {"spoil": lambda content: content.replace(b"0.npy", b"tree.")}, "members"),
], ids=lambda value: "" if isinstance(value, list) else str(value)[:20])  # fmt: skip
def test_a_file_that_claims_more_than_it_holds_is_refused_before_it_is_unpacked(tmp_path, members, options, says):
    path = tmp_path / "odd"
    archive(path, ONE, *members, **options)
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"load: .*odd.*damaged.*{says}") as caught:
            ts.load(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20 and "checksum" not in str(caught.value)
    finally:
        tracemalloc.stop()


def test_members_that_lie_in_each_other_are_refused(tmp_path):
    """Forty arrays in the room of one: each holds the next, and the header of its member."""
    content, infos = npy((1 << 18,), bytes(1 << 18)), []
    for number in reversed(range(40)):
        info = zipfile.ZipInfo(f"{number}.npy")
        info.file_size = info.compress_size = len(content)
        info.CRC = zlib.crc32(content)
        infos.insert(0, (info, info.FileHeader()))
        outer = infos[0][1] + content
        content = npy((len(outer),), outer)
    with zipfile.ZipFile(tmp_path / "odd", "w") as file:
        file.writestr("tree.json", json.dumps({"version": 1, "tree": [{"array": i} for i in range(40)]}))
        file.fp.write(outer)
        whole = Path(file.filename).read_bytes()
        for info, header in infos:
            info.header_offset = whole.index(header)
            file.filelist.append(info)
        file.start_dir = file.fp.tell()
        file.comment = bytes(DIGEST)
    whole = (tmp_path / "odd").read_bytes()[:-DIGEST]
    (tmp_path / "odd").write_bytes(whole + hashlib.sha256(whole).digest())
    overlaps = contextlib.suppress(zipfile.BadZipFile)  # of which zipfile itself knows since Python 3.11.8 and 3.12.2
    with overlaps, zipfile.ZipFile(tmp_path / "odd") as file:  # before, it read them all
        assert sum(len(file.read(name)) for name in file.namelist()) > 40 << 18
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"load: .*larger than the file"):
            ts.load(tmp_path / "odd")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_lack_of_memory_is_not_the_fault_of_the_file(tmp_path, monkeypatch):
    def full(*_, **__):
        raise MemoryError

    ts.save(STATE, tmp_path / "good")
    monkeypatch.setattr("numpy.lib.format.read_array", full)
    with pytest.raises(MemoryError):
        ts.load(tmp_path / "good")
