"""Compile loops over elements with Numba, once on a machine: the machine code is kept in a cache on disk."""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from tinygrad_seq.engine.backend import host

HEAD = '''"""Loops of a replayed function, written and compiled by tinygrad_seq."""

import math

import numpy as np
from numba import njit

from tinygrad_seq.replay.compiled.vector_math import functions

exp, log, tanh = (getattr(functions("{dtype}"), name) for name in ("exp", "log", "tanh"))
compiled = njit(error_model="numpy", fastmath={{"contract"}}, cache=True)


@compiled
def check_ids(ids, size):
    for each in ids.flat:
        if each < -size or each >= size:
            raise IndexError("an id is out of range")
'''


def check_numba() -> None:
    """Raise where Numba, what its products of matrices need, or what says how these are computed, is not installed."""
    missing = [name for name in ("numba", "scipy", "threadpoolctl") if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"replay: compile=True needs {' and '.join(missing)}: install it with pip install 'tinygrad-seq[compile]', "
            "or leave compile=True out"
        )


def module_of(functions: list[str], dtype: str) -> ModuleType:
    """Return a module with these functions, compiled at their first call or read from the cache."""
    text = "\n\n".join([HEAD.format(dtype=dtype), *(f"@compiled\n{function}" for function in functions)]) + "\n"
    own = (Path(__file__).with_name("vector_math.py").read_bytes(), text.encode())
    name = f"tinygrad_seq_{hashlib.sha256(b''.join(own)).hexdigest()[:20]}"
    if name not in sys.modules:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinygrad_seq"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.py"
        if not path.exists():
            new = path.with_suffix(f".{os.getpid()}")
            new.write_text(text)
            new.replace(path)  # at once, beside another process that does the same
        loader = SourceFileLoader(name, str(path))
        module = importlib.util.module_from_spec(ModuleSpec(name, loader, origin=str(path)))
        loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


def on_contiguous(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a compiled function that copies an array first which has gaps: one layout is compiled."""
    return lambda *given: function(*[x if type(x) in (int, float) else host.asarray(x, order="C") for x in given])
