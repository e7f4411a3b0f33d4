"""Recurrent layers with their options, and the networks of a demo."""

import draw_unrolled
import numpy as np

import tinygrad_seq as ts
from gallery.weights import short
from tinygrad_seq import nn

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
NETWORKS = {
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "stacked": "RNN in two layers",
    "bidirectional": "RNN, read in both directions",
    "one_to_one": "One to one: a vector in, a vector out",
    "one_to_many": "One to many: what came out goes in again",
    "many_to_one": "Many to one: an answer at the end",
    "many_to_many_after_reading": "Many to many: read first, then write",
    "many_to_many_in_step": "Many to many: an answer at every step",
}


def sequence(steps):
    """Two sequences of four numbers at each step."""
    return ts.tensor(np.cos(np.arange(steps * 8.0)).reshape(steps, 2, 4).astype("float32"))


def layer(kind, about="", steps=3, view="unrolled", lengths=None, shown=None, depth=None, **options):
    """A recurrent layer over a sequence."""
    ts.manual_seed(0)
    out, state = CELLS[kind](4, 8, **options)(sequence(steps), lengths=lengths)
    last = [x.named(f"last {name}") for x, name in zip(state, "hc")] if lengths and kind == "lstm" else []  # kept, too
    return ts.draw([out.named("out"), *last], view=view, steps=shown, depth=depth, title=f"{kind.upper()}{about}")


def network(name, steps=3, shown=None):
    """One of the networks of a demo."""
    return ts.draw(draw_unrolled.NETWORKS[name](steps), steps=shown, title=NETWORKS[name])


def backward_of(kind, steps=2):
    """A layer, and its recorded backward."""
    ts.manual_seed(0)
    net = short(CELLS[kind], 4, 8)
    state = net(sequence(steps))[1]
    loss = (state[0] if kind == "lstm" else state).sum().named("loss")
    loss.backward(create_graph=True)
    return ts.draw(loss, backward=True, title=f"{kind.upper()}, and its recorded backward")


def tied_weights():
    """The embedding is the output layer, too."""
    embed, rnn = nn.Embedding(10, 8), nn.RNN(8, 8)
    out, _ = rnn(embed([[1], [2], [3]]))
    embed.weight.named("embedding")
    loss = nn.cross_entropy(out @ embed.weight.T, [[2], [3], [4]]).named("loss")
    return ts.draw(loss, title="Tied weights: the embedding is the output layer, too")
