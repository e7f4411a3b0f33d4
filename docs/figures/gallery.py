"""The programs of the gallery, by name: each a function that returns its picture.

`make.py` draws them as the figures of this folder; a test measures that in none of them a line runs through a node, a
text leaves its box, or a label lies on another.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np

import tinygrad_seq as ts
from tinygrad_seq import nn

sys.path.append(str(Path(__file__).parents[2] / "demos"))

import derivatives
import draw_unrolled
import gradient_flow

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def weight(*shape, name=None):
    """A Parameter of the same numbers everywhere."""
    made = nn.Parameter(np.linspace(-0.5, 0.5, int(np.prod(shape))).reshape(shape).astype("float32"))
    return made.named(name) if name else made


def weight_of(number, name):
    """A Parameter of one number."""
    return nn.Parameter(number).named(name)


# ------------------------------------------------------------------------------------------------------ without time


def neuron():
    """A neuron by hand, and the numbers of its forward and its backward."""
    x, w, b = ts.tensor(2.0, requires_grad=True).named("x"), weight_of(-3.0, "w"), weight_of(6.5, "b")
    y = (x * w + b).tanh().named("y")
    y.backward(retain_graph=True)
    return ts.draw(y, title="A neuron: y = tanh(x w + b)")


def expression():
    """The expression that micrograd's README begins with."""
    a, b = (ts.tensor(value, requires_grad=True).named(name) for name, value in (("a", -4.0), ("b", 2.0)))
    c = (a + b).named("c1")
    d = (a * b + b**3).named("d1")
    c = (c + c + 1.0).named("c2")
    c = (c + 1.0 + c - a).named("c3")
    d = (d + d * 2.0 + (b + a).relu()).named("d2")
    d = (d + 3.0 * d + (b - a).relu()).named("d3")
    e = (c - d).named("e")
    f = (e**2).named("f")
    g = (f / 2.0 + 10.0 / f).named("g")
    g.backward(retain_graph=True)
    return ts.draw(g, title="micrograd's expression of a and b")


def mlp_of_neurons():
    """A network of single numbers, neuron by neuron: two inputs, two hidden neurons, one output."""
    values = [ts.tensor(x).named(f"x{i}") for i, x in enumerate((2.0, -1.0))]
    for layer, (weights, biases) in enumerate((("uv", "ab"), ("w", "c"))):
        with ts.scope(layer=layer):
            found = []
            for n, (name, bias) in enumerate(zip(weights, biases)):
                with ts.scope(neuron=n):
                    total = weight_of(0.1, bias)
                    for i, x in enumerate(values):
                        total = total + x * weight_of(0.3 * n + 0.2 * i - 0.1, f"{name}{i}")
                    found.append(total.tanh().named(f"n{n}"))
            values = found
    return ts.draw(values[0].named("y"), title="Neurons in two layers, number by number")


def cross_entropy():
    """Softmax and its loss by hand."""
    x, w = ts.ones(4, 3).named("x"), weight(3, 5, name="W")
    logits = (x @ w).named("logits")
    counts = logits.exp().named("counts")
    probs = (counts / counts.sum(1, keepdims=True)).named("probs")
    loss = (-probs[np.arange(4), [0, 2, 4, 1]].log().mean()).named("loss")
    return ts.draw(loss, title="Softmax and cross-entropy by hand")


def mlp():
    """Embedding, hidden layer, logits, loss: no step anywhere."""

    class Bigram(nn.Module):
        def __init__(self):
            self.embed, self.hidden, self.head = nn.Embedding(10, 4), nn.Linear(4, 8), nn.Linear(8, 10)

        def forward(self, ids):
            return self.head(self.hidden(self.embed(ids)).tanh())

    loss = nn.cross_entropy(Bigram()([1, 2, 3]), [4, 5, 6]).named("loss")
    return ts.draw(loss, title="The next letter from one letter: an MLP, no steps")


def tree():
    """A sentence as a tree: the same weights at every fork."""
    w, b = weight(8, 4, name="W"), weight(4, name="b")
    words = iter([ts.ones(1, 4, requires_grad=True).named(word) for word in ("the", "cat", "sat", "on", "the", "mat")])

    def meaning(fork):
        if fork is None:
            return next(words)
        left, right = map(meaning, fork)
        return (ts.concatenate([left, right], 1) @ w + b).tanh().named("meaning")

    sentence = meaning(((None, None), (None, (None, (None, None))))).named("sentence")
    return ts.draw(sentence, show=None, title="A sentence as a tree")


