"""Truncated backpropagation through time: the state goes on to the next window, the gradient does not.

A sequence too long to be unrolled is read in windows. Cutting the state from the graph between two of them makes the
gradient the sum of those terms whose loss and use of a weight lie in the same window, and lets each window's history
die with its loss.
"""

import inspect
from collections.abc import Callable, Collection, Iterator
from typing import Any

from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.cell import Cell
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.recurrent import Recurrent
from tinygrad_seq.nn.recurrent_layers import RecurrentLayers

FOR_A_CELL = "for a cell, which gives its next state only, use ts.truncated(nn.Recurrent(cell))"
BACKWARDS = "reads from the last step to the first: its state would come from the future, and cannot be carried on"


class truncated(Module):  # noqa: N801 (reads as what it makes of a layer)
    """Keep the state of a recurrent layer from one window to the next, cut from the graph.

    `layer` is anything called as `layer(x, state, ...) -> (out, state)`: RNN, LSTM, GRU, Recurrent, or a model of one's
    own, whose state may be Tensors in tuples, lists and dicts. Each call is a window: it gets the state that the last
    one left and returns `out`. Only results are cut, so a first state that is learned still learns, from the first
    window. `state` can be read, and set: None begins a new sequence. An error leaves it as it was. In a model it is a
    part like any other, with the parameters of its layer. Raises TypeError for what gives no (out, state), such as a
    cell, and ValueError for a layer that reads in reverse.

    >>> import tinygrad_seq as ts
    >>> lstm, x = ts.nn.LSTM(3, 4), ts.zeros(15, 2, 3)
    >>> windows = ts.truncated(lstm)
    >>> for window in x.split(5):
    ...     windows(window).sum().backward()
    >>> h, c = windows.state
    >>> h.requires_grad
    False
    """

    def __init__(self, layer: Callable[..., Any], state: Any = None) -> None:
        if isinstance(layer, Cell | type) or not takes_state(layer):
            what = layer.__name__ if isinstance(layer, type) else type(layer).__name__
            raise TypeError(f"truncated: expected layer(x, state) -> (out, state), got {what}: {FOR_A_CELL}")
        if reads_backwards(layer):
            raise ValueError(f"truncated: {type(layer).__name__} {BACKWARDS}")
        self.layer: Callable[..., Any]
        self.state: Any
        vars(self).update(layer=layer, state=state)  # not by assignment: the layer keeps the name that it has elsewhere

    def parts(self) -> Iterator[tuple[str, Any]]:
        """Yield the layer alone: a Parameter that is the first state belongs to another module."""
        return ((name, part) for name, part in super().parts() if name == "layer")

    def forward(self, x: Any, **options: Any) -> Any:
        result = self.layer(x, self.state, **options)
        if not isinstance(result, tuple | list) or len(result) != 2:
            what = f"{len(result)} results" if isinstance(result, tuple | list) else type(result).__name__
            raise TypeError(f"truncated: {type(self.layer).__name__} must give (out, state), got {what}: {FOR_A_CELL}")
        out, state = result
        reversed_layers = [module for module in self.modules() if reads_backwards(module)]

        def cut(part: Tensor) -> Tensor:
            for module in reversed_layers:
                if part.node is not None and any(value is module.scope_name for _, value in part.node.scope.path()):
                    raise ValueError(f"truncated: {module.scope_name} {BACKWARDS}")
            return part.detach()

        self.state = map_tensors(cut, state)
        return out

    __call__ = forward  # without a scope of its own: it is no place in the model, its layer is

    def __repr__(self) -> str:
        return f"truncated({self.layer!r})"


def takes_state(layer: Any) -> bool:
    """Return whether something can be called with an input and a state."""
    try:
        inspect.signature(getattr(layer, "forward", layer)).bind_partial(None, None)
    except TypeError:  # not callable, or with fewer arguments
        return False
    except ValueError:  # written in C, without a signature
        pass
    return True


def reads_backwards(layer: Any) -> bool:
    """Return whether a layer, in one of its directions at least, goes through time in reverse."""
    return (isinstance(layer, RecurrentLayers) and "reverse" in layer.directions) or (
        isinstance(layer, Recurrent) and layer.reverse
    )


def map_tensors(function: Callable[[Tensor], Any], state: Any) -> Any:
    """Apply a function to every Tensor of a state; keep the tuples, lists and dicts that hold them."""
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, dict):
        return {key: map_tensors(function, part) for key, part in state.items()}
    if isinstance(state, tuple | list):
        parts = [map_tensors(function, part) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    inside = state if isinstance(state, Collection) else vars(state).values() if hasattr(state, "__dict__") else ()
    if any(isinstance(part, Tensor) for part in inside):
        raise TypeError(
            f"truncated: a state is Tensors in tuples, lists and dicts, got some in a {type(state).__name__}"
        )
    return state
