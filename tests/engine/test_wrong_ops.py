"""Ops of one's own, declared wrongly: each mistake is a sentence that names the op, as early as it can be told.
"""

import re

import numpy as np
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


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("shape, wrong", [
    ((2, 3), (3, 2)), ((2, 3), (6,)), ((2, 3), (6, 1)), ((6,), (2, 3)), ((1,), ()), ((1, 3), (3,)), ((), (2,)),
    ((2, 1), (1, 2)), ((0, 3), (3, 0)), ((2, 2), (1, 4)),
])
@pytest.mark.parametrize("kind", ["vjps", "joint_vjp", "merged_vjp"])
def test_a_gradient_of_another_shape_is_refused_though_its_size_fits(kind, shape, wrong, create_graph):
    """Only what broadcasting repeated is summed: (2,) for (). A merged rule knows the shape, and sums itself."""
    @ts.primitive
    def bent(xp, x):
        return x * 1.0

    filled = ts.tensor(np.ones(wrong)), np.ones(wrong)
    getattr(bent, kind)({
        "vjps": lambda g, _y, _x: filled[not isinstance(g, ts.Tensor)],
        "joint_vjp": lambda g, _y, _x: [filled[not isinstance(g, ts.Tensor)]],
        "merged_vjp": lambda parent, uses: filled[not isinstance(uses[0][1], ts.Tensor)],
    }[kind])
    x, y = (ts.tensor(np.ones(shape), requires_grad=True) for _ in "xy")
    loss = (bent(x) * y).sum()
    if kind != "merged_vjp" and not shape:
        loss.backward(create_graph=create_graph)
        assert x.grad.item() == 2.0
        return
    said = rf"^bent: its rule for argument 0 .* shape {re.escape(str(shape))}, got one of {re.escape(str(wrong))}$"
    with pytest.raises(TypeError, match=said):
        loss.backward(create_graph=create_graph)
    assert x.grad is None and y.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("kind", ["vjps", "joint_vjp", "merged_vjp"])
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "complex64"])
def test_a_gradient_of_another_dtype_becomes_that_of_its_argument(kind, dtype, create_graph):
    """But for a complex one, which would lose its imaginary part."""
    @ts.primitive
    def bent(xp, x):
        return x * 1.0

    wide = np.ones(3, dtype)
    getattr(bent, kind)({
        "vjps": lambda g, _y, _x: wide, "joint_vjp": lambda g, _y, _x: [wide], "merged_vjp": lambda parent, uses: wide,
    }[kind])
    x, seen = ts.tensor(np.ones(3), device="cpu", requires_grad=True), []
    h = x * 1.0
    h.register_hook(lambda g: seen.append(g.dtype))
    if dtype == "complex64":
        with pytest.raises(TypeError, match=r"^bent: its rule for arg.* must .* dtype float64, got one of complex"):
            bent(h).sum().backward(create_graph=create_graph)
        assert x.grad is None
    elif not create_graph:
        bent(h).sum().backward()
        assert seen == ["float64"] and x.grad.tolist() == [1.0] * 3


def fails(*_):
    raise KeyError("a rule")


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("kind, rules, which", [
    ("vjps", [lambda g, _y, _a, _b: g, lambda g, _y, _a, _b: fails()], " for argument 1"),
    ("vjps", [lambda g, _y, _a, _b: fails(), None], " for argument 0"), ("joint_vjp", [fails], ""),
    ("merged_vjp", [fails], ""),
])
def test_an_error_in_a_rule_says_of_which_op_and_where(kind, rules, which, create_graph):
    """In a note: the error is the one that the rule raised."""
    @ts.primitive
    def wrong(xp, a, b):
        return a * b

    getattr(wrong, kind)(*rules)
    a, b = (ts.ones(2, requires_grad=True) for _ in "ab")
    with ts.scope(module="cell", step=3):
        y = wrong(a, b)
    with pytest.raises(KeyError) as caught:
        y.sum().backward(create_graph=create_graph)
    assert caught.value.args == ("a rule",)
    assert caught.value.__notes__ == [f"wrong: in its gradient rule{which} (cell, step 3)"]
    assert a.grad is None and b.grad is None


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


