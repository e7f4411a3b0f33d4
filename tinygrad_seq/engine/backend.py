"""NumPy or CuPy: the only file that names either.

An array is computed on by the module it comes from, so the type of an array says where it lives and
`modules[type(array)]` is the whole dispatch: one dictionary look-up per op. CuPy joins the table the first time
somebody asks for a GPU; a program that never does never imports it. There is no fall back: asking for a GPU where
there is none is an error that says what is missing.
"""

import importlib
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # numpy.ndarray or cupy.ndarray: nothing in the engine cares which
Raw: TypeAlias = float | list[Any] | tuple[Any, ...] | np.ndarray[Any, Any]  # what may stand in place of a Tensor

modules: dict[type, Any] = {np.ndarray: np}  # what computes on arrays of this type
modules |= {np.dtype(code).type: np for code in "?bBhHiIlLqQefdg"}  # NumPy's 0-d results are scalars

host = np  # for what lives on the host whatever the device: index arithmetic, random draws, files
float32, float64, int32, int64, bool_ = map(np.dtype, ("float32", "float64", "int32", "int64", "bool"))
default_dtype = float32
default_device: ContextVar[str] = ContextVar("default_device", default="cpu")  # of what is made
quiet = np.errstate  # CuPy never warns, so this context is NumPy's alone


def cupy() -> Any:
    """Return the CuPy module, imported when first asked for; say why where it cannot work."""
    try:
        module = importlib.import_module("cupy")
    except ImportError as error:
        raise RuntimeError(
            'device "cuda" needs CuPy, which is not installed: pip install "tinygrad-seq[cuda12]" (or cuda13)'
        ) from error
    if not module.cuda.is_available():
        raise RuntimeError('device "cuda": CuPy is installed, but it finds no NVIDIA GPU or driver on this machine')
    modules[module.ndarray] = module
    return module


def parse_device(device: str) -> int | None:
    """Return the number of the GPU that a device string names, or None for the CPU."""
    if device == "cpu":
        return None
    kind, colon, number = str(device).partition(":")
    if kind == "cuda" and (number.isdecimal() or not colon):
        return int(number or 0)
    raise ValueError(f'device {device!r} is not known: use "cpu", "cuda" or "cuda:N"')


def names_device(target: Any) -> bool:
    """Return whether this is meant as a device, not as a dtype."""
    return isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda")


def device_of(array: Array) -> str:
    """Return where an array is: "cpu" or "cuda:N"."""
    if modules.get(type(array)) is np:
        return "cpu"
    return getattr(array, "place", None) or f"cuda:{array.device.id}"


def to_host(array: Array) -> np.ndarray[Any, Any]:
    """Return the array in host memory: itself if it is there already, else a copy."""
    return np.asarray(array) if modules.get(type(array), np) is np else modules[type(array)].asnumpy(array)


def to_device(array: Array, device: str) -> Array:
    """Return the array on that device: itself if it is there already, else a copy."""
    number = parse_device(device)
    if device_of(array) == (device if number is None else f"cuda:{number}"):
        return array
    if hasattr(modules.get(type(array)), "moved"):  # an array that is traced (see replay)
        return modules[type(array)].moved(array, device)
    if number is None:
        return to_host(array)
    module = cupy()
    count = module.cuda.runtime.getDeviceCount()
    if number >= count:
        raise RuntimeError(f'device "cuda:{number}" does not exist: this machine has {count} GPU(s), counted from 0')
    with module.cuda.Device(number):
        return module.asarray(array)


def to_default_device(array: Array) -> Array:
    """Return the array on the default device if it is in host memory; on a GPU it stays where it is."""
    device = default_device.get()
    return array if device == "cpu" or modules[type(array)] is not np else to_device(array, device)


@cache
def scipy_sparse() -> Any:
    """Return scipy.sparse, imported when first asked for (it takes a while), or None where it is not installed."""
    try:
        return importlib.import_module("scipy.sparse")
    except ImportError:
        return None


def sparse_products(array: Array) -> Any:
    """Return scipy.sparse to multiply this array by a sparse matrix, or None where that would not be faster."""
    worthwhile = type(array) is np.ndarray and array.size >= 1 << 15 and array.dtype.char in "fd"
    return scipy_sparse() if worthwhile else None


def as_dtype(dtype: Any, place: str = "") -> Any:
    """Return a dtype of what was given; refuse all but floating, integer and bool, and say in which `place`."""
    try:
        found = np.dtype("" if dtype is None else dtype)  # None would be NumPy's float64
    except TypeError:
        raise TypeError(f'{place}{dtype!r} is neither a dtype nor a device ("cpu", "cuda", "cuda:N")') from None
    if found.kind not in "fiub":
        raise TypeError(f"{place}dtype {found} is not supported: use floating, integer or bool")
    return found


def check_differentiable(array: Array, requires_grad: bool) -> None:
    if requires_grad and array.dtype.kind != "f":
        raise TypeError(f"only floating Tensors can require a gradient, this one is {array.dtype}")
