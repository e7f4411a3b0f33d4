"""Dtypes: two Tensors promote as in NumPy, a number beside a floating Tensor does not promote it, int / int is float32.

Numbers are tried in every order, since whatever is made once and kept must not remember the wrong kind of number.
"""

import itertools
import operator

import numpy as np
import pytest
from laws import over
from op_table import SMOOTH

import tinygrad_seq as ts
from tinygrad_seq.testing import single_stays_single

DTYPES = ["bool", "int32", "int64", "float32", "float64"]
ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize("left, right", list(itertools.product(DTYPES, DTYPES)))
@pytest.mark.parametrize("of", ARITHMETIC)
def test_two_tensors_promote_as_in_numpy(of, left, right):
    a, b = np.ones(2, left), np.ones(2, right)
    if of is operator.sub and left == right == "bool":
        pytest.skip("NumPy has no difference of truth values either")
    expected = of(a, b).dtype
    if of is operator.truediv and a.dtype.kind != "f" and b.dtype.kind != "f":
        expected = np.float32
    assert of(ts.tensor(a), ts.tensor(b)).dtype == expected
    assert of(ts.tensor(a), b).dtype == expected
    assert of(a, ts.tensor(b)).dtype == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("number", [
    2, 2.0, np.float64(2), np.float32(2), np.int64(2), np.array(2.0), np.array(2), 0, 0.0,
])
def test_a_number_takes_the_floating_dtype(number, dtype):
    x = ts.tensor(np.ones(2, dtype))
    for result in (x + number, number + x, x * number, number * x, x - number, number - x, number / x, x**number):
        assert result.dtype == dtype
    assert ts.maximum(x, number).dtype == ts.where(x > 0.0, x, number).dtype == dtype
    assert ts.clip(x, number).dtype == ts.clip(x, None, number).dtype == dtype


@over([row for row in SMOOTH if row.op != "cast"])
def test_single_stays_single_from_argument_to_gradient(row, data):
    single_stays_single(row.function, data.draw(row.cases))


@pytest.mark.parametrize("order", [(2, 2.0), (2.0, 2), (0, 0.0), (0.0, 0), (3.0, 3, 3.0)])
def test_an_integer_tensor_keeps_integers_and_floats_apart(order):
    x = ts.tensor(np.array([1, 2]))
    for number in order:
        assert (x * number).dtype.kind == ("f" if isinstance(number, float) else "i")


def test_whole_limits_and_no_ids_are_integers():
    assert ts.arange(np.int64(3)).dtype == "int64"
    assert ts.full(np.int64(2), 1).tolist() == [1, 1]
    assert ts.take(ts.eye(3), []).shape == (0, 3)
    assert ts.one_hot([], 3).shape == (0, 3)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_a_whole_number_does_not_promote_integers(dtype):
    assert (ts.tensor(np.ones(2, dtype)) * 2).dtype == dtype
    assert (3 + ts.tensor(np.ones(2, dtype))).dtype == dtype


def test_the_sign_of_zero_survives():
    x = ts.tensor(np.array([1.0]))
    assert [np.signbit((x * zero).item()) for zero in (0.0, -0.0, 0.0, -0.0)] == [False, True, False, True]


@pytest.mark.parametrize("data, dtype", [
    (1.0, "float32"), ([1.0, 2.0], "float32"), ([1, 2.5], "float32"), (1, "int64"), ([1, 2], "int64"),
    ([True], "bool"), (True, "bool"), (np.float64([1.0]), "float64"), ([], "float32"),
    (np.float32([1.0]), "float32"), (np.int32([1]), "int32"), (np.array([1.0], ">f4"), "float32"),
])
def test_what_a_new_tensor_is_made_of(data, dtype):
    assert ts.tensor(data).dtype == dtype
    assert ts.tensor(data, dtype="float64").dtype == "float64"


def test_a_mask_of_numbers_does_not_widen():
    """A Python float is float32 where no Tensor is floating, so that what it is multiplied with stays so."""
    mask = ts.tensor([True, False])
    assert ts.where(mask, 1.0, 0.0).dtype == (mask * 1.0).dtype == ts.where(mask, 1.0, ts.zeros(2)).dtype == "float32"


def test_a_list_takes_the_floating_dtype_in_a_product_too():
    for dtype in ("float32", "float64"):
        x = ts.ones(2, 3, dtype=dtype)
        assert (x @ [1.0, 2.0, 3.0]).dtype == ([1.0, 2.0] @ x).dtype == dtype


def test_integer_means_are_floating():
    assert ts.tensor([1, 2]).mean().item() == 1.5
    assert ts.tensor([1, 2]).mean().dtype == "float32"
    assert ts.mean(np.array([1, 2])) == 1.5


def test_sums_of_truth_count():
    assert ts.tensor([True, True, False]).sum().item() == 2


def test_casting_goes_there_and_its_gradient_comes_back():
    x = ts.tensor(np.array([1.5, 2.5]), requires_grad=True)
    y = x.to("float32")
    assert (y.dtype, y.tolist()) == ("float32", [1.5, 2.5])
    (y * y).sum().backward()
    assert (x.grad.dtype, x.grad.tolist()) == ("float64", [3.0, 5.0])
    assert x.to("float64") is x
    assert not x.to("int64").requires_grad
