"""The safetensors format, which other libraries read: named arrays and nothing else.

Nested dicts become dotted names, as in a state_dict. The package stores an array's memory as it lies, whatever the
strides say, so every array is made contiguous before it gets there.
"""

import importlib
from typing import Any

from tinygrad_seq.backend import host, modules, to_host
from tinygrad_seq.graph import Value


def package() -> Any:
    try:
        return importlib.import_module("safetensors.numpy")
    except ImportError as error:
        raise RuntimeError(
            'a path that ends in .safetensors needs that package: pip install "tinygrad-seq[safetensors]"'
        ) from error


def to_safetensors(state: Any) -> bytes:
    """The content of a file; TypeError or ValueError, naming the place, for what the format cannot hold."""
    save = package().save
    arrays: dict[str, Any] = {}
    flatten(state, "", arrays)
    try:
        content: bytes = save(arrays)
    except Exception as error:  # the package has its own kinds
        raise ValueError(f"save: safetensors cannot hold this: {error}") from error
    return content


def flatten(state: Any, name: str, arrays: dict[str, Any]) -> None:
    """Put every array under its dotted name."""
    value = state.array if isinstance(state, Value) else state
    if type(value) in modules and name and value.dtype.kind in "fiub":
        if name in arrays:
            raise ValueError(f"save: two arrays would both be called {name!r} in safetensors")
        arrays[name] = host.array(to_host(value), order="C")
    elif isinstance(value, dict) and all(isinstance(key, str) for key in value):
        for key, part in value.items():
            flatten(part, f"{name}.{key}" if name else key, arrays)
    else:
        what = f"an array of {value.dtype}" if type(value) in modules else f"a {type(value).__name__}"
        raise TypeError(f"save: safetensors holds dicts of arrays by name only, {name or 'the state'} is {what}")


def from_safetensors(content: bytes) -> dict[str, Any]:
    """The arrays by dotted name, each one's own."""
    return {name: host.array(array) for name, array in package().load(content).items()}
