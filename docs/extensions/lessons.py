"""What the site adds to a page of the learning path: a notebook of it, pictures to play with, and its language.

The page runs while the site is built. Where it saves `name.html` beside the picture `name.svg` that it shows, the site
shows that page below the picture, too.
"""

import re
import tempfile
from base64 import b64encode
from pathlib import Path

import jupytext
import pages

FIGURE = re.compile(r"^!\[[^]]*\]\((?:[./]*/learn/)?figures/([^)]+)\.svg\)$", re.MULTILINE)
PICTURE = re.compile(r"!\[[^]]*\]\(([./a-z]*figures)/([^)]+)\)")
NOT_TO_RUN = re.compile(r"^```(sh|py)$", re.MULTILINE)
FOLDED = re.compile(r"^<details><summary>(.+)</summary>$", re.MULTILINE)
TITLE = re.compile(r"^# .+\n", re.MULTILINE)
LABELS = {  # of a page in English, and of one in docs/zh
    False: ("Download as a notebook", "Play with this picture", "Open it in a window of its own"),
    True: ("下载为 notebook", "亲手操作这幅图", "在新窗口中打开"),
}
TOOLS = '\n<p class="tools"><a href="{stem}.ipynb" download>{label}</a></p>\n'
PLAY = (
    '\n\n<details class="play"><summary>{play}</summary>'
    '<p><a href="play/{name}.html" target="_blank">{window}</a></p>'
    '<iframe src="play/{name}.html" loading="lazy" title="{play}"></iframe></details>\n'
)


def is_lesson(docname: str) -> bool:
    return docname.startswith(("docs/learn/", "docs/zh/learn/"))


def notebook(page: Path):
    """Return a page as a notebook that stands alone: with its pictures in it, and nothing that would run by mistake."""
    text = NOT_TO_RUN.sub("```text", page.read_text(encoding="utf-8"))
    made = jupytext.reads(FOLDED.sub(r"**\1**", text).replace("</details>\n", ""), fmt="md")
    for cell in made.cells:
        if names := PICTURE.findall(cell.source):
            cell.attachments = {name: attached(page.parent / folder / name) for folder, name in names}
            for folder, name in names:
                cell.source = cell.source.replace(f"]({folder}/{name})", f"](attachment:{name})")
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return made


def attached(picture: Path) -> dict[str, str]:
    """Return a picture as a notebook holds it."""
    kind = "image/svg+xml" if picture.suffix == ".svg" else "image/png"
    return {kind: b64encode(picture.read_bytes()).decode()}


def add(app, docname: str, source: list[str]) -> None:
    """Run a page, and add what it made."""
    if not is_lesson(docname) or app.builder.format != "html":
        return
    page = Path(app.srcdir, f"{docname}.md")
    target = Path(app.outdir, docname).parent
    (target / "play").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pages.run(page, Path(folder))
        playable = {path.stem: path.read_bytes() for path in Path(folder).glob("*.html")}
    for name, content in playable.items():
        (target / "play" / f"{name}.html").write_bytes(content)
    jupytext.write(notebook(page), target / f"{page.stem}.ipynb", fmt="ipynb")
    download, play, window = LABELS[docname.startswith("docs/zh/")]

    def with_play(found: re.Match[str]) -> str:
        return found[0] + (PLAY.format(name=found[1], play=play, window=window) if found[1] in playable else "")

    text = FIGURE.sub(with_play, source[0])
    source[0] = TITLE.sub(lambda found: found[0] + TOOLS.format(stem=page.stem, label=download), text, count=1)


def speak(app, docname: str, template: str, context: dict, doctree) -> None:
    """Say which language a page is in: a browser chooses the forms of characters by it."""
    if docname.startswith("docs/zh/"):
        context["language"] = "zh-CN"


def setup(app):
    app.connect("source-read", add)
    app.connect("html-page-context", speak)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
