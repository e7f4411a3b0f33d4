"""Run every test marked `gpu` on a real device, measure, and write docs/gpu-report.md: what passed and what not.

    python tests/gpu/run.py                 on a machine with CuPy, an NVIDIA GPU, pytest and Hypothesis
    python tests/gpu/run.py tests/nn        only these tests

The report names the card, the driver, the versions and the date, holds the first line of every failure, and says how
long a step of training takes: forward, backward and SGD, of an LSTM, on the CPU, on the GPU, there as a program and as
a captured CUDA graph, and with cuDNN where PyTorch is installed; and how fast a language model learns. All of it ends
within eight minutes: what there is no time for is said, and after LIMIT seconds the report is written as it stands.
"""

import importlib.util
import os
import platform
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

HOME = Path(__file__).resolve().parents[2]
FLAGS = ["-m", "gpu", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
REPORT = HOME / "docs" / "gpu-report.md"
PATIENCE = 300  # seconds for the tests
MEASURING = 390  # seconds after which nothing more is measured
LIMIT = 460  # seconds for everything
SIZES = [(64, 32), (256, 32), (1024, 64)]  # hidden units, sequences
ROUNDS, LONGEST = 5, 6.0  # of a step that is measured: how often, and for how many seconds in all


class Outcomes:
    """A pytest plugin that counts the outcomes by file and keeps the first line of every failure."""

    def __init__(self, patience=PATIENCE):
        self.counts, self.failures, self.end = {}, [], time.perf_counter() + patience

    def pytest_runtest_setup(self):
        if time.perf_counter() > self.end:
            pytest.skip("the time for the tests is over")

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed":
            file = report.nodeid.partition("::")[0]
            self.counts.setdefault(file, Counter())[report.outcome] += 1
            if report.failed:
                message = report.longrepr.reprcrash.message if hasattr(report.longrepr, "reprcrash") else ""
                self.failures.append((report.nodeid, (message.splitlines() or [""])[0][:200]))


def machine():
    """What the tests run on, as rows of a table."""
    import cupy

    card = cupy.cuda.runtime.getDeviceProperties(0)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "card": card["name"].decode(),
        "memory": f"{card['totalGlobalMem'] / 2**30:.0f} GiB",
        "CUDA": f"driver {cupy.cuda.runtime.driverGetVersion()}, runtime {cupy.cuda.runtime.runtimeGetVersion()}",
        "CuPy": cupy.__version__,
        "NumPy": np.__version__,
        "Python": platform.python_version(),
    }


# ------------------------------------------------------------------------------------------------------------ measuring

def clocked(run, wait, rounds=ROUNDS):
    """The median seconds of a call by the clock on the wall, after two that warm up."""
    times, begin = [], time.perf_counter()
    while len(times) < rounds + 2 and (len(times) < 3 or time.perf_counter() - begin < LONGEST):
        wait()
        start = time.perf_counter()
        run()
        wait()
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:]))


def device_clocked(run, rounds=ROUNDS):
    """The median seconds of a call by the clock of the device, between two events on its stream."""
    from cupy.cuda import Event, get_elapsed_time

    times, begin = [], time.perf_counter()
    while len(times) < rounds + 2 and (len(times) < 3 or time.perf_counter() - begin < LONGEST):
        start, end = Event(), Event()
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(get_elapsed_time(start, end) / 1e3)
    return float(np.median(times[2:]))


def training_step(hidden, batch, device, replayed, steps):
    """A function that trains an LSTM once more."""
    import tinygrad_seq as ts

    ts.manual_seed(0)
    layer = ts.nn.LSTM(hidden, hidden).to(device)
    optimizer = ts.optim.SGD(layer.parameters(), lr=1e-3)
    x = ts.randn(steps, batch, hidden, device=device)

    def step(x):
        optimizer.zero_grad()
        loss = (layer(x)[0] ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    run = ts.replay(step) if replayed else step
    return lambda: run(x)


def on_cpu(hidden, batch, steps):
    return clocked(training_step(hidden, batch, "cpu", False, steps), lambda: None)


def on_gpu(hidden, batch, steps):
    return device_clocked(training_step(hidden, batch, "cuda", False, steps))


def replayed(hidden, batch, steps):
    return device_clocked(training_step(hidden, batch, "cuda", True, steps))


def captured(hidden, batch, steps):
    """A program as a CUDA graph, which launches all its kernels at once: the same update from the same weights."""
    from cupy.cuda import Stream

    stream = Stream(non_blocking=True)
    Stream.null.synchronize()
    with stream:
        run = training_step(hidden, batch, "cuda", True, steps)
        for _ in range(3):  # fills the memory pool: nothing may be allocated while a graph is captured
            run()
        stream.synchronize()
        stream.begin_capture()
        try:
            run()
        finally:
            graph = stream.end_capture()
        return device_clocked(lambda: graph.launch(stream))


def in_pytorch(hidden, batch, steps):
    """The same step by PyTorch's LSTM, which is cuDNN's."""
    import torch

    layer = torch.nn.LSTM(hidden, hidden).cuda()
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-3)
    x = torch.randn(steps, batch, hidden, device="cuda")

    def step():
        optimizer.zero_grad()
        (layer(x)[0] ** 2).mean().backward()
        optimizer.step()

    return clocked(step, torch.cuda.synchronize)


