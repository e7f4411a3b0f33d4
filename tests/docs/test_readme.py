"""The Python of the README and of docs/ runs as it stands, block after block, and what they point to exists."""

import re
from pathlib import Path

import pytest

from tinygrad_seq.engine.primitive import registry

root = Path(__file__).resolve().parents[2]
text = (root / "README.md").read_text(encoding="utf-8")


PAGES = sorted([root / "README.md", *(root / "docs").glob("*.md")])


@pytest.fixture(autouse=True)
def none_of_its_ops_is_left():
    known = set(registry)
    yield
    for name in set(registry) - known:
        del registry[name]


def run(page):
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    names = {}
    for block in blocks:
        exec(block, names)
    return len(blocks)


def test_python_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(root / "README.md") >= 4
    assert "(64, 16)" in capsys.readouterr().out
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


HOSTED = [page for page in PAGES if page.name not in ("README.md", "gpu.md")]  # gpu.md wants a device


@pytest.mark.parametrize("page", HOSTED, ids=lambda p: p.name)
def test_python_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} points to {target}"


def test_the_first_two_shell_blocks_are_the_two_commands():
    first, second = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.M | re.S)[:2]
    assert "demos/language_model.py" in first
    assert "pytest" in second
    assert first.splitlines()[0] == second.splitlines()[0] == "python3 -m venv .venv"
