"""What the laws share: running a row, random arrays like others, and a directional derivative by finite differences.

A derivative along one random direction costs two evaluations at any size, and a wrong gradient agrees with it only by
luck: `<gradient, v>` is compared with `(f(x + h v) - f(x - h v)) / 2h`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts

Arrays = Sequence[Any]


def over(rows: Sequence[Any]) -> Callable[[Any], Any]:
    """Run a test(row, data, ...) for every row, on the cases that Hypothesis draws."""
    return lambda test: pytest.mark.parametrize("row", rows, ids=str)(given(data=st.data())(test))


def floats(array: Any) -> bool:
    return array.dtype.kind == "f"


def as_list(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def leaves(arrays: Arrays, device: str | None = None) -> list[ts.Tensor]:
    """Tensors of the arrays; the floating ones require a gradient."""
    return [ts.tensor(array, device=device, requires_grad=floats(array)) for array in arrays]


def constants(arrays: Arrays) -> list[ts.Tensor]:
    return [ts.tensor(array) for array in arrays]


def wanted(tensors: Sequence[ts.Tensor]) -> list[ts.Tensor]:
    return [tensor for tensor in tensors if tensor.requires_grad]


def host(tensors: Any) -> list[Any]:
    return [tensor.numpy() for tensor in as_list(tensors)]


def like(rng: np.random.Generator, arrays: Arrays) -> list[Any]:
    """Random directions: normal where there are floats, 0 elsewhere."""
    return [rng.normal(size=array.shape) if floats(array) else np.zeros(array.shape, array.dtype) for array in arrays]


def inner(left: Arrays, right: Arrays) -> float:
    return float(sum(np.sum(a * b) for a, b in zip(left, right, strict=True)))


def slope(function: Callable[[Arrays], float], at: Arrays, along: Arrays, step: float = 1e-5) -> float:
    """The derivative of the function at a point along a direction, by central differences."""
    ahead = [x + step * v if floats(x) else x for x, v in zip(at, along, strict=True)]
    behind = [x - step * v if floats(x) else x for x, v in zip(at, along, strict=True)]
    return (function(ahead) - function(behind)) / (2 * step)


def assert_same(left: Any, right: Any) -> None:
    """Equal bit for bit, in shape and dtype too."""
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_array_equal(a, b)


def assert_near(left: Any, right: Any, dtype: Any = np.float64) -> None:
    """Equal to rounding: a few dozen units in the last place of the largest number involved."""
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape
        scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=0, atol=64 * scale * np.finfo(dtype).eps)
