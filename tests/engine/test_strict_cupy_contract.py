"""The strict double of CuPy against the real wheel, which needs CuPy installed but no GPU.

Real cupy.ndarray objects on host memory do everything that launches no kernel (views, indexing, refusals), and fail
with a CUDARuntimeError where a kernel would start. Skipped where CuPy is missing, and where a device is present: a
kernel on host memory would break that device's context.
"""

import importlib
import json
import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import strict_cupy
from deferred import Deferred
from strict_cupy import cupy as cp


def real_cupy():
    """The real CuPy, or why there is none to compare with."""
    try:
        real = importlib.import_module("cupy")
    except ImportError:
        return None, "CuPy is not installed: the double is not compared with the real wheel"
    if real.cuda.is_available():
        return None, "a CUDA device is present: kernels on host memory would break it; the gpu tests run instead"
    return real, ""


real, reason = real_cupy()
pytestmark = pytest.mark.skipif(real is None, reason=reason)


class World:
    """One 3 x 4 array, its NumPy memory, and the module it belongs to: once of the real CuPy, once of the double."""

    def __init__(self, xp):
        self.xp = self.cp = xp
        self.a = np.arange(12.0).reshape(3, 4)
        self.x = self.array(self.a)

    def array(self, host):
        if self.xp is cp:
            return strict_cupy.fresh(host)
        memory = self.xp.cuda.UnownedMemory(host.ctypes.data, host.nbytes, host, 0)
        return self.xp.ndarray(host.shape, host.dtype, self.xp.cuda.MemoryPointer(memory, 0), strides=host.strides)

    def values(self, array):
        if self.xp is cp:
            return array.get()
        offset = array.data.ptr - self.a.ctypes.data
        return np.ndarray(array.shape, array.dtype, self.a, offset, array.strides)

    def run(self, text):
        """What a line of code gives here: a description of the array it makes, or the exception it raises."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy deprecates the real __array__, which refuses just the same
                result = eval(text, {"np": np, "x": self.x, "a": self.a, "xp": self.xp, "array": self.array,
                                     "Deferred": Deferred})
        except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            name = type(error).__name__
            assert name != "CUDARuntimeError", f"{text} needs a device: it proves nothing"
            return name
        if type(result) is not self.xp.ndarray:
            return result
        strides = [stride for length, stride in zip(result.shape, result.strides) if length > 1]
        return {"shape": result.shape, "strides": strides, "dtype": result.dtype,
                "values": self.values(result).tolist(),
                "contiguous": (result.flags.c_contiguous, result.flags.f_contiguous),
                "owned": result.flags.owndata,
                "is x": result is self.x, "base is x": result.base is self.x}


VIEWS = """x | x[1:] | x[1:][1:] | x[::2, 1] | x[::-1] | x[:, ::-2] | x[1] | x[-1, -4] | x[None] | x[..., None, 1]
x[()] | x[...] | x[1:1] | x[np.int64(1)] | x.T | x.mT | x.transpose() | x.transpose(1, 0) | x.swapaxes(0, -1)
x.reshape(4, 3) | x.reshape(-1) | x.reshape((2, 2, 3)) | x.ravel() | x[None].squeeze() | x[:1].squeeze(0)
x.diagonal() | x.view() | x.view('i8') | x.real | x.astype('f8', copy=False) | xp.transpose(x) | np.transpose(x)
xp.reshape(x, (6, 2)) | xp.ravel(x) | xp.swapaxes(x, 0, 1) | xp.moveaxis(x, 0, 1) | xp.expand_dims(x, 1)
xp.expand_dims(x, (0, 2)) | xp.squeeze(x[:, :1]) | xp.broadcast_to(x, (2, 3, 4)) | xp.broadcast_to(x[:, :1], (3, 5))
xp.flip(x) | xp.flip(x, 0) | xp.flip(x, (0, 1)) | xp.ascontiguousarray(x) | xp.ascontiguousarray(x[0, 0])
xp.rollaxis(x, 1) | xp.diagonal(x, 1) | next(iter(x)) | x.T[1:, ::2] | x[0, 0].reshape(1, 1) | x.T.T
x.T.ravel(order='F') | xp.permute_dims(x, (1, 0)) | xp.matrix_transpose(x)"""

SAME_ERROR = """np.asarray(x) | np.array(x) | np.testing.assert_allclose(x, x) | np.insert(x, 0, 1) | x @ a | a @ x
xp.dot(x, a) | xp.matmul(x, a) | xp.stack([a]) | xp.ascontiguousarray(a) | xp.add(x, x, where=True)
xp.exp(x, order='C') | xp.exp(x, axis=1) | xp.add(x) | xp.add(x, x, x, x) | x.sum(initial=1) | x.sum(where=True)
x.max(initial=0) | xp.sum(x, where=True) | xp.min(x, initial=0) | xp.any(x, where=True) | xp.mean(x, where=True)
xp.clip(x, min=0, max=1) | xp.take(x, 0, mode='wrap') | xp.zeros(3, device=None) | xp.zeros(3, like=x)
xp.arange(3, device='cpu') | xp.asarray(x, device=None) | xp.concatenate([x, x], 1, foo=1) | xp.swapaxes(x, 0, 1, 2)
xp.matmul(x, x, where=True) | x.astype('f8', casting='unsafe') | x.astype('O') | xp.empty(3, dtype='O') | x[3]
x[-4] | x[0, 4] | x[0, 0, 0] | x[..., ...] | x[array(np.ones(3))] | x[array(np.ones(2, bool))]
x[array(np.ones((3, 5), bool))] | x.__setitem__(slice(None), a) | x.__setitem__(0, a[0])
x.__setitem__(0, [1, 2, 3, 4]) | len(x[0, 0]) | iter(x[0, 0]) | hash(x) | bool(x) | x.item() | x.reshape(5)
x.reshape(-1, 5) | x.reshape(-1, -1) | x.transpose(0, 0) | x.transpose(0) | x.squeeze(0) | x.sum(axis=7)
xp.broadcast_to(x, (2, 3, 5)) | xp.broadcast_to(x, (4,)) | xp.expand_dims(x, 5) | xp.flip(x, 3)
xp.moveaxis(x, 0, 5) | x.T.view('f4') | x.foo | setattr(x, 'foo', 1) | setattr(x, 'dtype', 'i8')
setattr(x, 'T', x) | x.flags.writeable | x.__array_interface__ | x.__index__() | x.__array_namespace__
x.__contains__ | x.setflags | x.ctypes | range(x[0, 0]) | xp.errstate | xp.unstack | xp.insert | xp.vecdot | xp.erf
xp.seterr | xp.bogus | xp.multiply.at(x, 0, x)
xp.add.at(array(np.zeros(3, 'i1')), array(np.array([0])), array(np.ones(1, 'i1')))
xp.add.at(array(np.zeros(3, 'F')), array(np.array([0])), array(np.ones(1, 'F')))
xp.maximum.at(array(np.zeros(3, 'e')), array(np.array([0])), array(np.ones(1, 'e')))"""

SAME_ANSWER = """x + Deferred() | x @ Deferred() | x == Deferred() | x < Deferred() | x.shape | x.ndim | x.size
x.dtype | x.itemsize | x.nbytes | len(x) | x.device.id | x.__array_priority__ | x.base | xp.shape(x) | xp.ndim(x)
xp.size(x) | np.shape(x) | xp.isscalar(x[0, 0]) | xp.isscalar(np.float64(1)) | xp.result_type(x, 1.0)
xp.result_type(array(np.ones(2, 'f4')), 1.0) | xp.result_type(array(np.ones(2, 'f4')), x[0, 0])
xp.can_cast('f8', 'f4') | xp.result_type(array(np.ones(2, 'i4')), np.float32) | xp.broadcast_shapes((3, 1), (4,))
xp.float32 | xp.newaxis | xp.pi | xp.get_array_module(a) is np | xp.get_array_module(x) is xp
type(x) is xp.ndarray | isinstance(x, np.ndarray) | xp.add.nin | xp.exp.nin | xp.exp.types | xp.divide.types
x.__array_ufunc__(np.exp, '__call__', [1]) | x.__array_ufunc__(np.exp, '__call__', None)
x.__array_ufunc__(np.exp, '__call__', np.longdouble(1)) | xp.iinfo('i4').max"""


def lines(text):
    return [line.strip() for line in text.replace("\n", "|").split("|")]


@pytest.mark.parametrize("text", lines(VIEWS))
def test_views_are_those_of_the_wheel(text):
    theirs, ours = World(real).run(text), World(cp).run(text)
    assert isinstance(theirs, dict)
    assert ours == theirs


@pytest.mark.parametrize("text", lines(SAME_ERROR))
def test_refusals_are_those_of_the_wheel(text):
    theirs, ours = World(real).run(text), World(cp).run(text)
    assert isinstance(theirs, str) and theirs.endswith("Error")
    assert ours == theirs


@pytest.mark.parametrize("text", lines(SAME_ANSWER))
def test_answers_are_those_of_the_wheel(text):
    assert World(cp).run(text) == World(real).run(text)


def test_the_double_has_no_name_the_wheel_lacks():
    for name in dir(np):
        if not name.startswith("_") and hasattr(cp, name):
            assert hasattr(real, name), name
    plumbing = {"__del__", "__slots__", "__slotnames__", "__weakref__", "_device", "_host", "__module__", "__imatmul__"}
    assert set(dir(cp.ndarray)) - set(dir(real.ndarray)) <= plumbing


def test_the_double_has_what_an_engine_asks_for():
    needed = """abs add arange argmax argmin all any array asarray asnumpy ascontiguousarray broadcast_to can_cast clip
        concatenate cos divide dot dtype empty empty_like exp expand_dims eye flip float32 full full_like isfinite log
        logaddexp matmul max maximum mean min minimum multiply ndarray negative ones ones_like pad power reshape
        result_type sign sin sqrt squeeze stack subtract sum swapaxes take take_along_axis tanh transpose
        where zeros zeros_like"""
    for name in needed.split():
        assert hasattr(cp, name) and hasattr(real, name), name


def test_the_wheel_has_the_streams_events_and_graphs_that_the_measuring_script_uses():
    extras = runpy.run_path(str(Path(__file__).parents[1] / "gpu" / "as_if_real.py"))["EXTRAS"]
    for added, module in zip(extras.values(), (real.cuda, real.cuda.runtime), strict=True):
        for name, extra in added.items():
            assert hasattr(module, name), name
            public = [part for part in vars(extra) if not part.startswith("_")] if isinstance(extra, type) else []
            assert set(public) <= set(dir(getattr(module, name))), name
    assert hasattr(real.cuda.graph.Graph, "launch")


@pytest.mark.parametrize("value", [1, 1.0, True, 1j, np.float16(1), np.float64(1), np.int8(1), np.bool_(1)])
def test_scalars_the_wheel_would_launch_are_accepted(value):
    with pytest.raises(real.cuda.runtime.CUDARuntimeError):
        World(real).x.__array_ufunc__(np.exp, "__call__", value)
    assert type(cp.exp(value)) is cp.ndarray


def test_the_snapshot_is_what_the_installed_wheel_says(tmp_path):
    if real.__version__ != strict_cupy.API["cupy"]:
        pytest.skip(f"CuPy {real.__version__} is installed, the snapshot is of {strict_cupy.API['cupy']}")
    script = Path(__file__).parents[1] / "make_cupy_api.py"
    code = f"import json, runpy; print(json.dumps(runpy.run_path({str(script)!r})['snapshot']()))"
    made = subprocess.run([sys.executable, "-c", code], env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}, check=True,
                          capture_output=True, text=True)
    assert json.loads(made.stdout) == strict_cupy.API
