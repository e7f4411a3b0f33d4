"""`python -m tinygrad_seq` says what is here and what is missing; the program that it shows draws its picture."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import __main__ as command
from tinygrad_seq import overview
from tinygrad_seq.engine import backend

PICTURE = "first_picture.html"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_without_a_command_it_says_what_is_here_and_draws(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(ts.__file__).parents[1])}
    ended = subprocess.run([sys.executable, "-m", "tinygrad_seq"], capture_output=True, text=True, check=True,
                           env=environment)  # fmt: skip
    python = ".".join(map(str, sys.version_info[:3]))
    assert ended.stdout.startswith(f"tinygrad_seq {ts.__version__}, Python {python}\n") and ended.stderr == ""
    for said in (f"NumPy {np.__version__}", "\n  cuda  ", "explain [NAME]", "tinygrad_seq.exercises", "Demos and docs"):
        assert said in ended.stdout
    (address,) = (word for word in ended.stdout.split() if word.startswith("file:"))
    assert Path(url2pathname(urlparse(address).path)) == tmp_path / PICTURE
    assert (tmp_path / PICTURE).read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_program_that_it_shows_draws_the_picture(tmp_path, capsys):
    assert command.main([]) == 0
    shown = capsys.readouterr().out.partition("drawn by this program:\n\n")[2]
    assert shown.strip() == "\n".join(f"    {line}".rstrip() for line in overview.program().splitlines()).strip()
    drawn = Path(PICTURE).read_bytes()
    Path(PICTURE).unlink()
    (tmp_path / "mine.py").write_text(overview.program(), encoding="utf-8")
    runpy.run_path(str(tmp_path / "mine.py"))
    assert Path(PICTURE).read_bytes() == drawn


def test_where_nothing_can_be_written_the_rest_is_said(tmp_path, capsys):
    (tmp_path / PICTURE).mkdir()
    assert command.main([]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("tinygrad_seq ") and "drawn" not in captured.out
    assert captured.err.startswith("no picture here: ") and PICTURE in captured.err


def test_cupy_is_imported_only_when_asked(monkeypatch):
    def imported():
        raise RuntimeError("it was imported")

    monkeypatch.setattr(backend, "cupy", imported)
    monkeypatch.setattr(backend, "has_cupy", lambda: True)
    assert "--gpu" in overview.overview()
    assert "cuda  not here: it was imported" in overview.overview(gpu=True)
    monkeypatch.setattr(backend, "has_cupy", lambda: False)  # then nothing is imported: what is missing is said
    assert "cuda  not here: it was imported" in overview.overview()


def test_the_gpus_of_cupy_are_counted(gpu):
    assert overview.cuda(False) == "CuPy is installed; python -m tinygrad_seq --gpu asks it for GPUs"
    module = backend.cupy()
    assert overview.cuda(True) == f"CuPy {module.__version__}, {module.cuda.runtime.getDeviceCount()} GPU(s)"


def test_a_checkout_has_demos_and_docs_and_a_wheel_has_not(tmp_path):
    assert f"tinygrad_seq-{ts.__version__}.tar.gz" in overview.demos_and_docs(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").touch()
    assert str(tmp_path) in overview.demos_and_docs(tmp_path) and "tar.gz" not in overview.demos_and_docs(tmp_path)


def test_the_version_is_said(capsys):
    with pytest.raises(SystemExit, match="0"):
        command.main(["--version"])
    assert capsys.readouterr().out == f"tinygrad_seq {ts.__version__}\n"
