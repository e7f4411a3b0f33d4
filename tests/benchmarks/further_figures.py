"""What else is measured: one op, memory, tracing, the length, checkpoints, an embedding, and insight."""

import gc
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import by_hand
import numpy as np
from peers import torch
from recurrent_steps import CELLS, WAYS, library_step, problem
from timing import report, rounds

import tinygrad_seq as ts
from tinygrad_seq.engine.ops import indexing


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
