"""Hooks and retained gradients: what is looked at, or replaced, on the way back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts


def leaf(*values):
    return ts.tensor(np.array(values), requires_grad=True)


def test_hooks_see_the_whole_gradient_once_and_may_replace_it():
    x, seen = leaf(3.0), []
    h = x * 1.0
    h.register_hook(lambda g: seen.append(g.item()))
    double = h.register_hook(lambda g: g * 2.0)
    x.register_hook(lambda g: seen.append(g.item()))
    (h * h + h).backward(retain_graph=True)
    assert (seen, x.grad.item()) == ([7.0, 14.0], 14.0)
    double()
    x.grad = None
    (h * h + h).backward()
    assert x.grad.item() == 7.0


def test_a_wrong_answer_of_a_hook_changes_nothing():
    x, y = leaf(1.0), leaf(1.0)
    x.register_hook(lambda g: np.ones(1))
    with pytest.raises(ValueError, match="register_hook"):
        (x * y).backward()
    assert x.grad is None and y.grad is None


def test_a_retained_gradient_of_a_result():
    x = leaf(3.0)
    h = x * x
    h.retain_grad()
    (h * 5.0).backward()
    assert (h.grad.item(), x.grad.item()) == (5.0, 30.0)


@pytest.mark.parametrize("dtype", ["bool", "int64", "float64"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_an_answer_or_a_first_gradient_takes_the_dtype_of_what_it_belongs_to(dtype, create_graph):
    x, seen = ts.tensor([1.0, 2.0], requires_grad=True), []
    x.register_hook(lambda g: seen.append(g.dtype))
    h = -x
    h.register_hook(lambda g: ts.tensor(np.ones(2, dtype)))
    (-h).backward(ts.tensor(np.ones(2, dtype)), create_graph=create_graph)
    assert (seen, x.grad.tolist()) == ([np.float32], [-1.0, -1.0])


def test_a_hook_is_removed_once():
    x = leaf(1.0)
    kept, removed = x.register_hook(lambda g: g * 2.0), x.register_hook(lambda g: g * 3.0)
    removed()
    removed()
    (x * 1.0).backward()
    assert x.grad.item() == 2.0
    kept()


@given(kinds=st.lists(st.sampled_from([2.0, 3.0]), max_size=4), data=st.data())
def test_a_hook_is_removed_by_what_its_registration_gave(kinds, data):
    """However often, in whatever order, and whoever else has registered the same function."""
    x, seen = leaf(1.0), []
    hooks = {kind: lambda g, kind=kind: seen.append(kind) for kind in kinds}
    removes = [x.register_hook(hooks[kind]) for kind in kinds]
    removed = data.draw(st.lists(st.integers(0, len(kinds) - 1))) if kinds else []
    for i in removed:
        removes[i]()
    (x * 1.0).backward()
    assert seen == [kind for i, kind in enumerate(kinds) if i not in removed]


def once(do):
    """A hook that acts at its first call only."""
    calls = []
    return lambda g: calls.append(g) if calls else (calls.append(g), do())[-1]


@pytest.mark.parametrize("ask", [lambda h, x: h.sum().backward(), lambda h, x: ts.grad(h.sum(), x)])
@pytest.mark.parametrize("outer", [lambda y, x: y.sum().backward(), lambda y, x: ts.grad(y.sum(), x)])
@pytest.mark.parametrize("hooked", ["root", "h", "y"])
def test_a_hook_may_not_free_the_graph_that_it_is_called_from(ask, outer, hooked):
    x = leaf(1.0, 2.0)
    root = x * 3.0
    with ts.scope(step=7):
        h = root * root
    y = h * h
    {"root": root, "h": h, "y": y}[hooked].register_hook(once(lambda: ask(h, x)))
    with pytest.raises(RuntimeError, match=r"(backward|grad): a hook.*multiply \(step 7\): pass retain_graph=True"):
        outer(y, x)
    assert x.grad is None
    y.sum().backward()  # nothing was freed
    assert x.grad.tolist() == [324.0, 2592.0]


def test_a_hook_may_go_through_the_graph_and_keep_it_or_free_its_own():
    x, seen = leaf(1.0, 2.0), []
    h = x * x

    def looks():
        h.sum().backward(retain_graph=True)
        seen.append(ts.grad((x * 5.0).sum(), x).tolist())

    h.register_hook(once(looks))
    h.sum().backward()
    assert (seen, x.grad.tolist()) == ([[5.0, 5.0]], [4.0, 8.0])


def test_what_was_frozen_since_the_forward_gets_no_gradient():
    x, y, seen = leaf(2.0), leaf(3.0), []
    x.register_hook(lambda g: seen.append(g.item()))
    z = x * y
    x.requires_grad = False
    z.backward()
    assert (x.grad, y.grad.item()) == (None, 2.0)
    assert seen == [3.0]  # as in PyTorch


def test_what_was_frozen_for_a_while_gets_the_gradient_of_all_its_uses():
    x = leaf(2.0)
    y = x * 3.0
    x.requires_grad = False
    frozen = x * 100.0
    x.requires_grad = True
    (y + frozen + x * x).backward()
    assert x.grad.item() == 7.0


def toggled(layer):
    for wanted in (False, True):
        for parameter in layer.parameters():
            parameter.requires_grad = wanted
    return layer


def in_place(layer):
    return layer.to(ts.ones(1).device)


@pytest.mark.parametrize("change", [toggled, lambda layer: layer.to("float64"), in_place])
def test_hooks_names_and_gradients_stay_with_a_leaf(change):
    layer, seen = ts.nn.Linear(2, 3), []
    for p in layer.parameters():
        p.grad = ts.ones(*p.shape)
    handle = layer.weight.register_hook(lambda g: seen.append(g.dtype))
    layer.bias.register_hook(lambda g: g * 10.0)
    early = layer(ts.ones(1, 2)).sum()
    assert change(layer) is layer and [p.name for p in layer.parameters()] == ["weight", "bias"]
    layer(ts.ones(1, 2, dtype=layer.weight.dtype)).sum().backward()
    early.backward()  # of before the change
    assert {p.grad.dtype for p in layer.parameters()} == {layer.weight.dtype}
    assert (layer.weight.grad.tolist(), layer.bias.grad.tolist()) == ([[3.0, 3.0]] * 3, [21.0] * 3)
    assert len(seen) == 2
    handle.remove()
    handle()  # a second time nothing happens
    layer(ts.ones(1, 2, dtype=layer.weight.dtype)).sum().backward()
    assert len(seen) == 2
