"""Write cupy_api.json: what one released CuPy accepts, as far as it can be known with no GPU.

The strict double (strict_cupy) reads the snapshot, so that it allows what the real wheel allows and nothing more.
Names and signatures are read off the module; what has none is found by asking. A host-backed array lets CuPy check
arguments for real, and on a machine with no device every check that passes ends in the same CUDARuntimeError: so
"refused" and "would have been launched" can be told apart.

    pip install cupy-cuda12x==14.2.0 && python tests/make_cupy_api.py
"""

import inspect
import json
import os
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a launch on host memory would break a real device

import cupy
import numpy as np

CHARACTERS = "?bhilqBHILQefdFD"  # every dtype CuPy has, as NumPy's one-letter codes
MODULES = {"cupy": cupy, "cupy.random": cupy.random}
ROLES = {  # what no signature says; parameters that must be device arrays, or hold several, and two kinds of function
    "arrays": ["A", "a", "a1", "a2", "arr", "arr1", "arr2", "array", "ary", "b", "condition", "dst", "m", "prototype",
               "v", "val", "x", "x1", "x2", "y", "z"],
    "joined": ["*args", "*arys", "tup"],
    "host_answers": ["can_cast", "common_type", "iscomplexobj", "isfortran", "isrealobj", "isscalar",
                     "may_share_memory", "min_scalar_type", "ndim", "result_type", "shape", "shares_memory", "size"],
    "synchronizing": ["argwhere", "compress", "extract", "flatnonzero", "nonzero", "unique"],
}


def on_host(array):
    """A real cupy.ndarray on the memory of a NumPy array: everything but a kernel works on it."""
    memory = cupy.cuda.UnownedMemory(array.ctypes.data, array.nbytes, array, 0)
    pointer = cupy.cuda.MemoryPointer(memory, 0)
    return cupy.ndarray(array.shape, array.dtype, pointer, strides=array.strides)


def parameters(function):
    """The parameter names, written as in a signature: "a, axis, *, dtype"; None where it cannot be known."""
    try:
        found = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    except (TypeError, ValueError):
        heading = (function.__doc__ or "").split("\n")[0]  # Cython writes the signature there
        if "(" not in heading:
            return None
        inside = heading[heading.index("(") + 1:heading.rindex(")")]
        names = [part.split("=")[0].split()[-1] for part in inside.split(", ") if part]
        return ", ".join(name for name in names if name != "self")
    names = []
    for parameter in found:
        if parameter.kind is parameter.KEYWORD_ONLY and not any(name.startswith("*") for name in names):
            names.append("*")
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        names.append(stars + parameter.name)
    return ", ".join(names)


def public(owner):
    return {name: getattr(owner, name) for name in dir(owner) if not name.startswith("_")}


def is_function(value):
    return callable(value) and not isinstance(value, (type, cupy.ufunc))


def launches(call, *args):
    """Whether CuPy takes these arguments: it then fails for want of a device, and before that if it does not."""
    try:
        return call(*args) is not NotImplemented
    except cupy.cuda.runtime.CUDARuntimeError:
        return True
    except (NotImplementedError, TypeError):
        return False


def at_dtypes(function):
    """The dtypes ufunc.at takes with an integer-array index."""
    index = on_host(np.array([0, 1]))
    return "".join(
        character for character in CHARACTERS
        if launches(function.at, on_host(np.zeros(3, character)), index, on_host(np.zeros(2, character))))


def snapshot():
    names = public(cupy)
    ufuncs = {name: value for name, value in names.items() if isinstance(value, cupy.ufunc)}
    same = sorted(name for name, value in names.items() if value is getattr(np, name, cupy))
    row = on_host(np.zeros(3))
    binary = {name: value for name, value in ufuncs.items() if value.nin == 2}
    methods = {name: value for name, value in public(cupy.ndarray).items() if callable(value)}
    return {
        "cupy": cupy.__version__,
        "at": {name: dtypes for name, value in binary.items() if (dtypes := at_dtypes(value))},
        "functions": {module: {name: parameters(value) for name, value in public(owner).items()
                               if is_function(value) and not (owner is cupy and name in same)}
                      for module, owner in MODULES.items()},
        "generator": {name: parameters(value) for name, value in public(cupy.random.Generator).items()},
        "ndarray": {"attributes": sorted(name for name in dir(cupy.ndarray) if name not in methods),
                    "methods": {name: parameters(value) for name, value in methods.items()}},
        "others": sorted(name for name, value in names.items()
                         if name not in same and name not in ufuncs and not is_function(value)),
        "roles": ROLES,
        "same": same,
        "scalars": "".join(character for character in CHARACTERS
                           if launches(row.__array_ufunc__, np.exp, "__call__", np.dtype(character).type(0))),
        "ufuncs": {name: " ".join(value.types) for name, value in ufuncs.items()},
    }


if __name__ == "__main__":
    target = Path(__file__).with_name("cupy_api.json")
    target.write_text(json.dumps(snapshot(), indent=0, sort_keys=True) + "\n")
    print(f"{target.name}: CuPy {cupy.__version__}, {target.stat().st_size} bytes")
