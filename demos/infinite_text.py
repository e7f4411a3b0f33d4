"""How can a network read a sequence that is too long to keep? Two ways, and what each costs.

    python demos/infinite_text.py              a minute

Backpropagation through time keeps every step until the end. Truncated, it reads windows, hands the state on and cuts
the gradient: the memory of one window, and nothing learned that reaches further. Checkpointed, it keeps one state of
each window and computes the rest again on the way back: a little more memory, the whole gradient, more time. The task
wants a memory of the whole sequence: a symbol at its beginning, noise, and the question at the end which it was.
"""

import time
import tracemalloc

import numpy as np
from lesson import ACCENT, GREEN, QUIET, figure, run, score, smooth, train

import tinygrad_seq as ts
from tinygrad_seq import nn

SYMBOLS, NOISE = 4, 4  # how many there are of each; one more id asks


class Reader(nn.Module):
    """Ids (T, B) -> scores of the symbol that was at the beginning (B, SYMBOLS)."""

    def __init__(self, hidden, window, way):
        self.one_hot, self.gru = nn.OneHot(SYMBOLS + NOISE + 1), nn.GRU(SYMBOLS + NOISE + 1, hidden)
        self.head, self.window, self.way = nn.Linear(hidden, SYMBOLS), window, way
        bias = self.gru.bias_ih_l0  # reset, update, new: it begins with updates that keep most of the state
        bias.assign(bias.numpy() + 5.0 * (np.arange(3 * hidden) // hidden == 1).astype("float32"))

    def read(self, ids, h):
        return self.gru(self.one_hot(ids), h)[1]

    def forward(self, ids):
        h = ts.zeros(1, ids.shape[1], self.gru.hidden_size, device=self.head.weight.device)
        for start in range(0, len(ids), self.window):
            piece = ids[start : start + self.window]
            h = ts.checkpoint(self.read, piece, h) if self.way == "checkpointed" else self.read(piece, h)
            if self.way == "truncated" and start + self.window < len(ids):
                h = h.detach()
        return self.head(h[0])


def remembering(rng, steps, batch):
    """Return ids (T, B), and the symbols that they begin with (B,)."""
    ids = rng.integers(SYMBOLS, SYMBOLS + NOISE, (steps, batch))
    ids[0] = symbols = rng.integers(0, SYMBOLS, batch)
    ids[-1] = SYMBOLS + NOISE
    return ids, symbols


def memory(model, ids, symbols):
    """Return how many bytes of the host a forward and a backward hold at most."""
    tracemalloc.start()
    nn.cross_entropy(model(ids), symbols).backward()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def main(args):
    test = remembering(np.random.default_rng(args.seed + 1), args.steps, 500)
    held, right, curves = {}, {}, {}
    for way in ("everything kept", "checkpointed", "truncated"):
        ts.manual_seed(args.seed)
        rng = np.random.default_rng(args.seed)
        model = Reader(args.hidden, args.window, way).to(args.device)
        held[way] = memory(model, *remembering(rng, args.steps, 32)) / 1e6
        if way == "everything kept":  # its gradient is that of the checkpointed one: only the memory is of interest
            continue

        def loss_of(model=model, rng=rng):
            ids, symbols = remembering(rng, args.steps, 32)
            return nn.cross_entropy(model(ids), symbols)

        start = time.process_time()
        curves[way] = train(model, loss_of, args.updates, lr=0.01, name=way)
        seconds = time.process_time() - start
        with ts.no_grad():
            right[way] = 100 * np.mean(model(test[0]).numpy().argmax(-1) == test[1])
        print(f"{way}: {held[way]:.1f} MB at most, {seconds:.0f} seconds, {right[way]:.1f} % right")
    print(f"everything kept: {held['everything kept']:.1f} MB at most, and the same gradient as checkpointed")
    score(f"Share of 500 new sequences of {args.steps} whose first symbol is named:",
          right | {"guessing": 100 / SYMBOLS}, " %", of=500)  # fmt: skip

    made, (left, middle) = figure(11, 4, 1, 2)
    colours = {"everything kept": QUIET, "checkpointed": GREEN, "truncated": ACCENT}
    for way, losses in curves.items():
        left.plot(smooth(losses, 9), color=colours[way], label=f"{way}: {right[way]:.0f} % right in the end")
    left.axhline(np.log(SYMBOLS), color=QUIET, ls=":", label="guessing")
    left.set(title=f"What was the symbol {args.steps} steps ago?", xlabel="update", ylabel="nats", ylim=(0, 1.8))
    left.legend(frameon=False)
    middle.barh(list(held), list(held.values()), color=[colours[way] for way in held])
    for row, megabytes in enumerate(held.values()):
        middle.text(megabytes, row, f" {megabytes:.1f} MB", va="center")
    middle.set(title="Memory of one update", xlabel="MB at most", xlim=(0, 1.25 * max(held.values())))
    made.savefig(args.out / "memory_and_reach.png", dpi=150)
    small = Reader(4, 3, "truncated").to(args.device)
    ts.draw(small(test[0][:6, :1]), steps=(3, 3)).save(args.out / "truncated.svg")
    return [args.out / "memory_and_reach.png", args.out / "truncated.svg"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2, "hidden": 4, "steps": 6, "window": 3},
        steps=(200, "length of a sequence"), window=(20, "steps between two cuts, or two checkpoints"),
        hidden=(32, "size of the state"), updates=(200, "updates of the weights"))  # fmt: skip
