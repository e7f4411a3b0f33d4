"""A gradient rule is shown as it is written in its source."""

from types import CodeType

import pytest

import tinygrad_seq as ts
from tinygrad_seq.drawing.page.rule_source import rules_of
from tinygrad_seq.engine.primitive import registry

own = [op for op in registry.values() if op.differentiable and op.forward.__module__.startswith("tinygrad_seq.")]


@pytest.mark.parametrize("op", own, ids=lambda op: op.name)
def test_a_rule_is_shown_as_it_is_written(op):
    """Compiled again, the statement holds the code of every rule; no statement is shown twice."""
    rules = [rule for rule in (*op.rules, op.joint, op.merge) if rule is not None]
    texts = [text for _, text in rules_of(op)]
    assert len(set(texts)) == len(texts) <= len(rules)
    codes = [compile(text, "rule", "exec") for text in texts]
    found = [within for code in codes for within in code.co_consts if isinstance(within, CodeType)]
    assert sorted(map(seen, found)) == sorted(seen(rule.__code__) for rule in rules)


def seen(code):
    return code.co_name, code.co_names, code.co_varnames, len(code.co_code)


def test_rules_in_one_statement_are_shown_once_and_one_without_source_is_no_error():
    @ts.primitive
    def blend(xp, x, y):
        return x * 2 + y * 3

    registry.pop("blend")
    blend.vjps(lambda g, _z, _x, _y: g * 2.0, lambda g, _z, _x, _y: g * 3.0)
    statement = "blend.vjps(lambda g, _z, _x, _y: g * 2.0, lambda g, _z, _x, _y: g * 3.0)"
    assert rules_of(blend.op) == [("x, y", statement)]
    blend.vjps(eval("lambda g, _z, _x, _y: g"), None)
    assert rules_of(blend.op) == [("x", "(its source is not at hand)")]
