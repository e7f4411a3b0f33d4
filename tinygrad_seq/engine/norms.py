"""How large a gradient is, as one number. In float64 whatever its dtype, and scaled where squares would leave its
range: gradients that vanish must not vanish sooner because their squares did.
"""

import math
from typing import Any

from tinygrad_seq.engine.backend import host, quiet, to_host
from tinygrad_seq.engine.graph import Node


class Lengths(dict[Node, float]):
    """Numbers of nodes, for `draw(show=)`, and what a picture calls them."""

    def __init__(self, label: str, values: Any = ()) -> None:
        super().__init__(values)
        self.label = label


def norm(g: Any) -> float:
    """The length of an array, or of a list of arrays, as one vector."""
    if isinstance(g, list):
        return math.hypot(*map(norm, g))
    flat = g.astype("float64").reshape(-1)
    with quiet(over="ignore"):
        squared = float(flat @ flat)
    if 1e-280 < squared < math.inf or not flat.size:
        return math.sqrt(squared)
    largest = float(abs(flat).max())
    return largest * norm(flat / largest) if 0.0 < largest < math.inf else largest


def gain(jacobian: Any) -> float:
    """The spectral norm of a matrix: by how much it lengthens a vector at most."""
    if len(jacobian) == 1:
        return norm(jacobian)
    matrix = to_host(jacobian).astype("float64")
    largest = float(abs(matrix).max(initial=0.0))
    return float(host.linalg.norm(matrix, 2)) if 0.0 < largest < math.inf else largest
