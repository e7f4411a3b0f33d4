"""What does it take to try a cell from a paper? Ten lines of equations; the rest is there already.

    python demos/own_cell.py                   three quarters of a minute
    python demos/own_cell.py --replay          the training step as a program; --compile compiles it

The minimal gated unit (Zhou, Wu, Zhang and Zhou, 2016) has one gate, where an LSTM has three. As a map from x_t and
h_{t-1} to h_t it is run over sequences by `nn.Recurrent`, drawn with its names, checked against finite differences, and
its gradient split by step, with no further work. Then it is tried on the adding problem (Hochreiter and Schmidhuber,
1997): two numbers of a sequence are marked, the answer is their sum. A plain RNN tries it, too.
"""

from functools import partial
from itertools import count

import numpy as np
from lesson import ACCENT, INK, PROGRAM, QUIET, adding, as_program, figure, run, score, smooth, train

import tinygrad_seq as ts
from tinygrad_seq import nn


class MinimalGatedUnit(nn.Module):
    def __init__(self, inputs, hidden):
        self.hidden_size = hidden
        self.gate, self.candidate = nn.Linear(inputs + hidden, hidden), nn.Linear(inputs + hidden, hidden)

    def forward(self, x, h):
        forget = self.gate(ts.concatenate([x, h], -1)).sigmoid().named("forget")
        new = self.candidate(ts.concatenate([x, forget * h], -1)).tanh().named("new")
        return ((1.0 - forget) * h + forget * new).named("h")


class Adder(nn.Module):
    """Numbers and marks (T, B, 2) -> a sum for each sequence (B,)."""

    def __init__(self, recurrent, hidden):
        self.recurrent, self.head = recurrent, nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.recurrent(x)
        return self.head(out[-1])[:, 0]


def main(args):
    small = nn.Recurrent(MinimalGatedUnit(2, 3)).to(args.device)
    loss = small(ts.randn(4, 2, 2, device=args.device))[0].sum().named("loss")
    loss.backward(retain_graph=True)
    ts.draw(loss, show="gradient").save(args.out / "unrolled.svg")
    exact = nn.Recurrent(MinimalGatedUnit(2, 3)).to("float64").to(args.device)
    x = ts.tensor(args.rng.normal(size=(4, 2, 2)), requires_grad=True, device=args.device)
    h = ts.tensor(args.rng.normal(size=(2, 3)), requires_grad=True, device=args.device)
    print(f"its gradient is that of finite differences: {ts.gradcheck(lambda x, h: exact(x, h)[0], [x, h])}")

    errors, losses, shares = {}, {}, {}
    x_new, y_new = adding(np.random.default_rng(args.seed + 1), args.steps, 1000)
    x_new = ts.tensor(x_new, device=args.device)
    batches = (map(partial(ts.tensor, device=args.device), adding(args.rng, args.steps, 32)) for _ in count())
    gated, plain = nn.Recurrent(MinimalGatedUnit(2, args.hidden)), nn.RNN(2, args.hidden)
    for name, recurrent, weight in (
        ("minimal gated unit", gated, gated.cell.gate.weight),
        ("plain RNN", plain, plain.weight_hh_l0),
    ):
        model = Adder(recurrent, args.hidden).to(args.device)

        losses[name] = train(model, lambda x, y, model=model: nn.mse_loss(model(x), y), args.updates, name=name,
                             batches=batches, program=partial(as_program, args=args))  # fmt: skip
        answers = model(x_new)
        errors[name] = float(np.mean((answers.numpy() - y_new) ** 2))
        shares[name] = ts.flow.itemize(answers.mean(), weight).norms
    score(f"Squared error on 1000 new sequences of {args.steps} numbers:",
          errors | {"always 1": float(np.mean((1.0 - y_new) ** 2))}, digits=4, higher=False)  # fmt: skip

    made, (left, right) = figure(11, 4.2, 1, 2)
    for name, colour in zip(losses, (INK, ACCENT)):
        left.semilogy(smooth(losses[name]), color=colour, label=name)
        right.semilogy(np.ma.masked_equal(shares[name], 0.0), "o-", ms=4, color=colour, label=name)
    left.axhline(1 / 6, color=QUIET, ls=":", label="always 1")
    left.set(title="Adding two marked numbers", xlabel="update", ylabel="squared error")
    right.set(title="What the answer owes to each use of the weight", xlabel="step of the use", ylabel="gradient")
    left.legend(frameon=False)
    made.savefig(args.out / "own_cell.png", dpi=150)
    return [args.out / "own_cell.png", args.out / "unrolled.svg"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2, "hidden": 4, "steps": 4}, steps=(40, "numbers in a sequence"),
        hidden=(32, "size of the state"), updates=(700, "updates of the weights"), **PROGRAM)  # fmt: skip
