"""What does a recurrent network look like when it is unrolled? Cells, depth, directions and the five shapes, drawn.

    python demos/draw_unrolled.py                     eleven pictures in runs/draw_unrolled, and a page for the LSTM
    python demos/draw_unrolled.py lstm --steps 1000   the middle is left out, after it was checked to repeat
    python demos/draw_unrolled.py gru --view rolled   one step, and what it hands to the next

Every picture is what the library recorded while the network ran; nothing here says how to draw one.
"""

from lesson import run

import tinygrad_seq as ts
from tinygrad_seq import nn

INPUTS, HIDDEN, OUTPUTS = 4, 8, 3


def layer(kind, **options):
    """A recurrent layer over a sequence: all its outputs."""
    return lambda steps, device="cpu": (
        kind(INPUTS, HIDDEN, **options).to(device)(ts.randn(steps, 2, INPUTS, device=device))[0].named("out")
    )


def noise(network, *sizes):
    """Random numbers to read, where the network is."""
    return ts.randn(*sizes, device=network.head.weight.device)


class OneToOne(nn.Module):
    """No time at all: one vector in, one out."""

    def __init__(self):
        self.inner, self.head = nn.Linear(INPUTS, HIDDEN), nn.Linear(HIDDEN, OUTPUTS)

    def forward(self, steps):
        return self.head(self.inner(noise(self, 2, INPUTS)).tanh()).named("y")


class OneToMany(nn.Module):
    """One vector in, a sequence out: what came out goes in again (a label becomes a name, an image a caption)."""

    def __init__(self):
        self.start, self.cell = nn.Linear(INPUTS, HIDDEN), nn.RNNCell(OUTPUTS, HIDDEN)
        self.head = nn.Linear(HIDDEN, OUTPUTS)

    def forward(self, steps):
        h, found = self.start(noise(self, 2, INPUTS)).tanh().named("h0"), [0.0 * noise(self, 2, OUTPUTS)]
        for t in range(steps):
            with ts.scope(step=t):
                h = self.cell(found[-1], h)
                found.append(self.head(h).named("y"))
        return found[1:]


class ManyToOne(nn.Module):
    """A sequence in, one answer out (what continent is this city on?)."""

    def __init__(self):
        self.reader, self.head = nn.RNN(INPUTS, HIDDEN), nn.Linear(HIDDEN, OUTPUTS)

    def forward(self, steps):
        return self.head(self.reader(noise(self, steps, 2, INPUTS))[1][0]).named("y")


class ManyToManyAfterReading(nn.Module):
    """A whole sequence is read, then another is written: encoder and decoder (translation)."""

    def __init__(self):
        self.encoder, self.decoder = nn.RNN(INPUTS, HIDDEN), nn.RNN(OUTPUTS, HIDDEN)
        self.head = nn.Linear(HIDDEN, OUTPUTS)

    def forward(self, steps):
        _, thought = self.encoder(noise(self, steps, 2, INPUTS))
        out, _ = self.decoder(noise(self, 2, 2, OUTPUTS), thought)
        return [self.head(h).named("y") for h in out]


class ManyToManyInStep(nn.Module):
    """An answer at every step (the next character, the kind of a word)."""

    def __init__(self):
        self.reader, self.head = nn.RNN(INPUTS, HIDDEN), nn.Linear(HIDDEN, OUTPUTS)

    def forward(self, steps):
        return [self.head(h).named("y") for h in self.reader(noise(self, steps, 2, INPUTS))[0]]


NETWORKS = {
    "rnn": layer(nn.RNN),
    "lstm": layer(nn.LSTM),
    "gru": layer(nn.GRU),
    "stacked": layer(nn.RNN, num_layers=2),
    "bidirectional": layer(nn.RNN, bidirectional=True),
    "deep_bidirectional_lstm": layer(nn.LSTM, num_layers=2, bidirectional=True),
    "one_to_one": lambda steps, device="cpu": OneToOne().to(device)(steps),
    "one_to_many": lambda steps, device="cpu": OneToMany().to(device)(steps),
    "many_to_one": lambda steps, device="cpu": ManyToOne().to(device)(steps),
    "many_to_many_after_reading": lambda steps, device="cpu": ManyToManyAfterReading().to(device)(steps),
    "many_to_many_in_step": lambda steps, device="cpu": ManyToManyInStep().to(device)(steps),
}


def main(args):
    written = []
    for name in args.networks or NETWORKS:
        drawing = ts.draw(NETWORKS[name](args.steps, args.device), view=args.view)
        for kind in args.format or ("svg", "html") if name == "lstm" else args.format or ("svg",):
            written.append(args.out / f"{name}.{kind}")
            drawing.save(written[-1])
    return written


if __name__ == "__main__":
    run(main, __doc__, steps=(3, "steps of the sequence"),
        networks={"flag": "networks", "nargs": "*", "choices": [*NETWORKS, []], "metavar": "network",
                  "help": "which (default: all): " + ", ".join(NETWORKS)},
        view={"flag": "--view", "choices": ("unrolled", "rolled"), "default": "unrolled"},
        format={"flag": "--format", "choices": ("svg", "html", "png", "pdf", "dot", "json"), "nargs": "+"})  # fmt: skip
