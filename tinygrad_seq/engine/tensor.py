"""Tensor: a handle on an array that remembers how it was made.

Operators and methods are written out one by one, so that readers, editors and type checkers see them; what each does
is said by the op it calls. A Tensor's value never changes: `x += y` makes a new one, `x[i] = v` is refused.
"""

from collections.abc import Callable, Iterator, Sequence
from numbers import Number
from typing import Any, Concatenate, NoReturn, ParamSpec

from tinygrad_seq.engine import backend
from tinygrad_seq.engine.differentiable import Differentiable, in_place
from tinygrad_seq.engine.functions import arithmetic, numpy_calls, reductions, selection, shapes
from tinygrad_seq.engine.hints import Count, missing, never_changes, no_attribute, public
from tinygrad_seq.engine.ops import comparison, elementwise, shape
from tinygrad_seq.engine.recording import returned_by_ops

P = ParamSpec("P")
ELEMENTWISE, TEXT = (Differentiable, float, int, list, Number, Sequence), (str, bytes)  # the frequent ones first


def method(op: Callable[Concatenate[Any, P], Any]) -> Callable[Concatenate["Tensor", P], "Tensor"]:
    """Return the op itself, with the type that it has as a method: of a Tensor, it gives a Tensor."""
    return op


def reflected(op: Callable[[Any, Any], "Tensor"]) -> Callable[["Tensor", Any], "Tensor"]:
    """Return the operator for a Tensor on the right-hand side."""
    return lambda self, other: op(other, self)


def comparable(other: object) -> bool:
    """Return whether == and != compare with it element by element; to all else a Tensor is just another object."""
    return (isinstance(other, ELEMENTWISE) and not isinstance(other, TEXT)) or hasattr(other, "__array__")


def no_data(self: Any, _value: Any = None) -> NoReturn:
    """Raise the error for `x.data`, read or set: a Tensor without that attribute would say less where it is set."""
    raise no_attribute(type(self).__name__, "data")


