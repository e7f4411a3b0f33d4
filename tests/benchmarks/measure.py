"""How fast the library is: beside NumPy written by hand, and PyTorch and JAX where they are installed, in one run.

    python tests/benchmarks/measure.py                     all of it, half an hour
    python tests/benchmarks/measure.py steps --size tiny   one part, one size
    python tests/benchmarks/measure.py replay              eager, replayed, compiled, by hand and the peers, as a table

One thread. Competitors take turns in rounds, so that a machine that slows down slows all of them; what is printed is
the median of the ratios within a round, with its quartiles, and the ratio of the fastest times.
"""

import argparse
import gc
import importlib.util
import inspect
import os
import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # before NumPy is imported
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.pop("OPENBLAS_CORETYPE", None)  # these would slow down NumPy's products, but not PyTorch's
os.environ.pop("OPENBLAS_L2_SIZE", None)

import by_hand
import numpy as np
import peers
from peers import jax, torch

import tinygrad_seq as ts
from tinygrad_seq.engine.ops import indexing

SIZES = {
    "tiny": (32, 1, 16, 16), "small": (64, 16, 32, 64), "medium": (100, 32, 64, 128), "large": (64, 64, 256, 512),
    "long": (4000, 1, 32, 32),
}  # fmt: skip
CELLS = {"lstm": ts.nn.LSTM, "gru": ts.nn.GRU, "rnn": ts.nn.RNN}
Step = Callable[[], object]
WAYS: dict[str, Callable[[Step], Step]] = {"eager": lambda step: step, "replayed": ts.replay}
if "compile" in inspect.signature(ts.replay).parameters and importlib.util.find_spec("numba"):
    WAYS["compiled"] = partial(ts.replay, compile=True)


# ------------------------------------------------------------------------------------------------------------- timing


def rounds(competitors: dict[str, Step], seconds: float = 3.0, least: int = 7) -> dict[str, list[float]]:
    """Seconds per call of each competitor, in rounds of equal turns."""
    calls = {}
    for name, step in competitors.items():
        trial = []
        for _ in range(4):  # one of them may meet the garbage collector
            start = time.process_time()
            step()
            trial.append(time.process_time() - start)
        calls[name] = max(1, int(0.05 / max(min(trial), 1e-6)))
    times: dict[str, list[float]] = {name: [] for name in competitors}
    end = time.monotonic() + seconds * len(competitors)
    while time.monotonic() < end or len(times[name]) < least:
        for name, step in competitors.items():
            gc.collect()
            start = time.process_time()
            for _ in range(calls[name]):
                step()
            times[name].append((time.process_time() - start) / calls[name])
    return times