@pytest.mark.parametrize("kind", ["int64", "bool", "uint8"])
def test_a_result_that_is_not_floating_has_no_slope(kind):
    """Alone and as one of several outputs, first or last; the others are as if it was not there."""
    @ts.primitive
    def counted(xp, x):
        return x.astype(kind)

    @ts.primitive
    def ranked(xp, x):
        return [x.astype(kind), x * 2.0, x.astype(kind), x[0]]

    @ts.primitive
    def ranks(xp, x):
        return [x.astype(kind), x.astype(kind)]

    counted.vjps(lambda g, _y, _x: g)
    ranked.vjps(lambda gs, _ys, x: gs[1] * 2.0 + ts.where(x == x[0], gs[3], 0.0))
    ranks.vjps(lambda gs, _ys, _x: gs[0])
    x = ts.tensor([3.0, 1.0], requires_grad=True)
    first, twice, last, start = ranked(x)
    for whole in (counted(x), ts.engine.ops.shape.cast(x, dtype=kind), first, last, *ranks(x), ranked(x * 1.0)[0]):
        assert (whole.dtype, whole.requires_grad, whole.node) == (kind, False, None)
    with pytest.raises(RuntimeError, match="requires a gradient"):
        first.sum().backward()
    assert ts.grad((twice * 5.0).sum(), x, retain_graph=True).tolist() == [10.0, 10.0]
    assert ts.grad([twice, start], x, [np.ones(2), np.ones(())]).tolist() == [3.0, 2.0]


def test_an_op_has_an_array():
    with pytest.raises(TypeError, match=r"^primitive: .*one array"):
        @ts.primitive
        def nothing(xp):
            return 3


def test_what_is_no_array_is_keyword_only():
    def scaled(xp, x, scale=2.0):
        return x * scale

    with pytest.raises(TypeError, match=r"^primitive: .*scaled.*defaults.*star"):
        ts.primitive(scaled)


@pytest.mark.parametrize("first", [False, True])
def test_an_op_of_any_number_of_arrays_has_a_joint_rule_or_none(first):
    if first:
        @ts.primitive
        def total(xp, x, *more):
            return sum(more, x)
    else:
        @ts.primitive
        def total(xp, *pieces):
            return sum(pieces)

    x = ts.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="total: the gradient ends here"):
        assert [total(*[x] * n).requires_grad for n in (1, 2, 3)] == [False] * 3
    with pytest.raises(TypeError, match=r"^total: .*any number of arrays.*joint_vjp"):
        total.vjps(lambda g, _y, *_pieces: g)
    total.joint_vjp(lambda g, _y, *pieces: [g for _ in pieces])
    assert [ts.grad(total(*[x] * n).sum(), x).tolist() for n in (1, 2, 3)] == [[n] * 2 for n in (1, 2, 3)]


def test_a_rule_of_several_outputs_reads_none_of_them():
    @ts.primitive
    def both(xp, x):
        return [xp.exp(x), xp.sin(x)]

    both.vjps(lambda gs, ys, x: gs[0] * ys[0] + gs[1] * ts.cos(x))
    assert [y.requires_grad for y in both(ts.ones(2))] == [False, False]
    with pytest.raises(TypeError, match=r"^both: .*several outputs.*_y"):
        both(ts.ones(2, requires_grad=True))


def test_an_argument_without_a_rule_does_not_stop_the_others():
    """Though it requires a gradient itself: of rules one by one, and of a merged one."""
    @ts.primitive
    def scaled(xp, x, scale):
        return x * scale

    @ts.primitive
    def looked_up(xp, x, scale):
        return x * scale

    scaled.vjps(lambda g, _y, _x, scale: g * scale, None)
    looked_up.merged_vjp(lambda parent, uses: sum(g * node.saved[1] for node, g in uses))
    for op in (scaled, looked_up):
        x, scale = ts.ones(2, requires_grad=True), ts.tensor(3.0, requires_grad=True)
        y = (op(x, scale) + op(x, scale)).sum()
        dx, none = ts.grad(y, [x, scale], allow_unused=True)
        assert dx.tolist() == [6.0, 6.0] and none is None


@pytest.mark.parametrize("call", [lambda kind: kind(False), lambda kind: kind(mode=True), lambda kind: kind(len, len)])
def test_a_context_without_arguments_takes_none(call):
    for kind in (ts.no_grad, ts.detect_anomaly):
        with pytest.raises(TypeError, match=f"{kind.__name__}: it takes no arguments, got"):
            call(kind)
    with pytest.raises(TypeError, match=r"scope: entries have names, as in ts.scope\(step=3\)"):
        ts.scope(len)


def test_an_error_that_takes_no_note_stays_what_it_is():
    class ClosedError(Exception):
        def add_note(self, note):
            raise AttributeError("no notes")

    @ts.primitive
    def doubled(xp, x):
        return x * 2.0

    def rule(g, _y, _x):
        raise ClosedError("as it was")

    doubled.vjps(rule)
    x = ts.ones(2, requires_grad=True)
    with pytest.raises(ClosedError, match="as it was"):
        ts.grad(doubled(x).sum(), x)
