"""NumPy or CuPy: the only file that names either.

An array is computed on by the module it comes from, so the type of an array says where it lives and
`modules[type(array)]` is the whole dispatch: one dictionary look-up per op. CuPy joins the table the first time
somebody asks for a GPU; a program that never does never imports it. There is no fall back: asking for a GPU where
there is none is an error that says what is missing.

CuPy computes on the current device of a thread, which is number 0 unless somebody said otherwise. So whoever computes
on raw arrays does it `on_device_of` one of them; ops, the walk and optimisers do.
"""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")
Array: TypeAlias = Any  # numpy.ndarray or cupy.ndarray: nothing in the engine cares which
Raw: TypeAlias = float | list[Any] | tuple[Any, ...] | np.ndarray[Any, Any]  # what may stand in place of a Tensor

modules: dict[type, Any] = {np.ndarray: np}  # what computes on arrays of this type
modules |= {np.dtype(code).type: np for code in "?bBhHiIlLqQefdg"}  # NumPy's 0-d results are scalars

host = np  # for what lives on the host whatever the device: index arithmetic, random draws, files
float32, float64, int32, int64, bool_ = map(np.dtype, ("float32", "float64", "int32", "int64", "bool"))
default_dtype = float32
default_device: ContextVar[str] = ContextVar("default_device", default="cpu")  # of what is made
uploaded: ContextVar[Any] = ContextVar("uploaded", default=None)  # called with what is moved to a device: see replay
ids_checked: ContextVar[bool] = ContextVar("ids_checked", default=True)  # those on a GPU, too: see cuda.py
anywhere: AbstractContextManager[None] = nullcontext()
gpu: Any = None  # CuPy, once somebody has asked for it
quiet = np.errstate  # CuPy never warns, so this context is NumPy's alone


def cupy() -> Any:
    """Return the CuPy module, imported when first asked for; say what is missing where it cannot work."""
    global gpu
    try:
        module = importlib.import_module("cupy")
    except ModuleNotFoundError as error:
        if error.name != "cupy":
            raise RuntimeError(f'device "cuda": CuPy is installed, but {error.name} is not, which it needs') from error
        raise RuntimeError(
            'device "cuda" needs CuPy, which is not installed: pip install "tinygrad-seq[cuda12]" (or cuda13)'
        ) from error
    except ImportError as error:
        raise RuntimeError(f'device "cuda": CuPy is installed, but cannot be imported: {error}') from error
    if module.ndarray not in modules:
        try:
            count = module.cuda.runtime.getDeviceCount()
        except module.cuda.runtime.CUDARuntimeError as error:  # cudaErrorNoDevice, cudaErrorInsufficientDriver
            what = "NVIDIA GPU" if "NoDevice" in str(error) else "driver for NVIDIA GPUs, or too old a one"
            raise RuntimeError(f'device "cuda": CuPy is installed, but this machine has no {what} ({error})') from error
        if not count:
            raise RuntimeError('device "cuda": CuPy is installed, but this machine has no NVIDIA GPU')
        modules[module.ndarray] = module
    gpu = module
    return module


def has_cupy() -> bool:
    """Return whether CuPy is installed, without importing it; whether it works is another question."""
    return importlib.util.find_spec("cupy") is not None


def place_of(array: Array) -> Any:
    """Return "cpu" or CuPy's Device: where an array is. Scalars of NumPy 2.0 lack the attribute."""
    return getattr(array, "device", "cpu")


def on_device_of(array: Array) -> AbstractContextManager[Any]:
    """Return the context in which CuPy computes on the device of an array; for one on the host it does nothing."""
    device = place_of(array)
    return anywhere if device == "cpu" else device  # CuPy's Device is such a context


def draws_on_gpu(generator: Any) -> bool:
    """Return whether a random generator is CuPy's."""
    return gpu is not None and type(generator).__module__.startswith("cupy.")


def use_device_of(x: Any) -> None:
    """Let CuPy compute on the device of an array or a Tensor from now on; nothing changes for what has none."""
    device: Any = getattr(getattr(x, "array", x), "device", "cpu")
    if device != "cpu":
        device.use()


