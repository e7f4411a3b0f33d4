"""The twenty mistakes that learners make most: each is an error where it is certain, one warning where it is likely, a
page elsewhere; what its page in mistakes.md shows is what happens; and every pointer leads to a page.
"""

import contextlib
import io
import re
import warnings
from pathlib import Path

import pytest

from tinygrad_seq import __main__ as program
from tinygrad_seq import explain
from tinygrad_seq.engine.backend import default_device

MISTAKES = {
    "detach-forgotten": "error", "backward-twice": "error", "wrong-shape": "error", "batch-first": "page",
    "ids-out-of-range": "error", "ids-are-floats": "error", "nan": "warning", "loss-not-scalar": "error",
    "nothing-requires-grad": "error", "in-place": "error", "numpy-in-the-middle": "error",
    "zero-grad-forgotten": "warning", "softmax-before-cross-entropy": "warning", "eval-forgotten": "warning",
    "plain-list": "warning", "step-changes-nothing": "warning", "first-state": "error", "features-as-time": "error",
    "exploding-gradients": "page", "grad-is-none": "warning",
}  # fmt: skip
PAGES = explain.pages()
POINTER = re.compile(r"python -m tinygrad_seq explain ([a-z-]+)")
package = Path(explain.__file__).parent


@pytest.fixture(autouse=True)
def on_a_host():
    """A page prints what is on the CPU; and a GPU is not asked whether a loss is NaN."""
    token = default_device.set("cpu")
    yield
    default_device.reset(token)


def blocks(name):
    """The programs of a page, each with the text block that follows it, or None."""
    return re.findall(r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)\n```$)?", PAGES[name], flags=re.M | re.S)


def outcome(source):
    """What comes of a program: its error, its first warning of ours, or what it prints; and its error."""
    printed, error = io.StringIO(), None
    with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            exec(compile(source, "<page>", "exec"), {"__name__": "__page__"})
        except Exception as raised:
            error = raised
    ours = [each for each in warned if each.category is UserWarning]
    if error is not None or ours:
        kind, what = (type(error), error) if error is not None else (UserWarning, ours[0].message)
        return f"{kind.__name__}: {what}", error
    return printed.getvalue().rstrip(), None


def matches(found, shown):
    return re.fullmatch(re.escape(shown).replace(r"\.\.\.", ".*"), found, flags=re.S) is not None


def test_there_are_twenty():
    assert list(PAGES) == list(MISTAKES) and len(MISTAKES) == 20


@pytest.mark.parametrize("name", MISTAKES)
def test_what_a_page_shows_is_what_happens(name):
    programs = blocks(name)
    assert len(programs) >= 2 and PAGES[name].count("```python") == len(programs)
    for source, shown in programs:
        found, _ = outcome(source)
        assert matches(found, shown), f"{name} shows\n{shown}\nbut its program gives\n{found}"


@pytest.mark.parametrize("name", MISTAKES)
def test_the_wrong_program_is_answered_and_the_right_one_is_not(name):
    programs = [source for source, _ in blocks(name)]
    found, error = outcome(programs[0])
    kind = "error" if error is not None else "warning" if found.startswith("UserWarning: ") else "page"
    assert kind == MISTAKES[name]
    assert kind == "page" or POINTER.findall(found) == [name]
    assert not re.match(r"\w+(Error|Warning): ", outcome(programs[-1])[0])


def test_every_pointer_leads_to_a_page_and_every_page_is_pointed_to():
    sources = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    pointed = set(POINTER.findall(sources))
    assert pointed <= set(MISTAKES)
    chosen = {name for name in MISTAKES if re.search(rf"['\"]{name}['\"]", sources)}  # one of two pages
    assert pointed | chosen == set(MISTAKES)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_page_begins_with_one_short_sentence(name):
    first, second = PAGES[name].splitlines()[:2]
    assert first.endswith(".") and len(first) < 100 and second == ""


# ------------------------------------------------------------------------------------------------------- at a prompt


def test_a_page_is_printed_as_plain_text(capsys):
    assert program.main(["explain", "nan"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("nan\n===\nThe loss is NaN") and "```" not in text
    assert "\n    import tinygrad_seq as ts\n" in text


def test_all_pages_are_listed_with_a_line_each(capsys):
    assert program.main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(MISTAKES)
    assert all(PAGES[line.split()[0]].splitlines()[0] in line for line in lines)


@pytest.mark.parametrize("given, nearest", [("detach", "detach-forgotten"), ("NaN", "nan"), ("softmax", "softmax-")])
def test_the_nearest_name_is_told(given, nearest, capsys):
    assert program.main(["explain", given]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and re.search(rf"no page '{given}'; the nearest is '{nearest}", captured.err)


def test_a_name_that_is_near_no_page_leads_to_the_list(capsys):
    assert program.main(["explain", "zzz"]) == 1
    assert capsys.readouterr().err == "explain: there is no page 'zzz'; without a name it lists all\n"
