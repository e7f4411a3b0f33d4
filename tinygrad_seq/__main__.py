"""What the library says at a prompt: `python -m tinygrad_seq` tells what is here, `explain NAME` explains a mistake."""

import argparse
import sys
from collections.abc import Sequence

import tinygrad_seq as ts
from tinygrad_seq import explain
from tinygrad_seq.engine import backend

HELP = {
    "explain": "print the page of a mistake that an error or a warning names; without a name, list all",
}
OTHERS = "python -m tinygrad_seq.exercises STOP answer.py   check your answer to an exercise of docs/learn"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tinygrad_seq", description=f"tinygrad_seq {ts.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("explain", help=HELP["explain"]).add_argument("name", nargs="?", help="such as backward-twice")
    given = parser.parse_args(arguments)
    if given.command is None:
        print(overview())
    elif given.name is None:
        print(explain.listing())
    else:
        try:
            print(explain.page(given.name))
        except LookupError as error:
            print(error.args[0], file=sys.stderr)
            return 1
    return 0


def overview() -> str:
    """Return the version, the backends and the commands, as text."""
    try:
        cupy = backend.cupy()
        devices = f"cuda: CuPy {cupy.__version__}, {cupy.cuda.runtime.getDeviceCount()} GPU(s)"
    except RuntimeError as error:
        devices = f"cuda: not here. {error}"
    return f"""tinygrad_seq {ts.__version__}
  cpu: NumPy {backend.host.__version__}
  {devices}

python -m tinygrad_seq explain [NAME]              {HELP["explain"]}
{OTHERS}"""


if __name__ == "__main__":
    sys.exit(main())
