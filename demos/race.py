"""How fast can the training step of an LSTM be?

    python demos/race.py                    half a minute, on one thread
    python demos/race.py --cell gru --batch 1 --hidden 16

One step, forward and backward, in up to seven ways: recorded and walked (eager); as a program without a graph
(`ts.replay`), and that program compiled (`ts.replay(step, compile=True)`, where Numba is installed); written by hand in
NumPy, as the equations are and as fast as it can be; and PyTorch's layer and JAX's compiled scan, where these are
installed. All take turns, and their gradients are compared before. The hand-written steps are in tests/benchmarks.
"""

import statistics
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "benchmarks"))
import measure  # noqa: F401 (before NumPy is imported: it asks for one thread)
from lesson import ACCENT, QUIET, figure, run, score
from recurrent_steps import CELLS, contest
from timing import rounds


def main(args):
    size = args.steps, args.batch, args.inputs, args.hidden
    racers = contest(args.cell, size, args.device)
    times = rounds(racers, args.seconds, 3)
    ours = [name for name in ("compiled", "replayed", "eager") if name in times]
    ordered = [*ours, *(name for name in times if name not in ours)]
    milliseconds = {name: 1000 * statistics.median(times[name]) for name in ordered}
    what = f"{args.cell.upper()}, T={args.steps}, B={args.batch}, I={args.inputs}, H={args.hidden}"
    score(f"One training step, {what}:", milliseconds, " ms", 3, higher=False, networks=len(ours))

    made, axes = figure(8, 0.8 + 0.45 * len(times))
    order = sorted(milliseconds, key=milliseconds.get)
    colours = [ACCENT if name in ours else QUIET for name in order]
    bars = axes.barh(order, [milliseconds[name] for name in order], color=colours)
    axes.bar_label(bars, [f"{milliseconds[name]:.2f} ms" for name in order], padding=4)
    axes.margins(x=0.12)
    axes.tick_params(axis="y", length=0)
    axes.set(title=f"One training step: {what}", xlabel="milliseconds, on one thread")
    made.savefig(args.out / "race.png", dpi=150)
    return [args.out / "race.png"]


if __name__ == "__main__":
    run(main, __doc__, quick={"steps": 4, "batch": 2, "inputs": 3, "hidden": 4, "seconds": 0.01},
        cell={"flag": "--cell", "choices": [*CELLS], "default": "lstm"}, steps=(64, "of the sequence"),
        batch=(16, "sequences"), inputs=(32, "numbers of a step"), hidden=(64, "size of the state"),
        seconds=(3.0, "for each"))  # fmt: skip
