"""Tests of the tests: faults planted in the package one at a time, each of which the suite has to notice.

A fault is a text that occurs exactly once in a file, and what stands there instead. Each goes into a copy of its own,
where the tests that should notice it are run; before that the same tests must pass on a copy without any, or "caught"
would prove nothing. A text that is no longer found once is an error, so a refactoring cannot quietly disarm a fault;
nor does a copy that fails to import count as caught.

    python tests/planted_faults.py                  all of them
    python tests/planted_faults.py --sample 6       as many, drawn by --seed
    python tests/planted_faults.py --only "no_grad"
"""

import argparse
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from faults import FAULTS, Fault

HOME = Path(__file__).resolve().parent.parent
FILES = {path.name: str(path.relative_to(HOME)) for path in (HOME / "tests").rglob("test_*.py")}
PATIENCE = 300  # seconds for one run of pytest
NOTICED = re.compile(r"^(?:FAILED|ERROR) (\S+::\w+)", re.MULTILINE)


def source(fault: Fault) -> str:
    return (HOME / "tinygrad_seq" / fault.file).read_text(encoding="utf-8")


def out_of_place() -> list[str]:
    """What to say of the faults whose text is not found exactly once."""
    counts = [(fault, source(fault).count(fault.text)) for fault in FAULTS]
    return [f"{f.name}: {f.file} holds {f.text!r} {count} times, not once" for f, count in counts if count != 1]


def copied(folder: Path) -> Path:
    """A fresh copy of what a test run needs."""
    for part in ("tinygrad_seq", "tests", "demos", "docs/figures"):
        shutil.copytree(HOME / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.svg"))
    shutil.copy(HOME / "pyproject.toml", folder)
    return folder


def pytest(folder: Path, tests: str, seed: int) -> tuple[int, str]:
    """How pytest ended there, and what it said. Hypothesis draws by the seed, so a verdict comes out again."""
    words = [FILES.get(word, word) for word in shlex.split(tests)]
    options = ["-x", "-q", "-rfE", "-m", "", "-p", "no:cacheprovider", f"--hypothesis-seed={seed}"]  # slow ones, too
    command = [sys.executable, "-m", "pytest", *options, *words]
    environment = os.environ | {"HYPOTHESIS_PROFILE": "faults", "PYTHONPATH": str(folder)}
    try:
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return -1, f"no end after {PATIENCE} s"
    return ended.returncode, ended.stdout + ended.stderr


def judge(fault: Fault, folder: Path, seed: int) -> tuple[bool, str]:
    """Whether a test failed over the fault, and the line that says so."""
    start = time.perf_counter()
    file = copied(folder) / "tinygrad_seq" / fault.file
    file.write_text(source(fault).replace(fault.text, fault.planted), encoding="utf-8")
    code, output = pytest(folder, fault.tests, seed)
    by = NOTICED.search(output)
    if code == 1 and by is not None:
        caught, verdict, why = True, "caught", by[1].removeprefix("tests/")
    elif code == 0:
        caught, verdict, why = False, "MISSED", f"by {fault.tests}"
    else:  # no test ran to its end, so none has noticed anything
        caught, verdict, why = False, "BROKEN", f"pytest ended with {code}:\n{output}"
    return caught, f"{verdict}  {fault.name:<53} {time.perf_counter() - start:5.1f} s  {why}"


def chosen(options: argparse.Namespace) -> list[Fault]:
    faults = [fault for fault in FAULTS if not options.only or any(part in fault.name for part in options.only)]
    if not faults:
        raise SystemExit(f"no fault is called {' or '.join(options.only)}: see --list")
    drawn = random.Random(options.seed).sample(faults, min(options.sample or len(faults), len(faults)))
    return sorted(drawn, key=FAULTS.index)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Plant faults in copies of the package: does the suite notice each?")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many, drawn by the seed")
    parser.add_argument("--seed", type=int, default=0, help="of the sample and of what Hypothesis draws (0)")
    parser.add_argument("--only", action="append", metavar="NAME", help="those with this in their name; repeatable")
    parser.add_argument("--list", action="store_true", help="their names, files and tests")
    parser.add_argument("-j", type=int, default=2, metavar="N", help="how many at a time (2)")
    options = parser.parse_args(arguments)
    faults = chosen(options)
    if options.list:
        print("\n".join(f"{fault.name:<53} {fault.file:<20} {fault.tests}" for fault in faults))
        return 0
    if complaints := out_of_place():  # all of them, whatever was drawn
        raise SystemExit("\n".join(complaints))
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(options.j) as pool:
        folder = Path(place)
        clean, selections = copied(folder / "clean"), sorted({fault.tests for fault in faults})
        for tests, (code, output) in zip(selections, pool.map(lambda it: pytest(clean, it, options.seed), selections)):
            if code != 0:
                raise SystemExit(f"{tests} must pass before a fault is planted:\n{output}")
        print(f"{len(selections)} selections of tests pass as things are.")
        missed = 0
        for caught, line in pool.map(lambda i: judge(faults[i], folder / str(i), options.seed), range(len(faults))):
            print(line, flush=True)
            missed += not caught
    print(f"{len(faults) - missed} of {len(faults)} faults caught.")
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())
