"""The sidebar is the map: every section of docs/index.md that links to pages, in the order in which it does so."""

import re
from pathlib import Path
from posixpath import dirname, normpath

SECTION = re.compile(r"^## +(.+)$", re.MULTILINE)
PAGE = re.compile(r"\]\(([^):#]+)\.md\)")


def entries(text: str, folder: str) -> list[tuple[str, list[str]]]:
    """Return the sections of a map that link to pages: each its title, and the pages by their place."""
    _, *parts = SECTION.split(text)
    sections = [(title, [normpath(f"{folder}/{page}") for page in PAGE.findall(body)])
                for title, body in zip(parts[::2], parts[1::2], strict=True)]  # fmt: skip
    return [(title, list(dict.fromkeys(pages))) for title, pages in sections if pages]


def add(app, docname: str, source: list[str]) -> None:
    """Add the map, as Sphinx wants it, below the map as people read it."""
    if docname == app.config.root_doc:
        for title, pages in entries(source[0], dirname(docname)):
            listed = "\n".join(f"/{page}" for page in pages)
            source[0] += f"\n\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{listed}\n```"


def open_at_the_map(app, error) -> None:
    """Let the folder of the site open at the map."""
    if error is None and app.builder.format == "html":
        target = f"{app.config.root_doc}.html"
        page = f'<!doctype html><meta http-equiv="refresh" content="0; url={target}"><a href="{target}">{target}</a>'
        Path(app.outdir, "index.html").write_text(page, encoding="utf-8")


def setup(app):
    app.connect("source-read", add)
    app.connect("build-finished", open_at_the_map)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
