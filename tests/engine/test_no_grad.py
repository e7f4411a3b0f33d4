"""`no_grad`: nothing is recorded inside, in this thread, whatever happens there."""

import threading

import numpy as np
import pytest

import tinygrad_seq as ts


def leaf(*values):
    return ts.tensor(np.array(values), requires_grad=True)


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


def test_what_create_graph_asks_for_is_recorded_all_the_same():
    x = leaf(2.0, 3.0)
    with ts.no_grad():
        once = ts.grad(x, x, ts.ones(2, dtype="float64"), create_graph=True)
    assert not once.requires_grad  # a constant
    for again in range(2):
        y = (x * x * x).sum()
        with ts.no_grad():
            if again:
                y.backward(create_graph=True)
                first = x.grad
            else:
                first = ts.grad(y, x, create_graph=True)
            assert not (x * 2.0).requires_grad
        assert ts.grad(first.sum(), x).tolist() == [12.0, 18.0]  # as in PyTorch
    with ts.no_grad(), pytest.raises(RuntimeError, match="was made under no_grad"):
        ts.grad((x * x).sum(), x, create_graph=True)
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
