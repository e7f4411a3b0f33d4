"""Run every test marked `gpu` on a real device, measure, and write docs/gpu-report.md: what passed and what not.

    python tests/gpu/run.py                 on a machine with CuPy, an NVIDIA GPU, pytest and Hypothesis
    python tests/gpu/run.py tests/nn        only these tests

The report names the card, the driver, the versions and the date, holds the first line of every failure, and says how
long a step of training takes: forward, backward and Adam, of an LSTM, recorded and replayed, on the GPU and on the CPU,
and with cuDNN where PyTorch is installed. The tests may take six minutes of the eight that all of it has.
"""

import importlib.util
import platform
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

HOME = Path(__file__).resolve().parents[2]
FLAGS = ["-m", "gpu", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
REPORT = HOME / "docs" / "gpu-report.md"
PATIENCE = 360  # seconds for the tests
SIZES = [(64, 32), (256, 32), (1024, 64)]  # hidden units, sequences


class Outcomes:
    """A pytest plugin that counts the outcomes by file and keeps the first line of every failure."""

    def __init__(self):
        self.counts, self.failures, self.end = {}, [], time.perf_counter() + PATIENCE

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


def seconds_of_a_step(hidden, batch, device, replayed, steps=50):
    """How long one step of training an LSTM takes; the device is waited for before and after."""
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
    return clocked(lambda: run(x), (lambda: None) if device == "cpu" else lambda: ts.cuda.synchronize(device))


def seconds_in_pytorch(hidden, batch, steps=50):
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


def clocked(run, wait, rounds=5):
    """The median seconds of a call, after two that warm up."""
    times = []
    for _ in range(rounds + 2):
        wait()
        start = time.perf_counter()
        run()
        wait()
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:]))


def benchmark(sizes=SIZES, steps=50):
    """Rows of a table: the sizes, and the milliseconds of a step in each way."""
    ways = {"CPU": ("cpu", False), "GPU": ("cuda", False), "GPU, replayed": ("cuda", True)}
    rows = []
    for hidden, batch in sizes:
        row = {name: seconds_of_a_step(hidden, batch, *way, steps) for name, way in ways.items()}
        if importlib.util.find_spec("torch") and __import__("torch").cuda.is_available():
            row["cuDNN, PyTorch"] = seconds_in_pytorch(hidden, batch, steps)
        milliseconds = {name: f"{1e3 * seconds:.3g}" for name, seconds in row.items()}
        rows.append({"hidden units": hidden, "sequences": batch, **milliseconds})
    return rows


def table(rows):
    """Dicts of the same keys as a table in Markdown."""
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
    return lines + ["| " + " | ".join(map(str, row.values())) + " |" for row in rows]


def report(rows, outcomes, seconds, times=()):
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
    if outcomes.failures:
        lines += ["", "## Failures", "", *(f"- `{name}`: {message}" for name, message in outcomes.failures)]
    return "\n".join(lines) + "\n"


def main(arguments):
    outcomes, start = Outcomes(), time.perf_counter()
    chosen = arguments or [str(HOME / "tests")]
    status = pytest.main([*FLAGS, *chosen], [outcomes])
    seconds = time.perf_counter() - start
    times = [] if arguments else benchmark()
    REPORT.write_text(report(machine(), outcomes, seconds, times), encoding="utf-8")
    print(REPORT.read_text(encoding="utf-8"))
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
