"""Programs without a step of time."""

import derivatives
import numpy as np

import tinygrad_seq as ts
from gallery.weights import weight, weight_of
from tinygrad_seq import nn


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
