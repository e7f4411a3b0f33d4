"""Dtypes: two Tensors promote as in NumPy, a number beside a floating Tensor does not promote it, int / int is float32.

Numbers are tried in every order, since whatever is made once and kept must not remember the wrong kind of number.
What comes in between neither wraps nor overflows: where the answer fits into the dtype, it is the answer.
"""

import itertools
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from laws import over
from op_table import SMOOTH

import tinygrad_seq as ts
from tinygrad_seq.engine.ops import elementwise
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
    assert of(ts.tensor(a, device="cpu"), b).dtype == expected
    assert of(a, ts.tensor(b, device="cpu")).dtype == expected


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


@over([row for row in SMOOTH if row.op != "cast"], share=2)
def test_single_stays_single_from_argument_to_gradient(row, data):
    single_stays_single(row.function, data.draw(row.cases))


@pytest.mark.parametrize("order", [(2, 2.0), (2.0, 2), (0, 0.0), (0.0, 0), (3.0, 3, 3.0)])
def test_an_integer_tensor_keeps_integers_and_floats_apart(order):
    x = ts.tensor(np.array([1, 2]))
    for number in order:
        assert (x * number).dtype.kind == ("f" if isinstance(number, float) else "i")


@pytest.mark.parametrize("kind", ["int64", "float32", "float64"])
@pytest.mark.parametrize("x, y", [(1.0, 0.0), (1, 0), (True, False), *(
    pair for dtype in DTYPES for number in (0, 0.5) for pair in [(dtype, number), (number, dtype)]
)])  # fmt: skip
def test_a_condition_says_nothing_of_the_dtype_of_what_it_chooses(x, y, kind):
    mask = np.array([1, 0])
    chosen = [ts.ones(2, dtype=each) if isinstance(each, str) else each for each in (x, y)]
    found, expected = (ts.where(ts.tensor(mask.astype(each)), *chosen) for each in (kind, "bool"))
    assert (found.dtype, found.tolist()) == (expected.dtype, expected.tolist())


@given(data=st.data(), dtype=st.sampled_from(["bool", "int8", "uint8", "int32", "int64", "uint64"]))
@pytest.mark.parametrize("of", [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge])
def test_integers_are_compared_with_any_number(of, data, dtype):
    """As -100 beside ids of uint8, which cannot hold it."""
    x, number = data.draw(npst.arrays(dtype, st.integers(1, 4))), data.draw(st.integers(-(2**70), 2**70))
    near = [int(limit) + k for limit in (x.min(), x.max()) for k in (-1, 0, 1)]
    for n in (number, -100, 256, *near):
        assert of(ts.tensor(x), n).tolist() == [of(int(each), n) for each in x]


def test_whole_limits_and_no_ids_are_integers():
    assert ts.arange(np.int64(3)).dtype == "int64"
    assert ts.full(np.int64(2), 1).tolist() == [1, 1]
    assert ts.take(ts.eye(3), []).shape == (0, 3)
    assert ts.one_hot([], 3).shape == (0, 3)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_a_whole_number_does_not_promote_integers(dtype):
    assert (ts.tensor(np.ones(2, dtype)) * 2).dtype == dtype
    assert (3 + ts.tensor(np.ones(2, dtype))).dtype == dtype


