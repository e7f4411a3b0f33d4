"""NumPy's functions, methods and ufuncs behind CuPy's signatures: device arrays in, device arrays out."""

import numpy as np

from strict_cupy.api import API, PYTHON_SCALARS, ROLES, SCALARS
from strict_cupy.arrays import fresh, garbage, host_index, launched, ndarray, scatter, stored, wrapped
from strict_cupy.device import counts

HOSTS = {  # where CuPy does something else than NumPy
    "astype": lambda self, dtype, order="K", copy=True: self.astype(dtype, order, copy=bool(copy)),
    "empty": lambda *args, **keywords: garbage(np.empty(*args, **keywords)),
    "empty_like": lambda *args, **keywords: garbage(np.empty_like(*args, **keywords)),
    "take": lambda a, indices, axis=None: np.take(a, indices, axis, mode="wrap"),
    "take_along_axis": lambda a, indices, axis: np.take_along_axis(
        a, indices % max(a.size if axis is None else a.shape[axis], 1), axis)}


def unwrapped(value, sources):
    """The NumPy value behind an argument; its device arrays are noted in `sources`."""
    if type(value) is ndarray:
        sources.append(value)
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {np.ndarray}: upload it with cupy.asarray")
    return type(value)([unwrapped(part, sources) for part in value]) if isinstance(value, (tuple, list)) else value


def function(name, parameters, host, array_names=ROLES["arrays"]):
    """A NumPy function or method behind CuPy's signature, which is written "a, axis, *, dtype"."""
    if name in ROLES["host_answers"]:
        return lambda *args, **keywords: host(*(x._host if type(x) is ndarray else x for x in args), **keywords)
    names = parameters.split(", ")
    bind = eval(f"lambda {', '.join(part if part[:1] in '*' else part + '=None' for part in names)}: locals()")
    bind.__qualname__ = name  # Python itself refuses what CuPy's signature has no place for
    arrays, first = [part for part in names if part in array_names], names[0].strip("*")
    joined, arrays_only = names[0] in ROLES["joined"], first in array_names

    def call(*args, out=None, **keywords):
        bound = bind(*args, **keywords) if out is None else bind(*args, out=out, **keywords)
        must_be_arrays = bound[first] if joined else [bound[first]] if arrays_only else ()
        if (any(type(value) is not ndarray for value in must_be_arrays)
                or any(isinstance(bound[part], (list, tuple)) for part in arrays)):
            raise TypeError(f"cupy.{name} takes cupy.ndarray objects only")
        counts["synchronizations"] += name in ROLES["synchronizing"] or (name == "where" and bound["x"] is None)
        sources = []
        args = [unwrapped(value, sources) for value in args]
        keywords = {keyword: unwrapped(value, sources) for keyword, value in keywords.items()}
        with np.errstate(all="ignore"):
            result = host(*args, **keywords)
        return wrapped(result, sources) if out is None else stored(result, out)
    return call


class ufunc:  # noqa: N801
    """An elementwise function of one result: device arrays and scalars in, and only the loops CuPy has."""

    def __init__(self, name, loops):
        self.name, self.types, self.nin, self.nout = name, loops.split(), loops.index("-"), 1
        self._host, self._chosen = getattr(np, name), {}

    def __call__(self, *args, out=None, dtype=None, casting="same_kind"):
        if len(args) not in (self.nin, self.nin + 1):
            raise TypeError(f"Wrong number of arguments for 'cupy_{self.name}': {len(args)}")
        for value in args[:self.nin]:
            if type(value) is not ndarray and type(value) not in SCALARS:
                raise TypeError(f"Unsupported type {type(value)}")
        inputs = [value._host if type(value) is ndarray else value for value in args[:self.nin]]
        launched(*args)
        kinds = tuple([type(value) if type(value) in PYTHON_SCALARS else value.dtype for value in inputs])
        made = self._chosen.get(kinds) or self._choose(kinds)
        with np.errstate(all="ignore"):
            result = self._host(*inputs) if dtype is None else self._host(*inputs, dtype=dtype, casting=casting)
            result = np.asarray(result, dtype or made)
        out = args[self.nin] if len(args) > self.nin else out
        if out is not None:
            counts["kernels"] -= 1  # it is the same one
            return stored(result, out, casting)
        return fresh(result)

    def _choose(self, kinds):
        """The result dtype of the first loop that takes these inputs safely; Python scalars follow the arrays."""
        joint = np.result_type(*(PYTHON_SCALARS.get(kind, kind) for kind in kinds))
        dtypes = [joint if kind in (int, float, complex) else np.dtype(kind) for kind in kinds]
        for takes, makes in (loop.split("->") for loop in self.types):
            if all(np.can_cast(have, want) for have, want in zip(dtypes, takes)):
                return self._chosen.setdefault(kinds, np.dtype(makes))
        raise TypeError(f"Wrong type {dtypes} of arguments for cupy_{self.name}")

    def at(self, a, indices, b=None):
        if self.name not in API["at"]:
            raise NotImplementedError(f"`cupy_{self.name}.at` is not supported yet")
        items, gathers = host_index(a, indices)
        if gathers and a.dtype.char not in API["at"][self.name]:
            raise TypeError(f"cupy.{self.name}.at only supports {API['at'][self.name]} as data type, not {a.dtype}")
        scatter(a, items, b, self._host.at)


# All methods left follow a pattern, too.
for name, parameters in API["ndarray"]["methods"].items():
    if name not in vars(ndarray) and hasattr(np.ndarray, name):
        host = HOSTS.get(name, getattr(np.ndarray, name))
        setattr(ndarray, name, function(name, f"self, {parameters}", host))
ndarray.__module__ = ufunc.__module__ = "cupy"
