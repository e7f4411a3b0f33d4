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
import sys
import types

import numpy as np

from strict_cupy.api import API, SCALARS
from strict_cupy.arrays import array, fresh, ndarray
from strict_cupy.calls import HOSTS, function, ufunc
from strict_cupy.device import DEVICES, CUDARuntimeError, Device, MemoryPool, counts
from strict_cupy.kernel import ElementwiseKernel

__all__ = ["API", "CUDARuntimeError", "counts", "cuda", "cupy", "fresh", "install", "runtime", "uninstall"]


def default_rng(seed=None):
    """CuPy's Generator: other distributions than NumPy's, and another stream for the same seed."""
    host = np.random.default_rng(None if seed is None else [*np.atleast_1d(seed), 20])
    return Generator("cupy.random.Generator", **{name: function(name, parameters, getattr(host, name), ())
                                                 for name, parameters in API["generator"].items()})


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


def array_ufunc(self, host_ufunc, method, *inputs, **keywords):
    """A ufunc of NumPy that was given device arrays, made CuPy's again."""
    if any(type(x) is not ndarray and type(x) not in SCALARS and not isinstance(x, np.ndarray) for x in inputs):
        return NotImplemented
    ours = getattr(cupy, host_ufunc.__name__, None)
    call = ours if method == "__call__" else getattr(ours, method, None)
    if "out" in keywords:
        keywords["out"], = keywords["out"]
    return call(*inputs, **keywords) if call else NotImplemented


ndarray.__array_ufunc__ = array_ufunc
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
