"""How far a program may be from the function that it was traced of."""

import importlib

import numpy as np

from tinygrad_seq.engine.backend import to_host

# `tinygrad_seq.replay` is the function
plan, program = (importlib.import_module(f"tinygrad_seq.replay.{name}") for name in ("plan", "program"))


def assert_agree(one, other, scale=0.0):
    """Arrays are the same, bit for bit; to rounding where the program brings products together.

    `scale` is how large the numbers are that a result is made of, where they may cancel.
    """
    one, other = (x if isinstance(x, float) else to_host(getattr(x, "array", x)) for x in (one, other))
    if plan.PASSES:
        scale = np.abs(one).max(initial=scale)
        rtol, atol = (1e-10, 1e-12) if getattr(one, "dtype", None) == "float64" else (1e-5, 1e-6)
        np.testing.assert_allclose(other, one, rtol, atol * (scale if np.isfinite(scale) else 1.0))
    else:
        np.testing.assert_array_equal(one, other)


def assert_all_agree(ones, others, least=0.0):
    """Results of one program agree, as exactly as the largest of them allows; `least`: how large what cancels is."""
    arrays = [to_host(x.array) for x in ones if x is not None]
    scale = max(np.abs(array).max(initial=least) for array in arrays)
    for one, other in zip(ones, others, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert_agree(one, other, scale)
