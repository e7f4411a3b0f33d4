"""The half of a Tensor that is about gradients: which ones are wanted, where they arrive, and how the graph is left.

Backward fills the `.grad` of leaves, so that of a result is None. `x += y` makes a new Tensor, and leaves the leaf as
it was.
"""

import warnings
from collections.abc import Callable
from typing import Any, Self
from weakref import ref

from tinygrad_seq.engine import backprop
from tinygrad_seq.engine.arguments import flag
from tinygrad_seq.engine.backend import check_device, check_differentiable, device_of, to_device
from tinygrad_seq.engine.callers import known_arguments
from tinygrad_seq.engine.graph import Detached, Node, Value, constant_after, leaf, learning_after, mark_detached
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.scope import current


class RemovableHandle:
    """Remove a hook, when it is called."""

    __slots__ = ("hooks", "key")

    def __init__(self, hooks: dict[Any, Any], key: object) -> None:
        self.hooks, self.key = hooks, key

    def remove(self) -> None:
        """Remove the hook; a second time nothing happens."""
        self.hooks.pop(self.key, None)

    __call__ = remove


class Differentiable(Value):
    """A Value with the members of Tensor that are about gradients."""

    __slots__ = ()

    @property
    def name(self) -> str | None:
        """Return what `named` called it, or the name of a module's parameter; else None."""
        return None if self.node is None else self.node.name

    @property
    def is_leaf(self) -> bool:
        """Return whether no recorded op made it: it is data, a parameter, or a result that requires no gradient."""
        return self.node is None or self.node.op is None

    @property
    def requires_grad(self) -> bool:
        """Return whether ops on it are recorded, so that gradients reach it.

        It may be set on floating leaves: TypeError for integers, RuntimeError for the result of a recorded op.

        >>> import tinygrad_seq as ts
        >>> x = ts.ones(2)
        >>> x.requires_grad = True
        >>> (x * 2.0).requires_grad
        True
        """
        return self.node is not None and self.node.requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        flag("requires_grad", requires_grad=wanted)
        if not self.is_leaf:
            raise RuntimeError("requires_grad can be changed on leaves only: use .detach() to cut a result off")
        if wanted != self.requires_grad:
            check_differentiable(self.array, wanted)
            self.node = learning_after(self) if wanted else constant_after(self, self.array)

    @property
    def grad(self) -> Self | None:
        """Return the sum of the gradients that have arrived: on leaves, and where `retain_grad` was called; else None.

        It may be set to None, or to a Tensor of the same shape, dtype and device; anything else raises TypeError or
        ValueError.

        >>> import tinygrad_seq as ts
        >>> x = ts.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
        """
        found: Self | None = getattr(self, "stored_grad", None)
        if found is not None:
            found.read = True
        elif self.node is not None and self.node.op is not None and self.node.owner_ref is None:
            warnings.warn(
                f"grad: {self.node.op.name} made this Tensor, and backward fills the .grad of leaves alone: call "
                ".retain_grad() before backward (python -m tinygrad_seq explain grad-is-none)",
                stacklevel=2,
            )
        return found

    @grad.setter
    def grad(self, value: Self | None) -> None:
        if value is not None:
            if not isinstance(value, Value):
                raise TypeError(f"grad: expected a Tensor or None, got {type(value).__name__}")
            check_device("grad", "the gradient", value.array, "its Tensor", self.array)
            got, expected = ((x.array.shape, x.array.dtype) for x in (value, self))
            if got != expected:
                raise ValueError(f"grad: expected the shape and dtype of the Tensor, {expected}, got {got}")
        self.stored_grad = value

    @known_arguments
    def backward(self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Add the gradient of this Tensor to the `.grad` of every leaf that it was made from.

        `gradient` (default 1, for one element) has this Tensor's shape: v gives v^T times the Jacobian. The graph is
        freed unless `retain_graph`; with `create_graph` the gradients are recorded themselves. Raises RuntimeError
        where nothing requires a gradient, where `gradient` is missing, and where the graph was freed; ValueError for a
        `gradient` of another shape. If an error is raised, no `.grad` has changed.

        >>> import tinygrad_seq as ts
        >>> x = ts.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).backward([1.0, 10.0])
        >>> x.grad
        tensor([ 2., 40.])
        """
        flag("backward", retain_graph=retain_graph, create_graph=create_graph)
        backprop.backward([self], [gradient], retain_graph or create_graph, create_graph)

    def detach(self) -> Self:
        """Return the same values without their history: no gradient goes further back. The memory is shared.

        >>> import tinygrad_seq as ts
        >>> x = ts.tensor([2.0], requires_grad=True)
        >>> ts.grad(x * (x * x).detach(), x)
        tensor([4.])
        """
        result: Self = make_tensor(self.array)
        if self.node is not None and (self.node.requires_grad or isinstance(self.node, Detached)):
            mark_detached(result, self.node)
        return result

    def named(self, name: str) -> Self:
        """Name the node behind this Tensor, and return the Tensor. A named value is kept until the graph is freed.

        Raises TypeError for None, which is no name.

        >>> import tinygrad_seq as ts
        >>> ts.zeros(2).named("h_0")
        tensor([0., 0.], name='h_0')
        """
        if name is None:
            raise TypeError("named: expected a name, got None")
        node = self.node or leaf(self, False)
        node.name = str(name)
        node.output = self.array if node.saved else node.output
        if hasattr(self.array, "label"):
            self.array.label = node.name  # a traced one, see replay
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of a Tensor that is not a leaf, too. Raises RuntimeError if it requires none.

        >>> import tinygrad_seq as ts
        >>> h = ts.ones(2, requires_grad=True) * 3.0
        >>> h.retain_grad()
        >>> (h * h).sum().backward()
        >>> h.grad
        tensor([6., 6.])
        """
        node_with_gradient("retain_grad", self).owner_ref = ref(self)

    def register_hook(self, hook: Callable[[Self], Self | None]) -> "RemovableHandle":
        """Call `hook(gradient)` when it is complete, to replace it by what that returns, if anything.

        Returns what removes the hook: call it, or its `.remove()`, as in PyTorch. Raises RuntimeError if this Tensor
        requires no gradient; a backward raises ValueError for a hook that returns something else than None or a Tensor
        of this shape.

        >>> import tinygrad_seq as ts
        >>> x = ts.ones(2, requires_grad=True)
        >>> remove = x.register_hook(lambda g: g.clip(-1.0, 1.0))
        >>> (x * 100.0).sum().backward()
        >>> x.grad
        tensor([1., 1.])
        """
        node = node_with_gradient("register_hook", self)
        if not callable(hook):
            raise TypeError(f"register_hook: a hook is a function of the gradient, got {hook!r:.60}")
        key, hooks = object(), node.hooks or {}  # a hook may be registered several times
        hooks[key], node.hooks = hook, hooks
        return RemovableHandle(hooks, key)

    def __getstate__(self) -> tuple[Any, ...]:
        """Return what `copy` and `pickle` take along: the values and the settings of a leaf, without its graph."""
        if not self.is_leaf:
            raise RuntimeError("copy: only leaves can be copied, a result belongs to its graph: detach() it first")
        gradient = getattr(self, "stored_grad", None)
        gradient = None if gradient is None else gradient.detach()
        return self.array, self.requires_grad, self.name, gradient, device_of(self.array)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.array, requires_grad, name, self.stored_grad, *device = state
        if device:  # CuPy reads an array back to its current device
            self.array = to_device(self.array, *device)
        self.node = None
        if requires_grad or name is not None:
            leaf(self, requires_grad).name = name


def node_with_gradient(method: str, x: Value) -> Node:
    """Return the node of a Tensor that a gradient reaches; refuse any other."""
    if x.node is None or not x.node.requires_grad:
        raise RuntimeError(
            f"{method}: this Tensor does not require a gradient (python -m tinygrad_seq explain nothing-requires-grad)"
        )
    return x.node


def in_place(op: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return `x += y` for an op: x + y under the same name. Under `no_grad` a leaf would be lost so, and is refused."""

    def call(self: Any, other: Any) -> Any:
        node = self.node
        if node is not None and node.op is None and node.requires_grad and current.get().recording is False:
            raise TypeError(
                f"{op.__name__}: under no_grad, += and the like would give the name of a leaf to a plain Tensor, which "
                "learns nothing: make it an nn.Parameter, and use p.assign(p - step) "
                "(python -m tinygrad_seq explain in-place)"
            )
        return op(self, other)

    return call
