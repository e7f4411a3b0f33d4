"""What the demos share: the command line, the loop that trains, and how a result is said.

A demo is a function of its settings. `run` reads them, seeds everything, and says at the end what was written where.
"""

import argparse
import os
import statistics
import sys
import time
import webbrowser
from contextlib import nullcontext
from itertools import repeat
from pathlib import Path

import numpy as np

import tinygrad_seq as ts

PROGRAM = {
    "replay": {"flag": "--replay", "action": "store_true", "help": "run the training step as a program, ts.replay"},
    "compile": {"flag": "--compile", "action": "store_true", "help": "and that program compiled (extra compile)"},
}
INK, ACCENT, GREEN, VIOLET, QUIET = "#2e86ab", "#e4572e", "#3a9d5d", "#7a5195", "#8a949e"


def run(main, doc, quick=(), **options):
    """Call main with the settings of the command line, and say which files it wrote; what cannot work is one sentence.

    An option is its default and what it means: `updates=(1000, "updates of the weights")`; or a dict of what
    `add_argument` takes. `quick` are the settings of --quick, which shows in a moment that everything works.
    `args.given` holds the names of those that are on the command line: they win over the settings of --quick.
    """
    name = Path(sys.argv[0]).stem
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, given in options.items():
        if isinstance(given, tuple):
            default, meaning = given
            shown = f" (default: {default})" if default != "" else ""
            given = {"flag": f"--{option}", "type": type(default), "default": default, "help": meaning + shown}
        parser.add_argument(given["flag"], **{key: x for key, x in given.items() if key != "flag"})
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn by chance (default: 0)")
    parser.add_argument("--device", default="cpu", help='"cpu", "cuda" or "cuda:N" (default: cpu)')
    parser.add_argument("--out", type=Path, default=Path("runs") / name, help=f"folder (default: runs/{name})")
    parser.add_argument("--quick", action="store_true", help="a moment, to see that it works; the scores mean nothing")
    args = parser.parse_args()
    said = parser.parse_args(namespace=argparse.Namespace(**dict.fromkeys(vars(args))))  # None instead of defaults
    if args.quick:
        parser.set_defaults(**dict(quick))
        args = parser.parse_args()
    args.given = {option for option, value in vars(said).items() if value is not None}
    start = time.time(), time.process_time()
    try:
        for option in options:
            if type(getattr(args, option)) is int and getattr(args, option) < 1:
                raise ValueError(f"--{option} must be at least 1, got {getattr(args, option)}")
        ts.zeros(1, device=args.device)
        ts.manual_seed(args.seed)
        args.rng = np.random.default_rng(args.seed)
        args.out.mkdir(parents=True, exist_ok=True)
        with one_thread():
            written = main(args) or []
    except (RuntimeError, TypeError, ValueError, OSError) as error:  # no GPU, no such file: one sentence
        sys.exit(f"{name}: {error}")
    except ImportError as error:
        sys.exit(f'{name}: {error}: pip install -e ".[demos]"')
    except KeyboardInterrupt:
        sys.exit(f"{name}: stopped")
    print()
    for path in written:
        print(f"written: {path}")
    wall, processor = time.time() - start[0], time.process_time() - start[1]
    print(f"({wall:.0f} seconds, {processor:.0f} of processor time)")


def one_thread():
    """Return a context in which a product uses one thread: small ones gain nothing by two that wait for each other."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:  # what only draws needs nothing installed
        return nullcontext()
    return threadpool_limits(1)


def show(what, page):
    """Print where a page is; at a prompt with a screen, open it in the browser, too."""
    print(f"{what}\n  {page.resolve().as_uri()}\n", flush=True)
    screen = sys.platform in ("win32", "darwin") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if screen and sys.stdout.isatty():
        webbrowser.open(page.resolve().as_uri())


def as_program(step, args, what="updates", count=1):
    """Return a training step as --replay or --compile want it; without them, as it is.

    The first four calls are made as before, to say after eight how many times as fast the program is.
    """
    if not args.replay and not args.compile:
        return step
    from tqdm import tqdm

    program = ts.replay(step, compile=True) if args.compile else ts.replay(step)
    seconds = []

    def timed(*batch):
        start = time.perf_counter()
        result = (step if len(seconds) < 4 else program)(*batch)
        seconds.append(time.perf_counter() - start)
        if len(seconds) == 4:
            waits = "compiling takes seconds, once on a machine" if args.compile else "a moment"
            tqdm.write(f"making a program of a training step: {waits}")
        if len(seconds) == 5:
            tqdm.write(f"made after {seconds[-1]:.1f} s")
        if len(seconds) == 8:
            before, now = statistics.median(seconds[1:4]), statistics.median(seconds[5:])
            tqdm.write(f"{count / now:,.0f} {what} a second, {before / now:.1f} times as many as without a program")
        return result

    return timed


def train(
    model, loss_of, updates, lr=0.01, weight_decay=0.0, max_norm=1.0, name="training", batches=None, program=None
):
    """Update the weights so many times with Adam, whose learning rate falls along a cosine; return the losses.

    loss_of() is the loss of the next batch; with `batches`, an iterator, it is loss_of(*batch). The gradient is clipped
    to length max_norm. `program` makes another form of the step, such as `ts.replay`.
    """
    from tqdm import tqdm

    optimizer = ts.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    schedule = ts.optim.CosineAnnealingLR(optimizer, updates, 0.02 * lr)
    batches, losses = batches or repeat(()), []

    def step(*batch):
        loss = loss_of(*batch)
        optimizer.zero_grad()
        loss.backward()
        ts.optim.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        return loss.item()

    step = program(step) if program else step
    model.train()
    with tqdm(range(updates), desc=name, leave=False, mininterval=0.5 if sys.stderr.isatty() else 10) as bar:
        for _ in bar:
            losses.append(step(*next(batches)))
            schedule.step()
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
    model.eval()
    return losses


def endless(*arrays, size, rng):
    """Yield batches without end, in a new order for every pass."""
    while True:
        yield from ts.data.batches(*arrays, size=size, shuffle=True, generator=rng)


def text_of(path):
    """Return what is in a text file; an error names it."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text in UTF-8: {error}") from None
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def fifths(count, rng):
    """Yield (learned, held out) five times: positions in random order, another fifth of them held out each time."""
    order = np.array_split(rng.permutation(count), 5)
    for i, held_out in enumerate(order):
        yield np.concatenate(order[:i] + order[i + 1 :]), held_out


