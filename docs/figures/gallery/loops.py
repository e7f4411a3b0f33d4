"""Loops over time, written by hand."""

import numpy as np

import tinygrad_seq as ts
from gallery.weights import weight
from tinygrad_seq import nn


def backwards():
    """A step of an RNN by hand, and its recorded backward."""
    x, h = ts.tensor([[0.5, 0.25]]).named("x"), ts.zeros(1, 3).named("h0")
    w_x, w_h = (ts.nn.Parameter(np.full((n, 3), 0.1, "float32")).named(name) for n, name in ((2, "W_x"), (3, "W_h")))
    for t in range(2):
        with ts.scope(step=t):
            h = (x @ w_x + h @ w_h).tanh().named("h")
    loss = h.sum().named("loss")
    loss.backward(create_graph=True)
    return ts.draw(loss, backward=True, title="Two steps of an RNN by hand, and their recorded backward")


def from_scratch():
    """An RNN that names no step: its loop is found."""
    w, u = (ts.nn.Parameter(np.full((n, 8), 0.1, "float32")).named(name) for n, name in ((4, "W"), (8, "U")))
    h = ts.zeros(2, 8)
    for x_t in ts.zeros(100, 2, 4):
        h = (x_t @ w + h @ u).tanh().named("h")
    return ts.draw(h.sum().named("loss"), title="An RNN whose code names no step: 100 steps were found in the graph")


def names():
    """Which language is a name from? Letter and state side by side, one product; no scope names the steps."""

    class Names(nn.Module):
        def __init__(self):
            self.embed, self.hidden, self.head = nn.Embedding(26, 4), nn.Linear(12, 8), nn.Linear(8, 3)

        def forward(self, letters):
            h = ts.zeros(2, 8)
            for letter in letters:
                h = self.hidden(ts.concatenate([self.embed(letter), h], 1)).tanh().named("h")
            return self.head(h)

    loss = nn.cross_entropy(Names()([[0, 20], [13, 21], [13, 8], [0, 4]]), [1, 2]).named("loss")
    return ts.draw(loss, title="Which language is a name from? Its letters, one by one")


def joined_input():
    """The shortest RNN: letter and state side by side, one weight."""
    w, h0 = weight(12, 8, name="W"), ts.zeros(1, 8, requires_grad=True).named("h0")
    h = h0
    for t, x in enumerate(ts.zeros(4, 1, 4)):
        with ts.scope(step=t):
            h = (ts.concatenate([x, h], 1) @ w).tanh().named("h")
    return ts.draw(h.sum().named("loss"), title="The shortest RNN: input and state side by side, one weight")


def characters():
    """min-char-rnn: look up, step, logits, and a loss at every step."""
    embed, w_h, w_y, b = weight(10, 8, name="W_xh"), weight(8, 8, name="W_hh"), weight(8, 10, name="W_hy"), weight(10)
    h, losses = ts.zeros(2, 8).named("h0"), []
    for t in range(4):
        with ts.scope(step=t):
            h = (embed[[t, t + 3]] + h @ w_h).tanh().named("h")
            losses.append(nn.cross_entropy(h @ w_y + b.named("b_y"), [t + 1, t + 4]).named("loss of t"))
    return ts.draw(sum(losses[1:], losses[0]).named("loss"), title="min-char-rnn: a loss at every step")


def minimal_gated_unit():
    """A cell of one's own: one gate that forgets and lets in."""

    class Cell(nn.Module):
        def __init__(self, inputs, hidden):
            self.hidden_size = hidden
            self.to_forget, self.to_new = nn.Linear(inputs + hidden, hidden), nn.Linear(inputs + hidden, hidden)

        def forward(self, x, h):
            forget = self.to_forget(ts.concatenate([x, h], -1)).sigmoid().named("forget")
            new = self.to_new(ts.concatenate([x, forget * h], -1)).tanh().named("new")
            return ((1.0 - forget) * h + forget * new).named("h")

    h0 = ts.zeros(2, 8, requires_grad=True).named("h0")
    out, _ = nn.Recurrent(Cell(4, 8))(ts.zeros(3, 2, 4), h0)
    return ts.draw(out.named("out"), title="A cell of one's own: the minimal gated unit")


def chinese():
    """An LSTM whose gates and states have Chinese names, as in docs/zh/terms.md."""
    x, h, c = ts.ones(2, 1, 4), ts.zeros(1, 8), ts.zeros(1, 8)
    w, u = weight(4, 32, name="W"), weight(8, 32, name="U")
    for t in range(2):
        with ts.scope(module="长短期记忆网络", step=t):
            i, f, g, o = (x[t].named("输入") @ w + h @ u).split(8, axis=1)
            i, f = i.sigmoid().named("输入门"), f.sigmoid().named("遗忘门")
            g, o = g.tanh().named("候选记忆元"), o.sigmoid().named("输出门")
            c = (f * c + i * g).named("记忆元")
            h = (o * c.tanh()).named("隐状态")
    return ts.draw(h.sum().named("损失"))


def leaky():
    """A leaky cell: most of the state stays."""
    w, u, h = weight(4, 8, name="W"), weight(8, 8, name="U"), ts.zeros(2, 8).named("h0")
    for t, x in enumerate(ts.zeros(4, 2, 4)):
        with ts.scope(step=t):
            h = (0.9 * h + 0.1 * (x @ w + h @ u).tanh()).named("h")
    return ts.draw(h.sum().named("loss"), title="A leaky cell: 0.9 of the state stays, 0.1 is new")


def words_of_characters():
    """Words are read letter by letter, and the sentence word by word: a loop in every step of a loop."""

    class Reader(nn.Module):
        def __init__(self):
            self.letters, self.words = nn.RNNCell(4, 6, bias=False), nn.RNNCell(6, 8, bias=False)

        def forward(self, sentence):
            state = ts.zeros(1, 8).named("h0")
            for word in sentence:
                with ts.scope(step=f"word: {word}"):
                    h = ts.zeros(1, 6).named("h0")
                    for letter in word:
                        with ts.scope(step=f"letter: {letter}"):
                            h = self.letters(ts.zeros(1, 4), h)
                    state = self.words(h, state)
            return state.named("sentence")

    return ts.draw(Reader()(("to", "be")), title="Words are read letter by letter, the sentence word by word")
