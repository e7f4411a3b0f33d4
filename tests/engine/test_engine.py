"""The walk and the graph: what holds for any op. Sums over paths, failure, freeing, higher order.

A backward either changes every `.grad` or, when anything fails, none.
"""

import numpy as np
import pytest
from counted import counted, runs

import tinygrad_seq as ts
from tinygrad_seq.engine.graph import ancestors


def leaf(*values):
    return ts.tensor(np.array(values), requires_grad=True)


@ts.primitive
def broken(xp, x):
    """x, with a rule that fails."""
    return x + 0.0


broken.vjps(lambda g, _y, _x: 1 / 0)


def test_an_argument_used_twice_gets_both_gradients():
    x = leaf(3.0)
    (x * x).backward()
    assert x.grad.item() == 6.0


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_failed_backward_changes_no_gradient(create_graph):
    """Nor that of a leaf made after the op that fails, whose gradient is complete before the failure."""
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    failing = broken(x)
    late = leaf(5.0, 6.0)
    leaves = [x, y, late]
    (x * y * late).sum().backward()
    before = [value.grad.tolist() for value in leaves]
    loss = (failing * y * late + x * y).sum()
    with pytest.raises(ZeroDivisionError):
        loss.backward(create_graph=create_graph)
    assert [value.grad.tolist() for value in leaves] == before


def test_after_a_failed_backward_the_rest_of_the_graph_still_works():
    x = leaf(2.0)
    y = x * x
    with pytest.raises(ZeroDivisionError):
        broken(y).backward()
    y.backward()
    assert x.grad.item() == 4.0


def test_a_second_backward_is_refused_before_any_rule_runs():
    x = leaf(2.0)
    trunk = ts.tanh(x)
    trunk.backward()
    before = x.grad.item()
    runs.clear()
    for call in (trunk.backward, counted(trunk * x).backward, lambda: ts.grad(counted(trunk), x)):
        with pytest.raises(RuntimeError, match=r"tanh.*retain_graph=True.*detach"):
            call()
    assert (x.grad.item(), runs) == (before, [])


def test_a_retained_graph_is_walked_again():
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12.0
    with pytest.raises(RuntimeError, match="retain_graph"):
        y.backward()


def test_grad_frees_the_graph_as_backward_does():
    x = leaf(3.0)
    y = x * x
    assert [ts.grad(y, x, retain_graph=keep).item() for keep in (True, None)] == [6.0, 6.0]
    for again in (y.backward, lambda: ts.grad(y, x)):
        with pytest.raises(RuntimeError, match="retain_graph"):
            again()
    assert ts.grad(ts.grad(x * x * x, x, create_graph=True), x).item() == 18.0


def test_the_structure_outlives_the_backward():
    x = leaf(1.0)
    loss = (ts.tanh(x) * 2.0).sum()
    before = [node.op and node.op.name for node in ancestors([loss.node])]
    loss.backward()
    assert [node.op and node.op.name for node in ancestors([loss.node])] == before


def test_only_what_is_asked_for_is_computed():
    x, y = leaf(1.0), leaf(2.0)
    runs.clear()
    assert ts.grad(counted(x) * y, y).item() == 1.0
    assert runs == []
    assert x.grad is None and y.grad is None


def test_the_gradient_of_an_intermediate_and_of_an_output_itself():
    x = leaf(3.0)
    h = x * x
    y = h * 2.0
    of_h, of_y = ts.grad(y, [h, y], retain_graph=True)
    assert (of_h.item(), of_y.item()) == (2.0, 1.0)
    assert ts.grad([y, h], x, [np.ones(1), np.ones(1)], retain_graph=True).item() == 18.0
    assert ts.grad([y, h, y], x, [np.ones(1), np.ones(1), np.full(1, 2.0)]).item() == 42.0  # an output named twice


def test_unused_inputs_are_refused_or_none():
    x, y = leaf(1.0), leaf(1.0)
    with pytest.raises(RuntimeError, match="allow_unused"):
        ts.grad(x * 2.0, [x, y])
    assert ts.grad(x * 2.0, [x, y], allow_unused=True)[1] is None


@pytest.mark.parametrize("cut", [lambda x: ts.split(x, [1, 2, 1]), ts.unstack, list])
def test_unused_parts_get_zeros(cut):
    x = leaf(1.0, 2.0, 3.0, 4.0)
    cut(x)[1].sum().backward()
    used = [0.0, 1.0, 1.0, 0.0] if len(cut(x)) == 3 else [0.0, 1.0, 0.0, 0.0]
    assert x.grad.tolist() == used


def test_higher_derivatives_of_tanh():
    x = leaf(-0.7, 0.3, 1.2)
    y = t = ts.tanh(x)
    t = t.numpy()
    formulas = [1 - t**2, -2 * t * (1 - t**2), (1 - t**2) * (6 * t**2 - 2), (1 - t**2) * (16 * t - 24 * t**3)]
    for formula in formulas:
        y = ts.grad(y.sum(), x, create_graph=True)
        np.testing.assert_allclose(y.numpy(), formula, rtol=1e-12)


def test_a_recorded_backward_gives_differentiable_gradients():
    x = leaf(2.0)
    (x * x * x).backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward()
    assert (first.item(), x.grad.item()) == (12.0, 12.0)


@pytest.mark.parametrize("cut, count", [(ts.unstack, 0), (lambda x: ts.split(x, 2), 1), (lambda x: ts.split(x, []), 0)])
def test_nothing_is_cut_into_nothing(cut, count):
    assert len(cut(ts.zeros(0, 3))) == count
    assert len(cut(ts.tensor(np.zeros((0, 3)), requires_grad=True))) == count


def test_a_frozen_leaf_keeps_its_name():
    x = leaf(1.0).named("w")
    x.requires_grad = False
    assert (x.name, x.requires_grad) == ("w", False)
    x.requires_grad = True
    assert (x.name, x.requires_grad) == ("w", True)
