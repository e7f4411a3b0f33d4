"""How far back can a network learn? RNN, LSTM and GRU on two problems that want a long memory, in one figure.

    python demos/long_memory.py              about a minute
    python demos/long_memory.py --quick      a few seconds, to see that it works

The adding problem (Hochreiter and Schmidhuber, 1997): of a sequence of numbers two are marked, the answer is their sum.
The copy problem: some symbols, a long pause, a signal, and then the same symbols are asked for. What a network learns
of the distant past is what the gradient brings back from there, so the figure shows both: the learning, and the reach
of the gradient, by state and by input (`ts.flow.influence`) and by use of the weight (`ts.flow.itemize`), with
truncated backpropagation and clipping beside them. Cut off from the distant past, the LSTM still learns something of
it: its weights are the same at every step.
"""

import argparse
import sys
import time
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from tqdm import trange

import tinygrad_seq as ts
from tinygrad_seq import nn

CELLS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
COLOURS = {"RNN": "#e4572e", "LSTM": "#2e86ab", "GRU": "#3a9d5d", "LSTM, cut": "#7a5195"}
SYMBOLS, COPIED = 4, 3  # of the copy problem: how many there are, how many are to be remembered


class Reader(nn.Module):
    """A recurrent network that answers from its state. An LSTM begins with open forget gates, to remember at first."""

    def __init__(self, cell, inputs, hidden, answers, window=None):
        self.recurrent, self.head = CELLS[cell](inputs, hidden), nn.Linear(hidden, answers)
        self.window, self.memory = window, "c" if cell == "LSTM" else "h"  # where it keeps what it remembers
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


