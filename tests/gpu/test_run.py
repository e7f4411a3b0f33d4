"""The script that runs the tests on a GPU, on the double as far as that goes: what it measures and writes."""

import runpy
from collections import Counter
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")


def test_the_report_says_what_passed_and_how_long_a_step_takes(gpu):
    if gpu is None:
        pytest.skip("on a real device the script itself is run")
    script = runpy.run_path(str(RUN))
    outcomes = script["Outcomes"]()
    outcomes.counts["tests/a.py"] = Counter(passed=2, failed=1)
    outcomes.failures.append(("tests/a.py::test_b", "wrong"))
    text = script["report"]({"card": "none"}, outcomes, 3.0, script["benchmark"]([(2, 1)], 2))
    assert "| card | none |" in text and "2 passed, 1 failed, 0 skipped, in 3 s." in text
    assert "- `tests/a.py::test_b`: wrong" in text
    heading, _, row = next(text.splitlines()[i:i + 3] for i, line in enumerate(text.splitlines()) if "hidden" in line)
    assert heading == "| hidden units | sequences | CPU | GPU | GPU, replayed |"
    assert row.startswith("| 2 | 1 |") and all(float(cell) > 0 for cell in row.split("|")[3:6])
