"""docs/coming_from.md: both columns of every row run, and where both end in a value, the values are the same.

A section is skipped where its library is not installed.
"""

import os
import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_seq as ts

PAGE = (Path(__file__).parents[2] / "docs" / "coming_from.md").read_text(encoding="utf-8")
LIBRARIES = {"PyTorch": "torch", "Keras": "keras", "JAX": "jax", "micrograd": "micrograd", "NumPy by hand": "numpy"}
BEGIN = re.search(r"```python\n(.*?)```", PAGE, re.S)[1]


def rows(section):
    """The rows of a section's table: the statements in each of its two cells."""
    text = re.split(r"^## ", PAGE, flags=re.M)
    table = next(part for part in text if part.startswith(f"{section}\n"))
    lines = re.findall(r"^\| (`.*`) \| (`.*`) \|$", table, re.M)
    return [[[part.strip("`") for part in cell.split("<br>")] for cell in line] for line in lines]


def run(statements, names):
    """Run all statements; return the value of the last one, if it is one that has a value."""
    *first, last = statements
    for statement in first:
        exec(statement, names)
    try:
        code = compile(last, last, "eval")
    except SyntaxError:
        return exec(last, names)
    return eval(code, names)


def host(value):
    """The value as something that NumPy compares."""
    if isinstance(value, ts.Tensor):
        return value.numpy()
    if hasattr(value, "detach"):
        return value.detach().numpy()
    return np.asarray(value)


@pytest.mark.filterwarnings("default")  # of other libraries
@pytest.mark.parametrize("section", LIBRARIES)
def test_both_columns_say_the_same(section, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "jax"))
    pytest.importorskip(LIBRARIES[section], exc_type=ImportError)
    theirs, ours = {}, {}  # the names that each column made
    exec(BEGIN, theirs)
    compared = 0
    for left, right in rows(section):
        expected = run(left, theirs)
        names = theirs | ours  # the right one may read what the left one made
        found = run(right, names)
        ours = {name: value for name, value in names.items() if value is not theirs.get(name)}
        if expected is not None and found is not None:
            np.testing.assert_allclose(host(found), host(expected), rtol=2e-5, atol=1e-5, err_msg=f"{left} {right}")
            compared += 1
    assert compared >= 5


def test_every_table_is_run():
    shown = re.findall(r"^\| (.+) \| here \|$", PAGE, re.M)
    assert shown == list(LIBRARIES) == re.findall(r"^## (.+)$", PAGE, re.M)
    assert len(re.findall(r"^\| `", PAGE, re.M)) == sum(len(rows(section)) for section in LIBRARIES)
