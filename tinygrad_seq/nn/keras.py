"""Weights from Keras, which multiplies from the right (x W, not W x), orders the gates of a GRU otherwise and keeps one
bias where PyTorch keeps two.

    LSTM        i, f, c, o     the same order as here: input, forget, cell, output
    GRU         z, r, h        here reset, update, new: r, z, h
    reset_after                one bias for the input and one for the state (2, 3H); otherwise one for both (3H,)
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.callers import known_arguments
from tinygrad_seq.nn.cell import Cell
from tinygrad_seq.nn.embedding import Embedding
from tinygrad_seq.nn.gru import GRUCell
from tinygrad_seq.nn.linear import Linear
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.recurrent_layers import RecurrentLayers

# An array of Keras's: its name there, its shape, and the function that makes entries of a state_dict of it.
KerasArray: TypeAlias = tuple[str, tuple[int, ...], Callable[[Any], dict[str, Any]]]


@known_arguments
def from_keras(layer: Module, weights: Sequence[Any]) -> None:
    """Take over the weights of a Keras layer, as its `get_weights()` lists them, into the layer here that it matches.

    Dense -> Linear, Embedding -> Embedding, SimpleRNN -> RNN, LSTM -> LSTM, GRU -> GRU (with the same `reset_after`),
    Bidirectional -> bidirectional; for `num_layers` the lists of all layers one after another. An activation is not
    among the weights: Keras's own defaults are the ones here. Raises ValueError for another number of arrays or other
    shapes, naming them, TypeError for a layer that Keras does not have; then nothing has changed. Source:
    keras.io/api/layers.

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
    expected, found = arrays_of_layer(layer), [array.shape for array in arrays]
    if found != [shape for _, shape, _ in expected]:
        hint = "; a GRU's bias is (2, 3H) with reset_after=True, else (3H,)" if hasattr(layer, "cells") else ""
        needed = ", ".join(f"{name} {shape}" for name, shape, _ in expected)
        raise ValueError(f"from_keras: {layer!r} needs {needed}, got arrays of shape {found}{hint}")
    state: dict[str, Any] = {}
    for array, (_, _, converted) in zip(arrays, expected):
        state |= converted(array)
    layer.load_state_dict(state)


def arrays_of_layer(layer: Module) -> list[KerasArray]:
    """Return the arrays that Keras has for a layer, in its order; raise TypeError for a layer that it does not have."""
    if isinstance(layer, Embedding):
        return [("embeddings", layer.weight.shape, lambda table: {"weight": table})]
    if isinstance(layer, Linear):
        kernel: KerasArray = "kernel", layer.weight.shape[::-1], lambda array: {"weight": array.T}
        return [kernel] + ([("bias", layer.bias.shape, lambda bias: {"bias": bias})] if layer.bias is not None else [])
    if not isinstance(layer, RecurrentLayers) or getattr(layer.cells[0][0], "proj_size", False):
        raise TypeError(f"from_keras: Keras has no layer like {layer!r}")
    return [
        array
        for n, cells in enumerate(layer.cells)
        for cell, suffix in zip(cells, ("", "_reverse"))
        for array in arrays_of_cell(cell, f"{n}{suffix}")
    ]


def arrays_of_cell(cell: Cell, place: str) -> list[KerasArray]:
    """Return the arrays that Keras has for the cell at a place, which is a layer and a direction: "0_reverse"."""
    rows, inputs = cell.weight_ih.shape

    def reordered(array: Any) -> Any:
        if not isinstance(cell, GRUCell):
            return array
        update, reset, new = host.split(array, 3)
        return host.concatenate([reset, update, new])

    def biases(array: Any) -> dict[str, Any]:
        of_x, of_h = array if array.ndim == 2 else (array, host.zeros_like(array))
        return {f"bias_ih_l{place}": reordered(of_x), f"bias_hh_l{place}": reordered(of_h)}

    arrays: list[KerasArray] = [
        (f"kernel of layer {place}", (inputs, rows), lambda array: {f"weight_ih_l{place}": reordered(array.T)}),
        (
            f"recurrent_kernel of layer {place}",
            (cell.hidden_size, rows),
            lambda array: {f"weight_hh_l{place}": reordered(array.T)},
        ),
    ]
    if cell.bias_ih is not None:
        shape = (2, rows) if isinstance(cell, GRUCell) and cell.reset_after else (rows,)
        arrays.append((f"bias of layer {place}", shape, biases))
    return arrays
