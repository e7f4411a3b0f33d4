"""What does clipping a gradient do? It turns a network that explodes into one that learns.

    python demos/clipping.py                   a quarter of a minute

A relu network whose recurrent weight begins as the identity (Le, Jaitly and Hinton, 2015) keeps what it hears and adds
it up: just what the adding problem wants. But what is kept for 15 steps is multiplied 15 times on the way back, and one
step along such a gradient can throw the weights away. Clipped, the gradient keeps its direction, and no more than a
length of 1 (Pascanu, Mikolov and Bengio, 2013). Everything else is the same in both runs.
"""

import numpy as np
from lesson import ACCENT, INK, QUIET, adding, figure, run, score, smooth
from tqdm import trange

import tinygrad_seq as ts
from tinygrad_seq import nn


class Adder(nn.Module):
    """Numbers and marks (T, B, 2) -> a sum for each sequence (B,)."""

    def __init__(self, hidden):
        self.rnn, self.head = nn.RNN(2, hidden, bias=False, nonlinearity="relu"), nn.Linear(hidden, 1)
        self.rnn.weight_hh_l0.assign(np.eye(hidden, dtype="float32"))

    def forward(self, x):
        return self.head(self.rnn(x)[0][-1])[:, 0]


def main(args):
    x_new, y_new = adding(np.random.default_rng(args.seed + 1), args.steps, 1000)
    x_new, errors = ts.tensor(x_new, device=args.device), {}
    made, (left, right) = figure(11, 4.2, 1, 2)
    for name, max_norm, colour in (("clipped to length 1", 1.0, INK), ("not clipped", np.inf, ACCENT)):
        ts.manual_seed(args.seed)
        rng, losses = np.random.default_rng(args.seed), []
        model = Adder(args.hidden).to(args.device)
        monitor = ts.flow.Monitor(model, max_norm)  # runs the backward, clips, and keeps the lengths
        optimizer = ts.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in trange(args.updates, desc=name, leave=False):
                x, y = (ts.tensor(part, device=args.device) for part in adding(rng, args.steps, 32))
                optimizer.zero_grad()
                loss = nn.mse_loss(model(x), y)
                losses.append(loss.item())
                if not losses[-1] < 1e12:
                    break
                monitor.backward(loss)
                optimizer.step()
            with ts.no_grad():
                errors[name] = float(np.mean((model(x_new).numpy() - y_new) ** 2))
        longest = max(monitor.norms)
        print(f"{name}: {monitor.clipped} of {len(monitor.norms)} gradients clipped, the longest was {longest:.3g}")
        left.semilogy(smooth(losses), color=colour, label=name)
        right.semilogy(range(1, 1 + len(monitor.norms[:50])), monitor.norms[:50], "o-", color=colour, ms=4, label=name)
    score(f"Squared error on 1000 new sequences of {args.steps} numbers:",
          errors | {"always 1": float(np.mean((1.0 - y_new) ** 2))}, digits=4, higher=False)  # fmt: skip
    left.axhline(1 / 6, color=QUIET, ls=":", label="always 1")
    left.set(title="Adding two marked numbers", xlabel="update", ylabel="squared error")
    right.axhline(1.0, color=QUIET, ls=":", label="where it is clipped")
    right.set(title="Length of the first gradients, before they are clipped", xlabel="update")
    for axes in (left, right):
        axes.legend(frameon=False)
    made.savefig(args.out / "clipping.png", dpi=150)
    return [args.out / "clipping.png"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 4, "hidden": 4, "steps": 4}, steps=(15, "numbers in a sequence"),
        hidden=(32, "size of the state"), updates=(800, "updates of the weights"))  # fmt: skip
