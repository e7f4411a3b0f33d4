"""Kinks, ties, poles and far tails: where finite differences say nothing, the conventions are pinned one by one.

They are PyTorch's: relu'(0) = abs'(0) = 0, maximum splits a tie in halves, max shares it evenly (among NaNs, too), clip
passes the whole gradient at its bounds, 0**0 is flat in both arguments. An infinite slope (sqrt 0, log 0, 1/0) is
infinite. What saturates stays finite, exact and silent (warnings are errors here) at +-1e4. Where no gradient passes,
the gradient is 0 whatever comes in, infinities and NaN too, in first and second order: nothing is multiplied by 0.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import host, over
from op_table import SMOOTH

import tinygrad_seq as ts
from tinygrad_seq.engine.ops import elementwise
from tinygrad_seq.testing import applied

INF, NAN = float("inf"), float("nan")
DIFFERENCES = {"var", "var of a sample", "softmax", "log_softmax"}  # where two terms may be equal, and give 0
A_ROW_OF_EACH_OP = {row.op or row.name: row for row in SMOOTH if row.name not in DIFFERENCES}.values()


def slope_at(function, *points):
    """The gradient of the sum of the outputs for each argument."""
    tensors = [ts.tensor(np.array(point, dtype=float), requires_grad=True) for point in points]
    found = ts.grad(function(*tensors).sum(), tensors, allow_unused=True)
    return [None if gradient is None else gradient.tolist() for gradient in found]


@pytest.mark.parametrize("function, points, slopes", [
    (ts.relu, [[-1.0, 0.0, 1.0]], [[0.0, 0.0, 1.0]]),
    (ts.abs, [[-2.0, 0.0, 2.0]], [[-1.0, 0.0, 1.0]]),
    (ts.maximum, [[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]], [[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]]),
    (ts.minimum, [[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]], [[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]),
    (ts.max, [[1.0, 3.0, 3.0, 3.0, 3.0]], [[0.0, 0.25, 0.25, 0.25, 0.25]]),
    (ts.min, [[1.0, 1.0, 3.0]], [[0.5, 0.5, 0.0]]),
    (ts.max, [[1.0, NAN]], [[0.0, 1.0]]),
    (ts.min, [[NAN, 1.0, NAN]], [[0.5, 0.0, 0.5]]),
    (lambda x: ts.max(x, axis=1), [[[1.0, 1.0], [1.0, 2.0]]], [[[0.5, 0.5], [0.0, 1.0]]]),
    (lambda x: ts.clip(x, low=0.0, high=1.0), [[-1.0, 0.0, 0.5, 1.0, 2.0]], [[0.0, 1.0, 1.0, 1.0, 0.0]]),
    (lambda x: ts.clip(x, low=0.0), [[-1.0, 0.0, 9.0]], [[0.0, 1.0, 1.0]]),
    (lambda x: ts.clip(x, high=1.0), [[-9.0, 1.0, 2.0]], [[1.0, 1.0, 0.0]]),
    (lambda x: ts.clip(x, low=None, high=None), [[-9.0, 2.0]], [[1.0, 1.0]]),
    (lambda x: ts.clip(x, low=1.0, high=1.0), [[0.0, 1.0, 2.0]], [[0.0, 1.0, 0.0]]),
    (ts.relu, [[NAN]], [[1.0]]),
    (ts.abs, [[NAN]], [[0.0]]),
    (lambda x: ts.clip(x, low=0.0, high=1.0), [[NAN, INF]], [[0.0, 0.0]]),
    (lambda x: ts.where(x > 0.0, x, -x), [[NAN, 0.0]], [[-1.0, -1.0]]),
    (ts.norm, [[0.0, 0.0]], [[0.0, 0.0]]),
    (lambda x: ts.norm(x, 1), [[-2.0, 0.0, 3.0, NAN]], [[-1.0, 0.0, 1.0, 0.0]]),
    (lambda x: ts.norm(x, 3, axis=1), [[[0.0, -2.0], [0.0, 0.0]]], [[[0.0, -1.0], [0.0, 0.0]]]),
    (lambda x: ts.norm(x, INF), [[2.0, -2.0, 1.0]], [[0.5, -0.5, 0.0]]),
    (ts.norm, [[1e200, 0.0]], [[1.0, 0.0]]),
    (lambda x: ts.norm(x, 4), [[-1e-200, 0.0]], [[-1.0, 0.0]]),
    (lambda x: x**0.0, [[0.0, 2.0]], [[0.0, 0.0]]),
    (lambda x: x**1.0, [[0.0, -2.0]], [[1.0, 1.0]]),
    (lambda x: x**2.0, [[0.0, -3.0]], [[0.0, -6.0]]),
    (ts.maximum, [[NAN, 1.0], [2.0, NAN]], [[1.0, 1.0], [1.0, 1.0]]),
    (ts.minimum, [[NAN, NAN], [2.0, NAN]], [[1.0, 1.0], [1.0, 1.0]]),
    (ts.power, [[0.0], [0.0]], [[0.0], [0.0]]),
    (ts.power, [[0.0], [2.0]], [[0.0], [0.0]]),
    (lambda x: ts.where(x > 0.0, x, -x), [[-2.0, 3.0]], [[-1.0, 1.0]]),
])
def test_at_kinks_and_ties(function, points, slopes):
    assert slope_at(function, *points) == slopes


@pytest.mark.parametrize("ord", [1, 1.5, 2, 3, INF])
def test_a_norm_neither_overflows_nor_vanishes(ord):
    for size in (1e-300, 1e300):
        x = np.array([3.0, -4.0, 0.0])
        found = ts.norm(ts.tensor(x * size), ord).item()
        assert found == pytest.approx(ts.norm(ts.tensor(x), ord).item() * size, rel=1e-12)
    assert np.isnan(ts.norm(ts.tensor([NAN, 1.0]), ord).item()) and ts.norm(ts.tensor([INF, 1.0]), ord).item() == INF


@over(list(A_ROW_OF_EACH_OP), share=2)  # an example is five walks
def test_what_no_gradient_reaches_stays_at_zero_whatever_comes_in(row, data):
    """First order, raw and recorded; and of the second what begins at the elements that no gradient reaches."""
    coming = data.draw(st.sampled_from([INF, -INF, NAN]))
    inputs, outputs, upstream = applied(row.function, data.draw(row.cases))
    closed = [g == 0.0 for g in host(ts.grad(outputs, inputs, upstream, retain_graph=True))]
    everywhere = [np.full(y.shape, coming) for y in outputs]
    us = [ts.tensor(u, device=y.device, requires_grad=True) for u, y in zip(upstream, outputs, strict=True)]
    with np.errstate(all="ignore"):
        for recorded in (True, False):
            found = ts.grad(outputs, inputs, everywhere, create_graph=recorded, retain_graph=True)
            assert not any(g[zero].any() for g, zero in zip(host(found), closed, strict=True))
        first = ts.grad(outputs, inputs, us, create_graph=True)
        starts = [np.where(zero, coming, 0.0) for zero in closed]
        second = ts.grad(first, [*inputs, *us], starts, allow_unused=True)
    assert not any(g.numpy().any() for g in second if g is not None)


CLOSED = {  # functions, and points where no gradient passes
    "relu": (ts.relu, [-1.0, -0.0, 0.0]),
    "abs": (ts.abs, [0.0, -0.0, NAN]),
    "clip": (lambda x: ts.clip(x, low=0.0, high=1.0), [-1.0, 2.0, NAN]),
    "maximum": (lambda x: ts.maximum(x, 3.0), [-1.0, 2.0]),
    "minimum": (lambda x: ts.minimum(3.0, x), [4.0, INF]),
    "max": (lambda x: ts.max(ts.stack([x, ts.full(2, 9.0)]), axis=0), [-1.0, 2.0]),
    "min": (lambda x: ts.min(ts.stack([x, ts.full(2, -9.0)]), axis=0), [-1.0, 2.0]),
    "max of a NaN": (lambda x: ts.max(ts.stack([x, ts.full(2, NAN)]), axis=0), [-1.0, 2.0]),
    **{f"norm {ord}": (lambda x, ord=ord: ts.norm(ts.expand_dims(x, 0), ord, axis=0), [0.0, -0.0])
       for ord in (1, 2, 1.5, 3, INF)},
    "where": (lambda x: ts.where(x > 0.0, 1.0, ts.where(x <= 0.0, 0.0, x)), [-1.0, 0.0, 1.0]),
    "x ** 0": (lambda x: x**0, [-1.0, 0.0, 2.0, INF, NAN, 5e-324, 1e-200]),
    "0 ** x": (lambda x: 0.0**x, [0.0, 1.0, 2.5]),
    "x ** p": (lambda x: x**x, [0.0]),
}


@pytest.mark.parametrize("coming", [1.0, INF, NAN])
@pytest.mark.parametrize("name", CLOSED)
def test_at_a_kink_that_no_gradient_passes_it_is_zero_whatever_comes_in(name, coming):
    function, points = CLOSED[name]
    with np.errstate(all="ignore"):
        x, u = (ts.tensor(np.array(values), requires_grad=True) for values in (points, [coming] * len(points)))
        y = function(x)
        first = ts.grad(y, x, u, create_graph=True)
        assert not first.numpy().any() and not ts.grad(y, x, u, retain_graph=True).numpy().any()
        if first.requires_grad:
            second = ts.grad(first, [x, u], np.full(len(points), -2.0), allow_unused=True)
            assert not any(g.numpy().any() for g in second if g is not None)


def test_a_dead_unit_before_a_root_learns_nothing():
    with np.errstate(divide="ignore"):
        for function, points in [(ts.relu, [-1, 1]), (ts.abs, [0, 1]), (lambda x: ts.clip(x, 0.0), [-1, 1])]:
            assert slope_at(lambda x, f=function: ts.sqrt(f(x)), points) == [[0.0, 0.5]]


ZEROS = [0, 0.0, np.array(0), np.array(0.0), np.zeros(3), np.zeros(3, int)]
NOTHING = [*ZEROS, ts.tensor(0, device="cpu"), ts.tensor(np.zeros(3), device="cpu")]


@given(dtype=st.sampled_from("efd"), data=st.data(), p=st.sampled_from(NOTHING))
def test_the_power_zero_is_flat_at_every_number(dtype, data, p):
    """In every order; 1 / x of a denormal is infinite."""
    info = np.finfo(dtype)
    special = [0.0, info.smallest_subnormal, info.smallest_normal, info.max, np.sqrt(info.tiny), INF, NAN, 1.0]
    points = [data.draw(st.sampled_from(special)) * data.draw(st.sampled_from([1, -1])) for _ in range(3)]
    x = ts.tensor(np.array(points, dtype), device="cpu", requires_grad=True)
    y = x**p
    assert y.tolist() == [1.0] * 3 and ts.grad(y.sum(), x, retain_graph=True).tolist() == [0.0] * 3
    first = ts.grad(y.sum(), x, create_graph=True)
    assert first.tolist() == [0.0] * 3
    if first.requires_grad:
        assert ts.grad(first.sum(), x).tolist() == [0.0] * 3


@pytest.mark.parametrize("function, point, value, slope", [
    (ts.log, 0.0, -INF, INF), (ts.sqrt, 0.0, 0.0, INF),
    (ts.log, -1.0, NAN, -1.0), (ts.sqrt, -1.0, NAN, NAN), (ts.log, NAN, NAN, NAN), (ts.sqrt, NAN, NAN, NAN),
    (lambda x: 1.0 / x, 0.0, INF, -INF), (lambda x: x**-1.0, 0.0, INF, -INF), (lambda x: x / x, 0.0, NAN, NAN),
    (lambda x: x**0.5, 0.0, 0.0, INF), (lambda x: x**1.5, 0.0, 0.0, 0.0), (lambda x: x**0.5, -1.0, NAN, NAN),
    (ts.exp, INF, INF, INF), (ts.exp, -INF, 0.0, 0.0), (ts.tanh, NAN, NAN, NAN), (ts.sigmoid, NAN, NAN, NAN),
    (ts.tanh, INF, 1.0, 0.0), (ts.sigmoid, -INF, 0.0, 0.0),
])
@pytest.mark.filterwarnings("ignore:backward. the loss is")
def test_at_poles(function, point, value, slope):
    with np.errstate(all="ignore"):
        x = ts.tensor(np.array(point), requires_grad=True)
        y = function(x)
        y.backward()
    np.testing.assert_array_equal([y.item(), x.grad.item()], [value, slope])


def test_second_derivatives_at_a_guarded_pole_are_numbers():
    for exponent, second in [(0.0, 0.0), (1.0, 0.0), (2.0, 2.0), (3.0, 0.0)]:
        x = ts.tensor(np.zeros(1), requires_grad=True)
        first = ts.grad((x**exponent).sum(), x, create_graph=True)
        found = ts.grad(first.sum(), x, allow_unused=True) if first.requires_grad else None
        assert (0.0 if found is None else found.item()) == second


def test_the_slope_of_a_power_has_a_slope_in_an_exponent_of_zero():
    x, p = (ts.tensor(np.array(value), requires_grad=True) for value in (2.0, 0.0))
    in_x, in_p = ts.grad(x**p, [x, p], create_graph=True)
    assert ts.grad(in_x, p, retain_graph=True).item() == ts.grad(in_p, x).item() == 0.5


def test_the_softmax_of_infinity_is_not_a_number():
    with np.errstate(invalid="ignore"):
        assert np.isnan(ts.softmax(ts.tensor([INF, 0.0, 1.0])).numpy()).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_tails_are_finite_exact_and_silent(dtype):
    for function, values in [(ts.sigmoid, [0.0, 0.5, 1.0]), (ts.tanh, [-1.0, 0.0, 1.0])]:
        x = ts.tensor(np.array([-1e4, 0.0, 1e4], dtype), requires_grad=True)
        y = function(x)
        y.sum().backward()
        assert y.tolist() == values
        assert x.grad.tolist() == [0.0, 0.25 if function is ts.sigmoid else 1.0, 0.0]
    x = ts.tensor(np.array([-1e4, 0.0, 1e4], dtype), requires_grad=True)
    elementwise.softplus(x).sum().backward()
    np.testing.assert_array_equal(elementwise.softplus(x).numpy(), np.array([0.0, np.log(2.0), 1e4], dtype))
    assert x.grad.tolist() == [0.0, 0.5, 1.0]
    for sign in (1, -1):
        x = ts.tensor(sign * np.array([[0.0, 1e4], [1e4, 1e4]], dtype), requires_grad=True)
        low = 0 if sign == 1 else 1
        expected = np.eye(2)[1 - low], np.array([0.5, 0.5])
        np.testing.assert_array_equal(ts.softmax(x).numpy(), expected)
        slopes = ts.grad(ts.log_softmax(x)[0, low], x)
        np.testing.assert_array_equal(slopes.numpy()[0], np.where(np.arange(2) == low, 1, -1))
        assert ts.log_softmax(x)[0, low].item() == -1e4
        slopes = ts.grad(ts.logsumexp(x, axis=1).sum(), x, create_graph=True)
        np.testing.assert_array_equal(slopes.numpy(), expected)
        bends = ts.grad(slopes[1, 0], x)  # p - p * p
        np.testing.assert_allclose(bends.numpy(), [[0.0, 0.0], [0.25, -0.25]], rtol=np.finfo(dtype).eps)


def test_a_tail_is_accurate_and_not_only_finite():
    x = ts.tensor(np.array([-40.0, -30.0, -20.0]))
    for function in (ts.sigmoid, elementwise.softplus):
        np.testing.assert_allclose(function(x).numpy(), np.exp(x.numpy()), rtol=1e-8)
    near, far = np.array([0.0, 1.0, -1.0]), np.array([1e4, 1e4 + 1, 1e4 - 1])
    np.testing.assert_array_equal(ts.log_softmax(ts.tensor(far)).numpy(), ts.log_softmax(ts.tensor(near)).numpy())


def test_minus_infinity_is_a_masked_entry():
    assert ts.logsumexp(ts.tensor([[0.0, -INF], [-INF, -INF]]), axis=1).tolist() == [0.0, -INF]
    x = ts.tensor([0.0, -INF], requires_grad=True)
    y = ts.softmax(x)
    y[0].backward()
    assert (y.tolist(), x.grad.tolist()) == ([1.0, 0.0], [0.0, 0.0])
    assert slope_at(lambda x: ts.logsumexp(x, axis=-1), [[0.0, -INF]]) == [[[1.0, 0.0]]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("far", [0.0, 1e4, -1e4])
def test_logsumexp_keeps_the_digits_of_its_gradient_far_out(dtype, far):
    """Where the value itself is rounded coarsely: in float32 to 0.001, at 1e4."""
    near = np.array([[0.0, 1.0, -2.0, 0.5]], dtype)
    expected, found = (ts.tensor(near + shift, dtype=dtype, requires_grad=True) for shift in (0, dtype(far)))
    for x in (expected, found):
        ts.logsumexp(x, axis=1).sum().backward()
    np.testing.assert_allclose(found.grad.numpy(), expected.grad.numpy(), rtol=0, atol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_far_out(dtype):
    x = ts.tensor(np.array([[1e4, -1e4, 0.0], [1e4, 1e4, -1e4]], dtype), requires_grad=True)
    loss = ts.nn.cross_entropy(x, [1, 0], reduction="none")
    loss.sum().backward()
    np.testing.assert_array_equal(loss.numpy(), np.array([2e4, np.log(2)], dtype))
    assert x.grad.tolist() == [[1.0, -1.0, 0.0], [-0.5, 0.5, 0.0]]
