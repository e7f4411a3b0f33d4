"""Many to one, of numbers: how many spots will the sun have next year?

    python demos/forecast.py                               a quarter of a minute
    python demos/forecast.py --csv prices.csv --column 2   any column of numbers of your own

A GRU reads the last 24 yearly numbers; what it makes of them and a weighted sum of the same numbers, added up, is the
next. The first 70 % of the series teach, the rest judges. It has to beat forecasts that need no network: next year is
as this year, and linear ones, the best weighted sum of the last 9 or 24 years alone (ridge regression). Which of them
wins is for the run to say.
"""

import csv
import io

import numpy as np
from lesson import ACCENT, INK, QUIET, endless, figure, run, score, text_of, train

import tinygrad_seq as ts
from tinygrad_seq import nn


class Forecaster(nn.Module):
    """Values (B, W) -> the next one (B,): a weighted sum of them, and what a GRU adds to it."""

    def __init__(self, window, hidden):
        self.reader, self.head = nn.GRU(1, hidden, batch_first=True), nn.Linear(hidden, 1)
        self.linear, self.drop = nn.Linear(window, 1), nn.Dropout(0.2)

    def forward(self, x):
        _, last = self.reader(x.reshape(*x.shape, 1))
        return (self.linear(x) + self.head(self.drop(last[0])))[:, 0].named("forecast")


def series(args):
    """Return the numbers, how many of them teach, and when they were: the sunspots, or a column of a CSV file."""
    values, start = ts.data.sunspots(), 1700
    if args.csv:
        values, start = [], 0
        for number, row in enumerate(csv.reader(io.StringIO(text_of(args.csv))), 1):
            cell = row[args.column - 1] if len(row) >= args.column else ""
            try:
                value = float(cell)
            except ValueError:
                if not row or not values:  # a heading, or nothing
                    continue
                value = np.nan
            if not np.isfinite(value):
                raise ValueError(f"{args.csv}: column {args.column} of row {number} holds {cell!r}, which is no number")
            values.append(value)
    if len(values) < 4 * args.window:
        raise ValueError(f"the series has {len(values)} numbers, too few for windows of {args.window}")
    return np.array(values, dtype="float32"), int(0.7 * len(values)), start + np.arange(len(values))


def linear(x, y, x_new):
    """Return the forecasts of the weighted sum that fits best, with a constant, and small weights preferred."""
    x, x_new = (np.hstack([some, np.ones((len(some), 1))]) for some in (x, x_new))
    return x_new @ np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)


def main(args):
    values, first, time = series(args)
    center, scale = values[:first].mean(), values[:first].std() + 1e-9
    x, y = ts.data.windows((values - center) / scale, args.window)
    count = first - args.window  # the windows whose next number is among those to learn from
    x, y, x_new, y_new = x[:count], y[:count, 0], x[count:], y[count:, 0]

    networks = []
    for n in range(args.networks):
        model = Forecaster(args.window, args.hidden).to(args.device)
        batches = endless(x, y, size=32, rng=args.rng)

        def loss_of(model=model, batches=batches):
            inputs, targets = (ts.tensor(part, device=args.device) for part in next(batches))
            return nn.mse_loss(model(inputs), targets)

        train(model, loss_of, args.updates, lr=0.01, weight_decay=0.3, name=f"network {n + 1} of {args.networks}")
        networks.append(model)

    with ts.no_grad():
        forecast = np.mean([model(ts.tensor(x_new, device=args.device)).numpy() for model in networks], 0)
    found = {f"GRU, mean of {args.networks}": forecast}
    for last in (9, args.window):
        found[f"linear, of the last {last}"] = linear(x[:, -last:], y, x_new[:, -last:])
    found["as the value before"] = x_new[:, -1]
    errors = {name: scale * np.sqrt(np.mean((guess - y_new) ** 2)) for name, guess in found.items()}
    score(f"Typical error (root of the mean square) over {len(y_new)} held-out values:", errors, higher=False)

    made, axes = figure(11, 4.5)
    axes.plot(time[:first], values[:first], color=QUIET, lw=1, label="to learn from")
    axes.plot(time[first:], values[first:], color="k", lw=1.5, label="held out")
    for (name, guess), colour in zip(list(found.items())[:2], (ACCENT, INK)):
        axes.plot(time[first:], scale * guess + center, color=colour, lw=1.5, ls="-" if colour == ACCENT else ":",
                  label=f"{name}: error {errors[name]:.1f}")  # fmt: skip
    axes.set(title=f"Each value, forecast from the {args.window} before", ylabel="value" if args.csv else "sunspots",
             xlabel="row" if args.csv else "year", xlim=(time[first] - 60, time[-1] + 1))  # fmt: skip
    axes.legend(frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    made.savefig(args.out / "forecast.png", dpi=150)
    return [args.out / "forecast.png"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2, "hidden": 4, "networks": 2},
        csv=("", "a file to forecast a column of"), column=(1, "which column, counted from 1"),
        window=(24, "values to read"), hidden=(16, "size of the state"),
        networks=(4, "how many to train, to take the mean of"),
        updates=(250, "updates of the weights of each"))  # fmt: skip