def cities():
    """Return the names of 374 cities in lower case, the continent of each as a number, and the five continents."""
    continents = ["Africa", "America", "Asia", "Europe", "Pacific"]  # the other areas have at most 11 cities
    known = [(name.lower(), area) for name, area in zip(*ts.data.cities()) if area in continents]
    return [name for name, _ in known], np.array([continents.index(area) for _, area in known]), continents


def adding(rng, steps, batch):
    """Return x (T, B, 2) of numbers and marks, one in each half, and the sums of the marked numbers (B,)."""
    if steps < 2:
        raise ValueError(f"--steps must be at least 2, got {steps}: two numbers are marked, one in each half")
    values, marks = rng.random((steps, batch)), np.zeros((steps, batch))
    for low, high in ((0, steps // 2), (steps // 2, steps)):
        marks[rng.integers(low, high, batch), np.arange(batch)] = 1.0
    return np.stack([values, marks], -1).astype("float32"), (values * marks).sum(0).astype("float32")


def score(what, found, unit="", digits=1, higher=True, networks=1, of=None):
    """Print what each reached on what it never learned from, and what the best network gains on the best baseline.

    The first are networks, the others their baselines. Of shares in percent, `of` is how many were judged: with it
    comes the standard error, which is large where few are.
    """
    wide, spread = max(map(len, found)), dict.fromkeys(found, 0.0)
    print(f"\n{what}")
    for name, value in found.items():
        if of:
            spread[name] = (value * (100 - value) / of) ** 0.5
        print(f"  {name:{wide}}  {value:.{digits}f}{unit}" + (f" ± {spread[name]:.{digits}f}" if of else ""))
    best, names = max if higher else min, list(found)
    network, baseline = best(names[:networks], key=found.get), best(names[networks:], key=found.get)
    margin = (found[network] - found[baseline]) * (1 if higher else -1)
    verdict = "better" if margin > 0 else "WORSE"
    points = " percentage points" if unit == " %" else unit
    chance = ", which may be chance" if abs(margin) < spread[network] + spread[baseline] else ""
    print(f"{network}: {abs(margin):.{digits}f}{points} {verdict} than {baseline}{chance}")
    return margin


def figure(width=8.0, height=4.5, rows=1, columns=1, **options):
    """Return a Figure and its axes."""
    from matplotlib.figure import Figure  # only where it is needed: some demos draw nothing but graphs

    made = Figure(figsize=(width, height), layout="constrained")
    axes = made.subplots(rows, columns, **options)
    for each in np.ravel(axes):
        each.spines[["top", "right"]].set_visible(False)
    return made, axes


def smooth(losses, width=25):
    """Return the running mean of losses."""
    width = max(1, min(width, len(losses) // 4))
    return np.convolve(losses, np.ones(width) / width, "valid")


def plot_losses(losses, held_out, baseline, title, path):
    """Save a plot of the loss by update, the held-out losses (update, loss) as dots, the baseline as a dotted line."""
    made, axes = figure(8, 4.5)
    axes.plot(losses, color=INK, alpha=0.25, linewidth=1)
    running = smooth(losses)
    axes.plot(np.arange(len(running)) + (len(losses) - len(running)) / 2, running, color=INK, label="training")
    axes.plot(*zip(*held_out), "o-", color=ACCENT, label=f"held out: {held_out[-1][1]:.2f} in the end")
    axes.axhline(baseline[1], color=QUIET, ls=":", label=f"held out, {baseline[0]}: {baseline[1]:.2f}")
    axes.set(xlabel="update", ylabel="nats per character", title=title)
    axes.grid(alpha=0.2)
    axes.legend(frameon=False)
    made.savefig(path, dpi=150)
