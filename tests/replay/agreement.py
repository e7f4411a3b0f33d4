"""How far a program may be from the function that it was traced of."""

import importlib

import numpy as np

from tinygrad_seq.engine.backend import to_host

program = importlib.import_module("tinygrad_seq.replay.program")  # `tinygrad_seq.replay` is the function


def assert_agree(one, other):
    """Arrays are the same, bit for bit; to rounding where the program brings products together."""
    one, other = (x if isinstance(x, float) else to_host(getattr(x, "array", x)) for x in (one, other))
    if program.PASSES:
        scale = np.abs(one).max(initial=0.0)
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6 * (scale if np.isfinite(scale) else 1.0))
    else:
        np.testing.assert_array_equal(one, other)
