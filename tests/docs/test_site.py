"""The built site: every link leads to a file and a place in it; and a page of the learning path is a notebook, too.

The links are those of the site in site/, if it has been built: sphinx-build -W --keep-going -c docs . site
"""

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

root = Path(__file__).resolve().parents[2]
site = root / "site"
index = site / "searchindex.js"
fresh = pytest.mark.skipif(
    not index.exists() or index.stat().st_mtime < max(page.stat().st_mtime for page in (root / "docs").rglob("*.md")),
    reason="the site has not been built, or before the pages were changed",
)
sys.path[:0] = [str(root / "docs"), str(root / "docs" / "extensions")]

import pages  # noqa: E402
import table_of_contents  # noqa: E402

LESSON = """# 3. A title

*A question?*

```python
x = 2
print(x)
```

```text
2
```

![A picture](figures/x.svg)

```sh
python -m tinygrad_seq.exercises 3 answer.py
```

<details><summary>Answer</summary>

```python
assert x == 2
```

</details>
"""


class Page(HTMLParser):
    """The links of a page, and the places in it that links can lead to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.places = set(), {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src") and value is not None and tag != "link":
                self.links.add(value)
            elif name == "id":
                self.places.add(value)


@fresh
def test_every_link_of_the_site_leads_somewhere():
    read = {path: Page(path) for path in site.rglob("*.html") if not {"_static", "play"} & set(path.parts)}
    assert len(read) > 30
    wrong = []
    for path, page in read.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or (target in read and unquote(parts.fragment) not in read[target].places):
                wrong.append(f"{path.relative_to(site)}: {link}")
    assert wrong == []


@fresh
def test_search_knows_every_page():
    found = json.loads(index.read_text(encoding="utf-8").removeprefix("Search.setIndex(").removesuffix(")"))
    listed = {path.relative_to(root).with_suffix("").as_posix() for path in (root / "docs").rglob("*.md")}
    assert listed <= set(found["docnames"])
    assert {"lstm", "influenc", "checkpoint"} <= set(found["terms"]) | set(found["titleterms"])
    assert "tinygrad_seq.nn" in found["objects"]


def test_the_sidebar_is_the_map():
    text = (root / "docs" / "index.md").read_text(encoding="utf-8")
    found = [page for _, entries in table_of_contents.entries(text, "docs") for page in entries]
    listed = {path.relative_to(root).with_suffix("").as_posix() for path in (root / "docs").rglob("*.md")}
    assert sorted({"docs/index", *found}) == sorted(listed | {page for page in found if not page.startswith("docs/")})
    assert all((root / f"{page}.md").exists() for page in found)
    assert len(found) == len(set(found))


def cells(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_a_lesson_is_a_notebook(tmp_path):
    pytest.importorskip("jupytext")
    import lessons

    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "x.svg").write_text("<svg/>")
    (tmp_path / "03_x.md").write_text(LESSON)
    made = lessons.notebook(tmp_path / "03_x.md")
    assert cells(made) == ["x = 2\nprint(x)", "assert x == 2"]
    text = "\n".join(cell.source for cell in made.cells)
    assert "details" not in text and "**Answer**" in text and "exercises 3 answer.py" in text
    held = [cell.attachments for cell in made.cells if "attachments" in cell]
    assert held == [{"x.svg": {"image/svg+xml": "PHN2Zy8+"}}]
    assert "(attachment:x.svg)" in text


@pytest.mark.parametrize("stop", pages.stops()[:1], ids=lambda page: page.stem)
def test_its_cells_run_from_top_to_bottom(stop, tmp_path, monkeypatch):
    pytest.importorskip("jupytext")
    import lessons

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    names = {"__name__": "__main__"}
    for cell in cells(lessons.notebook(stop)):
        exec(cell, names)
    assert all((tmp_path / name).exists() for name in pages.pictures(stop))
