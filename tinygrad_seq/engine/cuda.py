"""Questions about GPUs, `ts.cuda`: how many, how full, whether they are done. Each call imports CuPy if it must."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_seq.engine import backend
from tinygrad_seq.engine.hints import refusing


class Memory(NamedTuple):
    """Describe the memory of a GPU in bytes, as `ts.cuda.memory` returns it."""

    used: int  # in arrays
    kept: int  # by CuPy for arrays, these included
    free: int  # on the card
    total: int  # on the card


def device_count() -> int:
    """Return how many GPUs there are: 0 where CuPy, a driver or a GPU is missing.

    >>> import tinygrad_seq as ts
    >>> ts.cuda.device_count() > 0 or not ts.cuda.is_available()
    True
    """
    try:
        return int(backend.cupy().cuda.runtime.getDeviceCount())
    except RuntimeError:
        return 0


def is_available() -> bool:
    """Return whether `device="cuda"` works here; `ts.zeros(1, device="cuda")` says what is missing where not.

    >>> import tinygrad_seq as ts
    >>> device = "cuda" if ts.cuda.is_available() else "cpu"
    """
    return device_count() > 0


def gpu(op: str, device: str) -> Any:
    """Return a GPU by its name; raise ValueError for another name, RuntimeError where there is none."""
    number = backend.parse_device(device, f"{op}: ")
    if number is None:
        raise ValueError(f'{op}: device must be "cuda" or "cuda:N", got {device!r}')
    return backend.gpu_at(number)


def synchronize(device: str = "cuda") -> None:
    """Wait until a GPU has finished. Python does not wait for it by itself, so call this before reading a clock.

    Raises RuntimeError where there is no such GPU, ValueError for another device.

    >>> import tinygrad_seq as ts
    >>> if ts.cuda.is_available():
    ...     ts.cuda.synchronize()
    """
    gpu("synchronize", device).synchronize()


def memory(device: str = "cuda") -> Memory:
    """Return the memory of a GPU, in bytes: `used` in arrays, `kept` by CuPy for arrays, `free` and `total`.

    Raises RuntimeError where there is no such GPU, ValueError for another device.

    >>> import tinygrad_seq as ts
    >>> not ts.cuda.is_available() or ts.cuda.memory().used <= ts.cuda.memory().total
    True
    """
    with gpu("memory", device) as there:
        pool = backend.gpu.get_default_memory_pool()
        return Memory(pool.used_bytes(), pool.total_bytes(), *there.mem_info)


@contextmanager
def unchecked_ids() -> Iterator[None]:
    """Take ids that lie on a GPU as they are: the check that they are in range waits for the device.

    An id out of range then wraps around in silence. Ids on the host are always checked: that costs no wait.

    >>> import tinygrad_seq as ts
    >>> with ts.cuda.unchecked_ids():
    ...     ts.take(ts.eye(2), [1]).tolist()
    [[0.0, 1.0]]
    """
    token = backend.ids_checked.set(False)
    try:
        yield
    finally:
        backend.ids_checked.reset(token)


if not TYPE_CHECKING:  # a type checker would take it that every name exists
    __getattr__ = refusing("tinygrad_seq.cuda")
