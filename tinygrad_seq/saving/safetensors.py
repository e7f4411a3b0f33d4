"""The safetensors format, which other libraries read: named arrays and nothing else.

Nested dicts become dotted names, as in a state_dict. The package stores an array's memory as it lies, whatever the
strides say, so every array is made contiguous before it gets there. It reads and writes files itself, array by array.
"""

import importlib
from typing import Any

from tinygrad_seq.engine.backend import host, modules, to_host
from tinygrad_seq.engine.graph import Value


def package() -> Any:
    """Return the package; RuntimeError, naming the extra, where it is not installed."""
    try:
        return importlib.import_module("safetensors.numpy")
    except ImportError as error:
        raise RuntimeError(
            'a path that ends in .safetensors needs that package: pip install "tinygrad-seq[safetensors]"'
        ) from error


def arrays_by_name(state: Any) -> dict[str, Any]:
    """Every array in a state by its dotted name; TypeError or ValueError for what the format cannot hold."""
    package()
    arrays: dict[str, Any] = {}
    flatten(state, "", arrays)
    return arrays


def flatten(state: Any, name: str, arrays: dict[str, Any]) -> None:
    """Put every array under its dotted name."""
    value = state.array if isinstance(state, Value) else state
    if type(value) in modules and name and value.dtype.kind in "fiub":
        if name in arrays:
            raise ValueError(f"save: two arrays would both be called {name!r} in safetensors")
        if name == "__metadata__":
            raise ValueError(f"save: safetensors keeps the name {name!r} to itself: give the array another one")
        arrays[name] = host.asarray(to_host(value), order="C")
    elif isinstance(value, dict) and all(isinstance(key, str) for key in value):
        for key, part in value.items():
            flatten(part, f"{name}.{key}" if name else key, arrays)
    else:
        what = f"an array of {value.dtype}" if type(value) in modules else f"a {type(value).__name__}"
        raise TypeError(f"save: safetensors holds dicts of arrays by name only, {name or 'the state'} is {what}")


def write_safetensors(arrays: dict[str, Any], path: str) -> None:
    """Write named arrays to a file."""
    try:
        package().save_file(arrays, path)
    except Exception as error:  # the package has its own kinds
        raise ValueError(f"save: safetensors could not write this: {error}") from error


def read_safetensors(path: str) -> dict[str, Any]:
    """The arrays by dotted name, each one's own: read, not mapped, which would hold the file in memory, too."""
    found: dict[str, Any] = package().load_file(path, backend="pread")
    return found
