"""What NumPy 2.0 lacks and later ones have is not asked of it; `tests/installed.py` runs more with that version."""

import pytest

import tinygrad_seq as ts
from tinygrad_seq.engine.backend import device_of, to_device


def test_a_scalar_that_names_no_device_is_on_the_host():
    assert device_of(1.5) == "cpu" and to_device(1.5, "cpu") == 1.5


def test_clip_without_bounds_changes_nothing():
    x = ts.tensor([-2.0, 3.0], requires_grad=True)
    y = ts.clip(x, None, None)
    y.sum().backward()
    assert y.tolist() == [-2.0, 3.0] and x.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("dtype, value", [("int8", 300), ("int8", -129), ("int64", 1 << 63)])
def test_what_a_dtype_cannot_hold_is_no_other_number(dtype, value):
    with pytest.raises(ValueError, match=rf"^full: .*{dtype}.*{value}"):
        ts.full((2,), value, dtype=dtype)
