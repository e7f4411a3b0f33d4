"""An exercise: can five relu units that read eight numbers say the ninth?

    python demos/relu_rnn.py                               a few seconds, on the sunspots
    python demos/relu_rnn.py --csv prices.csv --column 2   any column of numbers of your own

`RNN(1, 5, nonlinearity="relu")` and a linear layer: 46 numbers that learn. The first 70 % of the series teach, the rest
judges. Beside it stands the plainest forecast: the next number is as the last. (forecast.py takes more care.)
"""

import numpy as np
from forecast import column
from lesson import ACCENT, endless, figure, run, score, train

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
    series = column(args.csv, args.column) if args.csv else ts.data.sunspots()
    first = int(0.7 * len(series))
    center, scale = series[:first].mean(), series[:first].std() + 1e-9
    x, y = ts.data.windows((series - center) / scale, args.window)
    x, count = x[..., None], first - args.window
    model = Ninth(args.hidden).to(args.device)
    print(model.summary())
    batches = endless(x[:count], y[:count], size=32, rng=args.rng)

    def loss_of():
        inputs, targets = (ts.tensor(part, device=args.device) for part in next(batches))
        return nn.mse_loss(model(inputs), targets)

    train(model, loss_of, args.updates, lr=0.02)
    with ts.no_grad():
        found = model(ts.tensor(x[count:], device=args.device)).numpy()
    error = lambda guess: scale * np.sqrt(np.mean((guess - y[count:]) ** 2))
    score(f"Typical error (root of the mean square) over {len(found)} held-out values:",
          {f"{args.hidden} relu units": error(found), "as the value before": error(x[count:, -1])},
          higher=False)  # fmt: skip

    made, axes = figure(10, 4)
    axes.plot(scale * y[count:] + center, color="k", label="as it was")
    axes.plot(scale * found + center, color=ACCENT, label=f"said by {args.hidden} relu units")
    axes.set(title="The ninth of nine numbers, held out", xlabel="held-out values in order", ylabel="value")
    axes.legend(frameon=False)
    made.savefig(args.out / "ninth.png", dpi=150)
    ts.draw(model(ts.tensor(x[:1], device=args.device)), steps=(8, 0)).save(args.out / "unrolled.svg")
    return [args.out / "ninth.png", args.out / "unrolled.svg"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2}, csv=("", "a file to forecast a column of"),
        column=(1, "which column, counted from 1"), window=(8, "values to read"), hidden=(5, "relu units"),
        updates=(600, "updates of the weights"))  # fmt: skip
