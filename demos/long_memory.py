"""How far back can a network learn? RNN, LSTM and GRU on a problem that wants a long memory, in one figure.

    python demos/long_memory.py              a minute

The adding problem (Hochreiter and Schmidhuber, 1997): of a sequence of numbers two are marked, the answer is their sum.
What a network learns of the distant past is what the gradient brings back from there, so the figure shows both: the
learning, and the reach of the gradient, by state and by input (`ts.flow.influence`) and by use of the weight
(`ts.flow.itemize`), with truncated backpropagation beside them. Cut off from the distant past, the LSTM still learns
something of it: its weights are the same at every step.
"""

from operator import itemgetter

import numpy as np
from lesson import ACCENT, GREEN, INK, VIOLET, adding, run, score, smooth, train
from matplotlib import colormaps
from matplotlib.figure import Figure

import tinygrad_seq as ts
from tinygrad_seq import nn

CELLS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
COLOURS = {"RNN": ACCENT, "LSTM": INK, "GRU": GREEN, "LSTM, cut": VIOLET}


class Reader(nn.Module):
    """A recurrent network that answers from its state. An LSTM begins with open forget gates, to remember at first."""

    def __init__(self, cell, hidden, window=None):
        self.recurrent, self.head, self.window = CELLS[cell](2, hidden), nn.Linear(hidden, 1), window
        self.memory = "c" if cell == "LSTM" else "h"  # where it keeps what it remembers
        if cell == "LSTM":
            bias = self.recurrent.bias_ih_l0
            bias.assign(bias.numpy() + 3.0 * (np.arange(4 * hidden) // hidden == 1).astype("float32"))

    def states(self, x):
        """Every hidden state (T, B, H); the gradient goes back without end, or not beyond its window."""
        if self.window is None:
            return self.recurrent(x)[0]
        layer, outs = ts.truncated(self.recurrent), []
        for i, piece in enumerate(x.split(self.window)):
            with ts.scope(window=i):
                outs.append(layer(piece))
        return ts.concatenate(outs)

    def forward(self, x):
        return self.head(self.states(x)[-1])[:, 0]


def reach(net, x, y, device):
    """What every answer to the first sequence owes to every input, and the last to every state; the length of what each
    step teaches the recurrent weight, over all sequences."""
    net, tensor = net.to("float64"), lambda array: ts.tensor(array.astype("float64"), requires_grad=True, device=device)
    shares = ts.flow.itemize(nn.mse_loss(net(tensor(x)), tensor(y).detach()), net.recurrent.weight_hh_l0).norms
    one = tensor(x[:, :1])
    out = net.states(one)
    windows = [{}] if net.window is None else [{"window": i} for i in range(-(-len(x) // net.window))]
    h, memory = ([s for window in windows for s in ts.flow.states(out, name, **window)] for name in ("h", net.memory))
    answers = [net.head(h_t)[0, 0] for h_t in h]
    return ts.flow.influence(answers, one).map, ts.flow.influence(answers[-1], memory).map[0], shares


def main(args):
    rng = np.random.default_rng(args.seed + 1)
    test, (x, y) = adding(rng, args.steps, 1000), adding(rng, args.steps, 32)
    early = abs(x[:, :, 1].argmax(0) - args.steps // 8).argmin()  # one that wants a long memory, to look at: first
    x, y = np.roll(x, -early, 1), np.roll(y, -early)
    results, errors = {}, {}
    for name in COLOURS:
        ts.manual_seed(args.seed)
        rng = np.random.default_rng(args.seed)
        net = Reader(name.split(",")[0], args.hidden, args.window if "cut" in name else None).to(args.device)

        def loss_of(net=net, rng=rng):
            inputs, sums = (ts.tensor(part, device=args.device) for part in adding(rng, args.steps, 32))
            return nn.mse_loss(net(inputs), sums)

        losses = train(net, loss_of, args.updates, lr=0.01, name=name)
        with ts.no_grad():
            errors[name] = float(np.mean((net(ts.tensor(test[0], device=args.device)).numpy() - test[1]) ** 2))
        results[name] = losses, *reach(net, x, y, args.device)
    baseline = {"always 1": float(np.mean((1.0 - test[1]) ** 2))}
    score(f"Squared error on 1000 new sequences of {args.steps} numbers:",
          dict(sorted(errors.items(), key=itemgetter(1))) | baseline, digits=4, higher=False, networks=4)  # fmt: skip

    made = Figure(figsize=(16, 12), layout="constrained")
    made.suptitle("Long memory: a network learns what its gradient can reach", fontsize=20)
    rows = made.subfigures(3, 1, height_ratios=[1.0, 1.1, 0.8])
    learning, seeing = rows[0].subplots(1, 2)
    maps, below = rows[1].subplots(1, 4), rows[2].subplots(1, 4, sharey=True)
    for (name, (losses, influence, seen, shares)), axes, low in zip(results.items(), maps, below):
        style = {"color": COLOURS[name], "lw": 2, "ls": "--" if "cut" in name else "-"}
        learning.semilogy(smooth(losses), label=name, **style)
        back = np.flatnonzero(seen[::-1])
        seeing.semilogy(back, seen[::-1][back], **style)
        powers = np.ma.masked_equal(influence, 0.0)
        image = axes.imshow(np.ma.log10(powers), vmin=-3, vmax=0, cmap=colormaps["magma"].with_extremes(bad="white"))
        axes.plot(np.flatnonzero(x[:, 0, 1]), [-1.5] * 2, "v", color="k", ms=8, clip_on=False)
        axes.set(title=f"{name}\n", xlabel="input $x_k$ (▼: marked)", ylabel="answer $y_t$")
        axes.set_ylim(args.steps - 0.5, -0.5)
        low.bar(range(args.steps), shares / shares.sum(), color=COLOURS[name], width=0.9)
        low.set(xlabel="step of the use", yscale="log", ylim=(1e-6, 1.5))
    learning.axhline(1 / 6, color="0.6", lw=1, ls=":", label="always 1")
    learning.set(title="Adding two marked numbers", xlabel="update", ylabel="squared error")
    learning.legend(frameon=False)
    seeing.set(title="How far the last answer sees (where a line ends, it is exactly 0)", xlabel="steps back",
               ylabel=r"$|\partial y_T/\partial s_{T-k}|$", ylim=(1e-12, 30))  # fmt: skip
    rows[1].colorbar(image, ax=maps, label=r"$\log_{10}\,|\partial y_t/\partial x_k|$", extend="both")
    numbers = " + ".join(f"{value:.2f}" for value in x[x[:, 0, 1] > 0, 0, 0])
    rows[1].suptitle(f"What every answer owes to every input; the last should be {y[0]:.2f} = {numbers} (white: 0)")
    rows[2].suptitle("Who taught the recurrent weight: the share of its gradient, by the step of its use")
    made.savefig(args.out / "long_memory.png", dpi=100)
    return [args.out / "long_memory.png"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 4, "hidden": 4, "steps": 12, "window": 4}, steps=(40, "numbers in a sequence"),
        window=(10, "steps between two cuts"), hidden=(32, "size of the state"),
        updates=(1000, "updates of the weights"))  # fmt: skip
