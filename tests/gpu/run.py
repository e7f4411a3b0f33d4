"""Run every test marked `gpu` on a real device, and write docs/gpu-report.md: what passed, what did not, on what.

    python tests/gpu/run.py                 on a machine with CuPy, an NVIDIA GPU, pytest and Hypothesis
    python tests/gpu/run.py tests/nn        only these tests

The report names the card, the driver, the versions and the date, and holds the first line of every failure.
"""

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


class Outcomes:
    """A pytest plugin that counts the outcomes by file and keeps the first line of every failure."""

    def __init__(self):
        self.counts, self.failures = {}, []

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


def report(rows, outcomes, seconds):
    """The report as Markdown."""
    total = sum(outcomes.counts.values(), Counter())
    lines = ["# The tests on a real GPU", "", "Written by `python tests/gpu/run.py`.", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows.items()]
    said = ", ".join(f"{total[kind]} {kind}" for kind in ("passed", "failed", "skipped"))
    lines += ["", f"{said}, in {seconds:.0f} s.", "", "| file | passed | failed | skipped |", "|---|---|---|---|"]
    for file, count in sorted(outcomes.counts.items()):
        lines.append(f"| {file} | {count['passed']} | {count['failed']} | {count['skipped']} |")
    if outcomes.failures:
        lines += ["", "## Failures", "", *(f"- `{name}`: {message}" for name, message in outcomes.failures)]
    return "\n".join(lines) + "\n"


def main(arguments):
    outcomes, start = Outcomes(), time.perf_counter()
    chosen = arguments or [str(HOME / "tests")]
    status = pytest.main([*FLAGS, *chosen], [outcomes])
    REPORT.write_text(report(machine(), outcomes, time.perf_counter() - start), encoding="utf-8")
    print(REPORT.read_text(encoding="utf-8"))
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
