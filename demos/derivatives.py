"""What is the derivative of a derivative? tanh drawn from its own backward, and a use of it: a network that is calm.

    python demos/derivatives.py                  a few seconds
    python demos/derivatives.py --order 5        how fast a graph grows that differentiates its own backward

A backward that is recorded is a graph as every other, so it can be drawn, and differentiated again. That is not only
for its own sake: an LSTM learns noisy sums, once as always, and once with a penalty on the gradient of its answer with
respect to what it reads. To learn with that penalty is to differentiate a gradient through all steps of time. The one
that may not react to everything takes less of the noise for the signal.
"""

import numpy as np
from lesson import ACCENT, INK, QUIET, figure, run, score, train

import tinygrad_seq as ts
from tinygrad_seq import nn


def derivatives(order, at=0.5, device="cpu"):
    """x, and [tanh x, tanh' x, tanh'' x, ...]: each the gradient of the one before, recorded."""
    x = ts.tensor(at, requires_grad=True, device=device).named("x")
    found = [x.tanh().named("tanh x")]
    for n in range(1, order + 1):
        found.append(ts.grad(found[-1].sum(), x, create_graph=True).named("tanh" + "′" * n + " x"))
    return x, found


class Reader(nn.Module):
    """Numbers (T, B, 1) -> one for each sequence (B,), and how steep that is: the mean square of its gradient."""

    def __init__(self, hidden):
        self.reader, self.head = nn.LSTM(1, hidden), nn.Linear(hidden, 1)

    def forward(self, x):
        return self.head(self.reader(x)[0][-1])[:, 0]

    def steepness(self, x):
        slope = ts.grad(self(x).sum(), x, create_graph=True)  # recorded: (T, B, 1)
        return (slope * slope).sum(0).mean()


def examples(rng, count, noise, steps=8):
    """Return random numbers, and tanh of their sum (divided by its spread), with noise."""
    x = rng.normal(size=(steps, count, 1)).astype("float32")
    y = np.tanh(x.mean((0, 2)) * steps**0.5)
    return x, (y + noise * rng.normal(size=count)).astype("float32")


def plot(args, truth, answers, errors):
    """Save the derivatives of tanh as curves, and the answers of both networks over the truth; return the path."""
    made, (left, right) = figure(11, 4.5, 1, 2)
    at = np.linspace(-3, 3, 121)
    _, found = derivatives(args.order, at, args.device)
    for n, value in enumerate(found):
        left.plot(at, value.numpy(), color=INK, alpha=1 - 0.8 * n / len(found), label=value.name)
    left.set(title="tanh, and each the gradient of the one before", xlabel="x")
    for (name, some), colour in zip(answers.items(), (INK, ACCENT)):
        right.plot(truth[:300], some[:300], ".", color=colour, alpha=0.6, label=f"{name}: {errors[name]:.3f}")
    right.axline((0, 0), slope=1, color=QUIET, ls=":")
    right.set(title="Answers to new sequences", xlabel="without noise", ylabel="the network's answer")
    for axes in (left, right):
        axes.legend(frameon=False)
    made.savefig(args.out / "derivatives.png", dpi=150)
    return args.out / "derivatives.png"


def main(args):
    x, found = derivatives(args.order, device=args.device)
    written = []
    for n, value in enumerate(found[1:], 1):
        written.append(args.out / f"tanh_{n}.{args.format}")
        drawing = ts.draw(value)
        drawing.save(written[-1])
        ops = drawing.json.count('"symbol"')
        print(f"{value.name} at {x.item():g} is {value.item():+.4f}, drawn with {ops} nodes")

    x, y = examples(args.rng, 60, noise=0.5)
    x_new, y_new = examples(args.rng, 1000, noise=0.0)
    x = ts.tensor(x, requires_grad=True, device=args.device)
    y, x_new = ts.tensor(y, device=args.device), ts.tensor(x_new, device=args.device)
    errors, answers = {}, {}
    for name, weight in (("with a penalty on the gradient", args.penalty), ("without", 0.0)):
        ts.manual_seed(args.seed)
        model = Reader(16).to(args.device)

        def loss_of(model=model, weight=weight):
            return nn.mse_loss(model(x), y) + (weight * model.steepness(x) if weight else 0.0)

        train(model, loss_of, args.updates, lr=0.02, name=name)
        with ts.no_grad():
            answers[name] = model(x_new).numpy()
        errors[name] = float(np.mean((answers[name] - y_new) ** 2))
    score("Squared error on 1000 new sequences without noise:",
          errors | {"always the mean": float(y_new.var())}, digits=3, higher=False)  # fmt: skip
    return [*written, plot(args, y_new, answers, errors)]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2, "order": 1}, order=(3, "how often to differentiate"),
        format={"flag": "--format", "choices": ("svg", "png", "pdf", "dot"), "default": "svg"},
        penalty=(0.3, "weight of the penalty"), updates=(200, "updates of the weights"))  # fmt: skip