def adding(rng, steps, batch):
    """x (T, B, 2) of values and marks, one mark in each half; y (B) the sum of the marked values."""
    values, marks = rng.random((steps, batch)), np.zeros((steps, batch))
    for low, high in ((0, steps // 2), (steps // 2, steps)):
        marks[rng.integers(low, high, batch), np.arange(batch)] = 1.0
    return np.stack([values, marks], -1).astype("float32"), (values * marks).sum(0).astype("float32")


def copying(rng, steps, batch):
    """Ids (T, B): symbols, a pause of zeros, a signal, zeros; and the symbols (COPIED, B)."""
    ids = np.zeros((steps, batch), int)
    ids[:COPIED] = symbols = rng.integers(1, SYMBOLS + 1, (COPIED, batch))
    ids[-COPIED - 1] = SYMBOLS + 1
    return ids, symbols


def adding_loss(net, rng, steps, batch):
    x, y = adding(rng, steps, batch)
    return nn.mse_loss(net.head(net.states(ts.tensor(x))[-1])[:, 0], ts.tensor(y))


def copying_loss(net, rng, steps, batch):
    ids, symbols = copying(rng, steps, batch)
    return nn.cross_entropy(net.head(net.states(nn.OneHot(SYMBOLS + 2)(ids))[-COPIED:]), symbols)


def train(net, loss_of, optimizer, count, steps, max_norm, seed, name):
    """The loss and the gradient norm of every update; where they leave all bounds it ends."""
    rng, monitor, losses = np.random.default_rng(seed), ts.flow.Monitor(net, max_norm), []
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in trange(count, desc=name, leave=False):
            optimizer.zero_grad()
            loss = loss_of(net, rng, steps, 32)
            losses.append(loss.item())
            if not losses[-1] < 1e12:
                break
            monitor.backward(loss)
            optimizer.step()
    return losses, monitor


def identity_reader(hidden):
    """A relu network whose recurrent weight begins as the identity (Le, Jaitly and Hinton, 2015): it keeps what it
    hears, and adds it up, so that its first gradients are long."""
    net = Reader("RNN", 2, hidden, 1)
    net.recurrent = nn.RNN(2, hidden, bias=False, nonlinearity="relu")
    net.recurrent.weight_hh_l0.assign(np.eye(hidden, dtype="float32"))
    return net


def reach(net, x, y, one):
    """What every answer to one sequence owes to every input, and the last to every state; the length of what each step
    teaches the recurrent weight, over all sequences."""
    net, x = net.to("float64"), x.astype("float64")
    loss = nn.mse_loss(net.head(net.states(ts.tensor(x))[-1])[:, 0], ts.tensor(y.astype("float64")))
    shares = ts.flow.itemize(loss, net.recurrent.weight_hh_l0).norms
    one = ts.tensor(one.astype("float64"), requires_grad=True)
    out = net.states(one)
    windows = [{}] if net.window is None else [{"window": i} for i in range(-(-len(x) // net.window))]
    h = [h_t for window in windows for h_t in ts.flow.states(out, "h", **window)]
    memory = [m for window in windows for m in ts.flow.states(out, net.memory, **window)]
    answers = [net.head(h_t)[0, 0] for h_t in h]
    return ts.flow.influence(answers, one).map, ts.flow.influence(answers[-1], memory).map[0], shares


def smooth(losses):
    width = max(1, min(25, len(losses) // 4))
    return np.convolve(losses, np.ones(width) / width, "valid")


def figure_of(results, copies, clipping, example, window):
    """The whole story on one page: learning above, the reach of the gradient below."""
    figure = Figure(figsize=(18, 13), layout="constrained")
    figure.suptitle("Long memory: a network learns what its gradient can reach", fontsize=24, weight="bold")
    rows = figure.subfigures(3, 1, height_ratios=[1.0, 1.2, 0.75], hspace=0.05)
    above, maps, below = (row.subplots(1, 4, sharey=shared) for row, shared in zip(rows, (False, True, True)))
    style = {name: {"color": colour, "lw": 2, "ls": "--" if "cut" in name else "-"} for name, colour in COLOURS.items()}

    for name, (losses, *_) in results.items():
        above[0].semilogy(smooth(losses), label=name, **style[name])
    above[0].set(title="Adding two marked numbers", xlabel="update", ylabel="squared error")
    for name, losses in copies.items():
        above[1].semilogy(smooth(losses), **style[name])
    above[1].set(title="Copying symbols after a pause", xlabel="update", ylabel="nats per symbol")
    for name, (_, _, seen, _) in results.items():
        back = np.flatnonzero(seen[::-1])
        above[2].semilogy(back, seen[::-1][back], **style[name])
        if len(back) < len(seen):
            above[2].plot(back[-1], seen[::-1][back[-1]], "|", color=COLOURS[name], ms=18, mew=3)
    above[2].set(title="How far the last answer sees", xlabel="steps back", ylim=(1e-12, 30),
                 ylabel=r"$|\partial y_T/\partial s_{T-k}|$")  # fmt: skip
    (wild, longest), (tame, _) = clipping
    above[3].semilogy(smooth(wild), color=COLOURS["RNN"], lw=2, label=f"gradients up to {longest:.0f} long")
    above[3].semilogy(smooth(tame), color="0.25", lw=2, label="the same, clipped to length 1")
    above[3].set(title="Clipping rescues a relu RNN", xlabel="update", ylabel="squared error")
    above[3].legend(frameon=False, fontsize=12)
    for axes, chance, name in (
        (above[0], 1 / 6, "always answering 1"),
        (above[1], np.log(SYMBOLS), "guessing"),
        (above[3], 1 / 6, ""),
    ):
        axes.axhline(chance, color="0.6", lw=1, ls=":", zorder=0)
        axes.annotate(name, (1, chance), (-4, 9), ("axes fraction", "data"), "offset points", ha="right", color="0.4")
    above[0].set_ylim(top=0.9)
    above[1].set_ylim(top=6.0)
    rows[0].legend(handles=above[0].lines[: len(results)], loc="outside upper center", ncols=len(results),
                   frameon=False, fontsize=15)  # fmt: skip

    x, y = example
    marked, colours = np.flatnonzero(x[:, 0, 1]), matplotlib.colormaps["magma"].with_extremes(bad="white")
    for axes, low, (name, (_, influence, _, shares)) in zip(maps, below, results.items(), strict=True):
        with np.errstate(divide="ignore"):
            powers = np.ma.masked_invalid(np.log10(influence))
        image = axes.imshow(powers, vmin=-3, vmax=0, cmap=colours, interpolation="nearest", aspect="auto")
        title = name.replace(", cut", f"\ncut every {window}")
        axes.text(0.96, 0.95, title, color=COLOURS[name], weight="bold", size=20, ha="right", va="top",
                  transform=axes.transAxes, bbox={"color": "white", "pad": 3})  # fmt: skip
        axes.plot(marked, np.full(2, -1.6 * len(x) / 50), "v", color="k", ms=9, clip_on=False)
        axes.set(xlabel="input $x_k$ (▼: marked)", ylim=(len(x) - 0.5, -0.5))
        for cut in range(window, len(x), window) if "cut" in name else ():
            axes.axvline(cut - 0.5, color=COLOURS[name], lw=1, ls="--")
        low.bar(range(len(x)), shares / shares.sum(), color=COLOURS[name], width=0.9)
        low.set(xlabel="step of the use", yscale="log", ylim=(1e-6, 1.5), xlim=(-0.5, len(x) - 0.5))
        low.spines[["top", "right"]].set_visible(False)
    maps[0].set_ylabel("answer $y_t$")
    below[0].set_ylabel("share of the gradient")
    rows[1].colorbar(image, ax=maps, label=r"$\log_{10}\,|\partial y_t/\partial x_k|$", pad=0.01, extend="both")
    numbers = " + ".join(f"{value:.2f}" for value in x[marked, 0, 0])
    rows[1].suptitle(f"What every answer owes to every input; the last should be {y:.2f} = {numbers} "
                     "(white: exactly nothing)", fontsize=16)  # fmt: skip
    rows[2].suptitle("Who taught the recurrent weight: its gradient by the step of its use", fontsize=16)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--length", type=int, default=50, help="steps of the adding problem")
    parser.add_argument("--window", type=int, default=10, help="steps between the cuts of truncated backpropagation")
    parser.add_argument("--updates", type=int, default=1000, help="updates of the weights")
    parser.add_argument("--hidden", type=int, default=32, help="size of the hidden state")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="small and short, to see that it works")
    parser.add_argument("--out", type=Path, default=Path("runs/long_memory"), help="folder for the figure")
    args = parser.parse_args()
    if args.quick:
        args.length, args.window, args.updates, args.hidden = 12, 4, 20, 8
    if min(args.length // 2, args.window, args.updates // 20, args.hidden) < 1:
        raise ValueError("--length must be at least 2, --updates 20, --window and --hidden 1")
    start, (x, y) = time.monotonic(), adding(np.random.default_rng(args.seed + 1), args.length, 32)
    early = abs(x[:, :, 1].argmax(0) - args.length // 8).argmin()
    example = x[:, early : early + 1], y[early]  # one that wants a long memory, to look at

    results = {}
    for name in (*CELLS, "LSTM, cut"):
        ts.manual_seed(args.seed)
        net = Reader(name.split(",")[0], 2, args.hidden, 1, args.window if "cut" in name else None)
        adam = ts.optim.Adam(net.parameters(), lr=0.01)
        losses, _ = train(net, adding_loss, adam, args.updates, args.length, 1.0, args.seed, f"adding, {name}")
        print(f"adding, {name}: squared error {np.mean(losses[-20:]):.4f} (always answering 1: {1 / 6:.4f})")
        results[name] = losses, *reach(net, x, y, example[0])
    copies = {}
    for name in (*CELLS, "LSTM, cut"):
        ts.manual_seed(args.seed)
        steps, window = args.length // 2 + COPIED + 1, args.window if "cut" in name else None
        net = Reader(name.split(",")[0], SYMBOLS + 2, args.hidden, SYMBOLS + 1, window)
        adam = ts.optim.Adam(net.parameters(), lr=0.005)
        copies[name], _ = train(net, copying_loss, adam, 2 * args.updates, steps, 1.0, args.seed, f"copying, {name}")
        print(f"copying, {name}: {np.mean(copies[name][-20:]):.4f} nats per symbol (guessing: {np.log(SYMBOLS):.4f})")
    clipping = []
    for max_norm in (np.inf, 1.0):
        ts.manual_seed(args.seed)
        net, steps = identity_reader(args.hidden), max(2, 3 * args.length // 10)
        sgd = ts.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
        losses, monitor = train(net, adding_loss, sgd, args.updates, steps, max_norm, args.seed, "clipping")
        print(f"clipping at {max_norm}: squared error {np.mean(losses[-20:]):.4f}, {monitor.clipped} clipped, "
              f"gradients of length up to {max(monitor.norms):.3g}")  # fmt: skip
        clipping.append((losses, max(monitor.norms)))

    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "long_memory.png"
    with matplotlib.rc_context({"font.size": 13, "axes.titlesize": 16, "axes.labelsize": 14}):
        figure_of(results, copies, clipping, example, args.window).savefig(path, dpi=100)
    print(f"{path} after {time.monotonic() - start:.0f} seconds")


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, ValueError, OSError) as error:
        sys.exit(f"long_memory: {error}")