def derivative(order):
    """A derivative of tanh, which is the gradient of the one before: the third beside these."""
    titles = (
        "tanh′ x = 1 − tanh² x, as recorded", "tanh′′ x = −2 tanh x tanh′ x, as recorded",
        "tanh′ x, tanh′′ x and tanh′′′ x, as recorded",
    )  # fmt: skip
    found = derivatives.derivatives(order)[1]
    return ts.draw(found[1:] if order == 3 else found[order], title=titles[order - 1])


# --------------------------------------------------------------------------------------------------- loops by hand


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


# ---------------------------------------------------------------------------------------------- windows and two loops


def short(kind, *sizes, of=""):
    """A recurrent layer or cell without biases, whose weights have names as in a formula: more goes on a sheet."""
    made = kind(*sizes, bias=False)
    for (_, found), name in zip(list(made.named_parameters()), "WU"):
        found.named(name + of)
    return made


def windows(count, steps):
    """Windows of truncated backpropagation: the state goes on, the gradient does not."""
    layer = ts.truncated(short(nn.RNN, 4, 8))
    outs = []
    for number in range(count):
        with ts.scope(window=number):
            outs.append(layer(ts.zeros(steps, 2, 4)))
    title = f"Truncated backpropagation: {count} windows of {steps} steps, one state"
    return ts.draw(ts.concatenate(outs).named("out"), title=title)


def windows_by_hand():
    """Three windows of two steps; each has its loss."""
    rnn, state, losses = short(nn.RNN, 4, 8), None, []
    for number in range(3):
        with ts.scope(window=number):
            out, state = rnn(ts.zeros(2, 2, 4), state)
            losses.append((out**2).mean().named("loss"))
        state = state.detach()
    loss = ts.stack(losses).sum().named("loss")
    return ts.draw(loss, title="Truncated backpropagation by hand: a loss for each window")


def translation(view="unrolled"):
    """An encoder reads, a decoder writes; what it should have written goes in (teacher forcing)."""

    class Translator(nn.Module):
        def __init__(self):
            self.source, self.target = nn.Embedding(10, 4), nn.Embedding(12, 4)
            self.encoder, self.decoder = (short(nn.RNN, 4, 8, of=name) for name in ("_read", "_write"))
            self.head = nn.Linear(8, 12)

        def forward(self, read, written):
            _, thought = self.encoder(self.source(read))
            return self.head(self.decoder(self.target(written), thought)[0])

    logits = Translator()([[1], [2], [3]], [[0], [4]])
    title = "Translation: an encoder reads, a decoder writes"
    return ts.draw(nn.cross_entropy(logits, [[4], [1]]).named("loss"), view=view, title=title)


def attention():
    """Every step of a decoder looks at all states of the encoder."""

    class Attention(nn.Module):
        def __init__(self):
            self.encoder, self.decoder = short(nn.RNN, 4, 8, of="_read"), short(nn.RNNCell, 12, 8, of="_write")
            self.head = nn.Linear(8, 5)

        def forward(self, read, written):
            states = self.encoder(read)[0].named("states")
            h, found = states[-1], []
            for t, x in enumerate(written):
                with ts.scope(step=t):
                    scores = (states * h).sum(2, keepdims=True).named("scores")
                    context = (scores.softmax(0) * states).sum(0).named("context")
                    h = self.decoder(ts.concatenate([x, context], 1), h)
                    found.append(self.head(h).named("y"))
            return ts.stack(found).named("out")

    title = "Attention: every step of the decoder looks at all states of the encoder"
    return ts.draw(Attention()(ts.zeros(3, 1, 4), ts.zeros(2, 1, 4)), title=title)


def attention_over_steps():
    """Attention that is written state by state: every step of the decoder reads the state of every step before it."""

    class Attention(nn.Module):
        def __init__(self):
            self.encoder, self.decoder = short(nn.RNNCell, 4, 8, of="_read"), short(nn.RNNCell, 8, 8, of="_write")

        def forward(self, read, steps):
            h, states, found = ts.zeros(1, 8), [], []
            for t, x in enumerate(read):
                with ts.scope(step=t):
                    h = self.encoder(x, h).named("read")
                    states.append(h)
            for t in range(steps):
                with ts.scope(step=t):
                    scores = [(h * state).sum(1, keepdims=True).named("score") for state in states]
                    shares = ts.concatenate(scores, 1).softmax(1).named("shares").split(1, 1)
                    first, second = (share * state for share, state in zip(shares, states))
                    h = self.decoder((first + second).named("context"), h)
                    found.append(h)
            return ts.stack(found).named("out")

    return ts.draw(Attention()(ts.zeros(2, 1, 4), 2), title="Attention, state by state")


