"""Every demo is a short file with one question, that runs with no arguments and says where its results are.

Here each runs on its --quick setting, on the device that the tests are run on; test_demos.py looks into some of them.
"""

import ast
import re
import runpy
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

SHARED = ("characters", "lesson")
HOME = Path(__file__).parents[2] / "demos"
DEMOS = {path.stem: path for path in sorted(HOME.glob("*.py")) if path.stem not in SHARED}
pytest.importorskip("matplotlib", reason="needs the demos extra")


def run(name, monkeypatch, *arguments):
    monkeypatch.syspath_prepend(str(HOME))
    monkeypatch.setattr(sys, "argv", [str(DEMOS[name]), *map(str, arguments)])
    runpy.run_path(str(DEMOS[name]), run_name="__main__")


@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_is_short_and_asks_one_question(name):
    text = DEMOS[name].read_text(encoding="utf-8")
    first, _, *rest = ast.get_docstring(ast.parse(text)).splitlines()
    assert first.endswith(("?", ".")) and "?" in first and f"python demos/{name}.py" in "\n".join(rest)
    assert len(text.splitlines()) < 120 and max(map(len, text.splitlines())) <= 120


@pytest.mark.slow
@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_says_where_its_results_are(name, monkeypatch, tmp_path, capsys, pytestconfig):
    device = pytestconfig.getoption("device").replace("double", "cuda")
    run(name, monkeypatch, "--quick", "--device", device, "--seed", 3, "--out", tmp_path / "out")
    printed = capsys.readouterr().out
    written = re.findall(r"^written: (.+)$", printed, re.MULTILINE)
    assert {Path(path).name for path in written} == {path.name for path in (tmp_path / "out").iterdir()}
    for path in map(Path, written):
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG") if path.suffix == ".png" else content
        if path.suffix == ".svg":
            assert "viewBox" in ET.fromstring(content).attrib
    assert "nan" not in printed.lower().split()


@pytest.mark.parametrize("name", DEMOS)
def test_help_names_the_settings_that_all_have(name, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="0"):
        run(name, monkeypatch, "--help")
    assert {"--seed", "--device", "--out", "--quick"} <= set(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", DEMOS)
@pytest.mark.parametrize("arguments, says", [(["--updates", "0"], "--updates must be at least 1"),
                                             (["--device", "tpu"], "tpu")])  # fmt: skip
def test_what_cannot_work_is_one_sentence(name, arguments, says, monkeypatch, tmp_path):
    if "updates=" not in DEMOS[name].read_text(encoding="utf-8") and arguments[0] == "--updates":
        pytest.skip("it trains nothing")
    with pytest.raises(SystemExit, match=f"^{name}: .*{says}"):
        run(name, monkeypatch, *arguments, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name, arguments, says", [
    ("clipping", ["--steps", 1], "--steps must be at least 2"),
    ("long_memory", ["--steps", 1], "--steps must be at least 2"),
    ("own_cell", ["--steps", 1], "--steps must be at least 2"),
    ("latent_space", ["--size", 1], "--size must be at least 2"),
    ("latent_space", ["--first", "x9"], "token '9'"),
    ("highlighter", ["--file", "binary"], "binary is not a text in UTF-8"),
    ("highlighter", ["--file", "empty"], "empty is empty"),
    ("highlighter", ["--file", "missing"], "missing"),
    ("forecast", ["--csv", "binary"], "binary is not a text in UTF-8"),
    ("forecast", ["--csv", "gap.csv", "--column", 2], "gap.csv: column 2 of row 4 holds '', which is no number"),
    ("relu_rnn", ["--csv", "nan.csv"], "nan.csv: column 1 of row 1 holds 'nan', which is no number"),
    ("relu_rnn", ["--csv", "short.csv"], "short.csv: column 1 of row 3 holds 'two', which is no number"),
])
def test_what_cannot_work_is_told_before_the_training(name, arguments, says, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("binary").write_bytes(b"\xff\xfe\x00")
    Path("empty").write_bytes(b"")
    Path("gap.csv").write_text("day,value\n\n1,2.5\n2,\n3,4.5\n")
    Path("nan.csv").write_text("nan\n1.0\n")
    Path("short.csv").write_text("1\n\ntwo\n")
    monkeypatch.syspath_prepend(str(HOME))
    monkeypatch.setattr("lesson.train", None)
    with pytest.raises(SystemExit, match=f"^{name}: .*{says}"):
        run(name, monkeypatch, *arguments, "--out", "out")


@pytest.mark.parametrize("name, arguments", [
    ("many_to_one", ["--updates", 1]), ("latent_space", ["--size", 2]), ("long_memory", ["--steps", 2]),
])
def test_small_sizes_work_and_win_over_those_of_quick(name, arguments, monkeypatch, tmp_path, capsys, pytestconfig):
    device = pytestconfig.getoption("device").replace("double", "cuda")
    run(name, monkeypatch, "--quick", *arguments, "--device", device, "--out", tmp_path)
    printed = capsys.readouterr().out
    assert "written: " in printed and ("--steps" not in arguments or "sequences of 2 numbers" in printed)


@pytest.mark.parametrize("name", ["draw_unrolled", "gradient_flow"])
def test_what_only_draws_graphs_needs_nothing_installed(name, monkeypatch, tmp_path):
    for module in ("matplotlib", "matplotlib.figure", "tqdm", "threadpoolctl"):
        monkeypatch.setitem(sys.modules, module, None)
    run(name, monkeypatch, "--steps", 2, "--out", tmp_path)
    assert any(path.suffix == ".svg" for path in tmp_path.iterdir())
    with pytest.raises(SystemExit, match=r"^forecast: .*pip install -e"):
        run("forecast", monkeypatch, "--quick", "--out", tmp_path)


def test_the_gallery_shows_every_demo_with_its_question():
    page = (HOME / "README.md").read_text(encoding="utf-8")
    for name, path in DEMOS.items():
        question = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).partition("?")[0] + "?"
        assert f"### {question}\n" in page and f"`python demos/{name}.py`" in page, name
    pictures = re.findall(r"\]\((?!https?:)([^)#]+)", page)
    assert all((HOME / picture).exists() for picture in pictures)
    assert {path.name for path in (HOME / "pictures").iterdir()} <= {Path(picture).name for picture in pictures}
