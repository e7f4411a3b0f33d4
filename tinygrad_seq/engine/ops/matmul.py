"""The matrix product."""

from typing import Any

from tinygrad_seq.engine.primitive import primitive


@primitive
def matmul(xp: Any, x: Any, y: Any) -> Any:
    """Return x @ y: the last two axes are matrices, the others are batches and broadcast."""
    return xp.dot(x, y) if x.ndim == 2 == y.ndim else xp.matmul(x, y)
matmul.vjps(lambda g, _z, _x, y: matmul(g, y.swapaxes(-1, -2)), lambda g, _z, x, _y: matmul(x.swapaxes(-1, -2), g))