def test_positions_are_taken_apart_and_put_together():
    """As a beam search does, with position = beam * symbols + symbol."""
    positions = ts.arange(-3, 12)
    beam, symbol = positions // 5, positions % 5
    assert (beam.dtype, symbol.dtype) == (np.int64, np.int64)
    assert (beam * 5 + symbol).tolist() == list(range(-3, 12)) and symbol.tolist() == [n % 5 for n in range(-3, 12)]
    assert +positions is positions and (7 // ts.tensor([2])).tolist() == [3]
    x = ts.tensor([5.5], device="cpu", requires_grad=True)
    assert (x % 2.0).tolist() == (7 % x).tolist() == (np.full(1, 12.5) % x).tolist() == [1.5]
    assert ts.grad((x % 2.0).sum(), x).tolist() == [1.0] and ts.grad((12.5 % x).sum(), x).tolist() == [-2.0]


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
    assert ts.where(mask, 1.0, 0).dtype == ts.where(mask, 0, 1.0).dtype == "float32"
    assert ts.where(mask, 1.0, 0.0).dtype == (mask * 1.0).dtype == ts.where(mask, 1.0, ts.zeros(2)).dtype == "float32"


@pytest.mark.parametrize("kind", [int, float])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_list_of_numbers_takes_the_floating_dtype(dtype, kind):
    x, row, column = ts.ones(2, 3, dtype=dtype), [kind(1), kind(2), kind(3)], [kind(1), kind(2)]
    results = [x + row, row * x, ts.maximum(x, row), ts.where(x > 0.0, row, x), ts.concatenate([x, [row]])]
    results += [x @ row, column @ x, ts.einsum("ij,j->i", x, row), ts.einsum("i,ij->j", column, x)]
    assert {str(result.dtype) for result in results} == {dtype}


def test_integer_means_are_floating():
    assert ts.tensor([1, 2]).mean().item() == 1.5
    assert ts.tensor([1, 2]).mean().dtype == "float32"
    assert ts.mean(np.array([1, 2])) == 1.5


FLOATING = [ts.mean, ts.var, ts.softmax, ts.log_softmax, ts.logsumexp]  # functions of sums, floating for any numbers
WHOLE = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


@given(data=st.data(), dtype=st.sampled_from(WHOLE))
@pytest.mark.parametrize("function", FLOATING, ids=lambda function: function.__name__)
def test_integers_of_any_width_and_size_do_not_wrap(function, data, dtype):
    """As the same numbers in double precision, rounded to float32; whether Tensors, arrays or lists."""
    x = data.draw(npst.arrays(dtype, st.integers(1, 4), fill=st.nothing()))
    expected = function(x.astype("float64")).astype("float32")
    listed = x if dtype == "uint64" else x.tolist()  # of small and very large ints NumPy makes floats
    for found in (function(ts.tensor(x)).numpy(), function(x), function(listed)):
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_small_integers_do_not_wrap():
    far = ts.tensor(np.array([-100, 100], "int8"))
    assert far.softmax().tolist() == [0.0, 1.0] and far.log_softmax().tolist() == [-200.0, 0.0]
    assert (far.logsumexp().item(), far.mean().item(), far.var().item()) == (100.0, 0.0, 10000.0)
    assert ts.tensor(np.full(4, 2**62)).mean().item() == 2.0**62
    assert ts.tensor([2**24 + 1] * 2).var().item() == 0.0


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("function", [*FLOATING, ts.sum, lambda x, axis: ts.broadcast_to(x, 3, *x.shape)[0]])
@pytest.mark.parametrize("n, axis", [(70_000, 0), (5000, -1)])
def test_half_precision_neither_overflows_nor_stops_between(function, n, axis, recorded):
    """Ones beyond the largest number of float16, and beyond 2048, where adding 1 to it changes nothing."""
    shape = (n, 2) if axis == 0 else (2, n)
    made = []
    for dtype in ("float16", "float64"):
        x = ts.tensor(np.full(shape, 0.3, dtype), requires_grad=True)
        y = function(x, axis=axis)
        dx = ts.grad(y, x, np.full(y.shape, 0.5, dtype), create_graph=recorded)
        assert y.dtype == dx.dtype == dtype
        made.append([y.numpy(), dx.numpy()])
    for found, expected in zip(*made, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-6)


def test_half_precision_sums_over_rows_and_over_what_was_broadcast():
    x, b = (ts.tensor(np.ones(shape, "float16"), requires_grad=True) for shape in [(4096, 2), (2,)])
    y = x + b
    assert y.sum(0).tolist() == [8192.0] * 2 and ts.grad(y.sum(1).sum(), b).tolist() == [4096.0] * 2
    assert ts.max(ts.ones(70_000, dtype="float16")).item() == 1.0
    many = ts.tensor(np.ones(70_000, "float16"), requires_grad=True)
    assert ts.grad(ts.max(many), many).tolist() == [float(np.float16(1 / 70_000))] * 70_000
    assert ts.nn.mse_loss(many, np.zeros(70_000)).item() == 1.0


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("dtype, large", [("float16", 2.0**15), ("float32", 2.0**127)])
@pytest.mark.parametrize("function, point", [
    (lambda x: x**2, 2.0**-8), (lambda x: x**3.0, 0.25), (lambda x: x**-1.0, 4.0), (lambda x: 32.0 / x, 8.0),
    (lambda p: 1.25**p, 5.0), (ts.tanh, 1.0), (ts.sigmoid, 3.0), (ts.sqrt, 1.0), (ts.cos, 0.25), (ts.log, 4.0),
    (elementwise.softplus, -3.0), (ts.mean, [4.0] * 4), (lambda x: ts.max(x * 0.5), [4.0] * 4), (ts.softmax, [1, 4]),
    (lambda x: ts.maximum(x, 1.0), 1.0), (lambda x: ts.logsumexp(x, 0), [4.0] * 4), (lambda x: ts.var(x), [1.0, 1.5]),
])
def test_a_large_gradient_that_becomes_small_does_not_overflow_before(function, point, dtype, large, recorded):
    """As with a scaled loss. What comes in is multiplied by the slope, not by a part of it first."""
    made = []
    for kind in (dtype, "float64"):
        x = ts.tensor(np.array(point, kind), requires_grad=True)
        y = function(x)
        made.append(ts.grad(y, x, np.resize([large, 0.0], y.shape).astype(kind), create_graph=recorded).numpy())
    np.testing.assert_allclose(*made, rtol=1e-2 if dtype == "float16" else 1e-5)


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


@pytest.mark.parametrize("rows", [1024, 1025, 5000, 1_048_577])
def test_many_rows_are_added_as_exactly_as_few(rows):
    x, bias = ts.full((rows, 2), 0.1), ts.zeros(2, requires_grad=True)
    exact = rows * np.float64(np.float32(0.1))
    gradient = ts.grad(((x + bias) * 0.1).sum(), bias)
    for found in (x.sum(0), x.sum(0, keepdims=True)[0], x.mean(0) * float(rows), gradient):
        np.testing.assert_allclose(found.numpy(), exact, rtol=3e-5)
    assert x.expand_dims(1).sum((0, 1), keepdims=True).shape == (1, 1, 2)
    for shape, axis in (((4, rows // 4, 2), (0, 1)), ((2, rows, 2), (1,)), ((rows // 4, 1, 4, 2), (0, 2))):
        many = ts.full(shape, 0.1)
        exact = np.prod([shape[i] for i in axis]) * np.float64(np.float32(0.1))
        np.testing.assert_allclose(many.sum(axis).numpy(), exact, rtol=3e-5)
    assert ts.ones(rows, 0).sum(0).shape == (0,) and ts.ones(rows, 2, dtype="int64").sum(0).tolist() == [rows] * 2
