"""Ops of one's own, declared wrongly: each mistake is a sentence that names the op, as early as it can be told.
"""

import pytest

import tinygrad_seq as ts


def result(forward):
    @ts.primitive
    def wrong(xp, x):
        return forward(x)

    wrong.vjps(lambda g, _y, _x: g)
    return wrong


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("forward, got", [
    (lambda x: None, "NoneType"), (lambda x: (x, x), "tuple"), (lambda x: 3.0, "float"), (lambda x: [x, None], "None"),
])
def test_a_forward_returns_arrays(forward, got, requires_grad):
    x = ts.ones(2).to("float64")
    x.requires_grad = requires_grad
    with pytest.raises(TypeError, match=f"(?s)^wrong: its forward must return an array.*{got}"):
        result(forward)(x)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("rule, got", [
    (lambda g, _y, _x: None, "None"), (lambda g, _y, _x: 2.0, "2.0"), (lambda g, _y, _x: [g], "tensor|array"),
    (lambda g, _y, _x: g.sum(), r"\(\)"), (lambda g, _y, _x: g.reshape(3, 1), r"\(3, 1\)"),
])
def test_a_rule_gives_a_gradient_of_its_argument(rule, got, create_graph):
    @ts.primitive
    def wrong(xp, x):
        return x * 1.0

    wrong.vjps(rule)
    x, y = (ts.ones(3) for _ in "xy")
    x.requires_grad = y.requires_grad = True
    with pytest.raises(TypeError, match=rf"(?s)^wrong: its rule for argument 0.*\(3,\), got.*({got})"):
        (wrong(x) * y).sum().backward(create_graph=create_graph)
    assert x.grad is None and y.grad is None


@pytest.mark.parametrize("joint", [lambda g, _y, *_: None, lambda g, _y, *_: [g], lambda g, _y, *_: [g, g, g]])
def test_a_joint_rule_gives_a_gradient_for_each_argument(joint):
    @ts.primitive
    def wrong(xp, *pieces):
        return pieces[0] + pieces[1]

    wrong.joint_vjp(joint)
    x = ts.ones(3)
    x.requires_grad = True
    with pytest.raises(TypeError, match=r"^wrong: its rule must give 2 gradients"):
        wrong(x, x).sum().backward()
    assert x.grad is None


@pytest.mark.parametrize("rules", [
    [lambda g: g], [lambda g, y, x: g], [lambda g, y, x, scale, more: g], [lambda g, y, x, scale: g] * 2,
])
def test_a_rule_takes_what_it_is_given(rules):
    @ts.primitive
    def wrong(xp, x, *, scale):
        return x * scale

    with pytest.raises(TypeError, match=r"^wrong: (a rule takes \(g, y, x, scale\)|1 arguments need 1 rules)"):
        wrong.vjps(*rules)


def test_an_op_has_an_array():
    with pytest.raises(TypeError, match=r"^nothing: .*one array"):
        @ts.primitive
        def nothing(xp):
            return 3
