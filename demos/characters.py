"""What the demos about texts share: a character-level language model, how to judge it, and how to let it write."""

import numpy as np

import tinygrad_seq as ts
from tinygrad_seq import nn

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class LanguageModel(nn.Module):
    """Ids of characters (T, B) -> logits of the next character (T, B, characters), and the state to go on from."""

    def __init__(self, characters, hidden, cell):
        self.embedding = nn.Embedding(characters, 64)
        self.recurrent = CELLS[cell](64, hidden)
        self.head = nn.Linear(hidden, characters)

    def forward(self, ids, state=None):
        out, state = self.recurrent(self.embedding(ids), state)
        return self.head(out), state


def held_out_loss(model, ids):
    """Mean loss in nats per character, over a text read in up to eight streams."""
    windows, losses = ts.truncated(model), []
    with ts.no_grad():
        for x, y in ts.data.bptt_batches(ids, min(8, len(ids) // 2), 256):
            losses.append((nn.cross_entropy(windows(x), y).item(), y.size))
    return sum(loss * n for loss, n in losses) / sum(n for _, n in losses)


def counted_loss(learned, held_out, characters, before=2):
    """The same of a table that counts which character followed each pair (or single one) of characters."""
    common = np.bincount(learned, minlength=characters) + 1.0
    key = lambda ids: sum(ids[k : len(ids) - before + k] * characters ** (before - 1 - k) for k in range(before))
    counts = np.zeros((characters**before, characters))
    np.add.at(counts, (key(learned), learned[before:]), 1)
    rows = counts[key(held_out)] + 5 * common / common.sum()  # what was never seen is as common as single characters
    return -np.log(rows[np.arange(len(rows)), held_out[before:]] / rows.sum(1)).mean()


def write(model, vocabulary, length, seed, temperature=0.6):
    """Let the network write: every character is drawn from what it predicts, and read in turn."""
    generator, ids, state = np.random.default_rng(seed), [0], None
    with ts.no_grad():
        for _ in range(length):
            logits, state = model(np.array([ids[-1:]]), state)
            p = (logits[-1, 0] / temperature).softmax().numpy().astype("float64")
            ids.append(generator.choice(len(p), p=p / p.sum()))
    return vocabulary.decode(ids[1:])


def draw_unrolled(model, ids, folder):
    """Draw the network over a few characters, unrolled, with the gradient on its way back; as a picture and a page."""
    ((x, y),) = ts.data.bptt_batches(ids, 1, len(ids) - 1)
    loss = nn.cross_entropy(model(x)[0], y).named("loss")
    model.zero_grad()
    loss.backward(retain_graph=True)
    drawing = ts.draw(loss, show="gradient")
    for kind in ("svg", "html"):
        drawing.save(folder / f"unrolled.{kind}")
