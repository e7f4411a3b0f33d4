"""Parameters and buffers by name, and their values: all are moved, or loaded from a state, or an error says why."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

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
from tinygrad_seq.nn.parameter import Buffer, Parameter, Stored


class IncompatibleKeys(NamedTuple):
    """Say which names a state lacks, and which of its names a module has not."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def own(module: Any, *kinds: type[Stored]) -> list[tuple[str, Any]]:
    """Return what a module itself stores, by name: all of one kind, then all of the next."""
    return [(name, part) for kind in kinds for name, part in module.parts() if isinstance(part, kind)]


def listed(top: Any, prefix: str, *kinds: type[Stored]) -> Iterator[tuple[str, Any]]:
    """Yield what a module and all inside it store, each once, with dotted names."""
    seen = set()
    for path, module in top.named_modules(prefix):
        for name, part in own(module, *kinds):
            if id(part) not in seen:
                seen.add(id(part))
                yield f"{path}.{name}" if path else name, part


def every_name(module: Any, path: str = "", around: tuple[Any, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield what a module and all inside it store, with dotted names: with each of them, if there are several."""
    for name, part in own(module, Parameter, Buffer):
        yield path + name, part
    for name, part in module.parts():
        if not isinstance(part, Stored) and all(part is not each for each in (*around, module)):
            yield from every_name(part, f"{path}{name}.", (*around, module))


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
