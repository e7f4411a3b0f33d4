"""The same training steps elsewhere, as fast as each library has them: PyTorch's layers and ops, JAX's jitted scan.

Both are used where they can be imported, and left out where not: `pip install torch jax`. A step is
() -> (loss, gradients), as in by_hand.py, for the same arrays.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

try:
    import torch
except ImportError:
    torch = None
else:
    torch.set_num_threads(1)
try:
    import jax
except ImportError:
    jax = None

Given = dict[str, np.ndarray]
Step = Callable[[], tuple[Any, dict[str, Any]]]


def torch_ops(cell: str, given: Given) -> Step:
    """The textbook equations from PyTorch's ops."""
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in given.items()}
    batch, hidden = given["x"].shape[1], given["Wh"].shape[0]

    def one_step(x, h, c):
        a, b = x @ tensors["Wx"], h @ tensors["Wh"]
        if cell == "gru":
            x_r, x_z, x_n = (a + tensors["b"]).split(hidden, 1)
            h_r, h_z, h_n = (b + tensors["bh"]).split(hidden, 1)
            reset, update = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
            new = torch.tanh(x_n + reset * h_n)
            return new + update * (h - new), c
        a = a + b + tensors["b"]
        if cell == "rnn":
            return torch.tanh(a), c
        i, f, g, o = a.split(hidden, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def step():
        for tensor in tensors.values():
            tensor.grad = None
        h = c = torch.zeros(batch, hidden)
        outputs = []
        for x in tensors["x"].unbind(0):
            h, c = one_step(x, h, c)
            outputs.append(h)
        out = torch.stack(outputs)
        loss = (out * out).mean()
        loss.backward()
        return loss, {name: tensor.grad for name, tensor in tensors.items()}

    return step


def torch_layer(cell: str, given: Given) -> Step:
    """PyTorch's own nn.LSTM, nn.GRU or nn.RNN."""
    layer = getattr(torch.nn, cell.upper())(given["Wx"].shape[0], given["Wh"].shape[0])
    values = given["Wx"].T, given["Wh"].T, given["b"], given.get("bh", np.zeros_like(given["b"]))
    x, parameters = torch.tensor(given["x"], requires_grad=True), list(layer.parameters())
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(torch.tensor(value))

    def step():
        for tensor in (x, *parameters):
            tensor.grad = None
        out, _ = layer(x)
        loss = (out * out).mean()
        loss.backward()
        return loss, {"x": x.grad, "Wx": parameters[0].grad.T, "Wh": parameters[1].grad.T, "b": parameters[2].grad}

    return step


def jax_scan(cell: str, given: Given) -> Step:
    """A scan, compiled by XLA together with its gradient; the projection of all inputs is one product before it."""
    arrays = {name: jax.numpy.asarray(array) for name, array in given.items()}
    hidden, sigmoid, tanh = given["Wh"].shape[0], jax.nn.sigmoid, jax.numpy.tanh

    def loss_of(values):
        def one_step(state, a):
            h, c = state
            b = h @ values["Wh"]
            if cell == "gru":
                (x_r, x_z, x_n), (h_r, h_z, h_n) = (jax.numpy.split(each, 3, 1) for each in (a, b + values["bh"]))
                update, new = sigmoid(x_z + h_z), tanh(x_n + sigmoid(x_r + h_r) * h_n)
                h = new + update * (h - new)
            elif cell == "rnn":
                h = tanh(a + b)
            else:
                i, f, g, o = jax.numpy.split(a + b, 4, 1)
                c = sigmoid(f) * c + sigmoid(i) * tanh(g)
                h = sigmoid(o) * tanh(c)
            return (h, c), h

        zeros = jax.numpy.zeros((given["x"].shape[1], hidden), given["x"].dtype)
        _, out = jax.lax.scan(one_step, (zeros, zeros), values["x"] @ values["Wx"] + values["b"])
        return (out * out).mean()

    compiled = jax.jit(jax.value_and_grad(loss_of))
    return lambda: jax.block_until_ready(compiled(arrays))
