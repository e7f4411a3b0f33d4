"""A leaf that is frozen, thawed and converted between its uses: gradients are of all uses while it learned."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq import nn

CHANGES = ("freeze", "thaw", "float16", "float64", "name")


class One(nn.Module):
    def __init__(self):
        self.w = nn.Parameter([1.0, 2.0], dtype="float64")


def made(one, changes):
    """After each change: whether the weight of the module learns, and what its name is."""
    learns, name = True, one.w.name
    for i, change in enumerate(changes):
        if change in ("freeze", "thaw"):
            one.w.requires_grad = learns = change == "thaw"
        elif change == "name":
            name = one.w.named(f"w{i}").name
        else:
            one.to(change)
        yield learns, name


def used_between(changes):
    """A module, a loss that its weight is used for after each change, the sum of the factors that count, and what a
    hook sees.
    """
    one, seen = One(), []
    one.w.register_hook(lambda g: seen.append(g.tolist()))
    loss, total = (one.w * 1.0).sum(), 1.0
    for i, (learns, _) in enumerate(made(one, changes)):
        loss = loss + (one.w * 2.0**i).sum()
        total += 2.0**i * learns
    one.w.requires_grad = True
    return one, loss, total, seen


@given(st.lists(st.sampled_from(CHANGES), max_size=7))
def test_a_gradient_is_of_all_uses_while_the_leaf_learned(changes):
    one, loss, expected, seen = used_between(changes)
    found = [ts.grad(loss, one.w, retain_graph=True), ts.flow.itemize(loss, one.w).items.sum(0)]
    found.append(ts.grad(loss, one.w, create_graph=True))
    assert [g.tolist() for g in found] == [[expected] * 2] * 3
    assert {g.dtype for g in found} == {one.w.dtype}
    assert np.isclose(ts.flow.influence(loss, [one.w]).map.item(), expected * 2**0.5)
    seen.clear()
    loss.backward()
    assert one.w.grad.tolist() == [expected] * 2 and one.w.grad.dtype == one.w.dtype
    assert seen == [[expected] * 2]  # once, and complete


@given(st.lists(st.sampled_from(CHANGES), max_size=7))
def test_a_leaf_has_one_node_while_it_learns_and_says_its_name_always(changes):
    one = One()
    node = one.w.node
    for learns, name in made(one, changes):
        assert (one.w.node is node) == one.w.requires_grad == learns
        assert (one.w.node.name, one.w.node.dtype) == (name, one.w.dtype)


def test_only_a_use_while_it_was_frozen_is_no_use():
    x = ts.ones(2, requires_grad=True)
    x.requires_grad = False
    frozen, y = x * 3.0, x * ts.ones(2, requires_grad=True)
    x.requires_grad = True
    assert not frozen.requires_grad
    assert ts.grad(y.sum(), x, allow_unused=True, retain_graph=True) is None
    y.sum().backward()
    assert x.grad is None


def test_a_leaf_that_never_learned_may_begin_to():
    x = ts.ones(2).named("x")
    x.requires_grad = True
    assert (ts.grad((x * 3.0).sum(), x).tolist(), x.name) == ([3.0, 3.0], "x")


def test_a_checkpoint_does_not_mind_that_a_leaf_was_frozen_for_a_while():
    w = ts.ones(2, requires_grad=True)
    loss = ts.checkpoint(lambda: (w * w).sum())
    w.requires_grad = False
    w.requires_grad = True
    loss.backward()
    assert w.grad.tolist() == [2.0, 2.0]
