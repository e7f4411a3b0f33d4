"""The values of parameters and buffers: all are moved, or loaded from a state, or an error says why and none is."""

from collections.abc import Iterable, Mapping
from typing import Any

from tinygrad_seq.engine.backend import (
    Array,
    as_dtype,
    existing_device,
    host,
    names_device,
    on_device_of,
    to_device,
    to_host,
)
from tinygrad_seq.engine.commit import Change
from tinygrad_seq.engine.graph import Value, constant_after
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.nn.parameter import Parameter, Stored


def moved(place: str, stored: Iterable[Stored], target: Any) -> list[Change]:
    """Return what changes when these move to a device or a floating dtype, with their gradients."""
    to_place = names_device(target)
    target = existing_device(target, f"{place}: ") if to_place else as_dtype(target, f"{place}: ")
    if not to_place and target.kind != "f":
        raise TypeError(f"{place}: parameters are floating, {target} is not")

    def there(array: Array) -> Array:
        if to_place:
            return to_device(array, target)
        with on_device_of(array):
            return array.astype(target, copy=False) if array.dtype.kind == "f" else array

    changes: list[Change] = []
    for each in stored:
        array = there(each.array)
        if array is not each.array:
            changes += replaced(each, array)
            if each.grad is not None:
                changes.append((each, "stored_grad", make_tensor(there(each.grad.array))))
    return changes


def replaced(each: Stored, array: Array) -> list[Change]:
    """Return what changes when an array takes the place of another.

    A leaf that learns keeps its node, where all its gradients arrive; a constant gets a new one, since graphs may hold
    the old one.
    """
    if each.node is not None and each.requires_grad:
        return [(each, "array", array), (each.node, "dtype", array.dtype)]
    return [(each, "array", array), (each, "node", constant_after(each, array))]


def loaded(place: str, named: Mapping[str, Stored], state: Mapping[str, Any]) -> list[Change]:
    """Return what changes when these, each under one or several names, take over the values of a state."""
    arrays: dict[Stored, Any] = {}
    wrong = []
    for name, each in named.items():
        try:
            array = values_for(each, state[name])
            other = arrays.setdefault(each, array)
            if array is not other and array.tobytes() != other.tobytes():
                raise ValueError("another value than the same parameter has elsewhere in the state")
        except (TypeError, ValueError, RuntimeError) as error:
            wrong.append(f"{name}: {error}")
    if wrong:
        raise ValueError(f"{place}: {'; '.join(wrong)}")
    changes: list[Change] = []
    for each, array in arrays.items():
        array = to_device(array, each.device)
        changes += [(each, "array", array)] if isinstance(each, Parameter) else replaced(each, array)
    return changes


def values_for(each: Stored, given: Any) -> Any:
    """Return a copy of given values as a host array of this shape and dtype, or raise why there is none."""
    array = host.asarray(to_host(given.array if isinstance(given, Value) else given))
    if array.shape != each.shape:
        raise ValueError(f"shape {array.shape}, expected {each.shape}")
    return array.astype(each.dtype, casting="same_kind")
