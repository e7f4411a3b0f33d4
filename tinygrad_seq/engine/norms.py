"""Measure how large arrays are: the norm of a vector, the gain of a matrix.

Both compute in float64, whatever the dtype of the array, and rescale where the squares would overflow or underflow: a
gradient that vanishes must not become zero sooner because its square did.
"""

import math
from typing import Any

from tinygrad_seq.engine.backend import host, on_device_of, quiet, to_host


def norm(g: Any) -> float:
    """Return the Euclidean norm of an array, or of a list of arrays (None: nothing) taken together as one vector."""
    if isinstance(g, list):
        return math.hypot(*[norm(part) for part in g if part is not None])
    with quiet(over="ignore"), on_device_of(g):
        flat = g.astype("float64").reshape(-1)
        squared = float(flat @ flat)
        if 1e-280 < squared < math.inf or not flat.size:
            return math.sqrt(squared)
        largest = float(abs(flat).max())
        return largest * norm(flat / largest) if 0.0 < largest < math.inf else largest


def gain(jacobian: Any) -> float:
    """Return the spectral norm of a matrix: the largest factor by which it lengthens a vector."""
    if len(jacobian) == 1:
        return norm(jacobian)
    matrix = to_host(jacobian).astype("float64")
    largest = float(abs(matrix).max(initial=0.0))
    return float(host.linalg.norm(matrix, 2)) if 0.0 < largest < math.inf else largest
