"""A strict double of CuPy on top of NumPy: the CuPy path runs, and is judged, on a machine with no GPU.

`install()` puts it where `import cupy` finds it. It allows what cupy_api.json says the real wheel allows (names,
parameters, ufunc loops, scatter dtypes), refuses to mix with NumPy arrays, answers reductions with 0-d arrays, wraps
integer-array indices around, warns about nothing, and where the device leaves an order open it rolls dice: the winner
of duplicate indices in `a[i] = v`, the order of the sum in `add.at`, the content of `empty`.
Where in doubt it is stricter. It also refuses `cupy.sum(numpy_array)`, NumPy's functions of a device array, NumPy
indices in `take`, `== None`, ufuncs of two results, writing to a broadcast view, and precedence by priority alone.
`counts` tells what costs time on a device: kernels, uploads, downloads, synchronizations (each at least), and the bytes
of all arrays made, temporaries too.
There are DEVICES devices. Every thread begins on number 0, what it makes is on its current one, and a kernel takes the
arrays of that one only: CuPy would read those of another through a slow path where there is one, and fail elsewhere.
The memory pool of a device says how many bytes its arrays hold now. Streams only let the host wait.
It knows nothing of kernel numerics, of work that is still queued, of fragmented memory or of speed.
"""

import importlib.machinery
import json
import operator
import re
import sys
import threading
import types
from collections import Counter
from pathlib import Path

import numpy as np

API = json.loads(Path(__file__).with_name("cupy_api.json").read_text())
BOOLS = (bool, np.bool_)
PYTHON_SCALARS = {bool: False, int: 0, float: 0.0, complex: 0j}
SCALARS = {*PYTHON_SCALARS, *(np.dtype(character).type for character in API["scalars"])}
ROLES = {role: set(names) for role, names in API["roles"].items()}
ON_HOST = "__bool__ __complex__ __float__ __format__ __int__ __repr__ __str__ dump dumps item tobytes tofile tolist"
HOSTS = {  # where CuPy does something else than NumPy
    "astype": lambda self, dtype, order="K", copy=True: self.astype(dtype, order, copy=bool(copy)),
    "empty": lambda *args, **keywords: garbage(np.empty(*args, **keywords)),
    "empty_like": lambda *args, **keywords: garbage(np.empty_like(*args, **keywords)),
    "take": lambda a, indices, axis=None: np.take(a, indices, axis, mode="wrap"),
    "take_along_axis": lambda a, indices, axis: np.take_along_axis(
        a, indices % max(a.size if axis is None else a.shape[axis], 1), axis)}

DEVICES = 2

counts = Counter()
held = Counter()  # by device: the bytes of all arrays that are alive
dice = np.random.default_rng(20)


class Here(threading.local):
    """The device that this thread works on, and those that it comes back to."""

    def __init__(self):
        self.device, self.left = 0, []


here = Here()


def fresh(host, base=None):
    """The device array over this host memory."""
    if host.dtype.char not in API["scalars"]:
        raise ValueError(f"Unsupported dtype {host.dtype}")
    array = object.__new__(ndarray)
    array._host, array.base = host, base
    array._device = here.device if base is None else base._device
    if base is None:
        counts["bytes"] += host.nbytes
        held[array._device] += host.nbytes
    return array


def launched(*arrays):
    """Count a kernel; refuse arrays that are not on the current device."""
    counts["kernels"] += 1
    for array in arrays:
        if type(array) is ndarray and array._device != here.device:
            raise ValueError(f"The device where the array resides ({array._device}) is different from the current "
                             f"device ({here.device}). Peer access is unavailable between these devices.")


def upload(values, dtype=None, order="K"):
    counts["uploads"] += 1
    return fresh(np.array(values, dtype, order=order))


def garbage(host):
    """Memory as `empty` leaves it: never zeros by luck."""
    host[...] = np.nan if host.dtype.kind in "fc" else dice.integers(0, 100, host.shape)
    return host


def wrapped(result, sources=()):
    """What NumPy computed, as CuPy hands it out: arrays of every size, views that know their base, no scalars."""
    if isinstance(result, (tuple, list)):
        return type(result)([wrapped(part, sources) for part in result])
    if not isinstance(result, (np.ndarray, np.generic, bool, int, float, complex)):
        return result
    host = np.asarray(result)
    for source in sources:
        if host is source._host:
            return source
        if host.base is not None and (host.size == 0 or np.may_share_memory(host, source._host)):
            return fresh(host, source if source.base is None else source.base)
    launched(*sources)
    return fresh(host)


