"""What a function writes in place is written in place by its program, where others see it; or it is refused."""

import importlib

import numpy as np
import pytest
from agreement import assert_agree

import tinygrad_seq as ts
from tinygrad_seq.engine.backend import host, to_host

TraceError = importlib.import_module("tinygrad_seq.replay.trace.tape").TraceError


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
    with pytest.raises(TraceError, match=r"an array of shape \(.*\) is written in place by way of another one") as said:
        ts.replay(lambda: write(w))()
    assert said.value.__cause__ is not said.value  # whoever follows the causes of an error comes to an end
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


def moved(w, other):
    w.array += 1.0
    w.array = w.array * 2.0


def exchanged(w, other):
    w.array, other.array = other.array, w.array
    w.array *= 2.0


def in_turn(w, other):
    np.multiply(w.array, 0.5, out=other.array)
    w.array, other.array = other.array, w.array


def clipped(w, other):
    np.clip(w.array, 1.0, 3.0, out=w.array)


def summed(w, other):
    np.cumsum(w.array, axis=0, out=other.array)


def spread(w, other):
    if type(other.array) is np.ndarray or w.device == "cpu":  # CuPy's functions write into no larger array
        np.multiply(w.array[0], 2.0, out=other.array)


def in_its_dtype(w, other):
    w.array += np.float64(0.1) * other.array.astype("float64")


@pytest.mark.parametrize("write", [moved, exchanged, in_turn, clipped, summed, spread, in_its_dtype])
def test_arrays_that_are_written_and_change_places(write):
    found = []
    for way in (lambda step: step, ts.replay):
        w, other = rows(), rows()
        step = way(lambda w=w, other=other: write(w, other))
        arrays = [w.array, other.array]
        for _ in range(3):
            step()
            arrays += [w.array, other.array]
        found.append([*arrays, w * other])
    for one, another in zip(*found, strict=True):
        assert_agree(one, another)
        assert to_host(getattr(one, "array", one)).dtype == to_host(getattr(another, "array", another)).dtype


def other_rows(w):
    part = w.array[0]
    part += 1.0
    w.array[1] = part
    return w * 2.0


def two_parts(w):
    one, other = w.array[0], w.array[1]
    one += 1.0
    other += 1.0
    w.array[1] = other
    return w * 2.0


def the_same_array(w):
    made = w.array * 1.0
    same = made.astype(made.dtype, copy=False)
    made += 1.0
    return ts.tensor(same)


def times_at(w):
    np.multiply.at(w.array, [0, 0], 3.0)


def where_it_is(w):
    np.add(w.array, 1.0, out=w.array, where=np.ones((3, 1), bool))


def in_another_kind(w):
    counts.array /= 2


counts = ts.tensor([1, 2, 3])


@pytest.mark.parametrize(
    "write", [other_rows, two_parts, the_same_array, times_at, where_it_is, in_another_kind]
)
def test_other_ways_to_write_are_refused(write):
    w = rows()
    with pytest.raises(TraceError, match=r"^replay: "):
        ts.replay(lambda: write(w))()
    assert_agree(w, rows())


def test_an_alias_that_is_not_read_does_no_harm():
    w = rows()
    kept = [w.detach()]

    def step():
        w.array -= 1.0
        return w.sum(), kept

    fast = ts.replay(step)
    fast(), fast()
    assert_agree(kept[0], rows() - 2.0)


def test_memory_that_comes_to_be_shared_is_noticed():
    w, other = rows(), rows()

    def step(x):
        w.array += 1.0
        return x * 2.0

    fast = ts.replay(step)
    assert_agree(fast(other), rows() * 2.0)
    assert_agree(fast(w.detach()), (rows() + 2.0) * 2.0)  # the function itself ran: this has no program form
    assert_agree(fast(other), rows() * 2.0)
    assert_agree(w, rows() + 3.0)


def test_an_array_that_looks_into_what_is_written_is_noticed():
    w = rows()
    row = w.array[0]

    def step():
        w.array += 1.0
        return ts.tensor(row) * 2.0

    with pytest.raises(TraceError, match="an array that is no Tensor looks into its memory"):
        ts.replay(step)()
