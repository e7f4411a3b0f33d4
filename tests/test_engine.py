"""The walk and the graph: what holds for any op. Sums over paths, depth, failure, freeing, hooks, retained gradients.

Sharing is linear (y + y, sixty times, is sixty steps and not 2**60), depth costs no stack, and a backward either
changes every `.grad` or, when anything fails, none.
"""

import contextlib
import sys
import threading
from weakref import ref

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq.graph import ancestors


def leaf(*values):
    return ts.tensor(np.array(values), requires_grad=True)


runs = []


@ts.primitive
def counted(xp, x):
    """x, noting every run of its rule."""
    return x + 0.0


counted.vjps(lambda g, _y, _x: runs.append(1) or g)


@ts.primitive
def broken(xp, x):
    """x, with a rule that fails."""
    return x + 0.0


broken.vjps(lambda g, _y, _x: 1 / 0)


@contextlib.contextmanager
def spare_frames(count):
    """Leave this many frames of Python's stack."""
    before, depth, frame = sys.getrecursionlimit(), 0, sys._getframe()
    while frame:
        depth, frame = depth + 1, frame.f_back
    sys.setrecursionlimit(depth + count)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def test_sharing_sixty_times_is_sixty_steps():
    runs.clear()
    x = y = leaf(1.0)
    for _ in range(60):
        y = counted(y + y)
    y.backward()
    assert y.item() == x.grad.item() == 2.0**60
    assert len(runs) == 60
    y = x
    for _ in range(60):
        y = y + y
    assert ts.grad(y, x, create_graph=True).item() == y.item() == 2.0**60


def test_an_argument_used_twice_gets_both_gradients():
    x = leaf(3.0)
    (x * x).backward()
    assert x.grad.item() == 6.0


def chain(steps):
    x, w = leaf(0.3), leaf(0.9)
    y = x
    for _ in range(steps):
        y = ts.sin(y) * w
    return [x, w], y.sum()


def recurrence(steps):
    x, w, h = leaf(*[0.1] * steps), leaf(0.9), ts.tensor(np.zeros(1))
    for t, x_t in enumerate(x):
        with ts.scope(step=t):
            h = ts.tanh(x_t + h * w)
    return [x, w], h.sum()


@pytest.mark.parametrize("run", [chain, recurrence])
def test_five_thousand_steps_to_any_order_on_little_stack(run):
    with spare_frames(150):
        sources, y = run(5_000)
        first = ts.grad(y, sources, create_graph=True)
        sum((g * g).sum() for g in first).backward()
        del y, first  # freeing it needs no more
    assert all(np.all(np.isfinite(source.grad.numpy())) for source in sources)


@pytest.mark.parametrize("layer", [ts.nn.RNN, ts.nn.LSTM, ts.nn.GRU])
def test_five_thousand_steps_of_a_layer_on_little_stack(layer):
    with spare_frames(150):
        layer = layer(1, 1)
        out, state = layer(ts.tensor(np.full((5_000, 1, 1), 0.1, np.float32)))
        out.sum().backward()
        del out, state
    assert all(np.any(parameter.grad.numpy() != 0) for parameter in layer.parameters())


def test_a_chain_of_a_hundred_thousand_is_walked_and_freed_on_little_stack():
    with spare_frames(150):
        x = y = leaf(1.0)
        for _ in range(100_000):
            y = y * 1.0
        assert len(ancestors([y.node], constants=False)) == 100_001
        y.backward()
        repr(y), repr(y.node)
        held = ref(y.array)
        del y
    assert held() is None
    assert x.grad.item() == 1.0


def test_a_recorded_walk_and_its_own_walk_need_little_stack_too():
    with spare_frames(150):
        x = y = leaf(0.5)
        for _ in range(2_000):
            y = ts.sin(y)
        first = ts.grad(y, x, create_graph=True)
        first.backward()
        del y, first
    assert np.isfinite(x.grad.item())


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


def test_no_grad_belongs_to_its_thread():
    x, found = leaf(1.0), []
    inside, done = threading.Event(), threading.Event()

    def other():
        inside.wait(10)
        found.append((x * 2.0).requires_grad)
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with ts.no_grad():
        inside.set()
        done.wait(10)
        found.append((x * 2.0).requires_grad)
    thread.join()
    assert found == [True, False]
    assert (x * 2.0).requires_grad


def test_no_grad_holds_in_every_scope_inside():
    x, double = leaf(1.0), ts.nn.Module()
    double.forward = lambda x: x * 2.0
    with ts.no_grad():
        with ts.scope(step=0):
            inside = x * 2.0
        assert not inside.requires_grad and not double(x).requires_grad
    assert double(x).requires_grad


def test_no_grad_is_a_decorator_and_ends_after_an_error():
    x = leaf(1.0)

    @ts.no_grad()
    def fails():
        assert not (x * 2.0).requires_grad
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            fails()
        assert (x * 2.0).requires_grad
