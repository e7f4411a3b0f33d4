"""The demos as their reader runs them: a process of its own, with its files, its sentences and its exit status.

The language model must write every result and say where, do the same with the same seed, go on after Ctrl-C as if
nothing had been, and answer what cannot work (no GPU, no file, no Graphviz) with a sentence and not with a traceback.
"""

import importlib.util
import inspect
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_seq as ts

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demos" / "language_model.py"
TINY = ["--hidden", "8", "--steps", "12", "--batch", "4", "--window", "8"]
pytestmark = pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs the demos extra")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("the cat sat on the mat, and the dog sat on the ünder-cat. " * 20, encoding="utf-8")
    return path


def command(*arguments, out=None):
    return [sys.executable, str(DEMO), *map(str, arguments), *(["--out", str(out)] if out else [])]


def environment(**changes):
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **changes}


def run(*arguments, out=None, **changes):
    return subprocess.run(command(*arguments, out=out), env=environment(**changes), capture_output=True, text=True,
                          timeout=120, cwd=out.parent if out else None)  # fmt: skip


@pytest.fixture(scope="module")
def finished(text, tmp_path_factory):
    """The results of one tiny run, where no other program is found: not Graphviz either."""
    out = tmp_path_factory.mktemp("run") / "out"
    done = run("--text", text, *TINY, out=out, PATH=str(out.parent))
    assert done.returncode == 0, done.stderr
    return out, done


