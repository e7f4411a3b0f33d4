"""Truncated backpropagation through time: the state goes on to the next window, the gradient does not.

A sequence too long to be unrolled is read in windows. Cutting the state from the graph between two of them makes the
gradient the sum of those terms whose loss and use of a weight lie in the same window, and lets each window's history
die with its loss.
"""

from collections.abc import Callable, Iterator
from typing import Any

from tinygrad_seq.nn.module import Module
from tinygrad_seq.tensor import Tensor


class truncated(Module):  # noqa: N801 (reads as what it makes of a layer)
    """A recurrent layer that remembers its state from one window to the next, cut from the graph.

    `layer` is anything called as `layer(x, state, ...) -> (out, state)`: RNN, LSTM, GRU, Recurrent, or a model of one's
    own, whose state may be Tensors in tuples, lists and dicts. Each call is a window: it gets the state that the last
    one left and returns `out`. Only results are cut, so a first state that is learned still learns, from the first
    window. `state` can be read, and set: None begins a new sequence. An error leaves it as it was. In a model it is a
    part like any other, with the parameters of its layer.

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
        self.layer: Callable[..., Any]
        self.state: Any
        vars(self).update(layer=layer, state=state)  # so the layer keeps the name that it has elsewhere

    def parts(self) -> Iterator[tuple[str, Any]]:
        return ((name, part) for name, part in super().parts() if name == "layer")  # a first state is not ours

    def __call__(self, x: Any, **options: Any) -> Any:
        out, state = self.layer(x, self.state, **options)
        self.state = detached(state)
        return out

    def __repr__(self) -> str:
        return f"truncated({self.layer!r})"


def detached(state: Any) -> Any:
    """The same values, cut off from the graph, in whatever holds them."""
    if isinstance(state, Tensor):
        return state.detach()
    if isinstance(state, dict):
        return {key: detached(part) for key, part in state.items()}
    if isinstance(state, tuple | list):
        parts = map(detached, state)
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    return state
