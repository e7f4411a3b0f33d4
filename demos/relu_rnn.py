"""An exercise: can five relu units that read eight numbers say the ninth?

    python demos/relu_rnn.py                               a few seconds, on the sunspots
    python demos/relu_rnn.py --csv prices.csv --column 2   any column of numbers of your own

`RNN(1, 5, nonlinearity="relu")` and a linear layer: 46 numbers that learn. The first 70 % of the series teach, the rest
judges. Beside it stand forecasts without a network: the next number is as the last, or a weighted sum of the eight.
"""

import numpy as np
from forecast import linear, series
from lesson import ACCENT, INK, endless, figure, run, score, train

import tinygrad_seq as ts
from tinygrad_seq import nn


class Ninth(nn.Module):
    """Values (B, 8, 1) -> the next one (B, 1)."""

    def __init__(self, hidden):
        self.rnn = nn.RNN(1, hidden, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        _, last = self.rnn(x)
        return self.head(last[0]).named("ninth")


def main(args):
    values, first, time = series(args)
    center, scale = values[:first].mean(), values[:first].std() + 1e-9
    x, y = ts.data.windows((values - center) / scale, args.window)
    x, count = x[..., None], first - args.window  # the windows whose next number is among those to learn from
    model = Ninth(args.hidden).to(args.device)
    print(model.summary())
    batches = endless(x[:count], y[:count], size=32, rng=args.rng)

    def loss_of():
        inputs, targets = (ts.tensor(part, device=args.device) for part in next(batches))
        return nn.mse_loss(model(inputs), targets)

    train(model, loss_of, args.updates, lr=0.02)
    with ts.no_grad():
        found = model(ts.tensor(x[count:], device=args.device)).numpy()
    summed = linear(x[:count, :, 0], y[:count], x[count:, :, 0])
    error = lambda guess: scale * np.sqrt(np.mean((guess - y[count:]) ** 2))
    score(f"Typical error (root of the mean square) over {len(found)} held-out values:",
          {f"{args.hidden} relu units": error(found), f"linear, of the last {args.window}": error(summed),
           "as the value before": error(x[count:, -1])}, higher=False)  # fmt: skip

    made, axes = figure(10, 4)
    axes.plot(time[first:], values[first:], color="k", label="as it was")
    axes.plot(time[first:], scale * summed + center, color=INK, ls=":",
              label=f"weighted sum: error {error(summed):.1f}")  # fmt: skip
    axes.plot(time[first:], scale * found + center, color=ACCENT,
              label=f"{args.hidden} relu units: error {error(found):.1f}")  # fmt: skip
    axes.set(title=f"Each value, forecast from the {args.window} before", ylabel="value" if args.csv else "sunspots",
             xlabel="row" if args.csv else "year")  # fmt: skip
    axes.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    made.savefig(args.out / "ninth.png", dpi=150)
    ts.draw(model(ts.tensor(x[:1], device=args.device)), steps=(8, 0)).save(args.out / "unrolled.svg")
    return [args.out / "ninth.png", args.out / "unrolled.svg"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2}, csv=("", "a file to forecast a column of"),
        column=(1, "which column, counted from 1"), window=(8, "values to read"), hidden=(5, "relu units"),
        updates=(600, "updates of the weights"))  # fmt: skip
