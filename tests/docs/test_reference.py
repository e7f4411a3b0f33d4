"""The reference and the library on one page: every public name is there, in the reference exactly once."""

import inspect
import pydoc
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

import tinygrad_seq as ts

DOCS = Path(__file__).resolve().parents[2] / "docs"
sys.path.append(str(DOCS / "extensions"))

import docstrings  # noqa: E402

ROOMS = {f"{room}.": getattr(ts, room).__all__ for room in ("nn", "optim", "data", "flow")}
ROOMS[""] = [
    name for name, value in vars(ts).items()
    if not name.startswith("_") and name != "TYPE_CHECKING" and (not inspect.ismodule(value) or f"{name}." in ROOMS)
]  # fmt: skip
PUBLIC = sorted(f"{room}{name}" for room, names in ROOMS.items() for name in names)
ENTRY = re.compile(r"^\.\. (?:(currentmodule)|auto\w+|py:\w+):: +(\S+?)(?:\(.*\))?((?:\n {10,}.+)*)$", re.MULTILINE)


def entries(text):
    """The names that a page of the reference has entries for, below the package."""
    module = ""
    for moves, name, more in ENTRY.findall(text):
        if moves:
            module = name
            continue
        for one in [name, *(line.strip().partition("(")[0] for line in more.split("\n") if line)]:
            yield (one if one.startswith("tinygrad_seq.") else f"{module}.{one}").removeprefix("tinygrad_seq.")


def test_every_public_name_has_one_entry():
    found = Counter(name for page in DOCS.glob("api/*.md") for name in entries(page.read_text(encoding="utf-8")))
    assert sorted(name for name in PUBLIC if found[name] != 1) == []
    assert sorted(name for name, times in found.items() if times > 1) == []


def test_every_entry_is_something():
    for page in DOCS.glob("api/*.md"):
        for name in entries(page.read_text(encoding="utf-8")):
            assert pydoc.locate(f"tinygrad_seq.{name}") is not None, name


def test_the_library_on_one_page_has_every_name():
    page = (DOCS / "all_on_one_page.md").read_text(encoding="utf-8")
    missing = [name for name in PUBLIC if not re.search(rf"(?<![\w.])(ts\.)?{re.escape(name)}\b", page)]
    assert missing == []
    assert len(page.splitlines()) < 250


@pytest.mark.parametrize("text, expected", [
    ("Return `x`, `|y|` and *args.", "Return ``x``, ``|y|`` and \\*args."),
    ("w_ |x| a\\b", "w\\_ \\|x\\| a\\\\b"),
    ("Apply an `LSTMCell`", "Apply an :py:obj:`LSTMCell <tinygrad_seq.nn.LSTMCell>`"),
    ("`ts.tensor` or else", ":py:obj:`ts.tensor <tinygrad_seq.tensor>` or else"),
    ("`dropout` is an argument", "``dropout`` is an argument"),
])  # fmt: skip
def test_nothing_in_a_docstring_is_markup_but_code(text, expected):
    assert docstrings.written([text]) == [expected, ""]


def test_formulas_and_examples_are_blocks():
    found = docstrings.written(["Compute:", "", "    y = a * b", "", "and so on.", "", ">>> 1", "1"])
    assert found == [
        "Compute:", "", ".. code-block:: text", "", "        y = a * b", "", "and so on.", "",
        ".. code-block:: pycon", "", "    >>> 1", "    1", "",
    ]  # fmt: skip
