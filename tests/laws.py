"""A law over the op table: `over(rows)` runs a test for every row, on the cases that Hypothesis draws.

The laws themselves, and what they are made of, are in `tinygrad_seq.testing`; the tests find them here, too.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq.testing import as_list, assert_near, assert_same, floats, leaves, like, wanted
from tinygrad_seq.testing import host_arrays as host

__all__ = ["as_list", "assert_near", "assert_same", "constants", "floats", "host", "leaves", "like", "over",
           "shares_memory", "wanted"]


def over(rows: Sequence[Any], share: int = 1) -> Callable[[Any], Any]:
    """Run a test(row, data, ...) for every row. Where only the form of a case matters, not its numbers: on a share."""
    count = settings(max_examples=max(10, settings.default.max_examples // share))
    return lambda test: pytest.mark.parametrize("row", rows, ids=str)(count(given(data=st.data())(test)))


def shares_memory(a: Any, b: Any) -> bool:
    """Whether two arrays share memory, arrays of the strict double too."""
    return np.shares_memory(getattr(a, "_host", a), getattr(b, "_host", b))


def constants(arrays: Sequence[Any]) -> list[ts.Tensor]:
    return [ts.tensor(array) for array in arrays]
