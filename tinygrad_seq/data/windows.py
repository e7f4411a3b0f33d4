"""A series as examples for a forecast: some values in a row, and those that follow.

Every position in a series gives such an example. The examples overlap; as views of the series they take no memory.
"""

from typing import Any

from tinygrad_seq.data.arrays import as_array
from tinygrad_seq.engine.arguments import at_least
from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.callers import known_arguments


@known_arguments
def windows(series: Any, length: int, horizon: int = 1, stride: int = 1) -> tuple[Any, Any]:
    """Return `length` values in a row and the `horizon` values that follow them, from every `stride`-th position.

        inputs[i] = series[s : s + length],   targets[i] = series[s + length : s + length + horizon],   s = i * stride

    series (T,) or (T, F) -> inputs (N, length) or (N, length, F), targets (N, horizon) or (N, horizon, F), for
    N = (T - length - horizon) // stride + 1; read-only views, so that N windows take no more memory than the series.
    A layer with batch_first reads (N, length, F): `inputs[..., None]` where there is no F. Raises ValueError for a
    series that is too short for one window.

    >>> import tinygrad_seq as ts
    >>> inputs, targets = ts.data.windows([1, 2, 3, 4, 5], 3)
    >>> inputs.tolist(), targets.tolist()
    ([[1, 2, 3], [2, 3, 4]], [[4], [5]])
    >>> ts.data.windows([1, 2, 3, 4, 5], 2, stride=2)[0].tolist()
    [[1, 2], [3, 4]]
    """
    length, horizon, stride = at_least(1, "windows", length=length, horizon=horizon, stride=stride)
    array = as_array("windows", "series", series)
    if len(array) < length + horizon:
        raise ValueError(
            f"windows: a window of {length} and its horizon of {horizon} need {length + horizon} values, "
            f"the series has {len(array)}"
        )
    both = host.moveaxis(host.lib.stride_tricks.sliding_window_view(array, length + horizon, axis=0), -1, 1)[::stride]
    return both[:, :length], both[:, length:]
