"""What a function returns in memory of its own, its program does, too, and in the same dtype."""

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.backend import to_host


@pytest.mark.parametrize("passes", ["as_written", "together", "over elements"], indirect=True)
def test_what_is_returned_or_kept_has_memory_of_its_own(passes):
    x, y = (ts.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    layer = nn.RNN(2, 3)

    def step():
        x.grad = y.grad = None
        layer.zero_grad()
        (x + y).sum().backward()
        (layer(ts.ones(4, 1, 2))[0] ** 2).sum().backward()
        return x * 2.0, x * 2.0, ts.tensor(x.array)

    fast = ts.replay(step)
    for run in (step, fast, fast):
        arrays = [a.array for a in (*run(), x, x.grad, y.grad, *(p.grad for p in layer.parameters()))]
        for i, a in enumerate(arrays):
            a[...] = a * 1.0  # it may be written
            assert not any(np.may_share_memory(to_host(a), to_host(b)) for b in arrays[:i])


def test_gradients_that_are_one_array_in_other_shapes_are_written_apart():
    a, b, c = (ts.ones(*shape, requires_grad=True) for shape in ((2, 3), (3, 2), (6,)))
    x = ts.ones(4, 2)

    def step():
        a.grad = b.grad = c.grad = None
        ((x @ a + x @ b.transpose() + x @ c.reshape(2, 3)) ** 2).sum().backward()

    fast = ts.replay(step)
    fast(), fast()
    b.grad.array *= 0.5
    c.grad.array *= 0.25
    assert [p.grad.sum().item() for p in (a, b, c)] == [288.0, 144.0, 72.0]


def test_numbers_that_are_returned_can_be_written():
    x = ts.tensor([1.0, 2.0], requires_grad=True)
    fast = ts.replay(lambda: (x * x).sum())
    fast()
    total = fast()
    total.array[...] = 7.0
    assert total.item() == 7.0 and fast().item() == 5.0


@pytest.mark.parametrize("number", [np.float64(0.1), np.float32(0.1), np.int64(2)])
def test_numbers_of_numpy_keep_their_dtype(number):
    w = ts.tensor(np.arange(6.0).reshape(3, 2))
    run = lambda: ts.tensor(w.array.astype("float32") * number)
    assert ts.replay(run)().dtype == run().dtype
