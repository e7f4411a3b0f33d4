"""The Chinese pages say what their sources say: code, formulas, pictures and links, and prose that was read again."""

import re
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "docs"))

import pages
import translations

PAGES = list(translations.translations())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_translation_says_what_its_source_says(page):
    assert translations.differences(page) == []


def test_the_readme_and_the_first_eight_stops_are_translated():
    found = [translations.source(page) for page in PAGES]
    assert found == [translations.ROOT / "README.md", *pages.stops()[:8]]


def edits(text):
    """A page with one thing changed, and what is to be said of it."""
    block = translations.BLOCK.search(text)[0]
    formula = translations.FORMULA.search(text)[0]
    yield text.replace(block, block.replace("\n", "\n# more\n", 1)), "blocks of code"
    yield text.replace(formula, formula.replace("=", "+", 1)), "formulas"
    yield text.replace("\n## ", "\n### ", 1), "headings"
    yield re.sub(r"!\[([^]]*)\]\([^)]*\)", r"\1", text, count=1), "links to"
    yield text.replace("as of ", "as of 0"), "has changed"


@pytest.mark.parametrize("number", range(5))
def test_what_differs_is_told(number, tmp_path, monkeypatch):
    """In a copy: an edit of the translation, then one of the source, which is accepted after it was read again."""
    stop = "docs/learn/06_long_memory.md"
    copies = [tmp_path / place for place in (stop, stop.replace("docs/", "docs/zh/"))]
    for copy in copies:
        copy.parent.mkdir(parents=True)
        copy.write_bytes((translations.ROOT / copy.relative_to(tmp_path)).read_bytes())
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    english, chinese = copies
    assert translations.differences(chinese) == []
    changed, said = list(edits(chinese.read_text(encoding="utf-8")))[number]
    chinese.write_text(changed, encoding="utf-8")
    (found,) = translations.differences(chinese)
    assert said in found
    english.write_text(english.read_text(encoding="utf-8").replace("thousand steps", "million steps"), encoding="utf-8")
    assert any("--accept 06_long_memory" in each for each in translations.differences(chinese))
    translations.accept(chinese)
    assert not any("--accept" in each for each in translations.differences(chinese))
