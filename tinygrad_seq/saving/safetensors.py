"""The safetensors format, which other libraries read: named arrays and nothing else.

Nested dicts become dotted names, as in a state_dict. The package reads and writes the files; it stores an array's
memory as it lies, whatever the strides say, so every array is made contiguous first.
"""

import importlib
import os
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from tinygrad_seq.engine.backend import host, modules, to_host
from tinygrad_seq.engine.graph import Value


class UnknownDtypeError(ValueError):
    """Say that a file holds what no NumPy array can."""


def package(op: str) -> Any:
    """Return the package; raise RuntimeError, which names the extra to install, where it is missing."""
    try:
        return importlib.import_module("safetensors.numpy")
    except ImportError as error:
        raise RuntimeError(
            f'{op}: a path that ends in .safetensors needs that package: pip install "tinygrad-seq[safetensors]"'
        ) from error


def write_safetensors(state: Any, file: BinaryIO) -> None:
    """Write a state of named arrays; raise TypeError or ValueError, which names the place, for anything else."""
    save_file, arrays = package("save").save_file, {}
    for name, array in named_arrays(state, ""):
        if name in arrays:
            raise ValueError(f"save: two arrays would both be called {name!r} in safetensors")
        if name == "__metadata__":
            raise ValueError(f"save: safetensors keeps the name {name!r} to itself: give the array another one")
        arrays[name] = array
    try:
        save_file(arrays, file.name)
    except Exception as error:  # the package has exceptions of its own, for a full disk, too
        number = re.search(r"os error (\d+)", str(error))
        if number is not None:
            code = int(number[1])
            raise OSError(code, os.strerror(code), file.name) from error
        raise ValueError(f"save: safetensors could not write this: {error}") from error


def named_arrays(state: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every array in a state with its dotted name."""
    value = state.array if isinstance(state, Value) else state
    if type(value) in modules and name and value.dtype.kind in "fiub":
        yield name, host.asarray(to_host(value), order="C")
    elif isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                where = f"{name}: " if name else ""
                raise TypeError(f"save: {where}safetensors names arrays by strings, got the key {key!r:.60}")
            yield from named_arrays(part, f"{name}.{key}" if name else key)
    else:
        what = f"an array of {value.dtype}" if type(value) in modules else f"of type {type(value).__name__}"
        raise TypeError(f"save: safetensors holds dicts of arrays by name only, {name or 'the state'} is {what}")


def read_safetensors(file: BinaryIO) -> dict[str, Any]:
    """Return the arrays by dotted name. They are read, not mapped: mapping would hold the whole file in memory, too."""
    found: dict[str, Any]
    try:
        found = package("load").load_file(file.name, backend="pread")
    except (AttributeError, TypeError) as error:  # of NumPy, which is asked for a dtype by its name
        raise UnknownDtypeError(
            f"load: {file.name!r} has an array of a dtype that NumPy lacks, such as BF16 ({error}): convert it to "
            "float32 with the library that wrote it"
        ) from error
    return found
