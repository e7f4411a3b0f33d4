"""The README's Python runs as it stands, block after block in one session, and what it points to exists."""

import re
from pathlib import Path

import pytest

from tinygrad_seq.primitive import registry

root = Path(__file__).resolve().parent.parent
text = (root / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S)
    assert len(blocks) >= 4
    names, known = {}, set(registry)
    try:
        for block in blocks:
            exec(block, names)
    finally:
        for name in set(registry) - known:  # the ops that the README declares
            del registry[name]
    assert "(64, 16)" in capsys.readouterr().out
    assert (tmp_path / "lstm.dot").read_text().startswith("digraph")


@pytest.mark.parametrize("page", sorted([root / "README.md", *(root / "docs").glob("*.md")]), ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} points to {target}"


def test_the_first_two_shell_blocks_are_the_two_commands():
    first, second = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.M | re.S)[:2]
    assert "demos/language_model.py" in first
    assert "pytest" in second
    assert first.splitlines()[0] == second.splitlines()[0] == "python3 -m venv .venv"
