"""How fast the library is: against hand-written NumPy (and PyTorch's ops, where it is installed) in the same run.

    python tests/benchmarks/measure.py                     all of it, a few minutes
    python tests/benchmarks/measure.py steps --size tiny   one part, one size

One thread. Competitors take turns in rounds, so that a machine that slows down slows all of them; what is printed is
the median of the ratios within a round, with its quartiles, and the ratio of the fastest times.
"""

import argparse
import gc
import os
import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # before NumPy is imported

import by_hand
import numpy as np

import tinygrad_seq as ts
from tinygrad_seq.engine.ops import indexing

try:
    import torch
except ImportError:
    torch = None
else:
    torch.set_num_threads(1)

SIZES = {"tiny": (32, 1, 16, 16), "small": (64, 16, 32, 64), "medium": (100, 32, 64, 128), "large": (64, 64, 256, 512)}
CELLS = {"lstm": ts.nn.LSTM, "gru": ts.nn.GRU, "rnn": ts.nn.RNN}
Step = Callable[[], object]


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


def problem(cell: str, size: tuple[int, ...]) -> tuple[dict[str, np.ndarray], ts.nn.Module, ts.Tensor]:
    """The same step for everybody: the arrays of the hand-written one, and the layer and input of the library."""
    steps, batch, inputs, hidden = size
    ts.manual_seed(0)
    layer = CELLS[cell](inputs, hidden)
    x = ts.tensor(0.1 * np.random.default_rng(0).standard_normal((steps, batch, inputs)), "float32", requires_grad=True)
    weight_ih, weight_hh = layer.weight_ih_l0.numpy(), layer.weight_hh_l0.numpy()
    given = {"x": x.numpy().copy(), "Wx": weight_ih.T.copy(), "Wh": weight_hh.T.copy()}
    given["b"], bias_hh = layer.bias_ih_l0.numpy().copy(), layer.bias_hh_l0.numpy().copy()
    if cell == "gru":
        given["bh"] = bias_hh
    else:
        given["b"] += bias_hh
    return given, layer, x


def library_step(layer: ts.nn.Module, x: ts.Tensor, lengths: list[int] | None = None) -> Step:
    def step() -> None:
        x.grad = None
        layer.zero_grad()
        out, _ = layer(x, lengths=lengths)
        (out * out).mean().backward()

    return step


def torch_step(cell: str, given: dict[str, np.ndarray]) -> Step:
    """The same textbook equations from PyTorch's ops."""
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in given.items()}
    batch, hidden = given["x"].shape[1], given["Wh"].shape[0]

    def one_step(x, h, c):
        a, b = x @ tensors["Wx"], h @ tensors["Wh"]
        if cell == "gru":
            x_r, x_z, x_n = (a + tensors["b"]).split(hidden, 1)
            h_r, h_z, h_n = (b + tensors["bh"]).split(hidden, 1)
            reset, update = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
            new = torch.tanh(x_n + reset * h_n)
            return new + update * (h - new), c
        a = a + b + tensors["b"]
        if cell == "rnn":
            return torch.tanh(a), c
        i, f, g, o = a.split(hidden, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def step() -> None:
        for tensor in tensors.values():
            tensor.grad = None
        h = c = torch.zeros(batch, hidden)
        outputs = []
        for x in tensors["x"].unbind(0):
            h, c = one_step(x, h, c)
            outputs.append(h)
        out = torch.stack(outputs)
        (out * out).mean().backward()

    return step


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
                competitors["torch ops"] = torch_step(cell, given)
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
    """What a step adds at its highest, T=1000 B=32 H=128; NumPy's arrays and Python's objects both count."""
    for cell in CELLS:
        given, layer, x = problem(cell, (1000, 32, 128, 128))
        peaks = []
        for step in (by_hand.naive(cell, given), library_step(layer, x)):
            gc.collect()
            tracemalloc.start()
            step()
            peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
            tracemalloc.stop()
        print(f"memory {cell:7} naive {peaks[0]:.0f} MB | tinygrad_seq {peaks[1]:.0f} MB, {peaks[1] / peaks[0]:.2f}")


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


PARTS = {part.__name__: part for part in (steps, options, chain, memory, checkpoints, embedding, length, insight)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="which figures (default: all)")
    parser.add_argument("--size", nargs="*", choices=list(SIZES), default=list(SIZES), help="of the recurrent steps")
    arguments = parser.parse_args()
    print(f"NumPy {np.__version__}, PyTorch {torch.__version__ if torch is not None else 'not installed'}, one thread")
    for name in arguments.part or PARTS:
        PARTS[name](arguments.size)
