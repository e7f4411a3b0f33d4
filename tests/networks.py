"""Recurrent networks as the laws want them: every kind by name, drawn sizes, float64 weights, a Module as a function.

A Tensor is a handle, an array and its node. So `as_function` lends a Module's parameters the array and node of other
Tensors for one call, and whatever differentiates functions of Tensors (finite differences, `ts.grad`) can differentiate
a network by its parameters. `calm` sets weights that keep every relu far from its kink, on both sides of it.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq import nn


@dataclass(frozen=True)
class Kind:
    layer: Any
    cell: Any
    options: dict[str, Any] = field(default_factory=dict)


KINDS = {
    "rnn": Kind(nn.RNN, nn.RNNCell),
    "rnn relu": Kind(nn.RNN, nn.RNNCell, {"nonlinearity": "relu"}),
    "lstm": Kind(nn.LSTM, nn.LSTMCell),
    "gru": Kind(nn.GRU, nn.GRUCell),
    "gru reset before": Kind(nn.GRU, nn.GRUCell, {"reset_after": False}),
}
seeds = st.integers(0, 2**32 - 1)
small = st.integers(1, 3)
either = st.booleans()


class Leaky(nn.Module):
    """h_t = 0.9 h_{t-1} + 0.1 tanh(W [x_t, h_{t-1}] + b)."""

    def __init__(self, inputs, hidden):
        self.hidden_size = hidden
        self.mix = nn.Linear(inputs + hidden, hidden)

    def forward(self, x, h):
        return 0.9 * h + 0.1 * self.mix(ts.concatenate([x, h], -1)).tanh()


def calm(module, rng):
    """Small weights, biases of +3 and -3: no pre-activation is near 0 where inputs and first states are in [-1, 1]."""
    for name, parameter in module.named_parameters():
        if "bias_ih" in name:
            value = rng.choice([-3.0, 3.0], parameter.shape)
        else:
            bound = 0.1 / parameter.shape[-1] if "weight" in name else 0.1
            value = rng.uniform(-bound, bound, parameter.shape)
        parameter.assign(value.astype(parameter.dtype))


def flat(outputs):
    """The Tensors of (out, h_n) or (out, (h_n, c_n)), in order."""
    if isinstance(outputs, ts.Tensor):
        return [outputs]
    return [tensor for part in outputs for tensor in flat(part)]


def packed(states):
    """The state as layers take it: one Tensor, or a tuple of them; None for none."""
    return tuple(states) if len(states) > 1 else states[0] if states else None


def as_function(module):
    """f(*parameters, x, *states): the module with those parameters, its outputs as a flat list."""
    own = list(module.parameters())

    def function(*tensors):
        given, (x, *states) = tensors[: len(own)], tensors[len(own) :]
        before = [(parameter.array, parameter.node) for parameter in own]
        try:
            for parameter, tensor in zip(own, given, strict=True):
                parameter.array, parameter.node = tensor.array, tensor.node
            return flat(module(x, packed(states)) if states else module(x))
        finally:
            for parameter, (array, node) in zip(own, before, strict=True):
                parameter.array, parameter.node = array, node

    return function


def leaf(array, device=None):
    return ts.tensor(np.asarray(array), device=device, requires_grad=True)


@dataclass
class Run:
    """A layer with an input and a first state, and the sizes they were drawn with."""

    kind: Kind
    layer: Any
    x: Any
    states: list[Any]
    rng: np.random.Generator
    sizes: dict[str, int]

    def __repr__(self):
        return f"{self.layer!r} {self.kind.options} of {self.sizes}"

    def __call__(self, x=None, states=None):
        """The outputs as a flat list, of leaves made here: (outputs, [x, *states])."""
        leaves = [leaf(self.x if x is None else x), *map(leaf, self.states if states is None else states)]
        return flat(self.layer(leaves[0], packed(leaves[1:]))), leaves


@st.composite
def runs(draw, kinds=tuple(KINDS), layers=small, bidirectional=either, bias=either, longest=4, batch_first=False,
         proj=False):
    """A float64 layer of any kind and size, its numbers from a drawn seed. `proj`: LSTMs may project, too."""
    kind, seed = KINDS[draw(st.sampled_from(kinds))], draw(seeds)
    steps, batch = draw(st.integers(1, longest)), draw(small)
    inputs, hidden, count, both = draw(small), draw(small), draw(layers), draw(bidirectional)
    relu = kind.options.get("nonlinearity") == "relu"
    if proj and kind.layer is nn.LSTM:
        kind = Kind(kind.layer, kind.cell, {"proj_size": draw(st.integers(0, hidden - 1))})
    ts.manual_seed(seed)
    layer = kind.layer(inputs, hidden, num_layers=count, bias=relu or draw(bias), bidirectional=both,
                       batch_first=batch_first, **kind.options).to("float64")
    rng = np.random.default_rng(seed)
    if relu:
        calm(layer, rng)
    x = rng.uniform(-1, 1, (batch, steps, inputs) if batch_first else (steps, batch, inputs))
    states = [rng.uniform(-1, 1, (count * (1 + both), batch, size)) for size in layer.cells[0][0].state_sizes]
    return Run(kind, layer, x, states, rng, {"T": steps, "B": batch, "I": inputs, "H": hidden, "layers": count})


def gradients(outputs, upstream, *sources):
    """The gradients of the outputs, weighted by the upstream arrays, with respect to the sources, on the host."""
    weights = [ts.tensor(u, device=y.device) for u, y in zip(upstream, outputs, strict=True)]
    return [g.numpy() for g in ts.grad(outputs, list(sources), weights)]


def weighted(outputs, rng):
    """A loss that tells all numbers of the outputs apart."""
    return sum((y * ts.tensor(rng.uniform(-1, 1, y.shape))).sum() for y in outputs)


def linear_states(w, steps, rng, batch=1):
    """h_t = W h_{t-1} + x_t, for rows h, as a user writes it."""
    weight = ts.tensor(w, requires_grad=True)
    h, found = ts.tensor(rng.normal(size=(batch, len(w))), requires_grad=True), []
    for t in range(steps):
        with ts.scope(step=t):
            h = (h @ weight.T + ts.tensor(rng.normal(size=h.shape))).named("h")
        found.append(h)
    return found


def near(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
