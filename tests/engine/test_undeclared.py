"""An op of one's own without a gradient rule: the gradient that ends there is told of, once."""

import re

import pytest

import tinygrad_seq as ts


@pytest.mark.parametrize("forward, how", [
    (lambda xp, x: x * 2.0, "vjps(...)"), (lambda xp, x, y: x * y, "vjps(..., ...)"),
    (lambda xp, x, y, *, power: [(x * y) ** power], "vjps(..., ...)"),
    (lambda xp, *pieces: sum(pieces), "joint_vjp(...)"),
])  # fmt: skip
def test_a_gradient_that_ends_at_an_op_without_rules_is_told_once(forward, how):
    forward.__name__ = "forgetful"
    op, x = ts.primitive(forward), ts.ones(2, requires_grad=True)
    args, static = [x, 3.0 * x][: max(op.op.arity, 1)], dict.fromkeys(op.op.static, 2)
    op(*[arg.detach() for arg in args], **static)
    with ts.no_grad():
        op(*args, **static)
    says = f"forgetful: the gradient ends here, for this op has no rule: declare forgetful.{how}"
    with pytest.warns(UserWarning, match=re.escape(says)):
        op(*args, **static)
    op(*args, **static)


def test_an_op_that_has_no_gradient_on_purpose_is_not_told_of():
    @ts.primitive
    def rounded(xp, x):
        return xp.round(x)

    @ts.primitive
    def picked(xp, x, index):
        return x[index]

    @ts.primitive
    def above(xp, x):
        return x > 0

    rounded.vjps(None)
    picked.vjps(lambda g, _y, x, index: ts.zeros_like(x), None)
    x = ts.ones(2, requires_grad=True)
    x > 0.0, x // 2.0, x == x, ts.argmax(x), rounded(x), above(x), picked(ts.ones(2), x > 5.0)
