"""Hooks and retained gradients: what is looked at, or replaced, on the way back."""

import numpy as np
import pytest

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
