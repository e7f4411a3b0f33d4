"""Data live on the host: the functions of this room take lists, NumPy arrays or Tensors and return NumPy arrays.

`ts.tensor(array, device=...)` makes Tensors of them, batch by batch.
"""

from typing import Any

from tinygrad_seq.engine.backend import default_dtype, to_host
from tinygrad_seq.engine.coercion import without_history
from tinygrad_seq.engine.graph import Value


def as_array(op: str, name: str, data: Any) -> Any:
    """Return data as a NumPy array with at least one axis; Python's floats become float32, as in `ts.tensor`."""
    try:
        array = to_host(without_history(op, data, "slices of the Tensor") if isinstance(data, Value) else data)
    except ValueError as error:
        hint = "see ts.data.pad_sequences" if op != "pad_sequences" else "its steps must have one shape: pad them first"
        raise ValueError(f"{op}: {name} has no regular shape ({error}); {hint}") from None
    if array.ndim == 0:
        raise ValueError(f"{op}: {name} must have at least one axis, as a list or an array, got {data!r:.60}")
    return array.astype(default_dtype) if isinstance(data, list | tuple) and array.dtype.kind == "f" else array


def listed(op: str, name: str, items: Any) -> list[Any]:
    """Return what is iterable as a list; refuse anything else."""
    try:
        iterator = iter(items)
    except TypeError:
        raise TypeError(f"{op}: {name} must be in a list, got {items!r:.60}") from None
    return list(iterator)