def keeping_device(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, after which CuPy computes on the same device as before."""

    @wraps(function)
    def kept(*args: P.args, **options: P.kwargs) -> R:
        if gpu is None:
            return function(*args, **options)
        with gpu.cuda.Device():
            return function(*args, **options)

    return kept


def compute_there(forward: Callable[..., Any], xp: Any, arrays: Sequence[Any], static: dict[str, Any]) -> Any:
    """Run a forward with CuPy on the device of its arrays; raise TypeError if they are on several."""
    device = next(x.device for x in arrays if hasattr(x, "device"))
    if any(x.device != device for x in arrays if type(x) in modules and not isinstance(x, np.generic)):
        raise TypeError("its arguments are on different devices")
    with anywhere if device == "cpu" else device:  # of traced arrays on the host
        return forward(xp, *arrays, **static)


def parse_device(device: str, place: str = "") -> int | None:
    """Return the number of the GPU that a device string names, or None for the CPU; an error begins with `place`."""
    kind, colon, number = device.partition(":") if isinstance(device, str) else ("", "", "")
    if (kind, colon) == ("cpu", ""):
        return None
    if kind == "cuda" and (number.isdecimal() or not colon):
        return int(number or 0)
    raise ValueError(f'{place}device {device!r:.60} is not known: use "cpu", "cuda" or "cuda:N"')


def existing_device(device: str, place: str = "") -> str:
    """Return a device as "cpu" or "cuda:N"; raise ValueError for another name, RuntimeError if there is no such GPU."""
    number = parse_device(device, place)
    return "cpu" if number is None else f"cuda:{gpu_at(number).id}"


def names_device(target: Any) -> bool:
    """Return whether a text is meant as a device, not as a dtype."""
    return isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda")


def device_of(array: Array) -> str:
    """Return where an array is: "cpu" or "cuda:N"."""
    device = place_of(array)
    return "cpu" if device == "cpu" else f"cuda:{device.id}"


def check_device(op: str, name: str, array: Array, beside: str, other: Array) -> None:
    """Raise TypeError, with both names, unless two arrays are on the same device."""
    found, wanted = device_of(array), device_of(other)
    if found != wanted:
        raise TypeError(f'{op}: {name} is on {found}, {beside} on {wanted}: move it with .to("{wanted}")')


def to_host(array: Array) -> np.ndarray[Any, Any]:
    """Return the array in host memory: itself if it is there already, else a copy."""
    return np.asarray(array) if modules.get(type(array), np) is np else modules[type(array)].asnumpy(array)


def to_device(array: Array, device: str) -> Array:
    """Return the array on that device: itself if it is there already, else a copy."""
    if isinstance(device, str) and device_of(array) == (f"{device}:0" if device == "cuda" else device):
        return array
    if is_traced(array):
        return modules[type(array)].moved(array, device)
    there, told = copied_to(array, device), uploaded.get()
    if there is array or told is None or device_of(there) == "cpu":
        return there
    with on_device_of(there):
        return told(there)


def is_traced(array: Array) -> bool:
    """Tell whether what is computed with an array is written down for a program; see replay."""
    return hasattr(modules.get(type(array)), "moved")


def is_tracing() -> bool:
    """Tell whether a function is being traced for a program; see replay."""
    return uploaded.get() is not None


def copied_to(array: Array, device: str) -> Array:
    """Return the array on that device, as `to_device` does, without a call of `uploaded`."""
    number = parse_device(device)
    if device_of(array) == (device if number is None else f"cuda:{number}"):
        return array
    if number is None:
        return to_host(array)
    there = gpu_at(number)
    with on_device_of(array):
        array = array if modules[type(array)] is np else gpu.ascontiguousarray(array)  # CuPy moves nothing else
    with there:
        return gpu.asarray(array)


def gpu_at(number: int) -> Any:
    """Return the GPU of a number, a context in which CuPy computes on it; raise RuntimeError where there is none."""
    module = cupy()
    count = module.cuda.runtime.getDeviceCount()
    if number >= count:
        raise RuntimeError(f'device "cuda:{number}" does not exist: this machine has {count} GPU(s), counted from 0')
    return module.cuda.Device(number)


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
    """Return what was given as a dtype; refuse all but floating, integer and bool. An error begins with `place`."""
    try:
        found = np.dtype("" if dtype is None else dtype)  # None would be NumPy's float64
    except TypeError:
        none = 'is neither a dtype nor a device ("cpu", "cuda", "cuda:N")'
        what = f"is a device, not a dtype: write device={dtype!r}" if names_device(dtype) else none
        raise TypeError(f"{place}{dtype!r} {what}") from None
    if found.kind not in "fiub":
        raise TypeError(f"{place}dtype {found} is not supported: use floating, integer or bool")
    return found


def check_differentiable(array: Array, requires_grad: bool) -> None:
    """Raise TypeError for an array of integers or truth values that is to require a gradient."""
    if requires_grad and array.dtype.kind != "f":
        raise TypeError(f"only floating Tensors can require a gradient, this one is {array.dtype}: write 1.0, not 1")
