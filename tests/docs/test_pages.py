"""The README and the pages of docs/ hold: their Python runs as it stands, block after block, prints what they say it
prints and makes the figures that they show; and what they point to exists.
"""

import re
import sys
from pathlib import Path

import pytest

from tinygrad_seq.engine.primitive import registry

root = Path(__file__).resolve().parents[2]
text = (root / "README.md").read_text(encoding="utf-8")
sys.path.append(str(root / "docs"))

import pages  # noqa: E402
import translations  # noqa: E402

PAGES = sorted([root / "README.md", *(root / "docs").rglob("*.md")])
STOPS = pages.stops()


@pytest.fixture(autouse=True)
def as_in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Nothing that a page registers, seeds or writes is left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    known = set(registry)
    yield
    for name in set(registry) - known:
        del registry[name]


def test_the_readme_runs(tmp_path):
    assert pages.run(root / "README.md", tmp_path) >= 5
    assert "<svg" in (tmp_path / "lstm.html").read_text(encoding="utf-8")


def test_passages_are_quoted_as_they_stand():
    """What contributing.md shows as ours (its `py` blocks) is in the package, line by line in the same order."""
    page = (root / "docs" / "contributing.md").read_text(encoding="utf-8")
    passages = re.findall(r"^ *```py\n(.*?)^ *```$", page, flags=re.M | re.S)
    sources = [squeezed(file.read_text(encoding="utf-8")) for file in (root / "tinygrad_seq").rglob("*.py")]
    assert len(passages) >= 5
    for passage in passages:
        assert any(squeezed(passage) in source for source in sources), passage


def squeezed(text):
    """A text without indentation: a passage may stand in a list."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


TRANSLATIONS = list(translations.translations())  # their code is that of other pages
NOT_HOSTED = {root / "README.md", root / "docs" / "gpu.md", *STOPS, *TRANSLATIONS}  # gpu.md: a device
HOSTED = [page for page in PAGES if page not in NOT_HOSTED]


@pytest.mark.parametrize("page", HOSTED, ids=lambda p: p.name)
def test_a_page_runs(page, tmp_path):
    """What it saves under the name of a figure that it shows is that figure."""
    pages.run(page, tmp_path)
    shown = set(re.findall(r"figures/([^/)]+)\)", page.read_text(encoding="utf-8")))
    made = [path for path in tmp_path.glob("*.svg") if path.name in shown]
    assert [path for path in made if not same_picture(path, root / "docs" / "figures" / path.name)] == []


@pytest.mark.parametrize("page", STOPS, ids=lambda p: p.stem)
def test_a_stop_of_the_learning_path_runs_and_makes_its_figures(page, tmp_path):
    assert pages.run(page, tmp_path) >= 5
    shown = pages.pictures(page)
    assert shown and len(page.read_text(encoding="utf-8").splitlines()) < 250
    assert [name for name in shown if not same_picture(tmp_path / name, pages.FIGURES / name)] == []


def same_picture(made, kept):
    """Text must be the same; a plot may look a little different where another font or version drew it."""
    if made.suffix != ".png":
        return made.read_bytes() == kept.read_bytes()
    compare = pytest.importorskip("matplotlib.testing.compare")
    return compare.compare_images(str(kept), str(made), tol=8) is None


def test_every_figure_of_the_learning_path_is_shown():
    shown = [name for page in STOPS for name in pages.pictures(page)]
    assert sorted(shown) == sorted({path.name for path in pages.FIGURES.glob("*")})


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} points to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_tables_have_a_head_and_as_many_cells_in_every_row(page):
    prose = re.sub(r"^( *)```.*?^\1```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for table in re.findall(r"(?:^ *\|.*\n?)+", prose, flags=re.M):
        rows = table.strip().splitlines()
        assert re.fullmatch(r" *\|( *:?-+:? *\|)+", rows[1] if len(rows) > 1 else ""), f"no head: {rows[0]}"
        for row in rows:  # a bar within a cell is written \|
            assert len(re.findall(r"(?<!\\)\|", row)) == rows[1].count("|"), row


def test_the_first_two_shell_blocks_are_the_two_commands():
    first, second = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.M | re.S)[:2]
    assert "demos/language_model.py" in first
    assert "pytest" in second
    assert first.splitlines()[0] == second.splitlines()[0] == "python3 -m venv .venv"