@returned_by_ops
class Tensor(Differentiable):
    """An array on the CPU or a GPU, with the graph that made it. Make one with `ts.tensor`.

    Arithmetic, indexing, broadcasting and methods mean what they mean in NumPy; `.backward()` and `.grad` what they
    mean in PyTorch.

    >>> import tinygrad_seq as ts
    >>> x = ts.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ()
    __getattr__ = missing
    data = property(no_data, no_data)
    __array__ = numpy_calls.array
    __array_function__ = numpy_calls.function
    __array_ufunc__ = numpy_calls.ufunc  # so that ndarray * tensor is a Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the length of every axis; () for a single number."""
        return tuple(self.array.shape)

    @property
    def ndim(self) -> int:
        """Return the number of axes."""
        return len(self.array.shape)

    @property
    def size(self) -> int:
        """Return the number of elements."""
        return Count(self.array.size)

    @property
    def dtype(self) -> Any:
        """Return the type of the elements, one of NumPy's: `x.dtype == "float32"`."""
        return self.array.dtype

    @property
    def device(self) -> str:
        """Return where it is: "cpu" or "cuda:N"."""
        return backend.device_of(self.array)

    @property
    def T(self) -> "Tensor":  # noqa: N802
        """Return it with its axes in reverse order: the transpose of a matrix."""
        return self.transpose()

    def numpy(self) -> Any:
        """Return the values as a host array: a read-only view on the CPU, a copy from a GPU.

        >>> import tinygrad_seq as ts
        >>> ts.arange(3).numpy()
        array([0, 1, 2])
        """
        array = backend.to_host(self.array).view()
        array.flags.writeable = False
        return array

    def item(self) -> Any:
        """Return the one element as a Python number. Raises ValueError unless there is exactly one.

        >>> import tinygrad_seq as ts
        >>> ts.tensor([[2.5]]).item()
        2.5
        """
        if self.size != 1:
            raise ValueError(f"item: expected a Tensor of one element, got shape {self.shape}: reduce it first")
        return self.array.item()

    def tolist(self) -> Any:
        """Return the values as nested lists of Python numbers; as a number, where there are no axes.

        >>> import tinygrad_seq as ts
        >>> ts.eye(2).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        return backend.to_host(self.array).tolist()

    @public
    def to(self, target: Any) -> "Tensor":
        """Return it on another device ("cpu", "cuda", "cuda:N") or in another dtype; itself where nothing changes.

        The gradient goes back to the old device, and in the old dtype; through integers goes none. Raises TypeError
        for what is neither a dtype nor a device, RuntimeError where there is no such GPU.

        >>> import tinygrad_seq as ts
        >>> ts.tensor([1.7, -1.7]).to("int64")
        tensor([ 1, -1])
        """
        if backend.names_device(target):
            device = backend.existing_device(target)
            return self if device == self.device else shape.transfer(self, device=device, back=self.device)
        dtype = backend.as_dtype(target)
        return self if dtype == self.dtype else shape.cast(self, dtype=dtype)

    # ------------------------------------------------------------------------- operators: each is the op of that name
    __add__ = method(elementwise.add)
    __sub__ = method(elementwise.subtract)
    __mul__ = method(elementwise.multiply)
    __truediv__ = method(elementwise.divide)
    __floordiv__ = method(elementwise.floor_divide)
    __mod__ = method(elementwise.remainder)
    __pow__ = method(elementwise.power)
    __neg__ = method(elementwise.negative)
    __abs__ = method(elementwise.abs)
    __lt__ = method(comparison.less)
    __le__ = method(comparison.less_equal)
    __gt__ = method(comparison.greater)
    __ge__ = method(comparison.greater_equal)
    __and__ = method(comparison.bitwise_and)
    __or__ = method(comparison.bitwise_or)
    __invert__ = method(comparison.invert)
    __matmul__ = method(arithmetic.matmul)
    __getitem__ = method(selection.getitem)
    __hash__ = object.__hash__
    __iadd__ = method(in_place(elementwise.add))
    __isub__ = method(in_place(elementwise.subtract))
    __imul__ = method(in_place(elementwise.multiply))
    __itruediv__ = method(in_place(elementwise.divide))
    __radd__ = reflected(elementwise.add)
    __rsub__ = reflected(elementwise.subtract)
    __rmul__ = reflected(elementwise.multiply)
    __rtruediv__ = reflected(elementwise.divide)
    __rfloordiv__ = reflected(elementwise.floor_divide)
    __rmod__ = reflected(elementwise.remainder)
    __rpow__ = reflected(elementwise.power)
    __rand__ = reflected(comparison.bitwise_and)
    __ror__ = reflected(comparison.bitwise_or)
    __rmatmul__ = reflected(arithmetic.matmul)

    def __pos__(self) -> "Tensor":
        return self

    def __eq__(self, other: object) -> "Tensor":  # type: ignore[override]
        return comparison.equal(self, other) if comparable(other) else NotImplemented

    def __ne__(self, other: object) -> "Tensor":  # type: ignore[override]
        return comparison.not_equal(self, other) if comparable(other) else NotImplemented

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            f"{never_changes}, or fill a NumPy array first and give it to ts.tensor "
            "(python -m tinygrad_seq explain in-place)"
        )

    # ----------------------------------------------------------------------- methods: each is the function of that name
    exp = method(elementwise.exp)
    log = method(elementwise.log)
    sqrt = method(elementwise.sqrt)
    sin = method(elementwise.sin)
    cos = method(elementwise.cos)
    tanh = method(elementwise.tanh)
    sigmoid = method(elementwise.sigmoid)
    relu = method(elementwise.relu)
    abs = method(elementwise.abs)
    maximum = method(elementwise.maximum)
    minimum = method(elementwise.minimum)
    pow = method(elementwise.power)
    clip = method(arithmetic.clip)
    sum = method(reductions.sum)
    mean = method(reductions.mean)
    var = method(reductions.var)
    max = method(reductions.max)
    min = method(reductions.min)
    norm = method(reductions.norm)
    argmax = method(reductions.argmax)
    logsumexp = method(reductions.logsumexp)
    softmax = method(reductions.softmax)
    log_softmax = method(reductions.log_softmax)
    matmul = method(arithmetic.matmul)
    reshape = view = method(shapes.reshape)
    transpose = permute = method(shapes.transpose)
    swapaxes = method(shapes.swapaxes)
    expand_dims = method(shapes.expand_dims)
    squeeze = method(shapes.squeeze)
    broadcast_to = method(shapes.broadcast_to)
    flip = method(shapes.flip)
    pad = method(shapes.pad)
    split = shapes.split
    unstack = unbind = shapes.unstack
    take = method(selection.take)

    def __len__(self) -> int:
        if not self.array.shape:
            raise TypeError("len: a Tensor with no dimensions has no length")
        return len(self.array)

    def __iter__(self) -> "Iterator[Tensor]":
        if self.array.shape:
            return iter(shapes.unstack(self))
        raise TypeError("a Tensor with no dimensions cannot be iterated over")

    def __contains__(self, item: Any) -> bool:
        return bool(reductions.sum(self == item))

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iu":
            raise TypeError(f"only an integer Tensor can be an index, this one is {self.dtype}")
        return int(self.item())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"bool: a Tensor of shape {self.shape} is neither true nor false: mask.numpy().any() or .all() reduce "
                "a mask; compare objects with `is`"
            )
        return bool(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __repr__(self) -> str:
        text = backend.host.array2string(backend.to_host(self.array), separator=", ", prefix="tensor(")
        extra = f", shape={self.shape}" if not self.size and self.ndim > 1 else ""
        extra += "" if self.dtype in ("float32", "int64", "bool") else f", dtype={self.dtype}"
        extra += "" if self.device == "cpu" else f", device='{self.device}'"
        if self.node is not None and self.requires_grad:
            extra += ", requires_grad=True" if self.is_leaf else f", op={self.node.op.name}"
        extra += f", name={self.name!r}" if self.name else ""
        return f"tensor({text}{extra})"
