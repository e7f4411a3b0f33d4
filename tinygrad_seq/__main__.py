"""What the library says at a prompt: `python -m tinygrad_seq` tells what is here, `explain NAME` explains a mistake."""

import argparse
import sys
from collections.abc import Sequence

import tinygrad_seq as ts
from tinygrad_seq import explain
from tinygrad_seq.overview import first_picture_explained, overview

EXPLAIN = "print the page of a mistake that an error or a warning names; without a name, list all"
COMMANDS = f"""python -m tinygrad_seq explain [NAME]
    {EXPLAIN}
python -m tinygrad_seq.exercises STOP answer.py
    check your answer to an exercise of docs/learn
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tinygrad_seq",
        description="Say what is here and draw a first picture into the current directory, or run a command.",
    )
    parser.add_argument("--version", action="version", version=f"tinygrad_seq {ts.__version__}")
    parser.add_argument("--gpu", action="store_true", help="import CuPy, and say which GPUs it finds")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("explain", help=EXPLAIN).add_argument("name", nargs="?", help="such as backward-twice")
    given = parser.parse_args(arguments)
    try:
        if given.command is None:
            print(f"{overview(given.gpu)}\n\n{COMMANDS}", flush=True)
            print(first_picture_explained())
        else:
            print(explain.listing() if given.name is None else explain.page(given.name))
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 1
    except OSError as error:
        print(f"no picture here: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
