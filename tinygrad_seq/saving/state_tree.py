"""A state as JSON, and back. JSON has no arrays, no tuples and no dicts with any keys; an object of one entry means

    {"array": 0}, {"scalar": 1}      an array, or a number of NumPy's, by its position in the list of arrays
    {"dict": [[key, value], ...]}    a dict, whose keys are plain values, NumPy's numbers, or tuples of these
    {"tuple": [item, ...]}           a tuple

Lists, None, bool, int, float and str are written as they are.
"""

from typing import Any

from tinygrad_seq.engine.backend import host, modules, to_host
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.saving.npy import fits_npy

MAX_DEPTH = 100  # of dicts, lists and tuples inside each other: JSON is read recursively, and a dict is three levels
MAX_BITS = 1 << 13  # of an int: Python reads no more than 4300 digits


def encode(value: Any, place: str, arrays: list[Any], depth: int = MAX_DEPTH) -> Any:
    """Return a value as JSON, and append its arrays to the list. `place`: where in the state it is, for the errors."""
    if depth < 0:
        raise RecursionError
    if isinstance(value, Value):
        value = value.array
    if isinstance(value, dict):
        pairs = [
            [encode(k, f"a key of {place}", arrays, depth - 1), encode(v, f"{place}[{k!r}]", arrays, depth - 1)]
            for k, v in value.items()
        ]
        if not all_different([key for key, _ in pairs], arrays):
            kinds = "keys are plain values, NumPy's numbers, or tuples of these"
            raise TypeError(f"save: a key of {place} would not come back: {kinds}")
        return {"dict": pairs}
    if isinstance(value, list | tuple):
        items = [encode(item, f"{place}[{i}]", arrays, depth - 1) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    scalar = isinstance(value, host.generic) and value.dtype.kind in "biufcmM"
    if scalar or type(value) in modules:
        array = to_host(value)
        if not fits_npy(array):
            raise TypeError(f"save: {place} is an array of {array.dtype}, which an .npy file cannot hold")
        arrays.append(array)
        return {"scalar" if scalar else "array": len(arrays) - 1}
    if value is None or type(value) in (bool, float, str) or (type(value) is int and value.bit_length() <= MAX_BITS):
        return value
    kind = f"an int of more than {MAX_BITS} bits" if type(value) is int else f"of type {type(value).__name__}"
    hint = ": save its .state_dict()" if hasattr(type(value), "state_dict") else ""
    raise TypeError(f"save: {place} is {kind}, which is neither an array nor a plain value{hint}")


def all_different(keys: list[Any], arrays: list[Any]) -> bool:
    """Return whether encoded keys, when they are decoded, can be keys of one dict."""
    try:
        return len({decode(key, arrays) for key in keys}) == len(keys)
    except TypeError:  # an array or a list, which has no hash
        return False


def decode(tree: Any, arrays: list[Any]) -> Any:
    """Return the value that `encode` turned into this JSON; raise ValueError for what it never writes."""
    if isinstance(tree, list):
        return [decode(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind in ("array", "scalar"):
        array = arrays[range(len(arrays)).index(content)]  # refuses text and negative numbers
        return array if kind == "array" else array[()]
    if kind not in ("tuple", "dict") or not isinstance(content, list):
        raise ValueError(f"it holds something called {kind!r}")
    items = decode(content, arrays)
    if kind == "tuple":
        return tuple(items)
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in items) or len(found := dict(items)) < len(items):
        raise ValueError("it holds a dict of other things than pairs, or with a key twice")
    return found