def unwrapped(value, sources):
    """The NumPy value behind an argument; its device arrays are noted in `sources`."""
    if type(value) is ndarray:
        sources.append(value)
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {np.ndarray}: upload it with cupy.asarray")
    return type(value)([unwrapped(part, sources) for part in value]) if isinstance(value, (tuple, list)) else value


def stored(result, out, casting="same_kind"):
    if type(out) is not ndarray:
        raise TypeError("return arrays must be of ArrayType")
    if out.shape != result.shape:
        raise ValueError("Out shape is mismatched")
    launched(out)
    np.copyto(out._host, result, casting=casting)
    return out


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


IN_CPP = {
    "float": np.float32, "double": np.float64, "pow": np.power, "abs": np.abs, "__builtins__": {},
    **{name: getattr(np, name) for name in ["exp", "log", "tanh", "sqrt", "sin", "cos", "where", "minimum", "maximum"]}}


class ElementwiseKernel:
    """A kernel of one's own. Its lines are assignments that read the same in C++ and in Python: NumPy computes them."""

    def __init__(self, in_params, out_params, operation, name="kernel", reduce_dims=True, preamble="", **options):
        self.takes, self.makes = ([(np.dtype(part.split()[0]), part.split()[1]) for part in parts.split(", ")]
                                  for parts in (in_params, out_params))
        self.lines = [line.strip() for line in operation.split(";") if line.strip()]
        for line in self.lines:
            if not re.fullmatch(r"(const (float|double|bool) )?\w+ = [\w .+*/<>=!&|(),-]+", line):
                raise ValueError(f"the double computes assignments only, not {line!r}")

    def __call__(self, *args):
        given, outs = args[:len(self.takes)], args[len(self.takes):]
        if len(given) < len(self.takes) or len(outs) not in (0, len(self.makes)):
            raise TypeError("Wrong number of arguments for 'kernel'")
        values = {}
        for (dtype, name), value in zip(self.takes, given):
            if type(value) is not ndarray and type(value) not in SCALARS:
                raise TypeError(f"Unsupported type {type(value)}")
            if type(value) is ndarray and value.dtype != dtype:
                raise TypeError(f"Type is mismatched. {name} {value.dtype} {dtype}")
            values[name] = value._host if type(value) is ndarray else dtype.type(value)
        launched(*args)
        shape = np.broadcast_shapes(*(np.shape(value) for value in values.values()))
        with np.errstate(all="ignore"):
            for line in self.lines:
                left, _, right = line.partition(" = ")
                kind, name = ([None, *left.split()[-2:]])[-2:]
                made = np.asarray(eval(right, IN_CPP, values))
                dtype = IN_CPP.get(kind, bool) if kind else dict(map(reversed, self.makes))[name]
                if made.dtype != dtype:
                    raise TypeError(f"{name} is {made.dtype}, declared as {dtype}")  # C++ would cast in silence
                values[name] = made
        made = [np.broadcast_to(values[name], shape) for _, name in self.makes]
        for out, x in zip(outs, made):
            stored(x, out, "no")
        counts["kernels"] -= len(outs)  # it is the same one
        made = outs or tuple([fresh(x.copy()) for x in made])
        return made if len(made) > 1 else made[0]


def host_index(array, index):
    """The index for NumPy, and whether it gathers (arrays) instead of making a view; integer arrays wrap around."""
    items, widths, gathers = list(index) if isinstance(index, tuple) else [index], [], False
    for at, item in enumerate(items):
        widths.append(0 if item is None or item is Ellipsis else 1)
        if widths[at] == 0 or isinstance(item, slice) or (np.isscalar(item) and not isinstance(item, BOOLS)):
            continue
        if type(item) is not ndarray:
            item = upload(item, np.int32 if isinstance(item, (list, tuple)) and len(item) == 0 else None)
        if item.dtype.kind not in "biu":
            raise IndexError(f"arrays used as indices must be of integer or boolean type. (actual: {item.dtype})")
        items[at], gathers = item._host, True
        if item.dtype.kind == "b":
            counts["synchronizations"] += 1  # how many are true decides the shape
            widths[at] = item.ndim
    if not gathers:
        return tuple(items) if any(item is Ellipsis for item in items) else (*items, Ellipsis), False
    axis, left = 0, array.ndim - sum(widths)
    for at, item in enumerate(items):
        if isinstance(item, np.ndarray) and item.dtype.kind != "b" and left >= 0:
            items[at] = item.astype(np.int64) % max(array.shape[axis], 1)
        axis += left if item is Ellipsis else widths[at]
    return tuple(items), True


