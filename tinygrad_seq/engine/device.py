"""Where Tensors are made if nobody says where: `with ts.device("cuda"):`."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from tinygrad_seq.engine.backend import default_device, gpu_at, parse_device
from tinygrad_seq.engine.context_decorator import held
from tinygrad_seq.engine.hints import missing

F = TypeVar("F", bound=Callable[..., Any])
around: ContextVar[tuple[str, ...]] = ContextVar("around", default=())  # the devices to come back to


class device(str):  # noqa: N801 (reads as the statement it makes)
    """Make Tensors, weights and draws on this device in here, unless `device=` says otherwise.

    `name` is "cpu", "cuda" or "cuda:N". A context, and a decorator; each thread has its own. What stands on a GPU stays
    there, whatever the device is. It is its name, too: `x.to(ts.device("cuda"))`. Raises ValueError for another name,
    RuntimeError where there is no such GPU.

    >>> import tinygrad_seq as ts
    >>> with ts.device("cpu"):
    ...     ts.zeros(2).device
    'cpu'
    """

    __slots__ = ()
    if not TYPE_CHECKING:  # a type checker would take it that every name exists
        __getattr__ = missing

    def __new__(cls, name: str) -> "device":
        parse_device(name)
        return super().__new__(cls, name)

    def __enter__(self) -> None:
        number = parse_device(self)
        if number is not None:
            gpu_at(number)
        around.set((*around.get(), default_device.get()))
        default_device.set(self)

    def __exit__(self, *raised: Any) -> None:
        *rest, before = around.get()
        around.set(tuple(rest))
        default_device.set(before)

    def __call__(self, function: F) -> F:
        wrapper: F = held(self, function)
        return wrapper