def tied_weights():
    """The embedding is the output layer, too."""
    embed, rnn = nn.Embedding(10, 8), nn.RNN(8, 8)
    out, _ = rnn(embed([[1], [2], [3]]))
    embed.weight.named("embedding")
    loss = nn.cross_entropy(out @ embed.weight.T, [[2], [3], [4]]).named("loss")
    return ts.draw(loss, title="Tied weights: the embedding is the output layer, too")


# ------------------------------------------------------------------------------------------------- layers and numbers


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


both, rolled, plain = ", read in both directions", ", rolled up: one step stands for all", ", without biases"
padded = " over two sequences of 3 and 1 steps: a mask keeps the state of the one that has ended"
NETWORKS = {
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "stacked": "RNN in two layers",
    "bidirectional": f"RNN{both}",
    "one_to_one": "One to one: a vector in, a vector out",
    "one_to_many": "One to many: what came out goes in again",
    "many_to_one": "Many to one: an answer at the end",
    "many_to_many_after_reading": "Many to many: read first, then write",
    "many_to_many_in_step": "Many to many: an answer at every step",
}
GALLERY = {
    "values": neuron,
    "micrograd": expression,
    "micrograd_mlp": mlp_of_neurons,
    "cross_entropy": cross_entropy,
    "mlp": mlp,
    "tree": tree,
    **{f"tanh_{n}": partial(derivative, n) for n in (1, 2, 3)},
    "backward": backwards,
    "found": from_scratch,
    "names": names,
    "joined_input": joined_input,
    "characters": characters,
    "minimal_gated_unit": minimal_gated_unit,
    "chinese": chinese,
    "leaky": leaky,
    "words_of_characters": words_of_characters,
    "truncated": partial(windows, 2, 2),
    "three_windows": partial(windows, 3, 2),
    "windows_by_hand": windows_by_hand,
    "translation": translation,
    "attention": attention,
    "attention_over_steps": attention_over_steps,
    "tied_weights": tied_weights,
    **{name: partial(network, name) for name in NETWORKS},
    "many_to_many_after_reading": partial(network, "many_to_many_after_reading", 2),  # so it goes on one sheet
    "deep_bidirectional_lstm": partial(
        layer, "lstm", f" in two layers{both}: 3 folded steps", depth=3, bidirectional=True, num_layers=2, bias=False
    ),
    **{f"{kind}_2_layers": partial(layer, kind, " in two layers", num_layers=2) for kind in ("lstm", "gru")},
    **{f"{kind}_3_layers": partial(layer, kind, f" in 3 layers{plain}", num_layers=3, bias=False) for kind in CELLS},
    **{f"{kind}_both": partial(layer, kind, both, bidirectional=True) for kind in ("lstm", "gru")},
    "rnn_both_2_layers": partial(
        layer, "rnn", f" in two layers{both}{plain}", 2, bidirectional=True, num_layers=2, bias=False
    ),
    **{f"{kind}_lengths": partial(layer, kind, padded, lengths=[3, 1]) for kind in CELLS},
    "dropout": partial(layer, "gru", " in two layers, dropout between them", num_layers=2, dropout=0.5),
    "lstm_1000": partial(network, "lstm", 1000, (2, 1)),
    "lstm_100_both": partial(layer, "lstm", both, 100, shown=(1, 1), bidirectional=True, bias=False),
    **{f"{kind}_rolled": partial(layer, kind, rolled, 100, "rolled") for kind in CELLS},
    "translation_rolled": partial(translation, "rolled"),
    "lstm_rolled_layers": partial(
        layer, "lstm", f" in two layers{both}{rolled}", 100, "rolled", num_layers=2, bidirectional=True, bias=False
    ),
    "vanishing": partial(gradient, "vanishing"),
    "healthy": partial(gradient, "healthy"),
    "itemised": itemised,
    "nan_path": nan_path,
    **{f"{kind}_backward": partial(backward_of, kind) for kind in CELLS},
}
