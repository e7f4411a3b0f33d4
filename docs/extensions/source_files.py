"""A link of a page to a file of the repository leads to that file in the site, too.

A program is shown in a page of its own, highlighted, with a number for every line; a picture or any other file is
copied to the same place. A picture in a page is a link to itself, at its full size, and every entry of the reference to
the lines that it is about.
"""

import inspect
import sys
from pathlib import Path
from posixpath import dirname, normpath, relpath
from shutil import copyfile

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT = Path(__file__).parents[2]
LANGUAGES = {".py": "python", ".toml": "toml", ".sh": "sh", ".csv": "text", ".dot": "text", ".md": "markdown"}
linked: set[str] = set()  # files of the repository, by their place in it


class Links(SphinxPostTransform):
    """Turn what MyST takes for downloads into links."""

    default_priority = 5  # before Sphinx collects downloads
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for link in list(self.document.findall(addnodes.download_reference)):
            place = link["reftarget"]
            place = normpath(place if place.startswith("/") else f"{dirname(self.env.docname)}/{place}").lstrip("/")
            link.replace_self(nodes.reference("", "", *link.children, refuri=self.address(place), internal=True))
        for image in list(self.document.findall(nodes.image)):
            if not isinstance(image.parent, nodes.reference):
                link = nodes.reference("", "", image.deepcopy(), refuri=self.address(image["uri"]), internal=True)
                image.replace_self(link)

    def address(self, place: str) -> str:
        """Return where a file of the repository is to be found from this page, and see to it that it will be there."""
        linked.add(place)
        page = f"{place}.html" if Path(place).suffix in LANGUAGES else place
        return relpath(page, dirname(self.env.docname))


def linkcode_resolve(domain: str, info: dict[str, str]) -> str | None:
    """Return where the source of an entry of the reference is, from a page of docs/api."""
    value = sys.modules.get(info["module"])
    for part in info["fullname"].split("."):
        value = getattr(value, part, None)
    value = getattr(getattr(value, "op", None), "forward", value)  # of an op, what the file says
    try:
        place = relpath(inspect.getsourcefile(inspect.unwrap(value)), ROOT)
        line = inspect.getsourcelines(inspect.unwrap(value))[1]
    except TypeError:  # a property, a number
        return None
    linked.add(place)
    return f"../../{place}.html#line-{line}"


def pages(app):
    """Give the pages of the programs that are linked to, and copy the other files."""
    for place in sorted(linked):
        file = Path(app.srcdir, place)
        if language := LANGUAGES.get(file.suffix):
            text = file.read_text(encoding="utf-8")
            code = app.builder.highlighter.highlight_block(text, language, linenos="inline", lineanchors="line")
            yield place, {"title": place, "body": f"<h1>{place}</h1>\n{code}"}, "page.html"
        else:
            copy = Path(app.outdir, place)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copyfile(file, copy)


def setup(app):
    app.add_post_transform(Links)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
