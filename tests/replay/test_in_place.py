"""What a function writes in place is written in place by its program, where others see it; or it is refused.

And what a function returns in memory of its own, its program does, too.
"""

import importlib

import numpy as np
import pytest
from agreement import assert_agree

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.backend import host, to_host

TraceError = importlib.import_module("tinygrad_seq.replay.tape").TraceError


def rows():
    return ts.tensor(np.arange(6.0).reshape(3, 2))


def whole(w):
    w.array[...] += 1.0
    return w * 2.0


def by_row(w):
    for t in range(3):
        w.array[t] = w.array[t] * 2.0 + w.array[0]
    return w.sum()


def by_part(w):
    w.array[1:] += w.array[:2]
    w.array[0, 1] *= 3.0
    return w * 2.0


def copied_before(w):
    before = ts.tensor(w.array), w * 1.0, ts.tensor(w)
    w.array += 1.0
    return before


def given_to_another(w):
    other = w.detach()
    w.array *= 2.0
    return other + 1.0


@pytest.mark.parametrize("passes", ["as_written", "together", "over elements"], indirect=True)
@pytest.mark.parametrize("write", [whole, by_row, by_part, copied_before, given_to_another])
def test_what_is_written_in_place_is_seen_elsewhere(write, passes):
    found = []
    for way in (lambda step: step, ts.replay):
        w = rows()
        seen = w.array[:2]  # out of reach of the function
        step = way(lambda w=w: write(w))
        results = [step() for _ in range(4)]
        found.append([*results, w, seen] if isinstance(results[0], ts.Tensor) else [*sum(results, ()), w, seen])
    for one, other in zip(*found, strict=True):
        assert_agree(one, other)


def by_row_of_row(w):
    w.array[1][0] = 5.0
    return w * 2.0


def by_another_shape(w):
    w.array.reshape(-1)[1] += 1.0
    return w * 2.0


def into_a_row(w):
    host.multiply(w.array[0], 2.0, out=w.array[1])
    return w.sum()


def view_before(w):
    view = w.reshape(2, 3)
    w.array += 1.0
    return view * 2.0


def view_that_is_kept(w):
    view = w.array[0]
    w.array[0] = 3.0
    return ts.tensor(view)


@pytest.mark.parametrize("write", [by_row_of_row, by_another_shape, into_a_row, view_before, view_that_is_kept])
def test_what_is_written_by_way_of_another_array_is_refused(write):
    w = rows()
    with pytest.raises(TraceError, match=r"an array of shape \(.*\) is written in place by way of another one"):
        ts.replay(lambda: write(w))()
    assert_agree(w, rows())


def test_a_view_outside_that_is_written_is_refused():
    w, part = rows(), ts.tensor(0.0)
    part.array = w.array[1:]

    def step():
        w.array += 1.0
        return part * 2.0

    with pytest.raises(TraceError, match="written in place by way of another one"):
        ts.replay(step)()
    part.array = part.array.copy()
    assert_agree(part * 2.0, ts.replay(step)())


def test_arrays_side_by_side_in_one_memory_are_written_apart():
    flat = rows().array.reshape(-1)
    one, other = ts.tensor(0.0), ts.tensor(0.0)
    one.array, other.array = flat[:3], flat[3:]

    def step():
        one.array += other.array
        other.array *= 2.0
        return one + other

    fast = ts.replay(step)
    fast(), fast()
    assert to_host(flat).tolist() == [9.0, 13.0, 17.0, 12.0, 16.0, 20.0]


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
