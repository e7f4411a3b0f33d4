"""The package as its users get it: a wheel made from the source archive, in an environment with nothing else.

    python tests/installed.py                                 a sample of the tests, with the oldest NumPy
    python tests/installed.py --all                           all but those that are about the sources
    python tests/installed.py --python python3.12 python3.13 --numpy "numpy==2.0.*" numpy

The archives must hold what git holds; alone, the wheel brings NumPy and graphviz and draws its first picture. The tests
run in a folder in which there is no package, so they import the installed one. It needs `build` (extra `release`).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
ALONE = {"tinygrad-seq", "numpy", "graphviz", "pip", "setuptools"}  # an environment brings the last two
SAMPLE = ["engine/test_engine.py", "engine/test_gradient.py", "nn/test_bptt.py", "optim/test_optim.py",
          "saving/test_io.py", "saving/test_saved_files.py", "saving/test_failed_saves.py", "drawing/test_drawing.py",
          "test_overview.py"]  # fmt: skip
OF_SOURCES = ["docs", "parity", "gpu", "benchmarks", "engine/test_strict_cupy_contract.py"]  # and of other packages


def said(*command: str | Path, cwd: Path = HOME) -> str:
    """Return what a command prints; end with that if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run([*map(str, command)], cwd=cwd, env=environment, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)  # fmt: skip
    if ended.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{ended.stdout[-8000:]}")
    return ended.stdout


def tracked(*folders: str) -> set[str]:
    return set(said("git", "ls-files", "--", *folders).splitlines())


def built(folder: Path) -> Path:
    """The wheel, made from the source archive; both hold every file that they should, the wheel nothing else."""
    said(sys.executable, "-m", "build", "--outdir", folder)  # first the archive, then the wheel from it
    (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as opened:
        found = {name for name in opened.namelist() if ".dist-info/" not in name}
    assert found == tracked("tinygrad_seq"), f"in one but not in the other: {found ^ tracked('tinygrad_seq')}"
    with tarfile.open(archive) as opened:
        found = {name.partition("/")[2] for name in opened.getnames()}
    wanted = tracked("tinygrad_seq", "tests", "demos", "docs", "README.md", "LICENSE", "pyproject.toml")
    assert wanted <= found, f"not in the source archive: {wanted - found}"
    return wheel


def installed(wheel: Path, python: str, numpy: str, folder: Path) -> Path:
    """The Python of a new environment with the wheel alone, in which it has drawn its first picture."""
    said(python, "-m", "venv", folder)
    new = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    said(new, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", numpy, wheel)
    listed = said(new, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check").splitlines()
    found = {line.partition("==")[0].lower().replace("_", "-") for line in listed if "==" in line}
    assert found <= ALONE, f"the wheel brings {found - ALONE}"
    assert "source archive" in said(new, "-m", "tinygrad_seq", cwd=folder)
    assert (folder / "first_picture.html").stat().st_size > 10_000
    return new


def tested(new: Path, wheel: Path, numpy: str, everything: bool, folder: Path) -> str:
    """The last line of pytest about the installed package, in a folder without the sources."""
    for part in ("tests", "demos", "docs"):
        shutil.copytree(HOME / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("README.md", "pyproject.toml"):
        shutil.copy(HOME / part, folder)
    needs = [f"{wheel}[test]"] if everything else ["pytest", "pytest-xdist", "hypothesis", "mpmath"]
    said(new, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", numpy, *needs)
    where = said(new, "-c", "import tinygrad_seq; print(tinygrad_seq.__file__)", cwd=folder)
    assert Path(where.strip()).is_relative_to(new.parents[1]), where
    chosen = ["tests", "--pyargs", "tinygrad_seq", *(f"--ignore=tests/{name}" for name in OF_SOURCES)]
    if not everything:
        chosen = [f"tests/{name}" for name in SAMPLE]
    return said(new, "-m", "pytest", "-n", "auto", "-p", "no:cacheprovider", *chosen, cwd=folder).splitlines()[-1]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="which Pythons (this one)")
    parser.add_argument("--numpy", nargs="+", default=["numpy==2.0.*"], help="which NumPys, as pip is told (2.0)")
    parser.add_argument("--all", action="store_true", help="all tests that do not ask for the sources")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        wheel = built(Path(place) / "dist")
        print(f"{wheel.name}, and the source archive that it is made from, hold what they should", flush=True)
        for number, (python, numpy) in enumerate((p, n) for p in options.python for n in options.numpy):
            start, folder = time.perf_counter(), Path(place) / str(number)
            new = installed(wheel, python, numpy, folder / "environment")
            version = said(new, "-c", "import sys, numpy; print(sys.version.split()[0], 'NumPy', numpy.__version__)")
            last = tested(new, wheel, numpy, options.all, folder)
            print(f"Python {version.strip()}: {last} ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
