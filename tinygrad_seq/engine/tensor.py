"""Tensor: a handle on an array that remembers how it was made.

Operators and methods are written out one by one, so that readers, editors and type checkers see them; what each does
is said by the op it calls. A Tensor's value never changes: `x += y` makes a new one, `x[i] = v` is refused.
"""

from collections.abc import Callable, Iterator
from typing import Any, Concatenate, ParamSpec
from weakref import ref

from tinygrad_seq.engine import backend, backprop
from tinygrad_seq.engine.arguments import flag
from tinygrad_seq.engine.functions import arithmetic, numpy_calls, reductions, selection, shapes
from tinygrad_seq.engine.graph import Detached, Value, leaf, leaf_after, mark_detached
from tinygrad_seq.engine.hints import missing, never_changes, public
from tinygrad_seq.engine.leaves import (
    check_gradient,
    differentiable,
    in_place,
    restore_leaf,
    state_of_leaf,
    warn_of_no_gradient,
)
from tinygrad_seq.engine.ops import comparison, elementwise, shape
from tinygrad_seq.engine.recording import make_tensor, returned_by_ops

P = ParamSpec("P")


def method(op: Callable[Concatenate[Any, P], Any]) -> Callable[Concatenate["Tensor", P], "Tensor"]:
    """Return the op itself, with the type that it has as a method: of a Tensor, it gives a Tensor."""
    return op


def reflected(op: Callable[[Any, Any], "Tensor"]) -> Callable[["Tensor", Any], "Tensor"]:
    """Return the operator for a Tensor on the right-hand side."""
    return lambda self, other: op(other, self)


@returned_by_ops
class Tensor(Value):
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
    __array__ = numpy_calls.array
    __array_function__ = numpy_calls.function
    __array_ufunc__ = numpy_calls.ufunc  # so that ndarray * tensor is a Tensor
    name = property(lambda self: None if self.node is None else self.node.name)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)

    @property
    def ndim(self) -> int:
        return len(self.array.shape)

    @property
    def size(self) -> int:
        return int(self.array.size)

    @property
    def dtype(self) -> Any:
        return self.array.dtype

    @property
    def device(self) -> str:
        return backend.device_of(self.array)

    @property
    def requires_grad(self) -> bool:
        return self.node is not None and self.node.requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if not self.is_leaf:
            raise RuntimeError("requires_grad can be changed on leaves only: use .detach() to cut a result off")
        if bool(wanted) != self.requires_grad:
            backend.check_differentiable(self.array, bool(wanted))
            self.node = leaf_after(self, self.array, bool(wanted))

    @property
    def is_leaf(self) -> bool:
        return self.node is None or self.node.op is None

    @property
    def grad(self) -> "Tensor | None":
        """Return the sum of the gradients that have arrived: on leaves, and where `retain_grad` was called."""
        found: Tensor | None = getattr(self, "stored_grad", None)
        if found is not None:
            found.read = True
        elif not self.is_leaf:
            warn_of_no_gradient(self)
        return found

    @grad.setter
    def grad(self, value: "Tensor | None") -> None:
        check_gradient(self, value)
        self.stored_grad = value

    @property
    def T(self) -> "Tensor":  # noqa: N802
        return self.transpose()

    def named(self, name: str) -> "Tensor":
        """Name the node behind this Tensor, and return the Tensor. A named value is kept until the graph is freed."""
        node = self.node or leaf(self, False)
        node.name = str(name)
        node.output = self.array if node.saved else node.output
        if hasattr(self.array, "label"):
            self.array.label = node.name  # a traced one, see replay
        return self

    def numpy(self) -> Any:
        """Return the values as a host array: a read-only view on the CPU, a copy from a GPU."""
        array = backend.to_host(self.array).view()
        array.flags.writeable = False
        return array

    def item(self) -> Any:
        if self.size != 1:
            raise ValueError(f"item: {self.shape} is the shape of more than a number or a truth value: reduce it first")
        return self.array.item()

    def tolist(self) -> Any:
        return backend.to_host(self.array).tolist()

    def detach(self) -> "Tensor":
        """Return the same values without their history."""
        result: Tensor = make_tensor(self.array)
        if self.node is not None and (self.node.requires_grad or isinstance(self.node, Detached)):
            mark_detached(result, self.node)
        return result

    @public
    def to(self, target: Any) -> "Tensor":
        """Return it on another device ("cpu", "cuda", "cuda:N") or in another dtype; itself where nothing changes."""
        if backend.names_device(target):
            device = backend.existing_device(target)
            return self if device == self.device else shape.transfer(self, device=device, back=self.device)
        dtype = backend.as_dtype(target)
        return self if dtype == self.dtype else shape.cast(self, dtype=dtype)

    def backward(self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Add the gradient of this Tensor to the `.grad` of every leaf that it was made from.

        `gradient` (default 1, for one element) has this Tensor's shape. The graph is freed unless `retain_graph`;
        with `create_graph` the gradients are recorded themselves. If an error is raised, no `.grad` has changed.
        """
        flag("backward", retain_graph=retain_graph, create_graph=create_graph)
        backprop.backward([self], [gradient], retain_graph or create_graph, create_graph)

    def retain_grad(self) -> None:
        """Keep the gradient of a Tensor that is not a leaf, too."""
        differentiable("retain_grad", self).owner_ref = ref(self)

    def register_hook(self, hook: Callable[["Tensor"], "Tensor | None"]) -> Callable[[], None]:
        """Call `hook(gradient)` when it is complete, to replace it by what that returns, if anything.

        Returns a function that removes the hook.
        """
        node = differentiable("register_hook", self)
        if not callable(hook):
            raise TypeError(f"register_hook: a hook is a function of the gradient, got {hook!r:.60}")
        hooks = node.hooks = node.hooks or []
        hooks.append(hook)
        return lambda: hooks.remove(hook) if hook in hooks else None

    # ------------------------------------------------------------------------- operators: each is the op of that name
    __add__ = method(elementwise.add)
    __sub__ = method(elementwise.subtract)
    __mul__ = method(elementwise.multiply)
    __truediv__ = method(elementwise.divide)
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
    __rpow__ = reflected(elementwise.power)
    __rand__ = reflected(comparison.bitwise_and)
    __ror__ = reflected(comparison.bitwise_or)
    __rmatmul__ = reflected(arithmetic.matmul)

    def __eq__(self, other: object) -> "Tensor":  # type: ignore[override]
        return NotImplemented if other is None or isinstance(other, str) else comparison.equal(self, other)

    def __ne__(self, other: object) -> "Tensor":  # type: ignore[override]
        return NotImplemented if other is None or isinstance(other, str) else comparison.not_equal(self, other)

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
        return bool(self.item())

    __getstate__ = state_of_leaf
    __setstate__ = restore_leaf

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __repr__(self) -> str:
        text = backend.host.array2string(backend.to_host(self.array), separator=", ", prefix="tensor(")
        extra = "" if self.dtype == backend.default_dtype or self.dtype.kind in "bi" else f", dtype={self.dtype}"
        extra += "" if self.device == "cpu" else f", device='{self.device}'"
        if self.node is not None and self.requires_grad:
            extra += ", requires_grad=True" if self.is_leaf else f", op={self.node.op.name}"
        extra += f", name={self.name!r}" if self.name else ""
        return f"tensor({text}{extra})"