WAYS = {
    "CPU": on_cpu,
    "GPU": on_gpu,
    "GPU, replayed": replayed,
    "GPU, captured": captured,
    "cuDNN, PyTorch": in_pytorch,
}


def ways_here():
    """The ways that can be measured on this machine."""
    has_torch = importlib.util.find_spec("torch") and __import__("torch").cuda.is_available()
    return {name: way for name, way in WAYS.items() if has_torch or way is not in_pytorch}


def benchmark(rows, sizes=SIZES, steps=50, end=float("inf")):
    """Add rows to a table: the sizes, and the milliseconds of a step in each way; words where there are none."""
    ways = ways_here()
    for hidden, batch in sizes:
        rows.append({"hidden units": hidden, "sequences": batch, **dict.fromkeys(ways, "")})
        for name, way in ways.items():
            seconds = tried(end, way, hidden, batch, steps)
            rows[-1][name] = f"{1e3 * seconds:.3g}" if isinstance(seconds, float) else seconds


def tried(end, measure, /, *args, **options):
    """What is measured, or why it is not: a measurement that fails must not cost the report."""
    if time.perf_counter() > end:
        return "no time"
    try:
        return measure(*args, **options)
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0][:120].replace("|", "/")


def language_model(device, replayed, updates=200, hidden=256, batch=64, window=64, end=float("inf")):
    """Train the demo's model on Python's manual: the loss in nats, first and last, and characters a second."""
    import tinygrad_seq as ts

    sys.path.insert(0, str(HOME / "demos"))
    from characters import LanguageModel

    text = ts.data.python_manual()
    vocabulary = ts.data.Vocabulary.of(text)
    windows = ts.data.bptt_batches(vocabulary.encode(text), batch, window)
    ts.manual_seed(0)
    model = LanguageModel(len(vocabulary), hidden, "gru").to(device)
    reader, optimizer = ts.truncated(model), ts.optim.Adam(model.parameters(), lr=4e-3)

    def update(x, y):
        optimizer.zero_grad()
        loss = ts.nn.cross_entropy(reader(x), y)
        loss.backward()
        ts.optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    run, losses, start = ts.replay(update) if replayed else update, [], 0.0
    for step in range(updates):
        if step % len(windows) == 0:
            reader.state = None
        if step == 3:  # what is made once has been made
            start = time.perf_counter()
        losses.append(run(*windows[step % len(windows)]))
        if step > 4 and time.perf_counter() > min(end, start + 4 * LONGEST):
            break
    speed = (len(losses) - 3) * batch * window / (time.perf_counter() - start)
    return f"{losses[0]:.2f} to {losses[-1]:.2f} nats in {len(losses)} updates, {speed:,.0f} characters a second"


def language_models(rows, end=float("inf"), **sizes):
    """Add rows to a table: the language model on the GPU, as written and as a program."""
    for name, replayed in (("GPU", False), ("GPU, replayed", True)):
        said = tried(end, language_model, "cuda", replayed, end=end, **sizes)
        rows.append({"way": name, "a GRU learns to write Python's manual": said})


# ----------------------------------------------------------------------------------------------------------- the report

def table(rows):
    """Dicts of the same keys as a table in Markdown."""
    lines = ["| " + " | ".join(map(str, rows[0])) + " |", "|---" * len(rows[0]) + "|"]
    return lines + ["| " + " | ".join(map(str, row.values())) + " |" for row in rows]


def report(rows, outcomes, seconds, times=(), learned=()):
    """The report as Markdown."""
    total = sum(outcomes.counts.values(), Counter())
    lines = ["# The tests on a real GPU", "", "Written by `python tests/gpu/run.py`.", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows.items()]
    said = ", ".join(f"{total[kind]} {kind}" for kind in ("passed", "failed", "skipped"))
    lines += ["", f"{said}, in {seconds:.0f} s.", "", "| file | passed | failed | skipped |", "|---|---|---|---|"]
    for file, count in sorted(outcomes.counts.items()):
        lines.append(f"| {file} | {count['passed']} | {count['failed']} | {count['skipped']} |")
    if times:
        lines += ["", "## Milliseconds of a step of training: an LSTM of 50 steps, forward, backward and SGD", ""]
        lines += table(times)
    if learned:
        lines += ["", "## A language model", "", *table(learned)]
    if outcomes.failures:
        lines += ["", "## Failures", "", *(f"- `{name}`: {message}" for name, message in outcomes.failures)]
    return "\n".join(lines) + "\n"


def main(arguments, file=REPORT, limit=LIMIT):
    sys.path.insert(0, str(HOME))
    start = time.perf_counter()
    outcomes, found = Outcomes(), {"seconds": 0.0, "times": [], "learned": []}
    rows = machine()

    def write():
        file.write_text(report(rows, outcomes, **found), encoding="utf-8")
        print(file.read_text(encoding="utf-8"), flush=True)

    def too_late():
        rows["ended"] = f"after {limit} s, by force"
        write()
        os._exit(2)

    watch = threading.Timer(limit, too_late)
    watch.daemon = True
    watch.start()
    status = pytest.main([*FLAGS, *(arguments or [str(HOME / "tests")])], [outcomes])
    found["seconds"] = time.perf_counter() - start
    if not arguments:
        benchmark(found["times"], end=start + MEASURING)
        language_models(found["learned"], end=start + MEASURING)
    watch.cancel()
    write()
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
