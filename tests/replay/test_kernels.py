"""Laws of the kernels of a GPU: the numbers of the calls that they stand for, and as few launches as can be."""

import re

import numpy as np
import pytest
import strict_cupy

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.replay.text import kernels

EXPRESSIONS = {  # and how many kernels they are, forward
    "arithmetic": lambda x, y: -(x + y) * 2.0 - x / (y * y + 1.5),
    "functions": lambda x, y: (x.exp() + 1.0).log() + y.tanh() * x.sin() - (y * y).sqrt() * x.cos(),
    "powers": lambda x, y: x**2 + (y * y + 0.5) ** 1.5 - (x * x + 1.0) ** 3,
    "comparisons": lambda x, y: ts.where((x < y) & (x > -0.5) | (y >= 1.0), x * 3.0, y - 1.0),
    "masks": lambda x, y: (x != y) * x + (x <= 0.0) * y,
    "extremes": lambda x, y: ts.maximum(x, y * 2.0) - ts.minimum(x, x * 0.25) + x.abs() + y.relu(),
    "gates": lambda x, y: x.sigmoid() * y.tanh() + (1.0 - x.sigmoid()) * x,
}
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -90.0, 90.0]


def backward_of(function):
    def step(x, y):
        x, y = x.detach(), y.detach()
        x.requires_grad = y.requires_grad = True
        z = function(x, y)
        (z * z).sum().backward()
        return z, x.grad, y.grad

    return step


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_kernel_computes_what_its_calls_do(gpu, name, dtype):
    rng = np.random.default_rng(3)
    numbers = rng.standard_normal((2, 8, 8))
    numbers[:, 0], numbers[1, :, 0] = SPECIAL, SPECIAL
    args = [ts.tensor(each, dtype=dtype, device="cuda") for each in numbers]
    step = backward_of(EXPRESSIONS[name])
    fast = ts.replay(step)
    for found, expected in zip(fast(*args), step(*args), strict=True):
        assert found.dtype == expected.dtype and found.device == expected.device
        np.testing.assert_allclose(found.tolist(), expected.tolist(), rtol=1e-5 if dtype == "float32" else 1e-13)
    assert "kernel_1(" in fast.source


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_what_waits_for_nothing_else_is_one_launch(gpu, name):
    if gpu is None:
        pytest.skip("only the double counts kernels")
    fast = ts.replay(lambda x, y: EXPRESSIONS[name](x, y))
    x, y = (ts.tensor(np.full((3, 2), 0.5), device="cuda") for _ in range(2))
    fast(x, y)
    before = gpu["kernels"]
    fast(x, y)
    assert gpu["kernels"] - before == 1, fast.source


def test_an_optimiser_is_a_kernel_for_every_shape(gpu):
    layer = nn.LSTM(3, 4).to("cuda")
    optimizer = ts.optim.AdamW(layer.parameters())

    def step():
        for p in layer.parameters():
            p.grad = p.detach() * 0.5
        optimizer.step()

    fast = ts.replay(step)
    for _ in range(3):
        fast()
    called = re.findall(r" = kernel_\d+\(", fast.source)
    assert 1 <= len(called) <= 2 * len({p.shape for p in layer.parameters()}), fast.source


def test_kernels_that_differ_in_names_only_are_one(gpu):
    fast = ts.replay(lambda x, y: ((x * 2.0 + 1.0).named("a").sum(0), (y * 2.0 + 1.0).named("b").sum(0)))
    fast(ts.ones(2, 3, device="cuda"), ts.ones(4, 3, device="cuda"))
    assert fast.source.count("kernel(") == 1 and fast.source.count("kernel_1(") == 2, fast.source


def test_a_kernel_has_no_more_arguments_than_it_can_have(gpu):
    xs = [ts.full((2,), float(k), device="cuda") for k in range(150)]
    fast = ts.replay(lambda xs: sum(x * (k + 0.5) for k, x in enumerate(xs)))
    assert fast(xs).tolist() == [sum(k * (k + 0.5) for k in range(len(xs)))] * 2
    found = arguments(fast.source)
    assert len(found) > 1 and max(found) * 32 <= kernels.room, found
    is_sum = np.random.default_rng(0).integers(0, 2, 150)  # in no order that comes again
    fast = ts.replay(lambda x: [x + k if is_sum[k] else x * k for k in range(150)])
    assert fast(xs[2])[100].tolist() == [102.0 if is_sum[100] else 200.0] * 2
    assert max(arguments(fast.source)) * 32 <= kernels.room, fast.source  # results count, too


def arguments(source):
    return [sum(part.count(",") + 1 for part in kernel) for kernel in re.findall(r'= kernel\("(.*?)", "(.*?)"', source)]


@pytest.mark.parametrize("dtypes", [("float32", "float64", "float64"), ("float64", "float64", "float32")])
def test_what_has_another_dtype_at_another_step_is_in_no_kernel(gpu, dtypes):
    start, first, later = dtypes

    def step(h, xs):
        for x in xs:
            h = (h * 0.5 + x).tanh()
        return h

    xs = [ts.full((2, 3), k / 4.0, dtype=first if k < 3 else later, device="cuda") for k in range(5)]
    h = ts.ones(2, 3, dtype=start, device="cuda")
    np.testing.assert_allclose(ts.replay(step)(h, xs).tolist(), step(h, xs).tolist(), rtol=1e-13)


def test_the_double_refuses_what_a_kernel_of_cupy_would():
    kernel = strict_cupy.cupy.ElementwiseKernel("float32 x0, bool x1", "float32 y0", "y0 = where(x1, x0, float(0.0));")
    x, mask = strict_cupy.cupy.ones(3, "float32"), strict_cupy.cupy.ones((2, 1), "bool")
    assert kernel(x, mask).shape == (2, 3)
    for wrong in ((x,), (x, mask, x, x), (x.astype("float64"), mask), (np.ones(3, "float32"), mask)):
        with pytest.raises(TypeError):
            kernel(*wrong)
    with pytest.raises(ValueError):
        kernel(x, mask, strict_cupy.cupy.empty(3, "float32"))  # the shape of the result is another
    with pytest.raises(TypeError):
        strict_cupy.cupy.ElementwiseKernel("float32 x0", "float64 y0", "y0 = x0;")(x)