def report(what: str, times: dict[str, list[float]], base: str) -> None:
    cells = [f"{what:24} {base} {min(times[base]) * 1e6:10.1f} us"]
    for name, found in times.items():
        if name != base:
            ratios = [mine / its for mine, its in zip(found, times[base], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            cells.append(f"{name} {middle:.2f} [{low:.2f} {high:.2f}] min {min(found) / min(times[base]):.2f}")
    print(" | ".join(cells), flush=True)


# ------------------------------------------------------------------------------------------------------ recurrent steps


def problem(
    cell: str, size: tuple[int, ...], device: str = "cpu"
) -> tuple[dict[str, np.ndarray], ts.nn.Module, ts.Tensor]:
    """The same step for everybody: the arrays of the hand-written one, and the layer and input of the library."""
    steps, batch, inputs, hidden = size
    ts.manual_seed(0)
    layer = CELLS[cell](inputs, hidden).to(device)
    values = 0.1 * np.random.default_rng(0).standard_normal((steps, batch, inputs)).astype("float32")
    x = ts.tensor(values, requires_grad=True, device=device)
    weight_ih, weight_hh = layer.weight_ih_l0.numpy(), layer.weight_hh_l0.numpy()
    given = {"x": x.numpy().copy(), "Wx": weight_ih.T.copy(), "Wh": weight_hh.T.copy()}
    given["b"], bias_hh = layer.bias_ih_l0.numpy().copy(), layer.bias_hh_l0.numpy().copy()
    if cell == "gru":
        given["bh"] = bias_hh
    else:
        given["b"] += bias_hh
    return given, layer, x


def library_step(layer: ts.nn.Module, x: ts.Tensor, lengths: list[int] | None = None) -> Step:
    def step() -> float:
        x.grad = None
        layer.zero_grad()
        out, _ = layer(x, lengths=lengths)
        loss = (out * out).mean()
        loss.backward()
        return loss.item()

    return step


def check(competitors: dict[str, Step], gradients: Callable[[str, object], dict[str, object]]) -> None:
    """Let each make one step, and compare the gradients that it leaves with those of the first."""
    wanted = None
    for name, step in competitors.items():
        found = gradients(name, step())
        wanted = wanted or {key: np.array(found[key]) for key in ("x", "Wh")}
        for key, right in wanted.items():
            tolerance = 1e-4 * np.abs(right).max()
            np.testing.assert_allclose(np.asarray(found[key]), right, rtol=0, atol=tolerance, err_msg=f"{name} {key}")


def contest(cell: str, size: tuple[int, ...], device: str = "cpu") -> dict[str, Step]:
    """Return all that take part in the race, with gradients that were found equal."""
    given, layer, x = problem(cell, size, device)
    step = library_step(layer, x)
    ours = {name: way(step) for name, way in WAYS.items() if name != "compiled" or device == "cpu"}
    found = {"NumPy by hand": by_hand.opt(cell, given), "NumPy naive": by_hand.naive(cell, given)} | ours
    if torch is not None:
        found["PyTorch nn"] = peers.torch_layer(cell, given)
    if jax is not None:
        found["JAX scan"] = peers.jax_scan(cell, given)
    mine = lambda: {"x": x.grad.numpy(), "Wh": layer.weight_hh_l0.grad.numpy().T}
    check(found, lambda name, result: mine() if name in ours else result[1])
    return found


def replay(sizes: list[str]) -> None:
    """Eager, replayed and compiled, over NumPy by hand at its best; at the end as a table."""
    rows: dict[tuple[str, str], list[str]] = {}
    for size in sizes:
        for cell in CELLS:
            times = rounds(contest(cell, SIZES[size]))
            report(f"{size} {cell}", times, "NumPy by hand")
            for name, found in times.items():
                ratios = [mine / its for mine, its in zip(found, times["NumPy by hand"], strict=True)]
                rows.setdefault((size, name), []).append(f"{statistics.median(ratios):.2f}")
    print("\n| time over NumPy by hand | | LSTM | GRU | RNN |\n|---|---|---|---|---|")
    for (size, name), cells in rows.items():
        if name != "NumPy by hand":
            print(f"| {size} | {name} | {' | '.join(cells)} |")


def steps(sizes: list[str]) -> None:
    """RNN, LSTM and GRU, forward and backward."""
    for size in sizes:
        for cell in CELLS:
            given, layer, x = problem(cell, SIZES[size])
            naive, optimised, ours = by_hand.naive(cell, given), by_hand.opt(cell, given), library_step(layer, x)
            ours()
            for _, gradients in (naive(), optimised()):
                scale = np.abs(gradients["Wh"]).max()
                ours_hh = layer.weight_hh_l0.grad.numpy().T
                np.testing.assert_allclose(ours_hh, gradients["Wh"], rtol=0, atol=1e-4 * scale)
            competitors = {"naive": naive, "optimised": optimised, "tinygrad_seq": ours}
            if torch is not None:
                competitors["torch ops"] = peers.torch_ops(cell, given)
            report(f"{size} {cell}", rounds(competitors), "naive")


def options(sizes: list[str]) -> None:
    """The same with lengths (a third of the batch padded to each of T, 2T/3 and T/3), two layers, two directions."""
    for size in sizes:
        steps, batch, inputs, hidden = SIZES[size]
        for cell, make in CELLS.items():
            given, layer, x = problem(cell, SIZES[size])
            lengths = [max(1, steps * (3 - b % 3) // 3) for b in range(batch)]
            if batch == 1:
                lengths = [steps * 2 // 3]
            mask = (np.arange(steps)[:, None] < lengths)[:, :, None]
            naive, ours = by_hand.naive(cell, given, mask), library_step(layer, x, lengths)
            _, gradients = naive()
            ours()
            scale = np.abs(gradients["Wh"]).max()
            ours_hh = layer.weight_hh_l0.grad.numpy().T
            np.testing.assert_allclose(ours_hh, gradients["Wh"], rtol=0, atol=1e-4 * scale)
            report(f"{size} {cell} lengths", rounds({"naive": naive, "tinygrad_seq": ours}), "naive")
            for what, extra in (("2 layers", {"num_layers": 2}), ("2 directions", {"bidirectional": True})):
                second = (steps, batch, hidden if "num_layers" in extra else inputs, hidden)
                hands = by_hand.naive(cell, given), by_hand.naive(cell, problem(cell, second)[0])
                ours = library_step(make(inputs, hidden, **extra), x)
                times = rounds({"naive": lambda hands=hands: [hand() for hand in hands], "tinygrad_seq": ours})
                report(f"{size} {cell} {what}", times, "naive")


# -------------------------------------------------------------------------------------------------------- other figures


def chain(_: list[str], length: int = 1000) -> None:
    """A chain of adds and tanhs on (4, 4): what one op costs."""
    start = 0.1 * np.random.default_rng(0).standard_normal((4, 4)).astype("float32")
    x = ts.tensor(start, requires_grad=True)

    def ours() -> None:
        y = x
        for _ in range(length // 2):
            y = (y + x).tanh()
        y.sum().backward()

    def bare() -> None:
        y, outputs = start, []
        for _ in range(length // 2):
            y = np.tanh(y + start)
            outputs.append(y)
        g, total = np.ones_like(start), np.zeros_like(start)
        for y in reversed(outputs):
            g = g - g * y * y
            total = total + g

    competitors = {"tinygrad_seq": ours, "NumPy by hand": bare}
    if torch is not None:
        t = torch.tensor(start, requires_grad=True)

        def theirs() -> None:
            y = t
            for _ in range(length // 2):
                y = (y + t).tanh()
            y.sum().backward()

        competitors = {"torch": theirs} | competitors
    times = rounds(competitors)
    report("chain of 1000", times, next(iter(times)))


def memory(_: list[str]) -> None:
    """What a step holds at its highest, T=1000 B=32 H=128; NumPy's arrays and Python's objects both count.

    So do the buffers that it keeps from step to step; what making it took (the trace of a program) does not.
    """
    for cell in CELLS:
        given, layer, x = problem(cell, (1000, 32, 128, 128))
        ours = library_step(layer, x)
        makers = {"naive": partial(by_hand.naive, cell, given), "by hand": partial(by_hand.opt, cell, given)}
        makers |= {name: partial(way, ours) for name, way in WAYS.items()}
        peaks = {}
        for name, make in makers.items():
            x.grad = None
            layer.zero_grad()
            gc.collect()
            tracemalloc.start()
            step = make()
            step()
            gc.collect()
            tracemalloc.reset_peak()
            step()
            peaks[name] = tracemalloc.get_traced_memory()[1] / 2**20
            tracemalloc.stop()
            del step
        print(f"memory {cell:7} " + " | ".join(
            f"{name} {peak:.0f} MB, {peak / peaks['naive']:.2f} {peak / peaks['by hand']:.2f}"
            for name, peak in peaks.items()), flush=True)  # fmt: skip


def tracing(_: list[str]) -> None:
    """Seconds until a program is made (its first call, less a later one), B=1 H=32: linear in T?"""
    for cell in CELLS:
        for steps in (500, 1000, 2000):
            _, layer, x = problem(cell, (steps, 1, 32, 32))
            cells = []
            for name, way in WAYS.items():
                step = way(library_step(layer, x))
                gc.collect()
                seconds = []
                for _ in range(2):
                    start = time.perf_counter()
                    step()
                    seconds.append(time.perf_counter() - start)
                cells.append(f"{name} {seconds[0] - seconds[1]:.2f} s")
            print(f"tracing {cell:6} T={steps:<6} " + " | ".join(cells[1:]), flush=True)


def embedding(_: list[str]) -> None:
    """The gradient of a look-up: V=10000, D=128, 64 x 128 ids."""
    rng = np.random.default_rng(0)
    ids, rows = rng.integers(0, 10000, (64, 128)), rng.standard_normal((64, 128, 128)).astype("float32")

    def add_at() -> None:
        np.add.at(np.zeros((10000, 128), "float32"), ids, rows)

    times = rounds({"np.add.at": add_at, "tinygrad_seq": lambda: indexing.scatter_rows(rows, ids, count=10000)})
    report("embedding", times, "np.add.at")


def length(_: list[str]) -> None:
    """Time at T=4000 over T=1000 (B=1, H=32): 4 is linear. The cyclic garbage collector is what bends it."""
    for cell in CELLS:
        competitors = {f"T={n}": library_step(*problem(cell, (n, 1, 32, 32))[1:]) for n in (1000, 4000)}
        report(f"length {cell}", rounds(competitors), "T=1000")
        gc.disable()
        report("   no gc", rounds(competitors), "T=1000")
        gc.enable()


def checkpoints(_: list[str]) -> None:
    """An LSTM over T=10000 in windows of 100 (B=4, H=32), the loss in each: kept as a whole, and in checkpoints."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((10_000, 4, 32)).astype("float32"), rng.integers(0, 8, (10_000, 4))
    lstm, head = ts.nn.LSTM(32, 32), ts.nn.Linear(32, 8)

    def window(x: ts.Tensor, ids: np.ndarray, state: tuple[ts.Tensor, ts.Tensor]) -> tuple[ts.Tensor, object]:
        out, state = lstm(x, state)
        return ts.nn.cross_entropy(head(out), ids), state

    def step(call: Callable[..., tuple[ts.Tensor, tuple[ts.Tensor, ts.Tensor]]]) -> None:
        lstm.zero_grad()
        state, losses = (ts.zeros(1, 4, 32), ts.zeros(1, 4, 32)), []
        for t in range(0, 10_000, 100):
            loss, state = call(window, ts.tensor(x[t : t + 100]), y[t : t + 100], state)
            losses.append(loss)
        ts.stack(losses).mean().backward()

    ways = {"kept": partial(step, lambda f, *args: f(*args)), "checkpoints": partial(step, ts.checkpoint)}
    peaks = {}
    for name, way in ways.items():
        tracemalloc.start()
        way()
        peaks[name] = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    print("memory  " + " | ".join(f"{name} {peak:.1f} MB" for name, peak in peaks.items()))
    report("time", rounds(ways, 5.0, 3), "kept")
    gc.disable()
    report("   no gc", rounds(ways, 5.0, 3), "kept")
    gc.enable()


def insight(_: list[str]) -> None:
    """Maps of influence at T=100 and H=32; ten training steps with a monitor, which looks at one of them."""
    for cell in CELLS:
        _, layer, x = problem(cell, (100, 1, 32, 32))
        h = ts.flow.states(layer(x)[0])
        for what, losses in (("numbers", [(h_t * h_t).sum() for h_t in h]), ("vectors", h)):
            report(f"influence {cell} {what}", rounds({"map": partial(ts.flow.influence, losses, h)}), "map")
    for cell in CELLS:
        _, layer, x = problem(cell, (50, 16, 64, 64))
        optimizer, monitor = ts.optim.Adam(layer.parameters()), ts.flow.Monitor(layer, max_norm=1.0)

        def ten_steps(backward: Callable[[ts.Tensor], None], layer=layer, x=x, optimizer=optimizer) -> None:
            for _ in range(10):
                optimizer.zero_grad()
                backward((layer(x)[0] ** 2).mean())
                optimizer.step()

        def clipped(loss: ts.Tensor, layer=layer) -> None:
            loss.backward()
            ts.optim.clip_grad_norm_(layer.parameters(), 1.0)

        ways = {"clipping": clipped, "monitor": monitor.backward}
        report(f"monitor {cell}", rounds({name: partial(ten_steps, way) for name, way in ways.items()}), "clipping")


PARTS = {
    part.__name__: part
    for part in (steps, options, replay, chain, memory, tracing, checkpoints, embedding, length, insight)
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="which figures (default: all)")
    parser.add_argument("--size", nargs="*", choices=list(SIZES), default=list(SIZES), help="of the recurrent steps")
    arguments = parser.parse_args()
    versions = [f"{name} {'not installed' if found is None else found.__version__}"
                for name, found in (("NumPy", np), ("PyTorch", torch), ("JAX", jax))]  # fmt: skip
    print(", ".join([*versions, "one thread"]))
    for name in arguments.part or PARTS:
        PARTS[name](arguments.size)