def same(a, b):
    """Checkpoints alike bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a.tobytes() == b.tobytes() if hasattr(a, "tobytes") else a == b


def test_everything_is_written_and_it_says_where(finished):
    out, done = finished
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert "|gradient|" in (out / "unrolled.svg").read_text(encoding="utf-8")
    assert "<!doctype html>" in (out / "unrolled.html").read_text(encoding="utf-8").lower()
    sample = (out / "sample.txt").read_text(encoding="utf-8")
    assert len(sample) == 1200 and set(sample) <= set("the cat sat on the mat, and the dog sat on the ünder-cat. ")
    saved = ts.load(out / "checkpoint")
    assert saved["step"] == len(saved["losses"]) == 12
    names = ["checkpoint", "loss.png", "sample.txt", "unrolled.html", "unrolled.svg"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert all(name in done.stdout for name in (str(out), *names))
    assert sample[:600] in done.stdout
    assert re.search(r"held-out loss: \d+\.\d{3} nats", done.stdout)
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_is_the_same_run_and_another_is_another(text, finished, tmp_path, seed):
    out = tmp_path / "out"
    assert run("--text", text, *TINY, "--seed", seed, out=out).returncode == 0
    first, second = ts.load(finished[0] / "checkpoint"), ts.load(out / "checkpoint")
    assert same(first, second) == (seed == 0)
    assert (first["losses"] == second["losses"]) == (seed == 0)


@pytest.mark.parametrize("way", ["--replay", pytest.param("--compile", marks=pytest.mark.slow)])
def test_a_program_trains_as_the_graph_does_and_says_what_it_gains(text, finished, tmp_path, way):
    if way == "--compile" and "compile" not in inspect.signature(ts.replay).parameters:
        pytest.skip("ts.replay does not compile")
    done = run("--text", text, *TINY, way, out=tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^[\d,]+ characters a second, \d+\.\d times as many as without a program$", done.stdout, re.M)
    first, second = ts.load(finished[0] / "checkpoint"), ts.load(tmp_path / "out" / "checkpoint")
    assert first["losses"] == pytest.approx(second["losses"], rel=1e-5)


@pytest.mark.parametrize("cell, gates", [("rnn", 1), ("lstm", 4)])
def test_other_cells_work(text, tmp_path, cell, gates):
    done = run("--text", text, *TINY, "--cell", cell, out=tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert cell.upper() in done.stdout
    assert ts.load(tmp_path / "out" / "checkpoint")["model"]["recurrent.weight_hh_l0"].shape == (gates * 8, 8)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends a SIGINT")
def test_a_run_that_was_interrupted_and_resumed_is_the_run_that_was_not(text, tmp_path):
    sizes = ["--text", text, "--hidden", 8, "--steps", 600, "--batch", 4, "--window", 8]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run(*sizes, out=whole).returncode == 0
    with subprocess.Popen(command(*sizes, out=cut), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:  # fmt: skip
        seen = next(line for line in process.stdout if line.startswith("--- step"))
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and "Traceback" not in errors
    assert "--resume" in rest and str(cut) in rest, seen
    step = ts.load(cut / "checkpoint")["step"]
    assert 0 < step < 600
    assert f"step {step}" in rest
    assert not (cut / "sample.txt").exists()
    done = run("--resume", out=cut)
    assert done.returncode == 0, done.stderr
    assert same(ts.load(cut / "checkpoint"), ts.load(whole / "checkpoint"))
    assert (cut / "sample.txt").read_bytes() == (whole / "sample.txt").read_bytes()


def test_a_run_goes_on_as_it_began_and_says_what_it_leaves_out(text, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [str(DEMO.parent), *sys.path])
    monkeypatch.chdir(text.parent)

    def said(*arguments):
        monkeypatch.setattr(sys, "argv", [str(DEMO), *arguments, "--out", str(tmp_path)])
        runpy.run_path(str(DEMO), run_name="__main__")
        return capsys.readouterr().out

    said("--text", text.name, "--quick", "--hidden", "6")
    settings = ts.load(tmp_path / "checkpoint")["settings"]
    assert (settings["hidden"], settings["steps"], settings["quick"]) == (6, 4, True)
    assert "--resume goes on" not in said("--resume", "--hidden", "6", "--text", text.name)
    assert "began with, not with your --steps, --seed" in said("--resume", "--steps", "9", "--seed", "1")
    assert ts.load(tmp_path / "checkpoint")["settings"] == settings


def assert_refused(done, says):
    """One sentence on stderr, a failure, no traceback."""
    assert done.returncode not in (0, None)
    assert "Traceback" not in done.stderr
    assert re.search(says, done.stderr.strip().splitlines()[-1]), done.stderr


def no_gpu():
    if importlib.util.find_spec("cupy") is None:
        return True
    return not __import__("cupy").cuda.is_available()


@pytest.mark.skipif(not no_gpu(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said(text, tmp_path):
    done = run("--text", text, *TINY, "--device", "cuda", out=tmp_path / "out")
    assert_refused(done, r'^language_model: device "cuda".*(CuPy|GPU)')
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("says, arguments", [
    (r"nowhere\.txt", ["--text", "nowhere.txt", *TINY]),
    (rf"{os.devnull} is empty", ["--text", os.devnull, *TINY]),
    (r"checkpoint", ["--resume"]),
    (r"hidden|sizes", [*TINY, "--hidden", "0"]),
    (r"batch", [*TINY, "--batch", "0"]),
    (r"window|no steps", [*TINY, "--window", "0"]),
    (r"steps", [*TINY, "--steps", "0"]),
    (r"lr", [*TINY, "--lr", "nan"]),
    (r"tpu", [*TINY, "--device", "tpu"]),
])  # fmt: skip
def test_what_cannot_work_is_one_sentence(text, tmp_path, monkeypatch, says, arguments):
    """In this process: what Python itself makes of it stands in the test above."""
    given = [] if "--text" in arguments or "--resume" in arguments else ["--text", str(text)]
    monkeypatch.setattr(sys, "argv", [str(DEMO), *given, *arguments, "--out", str(tmp_path / "out")])
    monkeypatch.setattr(sys, "path", [str(DEMO.parent), *sys.path])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=says) as caught:
        runpy.run_path(str(DEMO), run_name="__main__")
    assert isinstance(caught.value.code, str) and "\n" not in caught.value.code


def test_the_picture_needs_no_graphviz(finished):
    assert (finished[0] / "unrolled.svg").read_text(encoding="utf-8").startswith("<svg")


def test_help_is_for_people():
    done = run("--help")
    assert done.returncode == 0
    for option in ("--text", "--cell", "--hidden", "--steps", "--device", "--out", "--resume", "--seed"):
        assert option in done.stdout


def files_of(demo, *arguments, out):
    """A demo that needs nothing but a folder: the files it leaves, all of them named in what it prints."""
    path = ROOT / "demos" / f"{demo}.py"
    done = subprocess.run([sys.executable, str(path), *arguments, "--out", str(out)], env=environment(PATH=""),
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0 and "Warning" not in done.stderr and "Traceback" not in done.stderr, done.stderr
    found = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in out.iterdir()}
    assert all(Path(name).stem in done.stdout for name in found)
    return found | {"printed": done.stdout}


def test_unrolled_networks_of_every_kind_and_shape(tmp_path):
    found = files_of("draw_unrolled", "--steps", "2", out=tmp_path)
    assert len(found) == 13 and "lstm.html" in found
    for name, text in found.items():
        assert name == "printed" or (("<svg" in text) and ("t = 1" in text or name == "one_to_one.svg"))
    rolled = files_of("draw_unrolled", "gru", "--view", "rolled", "--format", "svg", "json", out=tmp_path / "rolled")
    assert "t−1" in rolled["gru.svg"] and '"delay"' in rolled["gru.json"]


def test_gradient_flow_tells_vanishing_from_healthy(tmp_path):
    found = files_of("gradient_flow", out=tmp_path)
    names = [f"{name}.{kind}" for name in ("healthy_lstm", "vanishing_rnn") for kind in ("html", "svg")]
    assert sorted(found) == sorted([*names, "printed"])
    assert ">1e-12<" in found["vanishing_rnn.svg"] and ">1e-6<" in found["healthy_lstm.svg"]  # ends of the scales
    assert ">1e-12<" not in found["healthy_lstm.svg"]


def test_derivatives_are_drawn(tmp_path):
    found = files_of("derivatives", "--order", "2", "--format", "dot", "--updates", "1", out=tmp_path)
    assert sorted(found) == ["derivatives.png", "printed", "tanh_1.dot", "tanh_2.dot"]
    assert "tanh′ x at 0.5 is +0.7864" in found["printed"]