def scatter(array, items, values, store):
    """Store values at the places an index names, in an order nobody may rely on."""
    values = values if type(values) is ndarray else upload(values)
    launched(array, values)
    values = values._host
    places, flat = np.arange(array.size).reshape(array.shape)[items], array._host.ravel()
    order = dice.permutation(places.size)
    with np.errstate(all="ignore"):
        chosen = np.broadcast_to(values, places.shape).astype(array.dtype).ravel()[order]
        store(flat, places.ravel()[order], chosen)
    array._host[...] = flat.reshape(array.shape)


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):  # noqa: N801
    """cupy.ndarray, its memory on the host. Operators are NumPy ufuncs, which `__array_ufunc__` makes CuPy's again."""

    __slots__ = ("__weakref__", "_device", "_host", "base")
    __array_priority__ = 100
    __hash__ = None
    device = property(lambda self: Device(self._device))
    flags = property(lambda self: types.SimpleNamespace(
        owndata=self.base is None,
        **{order: getattr(self._host.flags, order) for order in ("c_contiguous", "f_contiguous")}))

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C"):
        self._host, self._device, self.base = garbage(np.empty(shape, dtype, order)), here.device, None
        held[self._device] += self._host.nbytes

    def __del__(self):
        if getattr(self, "base", self) is None:
            held[self._device] -= self._host.nbytes

    def __reduce__(self):
        return array, (self.get(),)  # read back, it is on whichever device is the current one

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        with self.device:
            return self.copy()

    def copy(self, order="C"):
        """A copy on the current device."""
        if self._device == here.device:
            launched()
            return fresh(np.array(self._host, order=order))
        if not (self.flags.c_contiguous or self.flags.f_contiguous):
            raise NotImplementedError("CuPy cannot copy non-contiguous array between devices.")
        counts["moves"] += 1
        return fresh(np.array(self._host, order="K"))

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` instead.")

    def __array_ufunc__(self, host_ufunc, method, *inputs, **keywords):
        if any(type(x) is not ndarray and type(x) not in SCALARS and not isinstance(x, np.ndarray) for x in inputs):
            return NotImplemented
        ours = getattr(cupy, host_ufunc.__name__, None)
        call = ours if method == "__call__" else getattr(ours, method, None)
        if "out" in keywords:
            keywords["out"], = keywords["out"]
        return call(*inputs, **keywords) if call else NotImplemented

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index):
        items, gathers = host_index(self, index)
        if not gathers:
            return wrapped(self._host[items], (self,))
        launched(self, *(index if isinstance(index, tuple) else (index,)))
        return fresh(np.array(self._host[items], order="C"))

    def __setitem__(self, index, value):
        items, gathers = host_index(self, index)
        if gathers:
            scatter(self, items, value, operator.setitem)
        else:
            wrapped(self._host[items], (self,)).fill(value)

    def fill(self, value):
        if type(value) is not ndarray and np.ndim(value) > 0:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        launched(self, value)
        with np.errstate(all="ignore"):
            np.copyto(self._host, value._host if type(value) is ndarray else np.asarray(value), casting="unsafe")

    def get(self, stream=None, order="C", out=None, blocking=True):
        counts.update(downloads=1, synchronizations=1)
        return np.array(self._host, order=order)


# What follows a pattern: properties, what waits for the host, and all methods left.
for name in ("dtype", "itemsize", "nbytes", "ndim", "shape", "size", "strides"):
    setattr(ndarray, name, property(operator.attrgetter(f"_host.{name}")))
for name in ("T", "mT", "real", "imag"):
    setattr(ndarray, name, property(lambda self, name=name: wrapped(getattr(self._host, name), (self,))))
for name in ON_HOST.split():
    setattr(ndarray, name, lambda self, *args, name=name: getattr(self.get(), name)(*args))
for name, parameters in API["ndarray"]["methods"].items():
    if name not in vars(ndarray) and hasattr(np.ndarray, name):
        host = HOSTS.get(name, getattr(np.ndarray, name))
        setattr(ndarray, name, function(name, f"self, {parameters}", host))
ndarray.__module__ = ufunc.__module__ = "cupy"


class Device:
    """One of the devices, by number; without one, that which this thread works on."""

    def __init__(self, device=None):
        self.id = here.device if device is None else int(device)

    def __eq__(self, other):
        return isinstance(other, Device) and self.id == other.id

    __hash__ = None
    mem_info = property(lambda self: (2**30 - held[self.id], 2**30))  # free bytes, and all

    def __enter__(self):
        before = here.device
        self.use()
        here.left.append(before)
        return self

    def __exit__(self, *_):
        here.device = here.left.pop()

    def use(self):
        if not 0 <= self.id < DEVICES:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        here.device = self.id
        return self

    def synchronize(self):
        counts["synchronizations"] += 1


class MemoryPool:
    """The memory of the current device: what its arrays hold, and nothing that is kept for later."""

    def used_bytes(self):
        return held[here.device]

    total_bytes = used_bytes

    def free_all_blocks(self):
        pass


def default_rng(seed=None):
    """CuPy's Generator: other distributions than NumPy's, and another stream for the same seed."""
    host = np.random.default_rng(None if seed is None else [*np.atleast_1d(seed), 20])
    return Generator("cupy.random.Generator", **{name: function(name, parameters, getattr(host, name), ())
                                                 for name, parameters in API["generator"].items()})


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    if type(obj) is ndarray:
        if obj._device != here.device:
            obj, copy = obj.copy(order or "K"), None
        return obj.astype(obj.dtype if dtype is None else dtype, order or "K", copy=copy)
    return upload(obj, dtype, order or "K")


class Module(types.ModuleType):
    """One module of CuPy: what it has is made when first asked for, what it lacks is an AttributeError."""

    def __init__(self, name, **contents):
        super().__init__(name, __doc__)
        self.__dict__.update(contents)

    def __getattr__(self, name):
        parameters, loops = API["functions"].get(self.__name__, {}).get(name), API["ufuncs"].get(name)
        if self is cupy and name in API["same"]:
            made = getattr(np, name)
        elif self is cupy and loops and loops.split()[0][-2] == ">":
            made = ufunc(name, loops)
        elif self is cupy and parameters is not None and hasattr(np, name):
            made = function(name, parameters, HOSTS.get(name, getattr(np, name)))
        else:
            known = parameters is not None or (self is cupy and (loops is not None or name in API["others"]))
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}"
                                 + known * " here, but CuPy has it")
        return self.__dict__.setdefault(name, made)


Generator = type("Generator", (Module,), {"__module__": "cupy.random._generator_api"})
CUDARuntimeError = type("CUDARuntimeError", (RuntimeError,), {})
runtime = Module("cupy.cuda.runtime", getDeviceCount=lambda: DEVICES, CUDARuntimeError=CUDARuntimeError)
cuda = Module("cupy.cuda", is_available=lambda: True, Device=Device, runtime=runtime)
random = Module("cupy.random", default_rng=default_rng)
cupy = Module(
    "cupy", __version__=API["cupy"], ndarray=ndarray, ufunc=ufunc, cuda=cuda, random=random, array=array,
    ElementwiseKernel=ElementwiseKernel,
    get_default_memory_pool=MemoryPool,
    asarray=lambda a, dtype=None, order=None, *, copy=None, blocking=False: array(a, dtype, copy, order),
    asnumpy=lambda a: a.get() if type(a) is ndarray else np.asarray(a),
    get_array_module=lambda *args: cupy if any(type(value) is ndarray for value in args) else np)
modules, displaced = {module.__name__: module for module in (cupy, cuda, runtime, random)}, {}
for name, module in modules.items():
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)  # what importlib.util.find_spec answers


def install():
    """Make `import cupy` mean the double until uninstall(), and return it; what was imported before stays as it is."""
    displaced.update({name: sys.modules.get(name) for name in modules if sys.modules.get(name) is not modules[name]})
    sys.modules.update(modules)
    return cupy


def uninstall():
    """Put back what install() displaced."""
    for name in list(displaced):
        sys.modules[name] = displaced.pop(name)
        if sys.modules[name] is None:
            del sys.modules[name]
