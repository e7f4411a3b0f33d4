"""How large a gradient is, as one number. In float64 whatever its dtype: gradients that vanish must not vanish sooner
because their squares did.
"""

import math
from typing import Any

from tinygrad_seq.backend import host, to_host


def norm(g: Any) -> float:
    """The length of an array, or of a list of arrays, as one vector."""
    if isinstance(g, list):
        return math.hypot(*map(norm, g))
    flat = g.astype("float64").reshape(-1)
    return math.sqrt(float(flat @ flat))


def gain(rows: list[Any]) -> float:
    """The spectral norm of a Jacobian given row by row: by how much it lengthens a vector at most."""
    if len(rows) == 1:
        return norm(rows[0])
    return float(host.linalg.norm(host.stack([to_host(row).astype("float64").reshape(-1) for row in rows]), 2))
