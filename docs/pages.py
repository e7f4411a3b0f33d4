"""Run the pages of the docs: every `python` block, in order, in one namespace; and keep the figures that they make.

A `text` block that follows a `python` block is what that one prints. A page of the learning path (docs/learn) makes its
own figures: what it saves under the name of a picture that it shows is that picture.

    python docs/pages.py            runs the learning path and writes its figures
    python docs/pages.py 03 04      only those pages
"""

import io
import os
import re
import sys
import tempfile
from contextlib import chdir, redirect_stdout
from pathlib import Path

from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

DOCS = Path(__file__).parent
LEARN = DOCS / "learn"
FIGURES = LEARN / "figures"
PICTURE = re.compile(r"!\[[^]]*\]\(figures/([^)]+)\)")

evaluate_python = PythonEvaluator()


def evaluate(example: Example) -> None:
    """Run a block, and keep what it prints."""
    printed = io.StringIO()
    example.namespace.setdefault("__name__", "__page__")
    with redirect_stdout(printed):
        evaluate_python(example)
    example.document.printed = printed.getvalue()
    example.document.after = example.region.end


def compare(example: Example) -> str | None:
    """Return how a text block differs from what the block before it printed, if it does."""
    document = example.document
    between = document.text[getattr(document, "after", 0) : example.region.start].strip()
    if between or not hasattr(document, "printed"):
        return None  # some text, not what code has printed
    shown, printed = (text.rstrip() for text in (example.parsed, document.printed))
    return None if shown == printed else f"the page shows\n{shown}\n\nbut its code prints\n{printed}\n"


SYBIL = Sybil(parsers=[CodeBlockParser("python", evaluate), CodeBlockParser("text", compare)])


def run(page: Path, folder: Path) -> int:
    """Run all blocks of a page in a folder; return how many there are."""
    examples = list(SYBIL.parse(page.resolve()))
    with chdir(folder):
        for example in examples:
            example.evaluate()
    return len(examples)


def pictures(page: Path) -> list[str]:
    """Return the names of the figures that a page of the learning path shows."""
    return PICTURE.findall(page.read_text(encoding="utf-8"))


def stops() -> list[Path]:
    """Return the pages of the learning path, in order."""
    return sorted(LEARN.glob("[0-9][0-9]_*.md"))


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")
    FIGURES.mkdir(exist_ok=True)
    for stop in stops():
        if sys.argv[1:] and not stop.name.startswith(tuple(sys.argv[1:])):
            continue
        with tempfile.TemporaryDirectory() as folder:
            print(stop.name, run(stop, Path(folder)))
            for name in pictures(stop):
                (FIGURES / name).write_bytes((Path(folder) / name).read_bytes())
