"""Every public function and class says what it is, with an example that runs.

Doctest finds what a module defines; an op is a caller that `primitive` made, so its example is run from here.
"""

import doctest
import inspect

import pytest

import tinygrad_seq as ts
from tinygrad_seq.engine.graph import Value

RESULTS = {"Batches", "Derivation", "Drawing", "Frame", "Influence", "Items", "Record"}  # what functions return
BASES = {"Cell", "Optimizer"}
ROOMS = [ts, ts.nn, ts.optim, ts.data, ts.flow]
PUBLIC = {
    name: value
    for room in ROOMS
    for name, value in vars(room).items()
    if callable(value) and not name.startswith("_") and name not in RESULTS | BASES
}


@pytest.mark.parametrize("name", PUBLIC)
def test_there_is_a_sentence_and_an_example(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    assert text.split("\n")[0].rstrip().endswith((".", ":", ",", ";")) or "\n" in text, text
    assert ">>> " in text


MEMBERS = [name for name in dir(ts.Tensor) if not name.startswith("_") and name not in dir(Value)]


@pytest.mark.parametrize("name", MEMBERS)
def test_every_member_of_a_tensor_says_what_it_is(name):
    """A sentence, and of a method an example."""
    member = getattr(ts.Tensor, name)
    text = inspect.getdoc(member) or ""
    assert text.split("\n\n")[0].rstrip().endswith(".")
    assert ">>> " in text or isinstance(member, property)


@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if hasattr(value, "op")])
def test_the_example_of_an_op_runs(name):
    example = doctest.DocTestParser().get_doctest(PUBLIC[name].__doc__, {}, name, None, None)
    assert example.examples and doctest.DocTestRunner(verbose=False).run(example).failed == 0
