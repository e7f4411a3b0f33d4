"""`python -m tinygrad_seq.exercises 4 answer.py`: is it right? If not, what is wrong with it."""

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from tinygrad_seq.engine.backend import host
from tinygrad_seq.exercises import engine, gradients, libraries, sequences, steps
from tinygrad_seq.exercises.answer import Answer, Wrong, load

STOPS: dict[int, Callable[[Answer], str]] = {
    0: engine.check, 1: steps.embed.check, 2: steps.elman.check, 3: sequences.shares.check, 4: sequences.bptt.check,
    5: sequences.encode_decode.check, 6: gradients.clip.check, 7: steps.gru_step.check, 8: gradients.softsign.check,
    9: libraries.standardise.check, 10: libraries.run.check, 11: gradients.penalty.check,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Check an answer; return 0 if it is right, 1 if not."""
    parser = argparse.ArgumentParser(
        prog="python -m tinygrad_seq.exercises", description="Check your answer to an exercise of docs/learn."
    )
    parser.add_argument("stop", type=int, choices=STOPS, metavar="STOP", help=f"one of {', '.join(map(str, STOPS))}")
    parser.add_argument("file", type=Path, metavar="answer.py", help="your file")
    given = parser.parse_args(arguments)
    try:
        with warnings.catch_warnings(), host.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            right = STOPS[given.stop](load(given.file))
    except Wrong as wrong:
        print(f"stop {given.stop}: {wrong}")
        return 1
    print(f"stop {given.stop}: right: {right}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
