"""What a module keeps: Parameters, which it learns, and Buffers, which it does not.

A Parameter is a leaf of the graph whose array an optimiser or `assign` replaces by a new one. A Buffer is replaced by
assigning another Tensor in its place.
"""

from numbers import Real
from typing import Any, NoReturn, TypeAlias

from tinygrad_seq.engine.backend import check_device, host, on_device_of
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.delivery import warn_if_stale
from tinygrad_seq.engine.graph import Value, leaf
from tinygrad_seq.engine.tensor import Tensor


class Parameter(Tensor):
    """Hold what a network learns: a leaf Tensor that an optimiser may change.

    A copy of the data, floats as float32 unless a `dtype` is given, as `ts.tensor` makes it. Raises TypeError for
    integers, which cannot learn, unless `requires_grad` is False.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.Parameter([1.0, 2.0])
    >>> w.assign(w - 0.5)
    >>> w
    Parameter([0.5, 1.5])
    """

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = True) -> None:
        self.array = made("Parameter", data, dtype, device, requires_grad).array
        leaf(self, requires_grad)

    def assign(self, value: Any) -> None:
        """Replace the array by another of the same shape, outside the graph.

        The values are taken in the Parameter's dtype, as `load_state_dict` does. Raises ValueError for another shape,
        or where that would cut off fractions, TypeError for a Tensor that is on another device; then nothing has
        changed.

        >>> import tinygrad_seq as ts
        >>> w = ts.nn.Parameter([1.0, 2.0])
        >>> w.assign([3, 4])
        >>> w
        Parameter([3., 4.])
        """
        dtype = self.dtype if isinstance(value, Real | list | tuple) else None
        array = (value if isinstance(value, Value) else made("assign", value, dtype, self.device)).array
        check_device("assign", "the new value", array, self.name or "the Parameter", self.array)
        if array.shape != self.shape or not host.can_cast(array.dtype, self.dtype, "same_kind"):
            raise ValueError(
                f"assign: {self.name or 'the Parameter'} has shape {self.shape} and dtype {self.dtype}, "
                f"the new value {array.shape} and {array.dtype}"
            )
        gradient: Any = getattr(self, "stored_grad", None)
        if getattr(gradient, "read", False):  # somebody looked at the gradient, so this is a step by hand
            warn_if_stale("assign", [gradient])
            gradient.used = "assign"
        with on_device_of(array):
            self.array = array.astype(self.dtype)

    def __iadd__(self, _: Any) -> NoReturn:  # type: ignore[misc]
        """Refuse `p += x`, which would give the name to a plain Tensor and train nothing."""
        raise TypeError(
            f"{self.name or 'the Parameter'}: +=, -= and the like would make a plain Tensor of an nn.Parameter, and "
            "train nothing: give it new values with p.assign(p - step) (python -m tinygrad_seq explain in-place)"
        )

    __isub__ = __imul__ = __itruediv__ = __ifloordiv__ = __imod__ = __ipow__ = __imatmul__ = __iadd__
    __iand__ = __ior__ = __ixor__ = __ilshift__ = __irshift__ = __iadd__

    def __repr__(self) -> str:
        return Tensor.__repr__(self).replace("tensor(", "Parameter(", 1).replace(", requires_grad=True", "")


class Buffer(Tensor):
    """Hold what belongs to a module and is not trained: it moves and is saved with the module, as Parameters are.

    A copy of the data, without gradient, as `ts.tensor` makes it. A Tensor that is assigned in its place becomes a
    Buffer, and None takes it away; a Tensor with a gradient is refused, since all its history would be kept. Raises
    TypeError for what is no numbers.

    >>> import tinygrad_seq as ts
    >>> class Mean(ts.nn.Module):
    ...     def __init__(self):
    ...         self.running = ts.nn.Buffer(ts.zeros(2))
    ...     def forward(self, x):
    ...         self.running = self.running * 0.5 + x.mean(0).detach() * 0.5
    ...         return x - self.running
    >>> mean = Mean()
    >>> mean(ts.ones(3, 2)).shape
    (3, 2)
    >>> mean.state_dict()
    {'running': array([0.5, 0.5], dtype=float32)}
    """

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any = None, device: str | None = None) -> None:
        self.array, self.node = made("Buffer", data, dtype, device).array, None

    def __repr__(self) -> str:
        return Tensor.__repr__(self).replace("tensor(", "Buffer(", 1)


Stored: TypeAlias = Parameter | Buffer


def made(place: str, data: Any, *options: Any) -> Tensor:
    """Return `tensor(data, *options)`; an error begins with the name of the place."""
    try:
        return tensor(data, *options)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{place}: {str(error).removeprefix('tensor: ')}") from None


def kind_of(x: Any) -> str:
    """Return the name of an object's type; with its library's name, for there are Tensors in PyTorch, too."""
    name = type(x).__name__
    return name if isinstance(x, Value) else f"{type(x).__module__}.{name}".removeprefix("builtins.")


def check_input(place: str, name: str, x: Any, weight: Tensor | None) -> None:
    """Raise TypeError unless x is a Tensor of the dtype of a weight and device; NumPy would promote silently."""
    if not isinstance(x, Tensor):
        made = ": ts.tensor(x) makes one" if hasattr(x, "__array__") or isinstance(x, list) else ""
        made = ": a recurrent layer returns (out, state), pass out" if isinstance(x, tuple) else made
        raise TypeError(f"{place}: {name} must be a Tensor, got {kind_of(x)}{made}")
    if weight is None:
        return
    if x.dtype != weight.dtype:
        raise TypeError(
            f'{place}: {name} is {x.dtype}, the parameters are {weight.dtype}: convert it with .to("{weight.dtype}")'
        )
    check_device(place, name, x.array, "the parameters", weight.array)
