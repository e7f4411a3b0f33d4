"""An encoder reads, a decoder writes: one loop after another."""

import tinygrad_seq as ts
from gallery.weights import short
from tinygrad_seq import nn


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
