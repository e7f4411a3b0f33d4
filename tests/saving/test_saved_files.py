"""A saved file is exactly the path: with its permissions and links, and a name as long as the file system allows."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest

import tinygrad_seq as ts


@pytest.mark.parametrize("name", ["state", "state.npz", "state.pt", ".hidden", "spaces and ü", "a.b.c"])
def test_the_file_is_exactly_the_path(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    ts.save({"x": 1}, name)
    assert os.listdir(tmp_path) == [name]
    ts.save({"x": 2}, name)
    assert os.listdir(tmp_path) == [name]
    assert ts.load(tmp_path / name) == {"x": 2}


endings = pytest.mark.parametrize("ending", ["", ".safetensors"])


def put(path, value):
    if path.suffix:
        pytest.importorskip("safetensors")
    ts.save({"x": np.full(3, value)}, path)


def taken(path):
    return ts.load(path)["x"][0]


@endings
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_permissions_stay_and_a_new_file_has_the_usual_ones(tmp_path, ending, mode):
    path, before = tmp_path / f"state{ending}", os.umask(0o027)
    try:
        put(path, 1)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(mode)
        if os.access(path, os.W_OK):
            put(path, 2)
        assert stat.S_IMODE(path.stat().st_mode) == mode and taken(path) in (1, 2)
    finally:
        os.umask(before)


def test_what_is_not_finished_is_read_by_nobody_else(tmp_path, monkeypatch):
    path, seen = tmp_path / "state", []
    put(path, 1)
    path.chmod(0o604)
    look = lambda: [stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()]
    chmod, nditer = os.chmod, np.nditer
    monkeypatch.setattr("numpy.nditer", lambda *args, **options: (seen.append(look()), nditer(*args, **options))[1])
    monkeypatch.setattr("os.chmod", lambda path, mode: (seen.append(look()), chmod(path, mode))[1])
    put(path, 2)
    assert [sorted(modes) for modes in seen] == [[0o600, 0o604]] * 2 and look() == [0o604]


@endings
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path, ending):
    for name in ("x" * (255 - len(ending)) + ending, "ü" * 120 + ending):
        put(tmp_path / name, 1)
        put(tmp_path / name, 2)
        assert taken(tmp_path / name) == 2
        (tmp_path / name).unlink()
    assert os.listdir(tmp_path) == []


@endings
def test_a_symbolic_link_stays_one(tmp_path, ending):
    (tmp_path / "folder").mkdir()
    path, link = tmp_path / "folder" / f"state{ending}", tmp_path / f"link{ending}"
    link.symlink_to(path)
    for value in (1, 2):
        put(link, value)
        assert link.is_symlink() and taken(path) == taken(link) == value
    assert os.listdir(tmp_path / "folder") == [path.name]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_what_is_no_file_is_left_alone(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull)):
        kind = stat.S_IFMT(path.stat().st_mode)
        with pytest.raises(OSError):
            ts.save({"x": 1}, path)
        assert stat.S_IFMT(path.stat().st_mode) == kind
    assert os.listdir(tmp_path) == ["pipe"]


def test_the_same_state_is_the_same_file(tmp_path):
    for name in ("a", "b"):
        put(tmp_path / name, 1)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
