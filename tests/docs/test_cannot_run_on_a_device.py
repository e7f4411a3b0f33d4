"""The list of what cannot run on a device names what there is, and gives a reason for each."""

import ast
from pathlib import Path

import pytest
from cannot_run_on_a_device import FAILS, LEFT_OUT

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("entry", [*FAILS, *LEFT_OUT])
def test_what_is_listed_is_there(entry, request):
    name, _, rest = entry.partition("::")
    function = rest.partition("[")[0]
    defined = {node.name for node in ast.walk(ast.parse((TESTS / name).read_text())) if hasattr(node, "name")}
    assert not function or function in defined
    assert (FAILS | LEFT_OUT)[entry]
    if rest != function:  # one case of a test: asked where its cases are collected, too
        cases = [item.nodeid for item in request.session.items if item.nodeid.startswith(f"tests/{name}::{function}[")]
        assert not cases or f"tests/{entry}" in cases


def test_nothing_is_listed_twice():
    assert not FAILS.keys() & LEFT_OUT.keys()
