"""Indices and ids on a GPU are NumPy's, or the same error; the check of ids, which waits, can be left out."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_near, host

import tinygrad_seq as ts
from tinygrad_seq import nn

SIZES = (2, 3, 4)


def index_parts(size):
    """What may stand in an index for an axis of this size, or for none; ids may be just out of range."""
    ids = st.lists(st.integers(-size - 1, size), min_size=2, max_size=2).map(np.array)
    mask = st.just(np.arange(size) % 2 == 0)
    return st.sampled_from([slice(None), slice(1, None)]) | st.integers(-size - 1, size) | ids | ids | mask


@given(parts=st.tuples(*map(index_parts, SIZES)), used=st.integers(1, 3), nones=st.integers(0, 3),
       dots=st.none() | st.integers(0, 3), there=st.booleans())
def test_an_index_is_numpys_or_the_same_error(gpu, parts, used, nones, dots, there):
    """Arrays in it lie on the device or on the host, behind None, `...` and masks."""
    x, index = np.arange(24.0).reshape(SIZES), list(parts[:used])
    if dots is not None and dots <= used:  # parts behind the dots are those of the last axes
        index[dots:] = [Ellipsis, *parts[3 - used + dots:]]
    index.insert(nones, None)
    moved = [ts.tensor(part, device="cuda") if there and type(part) is np.ndarray else part for part in index]
    try:
        expected = x[tuple(index)]
    except IndexError:
        with pytest.raises(IndexError, match=r"^getitem: "):
            ts.tensor(x, device="cuda")[tuple(moved)]
    else:
        np.testing.assert_array_equal(ts.tensor(x, device="cuda")[tuple(moved)].numpy(), expected)


def test_ids_out_of_range_are_an_error_and_the_check_can_be_left_out(gpu):
    table, ids = nn.Embedding(3, 2).to("cuda"), ts.tensor([0, 3], device="cuda")
    for wrong in (lambda: table(ids), lambda: ts.take(table.weight, ids), lambda: ts.one_hot(ids, 3),
                  lambda: nn.cross_entropy(ts.zeros(2, 3, device="cuda"), ids), lambda: table([0, 3])):
        with pytest.raises(IndexError, match="id 3 at position"):
            wrong()
    x = ts.ones(2, 3, device="cuda")
    assert x[[-2, 1]].shape == (2, 3) and x[:, [-3, 2]].shape == (2, 2)
    with ts.cuda.unchecked_ids():
        assert table(ids).shape == (2, 2) and x[ids].shape == (2, 3)
        with pytest.raises(IndexError, match="getitem: an index of axis 1 is out of range"):
            x[None, :, [3]]
        with pytest.raises(IndexError, match="id 3 at position"):
            table([0, 3])  # these are on the host


@pytest.mark.parametrize("targets", [[0, 2, 1], [0, -100, 1], [-100, -100, -100]])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_unchecked_ids_give_the_same_loss(gpu, targets, reduction):
    logits = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    found = []
    for unchecked in (True, False):
        x, y = ts.tensor(logits, device="cuda", requires_grad=True), ts.tensor(targets, device="cuda")
        with ts.cuda.unchecked_ids() if unchecked else contextlib.nullcontext():
            loss = nn.cross_entropy(x, y, reduction=reduction, label_smoothing=0.1, weight=[1.0, 2.0, 3.0, 4.0])
        found.append([*host([loss, *ts.grad(loss.sum(), [x])])])
    assert_near(*found)


def test_index_arrays_from_the_host_are_taken(gpu):
    x = ts.tensor(np.arange(6.0).reshape(3, 2), device="cuda", requires_grad=True)
    on_both = ts.tensor([2, 0, 2], device="cpu"), ts.tensor([2, 0, 2], device="cuda")
    for index in (np.array([2, 0, 2]), [2, 0, 2], *on_both, (np.array([-1, 0, 2]),)):
        x.grad = None
        x[index].sum().backward()
        assert x.grad.tolist() == [[1.0, 1.0], [0.0, 0.0], [2.0, 2.0]]
    for ids in (np.array([2, 0, 2]), [2, 0, 2], ts.tensor([2, 0, 2], device="cuda")):
        assert ts.take(x, ids).tolist() == [[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]
