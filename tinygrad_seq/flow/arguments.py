"""Arguments of this room, refused with a sentence that names the function."""

from typing import Any

from tinygrad_seq.engine.graph import Value


def require_tensor(op: str, name: str, value: Any) -> None:
    """Raise TypeError for an argument that is not a Tensor."""
    if not isinstance(value, Value):
        raise TypeError(f"{op}: the {name} must be a Tensor, got {type(value).__name__} {value!r:.60}")
