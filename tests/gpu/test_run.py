"""The script that runs the tests on a GPU, on the double as far as that goes: what it measures and writes."""

import runpy
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import as_if_real
import pytest

HERE = Path(__file__).parent


@pytest.fixture
def script(gpu, monkeypatch):
    if gpu is None:
        pytest.skip("on a real device the script itself is run")
    as_if_real.equip(lambda *extra: monkeypatch.setattr(*extra, raising=False))
    monkeypatch.syspath_prepend(str(HERE.parents[1] / "demos"))
    return runpy.run_path(str(HERE / "run.py"))


def test_the_report_says_what_passed_and_how_long_a_step_takes(script):
    outcomes, times, learned = script["Outcomes"](), [], []
    outcomes.counts["tests/a.py"] = Counter(passed=2, failed=1)
    outcomes.failures.append(("tests/a.py::test_b", "wrong"))
    script["benchmark"](times, [(2, 1)], 2)
    script["language_models"](learned, updates=6, hidden=3, batch=2, window=3)
    text = script["report"](script["machine"](), outcomes, 3.0, times, learned)
    assert "| card | a double |" in text and "2 passed, 1 failed, 0 skipped, in 3 s." in text
    assert "- `tests/a.py::test_b`: wrong" in text
    heading, _, row = next(text.splitlines()[i:i + 3] for i, line in enumerate(text.splitlines()) if "hidden" in line)
    assert heading.startswith("| hidden units | sequences | CPU | GPU | GPU, replayed | GPU, captured |")
    assert row.startswith("| 2 | 1 |") and all(float(cell) >= 0 for cell in row.split("|")[3:7])
    assert text.count(" nats in 6 updates, ") == 2


def test_what_there_is_no_time_for_or_fails_is_said(script):
    times = []
    script["benchmark"](times, [(2, 1)], 2, end=time.perf_counter() - 1)
    assert set(times[0].values()) == {2, 1, "no time"}
    assert script["tried"](float("inf"), lambda: 1 / 0) == "ZeroDivisionError: division by zero"


@pytest.mark.slow
def test_all_of_it_runs_on_the_double_as_if_that_were_real():
    done = subprocess.run([sys.executable, str(HERE / "as_if_real.py"), str(HERE.parent / "flow/test_flow_devices.py")],
                          capture_output=True, text=True, timeout=100)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| tests/flow/test_flow_devices.py | 12 | 0 | 0 |" in done.stdout and "| card | a double |" in done.stdout
