"""What a picture shows of gradients: how much comes back, who taught a weight, and where an infinity came from."""

import gradient_flow
import numpy as np

import tinygrad_seq as ts
from gallery.weights import short
from tinygrad_seq import nn


def gradient(name):
    """How much gradient comes back to every step."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((12, gradient_flow.BATCH, gradient_flow.INPUTS))
    ts.manual_seed(0)
    return gradient_flow.flow(getattr(gradient_flow, name)(rng), x)[0]


def itemised():
    """Which steps taught the recurrent weight?"""
    ts.manual_seed(0)
    rnn = short(nn.RNN, 4, 8).to("float64")
    loss = (rnn(ts.ones(4, 2, 4).to("float64"))[0][-1] ** 2).mean().named("loss")
    shares = ts.flow.itemize(loss, rnn.weight_hh_l0).nodes
    return ts.draw(loss, show=shares, title="Which steps taught U? The share of each in its gradient")


def nan_path():
    """Where did the infinity come from? The way that the anomaly found, and its numbers: exp of exp of exp."""
    w, h = nn.Parameter(2 * np.eye(2)).named("W"), ts.tensor([[0.5, 0.1]], dtype="float64").named("h0")
    largest = {h: 0.5}
    try:
        with ts.detect_anomaly():
            for t in range(10):
                with ts.scope(step=t):
                    doubled = h @ w
                    h = doubled.exp().named("h")
                    largest |= {doubled: doubled.max().item(), h: h.max().item()}
    except RuntimeError as error:
        numbers = {node: value for node, value in largest.items() if node.node in error.path}
        numbers |= {doubled: doubled.max().item(), error.output: np.inf}
        return ts.draw(error.output, show=numbers, title="Where did the infinity come from? exp of exp of exp")
