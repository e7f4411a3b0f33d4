"""Weights from Keras, which multiplies from the right (x W, not W x), orders the gates of a GRU otherwise and keeps one
bias where PyTorch keeps two.

    LSTM        i, f, c, o     the same order as here: input, forget, cell, output
    GRU         z, r, h        here reset, update, new: r, z, h
    reset_after                one bias for the input and one for the state (2, 3H); otherwise one for both (3H,)
"""

from collections.abc import Sequence
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.nn.cell import Cell
from tinygrad_seq.nn.embedding import Embedding
from tinygrad_seq.nn.gru import GRUCell
from tinygrad_seq.nn.linear import Linear
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.recurrent_layers import RecurrentLayers


def from_keras(layer: Module, weights: Sequence[Any]) -> None:
    """Take over the weights of a Keras layer, as its `get_weights()` lists them, into the layer here that it matches.

    Dense -> Linear, Embedding -> Embedding, SimpleRNN -> RNN, LSTM -> LSTM, GRU -> GRU (with the same `reset_after`),
    Bidirectional -> bidirectional; for `num_layers` the lists of all layers one after another. An activation is not
    among the weights: Keras's own defaults are the ones here. All or nothing: raises ValueError for another number of
    arrays or other shapes, naming them. Source: keras.io/api/layers.

    >>> import tinygrad_seq as ts
    >>> lstm = ts.nn.LSTM(2, 3)
    >>> ts.nn.from_keras(lstm, [ts.ones(2, 12).numpy(), ts.zeros(3, 12).numpy(), ts.zeros(12).numpy()])
    >>> lstm.weight_ih_l0.shape, lstm.weight_ih_l0.numpy().sum().item()
    ((12, 2), 24.0)
    """
    try:
        arrays = [host.asarray(array) for array in weights]
    except (TypeError, ValueError):
        raise TypeError(
            f"from_keras: expected the list of arrays that get_weights() gives, got {weights!r:.60}"
        ) from None
    state: dict[str, Any]
    if isinstance(layer, Embedding):
        (table,) = matched(layer, arrays, {"embeddings": layer.weight.shape})
        state = {"weight": table}
    elif isinstance(layer, Linear):
        kinds = {"kernel": layer.weight.shape[::-1]} | ({"bias": layer.bias.shape} if layer.bias is not None else {})
        kernel, *bias = matched(layer, arrays, kinds)
        state = {"weight": kernel.T} | ({"bias": bias[0]} if bias else {})
    elif isinstance(layer, RecurrentLayers) and not getattr(layer.cells[0][0], "proj_size", 0):
        state = {}
        sides = [
            (n, suffix, cell) for n, cells in enumerate(layer.cells) for cell, suffix in zip(cells, ("", "_reverse"))
        ]
        kinds = {
            f"{kind} of layer {n}{suffix}": shape for n, suffix, cell in sides for kind, shape in shapes(cell).items()
        }
        arrays = matched(layer, arrays, kinds)
        count = len(arrays) // len(sides)
        for at, (n, suffix, cell) in enumerate(sides):
            for name, array in cell_state(cell, *arrays[at * count : (at + 1) * count]).items():
                state[f"{name}_l{n}{suffix}"] = array
    else:
        raise TypeError(f"from_keras: Keras has no layer like {layer!r}")
    layer.load_state_dict(state)


def shapes(cell: Cell) -> dict[str, tuple[int, ...]]:
    """What Keras has for a cell, by its names."""
    rows, inputs = cell.weight_ih.shape
    kinds: dict[str, tuple[int, ...]] = {"kernel": (inputs, rows), "recurrent_kernel": (cell.hidden_size, rows)}
    if cell.bias_ih is not None:
        kinds["bias"] = (2, rows) if isinstance(cell, GRUCell) and cell.reset_after else (rows,)
    return kinds


def matched(layer: Module, arrays: list[Any], kinds: dict[str, tuple[int, ...]]) -> list[Any]:
    """The arrays, if they are as many and of the shapes that the layer needs."""
    found = [array.shape for array in arrays]
    if found != list(kinds.values()):
        hint = "; a GRU's bias is (2, 3H) with reset_after=True, else (3H,)" if hasattr(layer, "cells") else ""
        needed = ", ".join(f"{kind} {shape}" for kind, shape in kinds.items())
        raise ValueError(f"from_keras: {layer!r} needs {needed}, got arrays of shape {found}{hint}")
    return arrays


def cell_state(cell: Cell, kernel: Any, recurrent: Any, bias: Any = None) -> dict[str, Any]:
    """The parameters of one cell."""
    state = {"weight_ih": kernel.T, "weight_hh": recurrent.T}
    if bias is not None:
        of_x, of_h = bias if bias.ndim == 2 else (bias, host.zeros_like(bias))
        state |= {"bias_ih": of_x, "bias_hh": of_h}
    if isinstance(cell, GRUCell):
        for name, array in state.items():
            update, reset, new = host.split(array, 3)
            state[name] = host.concatenate([reset, update, new])
    return state
