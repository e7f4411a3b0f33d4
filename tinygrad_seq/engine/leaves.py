"""What belongs to a leaf alone, and what to say where it is done with something else.

Backward fills the `.grad` of leaves, so that of a result is None. `x += y` makes a new Tensor, and leaves the leaf as
it was.
"""

import warnings
from collections.abc import Callable
from typing import Any

from tinygrad_seq.engine.backend import check_device, to_device
from tinygrad_seq.engine.graph import Node, Value, leaf
from tinygrad_seq.engine.scope import current


def differentiable(method: str, x: Value) -> Node:
    """Return the node of a Tensor that a gradient reaches; refuse any other."""
    if x.node is None or not x.node.requires_grad:
        raise RuntimeError(
            f"{method}: this Tensor does not require a gradient (python -m tinygrad_seq explain nothing-requires-grad)"
        )
    return x.node


def warn_of_no_gradient(x: Any) -> None:
    """Warn of a look at the `.grad` of a result, which is None, unless `retain_grad` was called."""
    if x.node.owner_ref is None:
        warnings.warn(
            f"grad: {x.node.op.name} made this Tensor, and backward fills the .grad of leaves alone: call "
            ".retain_grad() before backward (python -m tinygrad_seq explain grad-is-none)",
            stacklevel=3,
        )


def check_gradient(x: Value, gradient: Any) -> None:
    """Raise unless something may be the `.grad` of a Tensor: None, or a Tensor that is like it."""
    if gradient is None:
        return
    if not isinstance(gradient, Value):
        raise TypeError(f"grad must be a Tensor or None, got {type(gradient).__name__}")
    check_device("grad", "the gradient", gradient.array, "its Tensor", x.array)
    got, expected = ((value.array.shape, value.array.dtype) for value in (gradient, x))
    if got != expected:
        raise ValueError(f"grad must have the Tensor's shape and dtype {expected}, got {got}")


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


def state_of_leaf(x: Any) -> tuple[Any, ...]:
    """Return what `copy` and `pickle` take along: the values and the settings of a leaf, without its graph."""
    if not x.is_leaf:
        raise RuntimeError("copy: only leaves can be copied, a result belongs to its graph: detach() it first")
    gradient = None if x.grad is None else x.grad.detach()
    return x.array, x.requires_grad, x.name, gradient, x.device


def restore_leaf(x: Any, state: tuple[Any, ...]) -> None:
    """Make a Tensor what `state_of_leaf` said."""
    x.array, requires_grad, name, x.stored_grad, *device = state
    if device:  # CuPy reads an array back to its current device
        x.array = to_device(x.array, *device)
    x.node = None
    if requires_grad or name is not None:
        leaf(x, requires_grad).name = name
