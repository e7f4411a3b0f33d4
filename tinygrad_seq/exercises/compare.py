"""Numbers that came back beside those that were wanted, and the likely cause of the difference.

A stop computes what the usual mistakes would give; the mistake that gives the reader's numbers is the one to name.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tinygrad_seq.engine.backend import host
from tinygrad_seq.exercises.answer import Answer, Wrong, shown

TRIALS = 20  # random cases for each stop, small ones first: a mistake is shown where it is easiest to see


class Case(NamedTuple):
    """Hold one comparison: what it is about, what came back, what was wanted, and what usual mistakes would give."""

    what: str
    found: Any
    wanted: Any
    causes: Mapping[str, Any] = {}
    sharp: float = 1e-9  # the largest difference, as a part of the largest number that was wanted, or of 1


class Stop(NamedTuple):
    """Hold an exercise: the function to write, the cases that check it, and what to say where all are right."""

    name: str
    parameters: tuple[str, ...]
    cases: Callable[[Answer, Callable[..., Any], int, Any], Iterator[Case]]  # (answer, function, trial, generator)
    right: str

    def check(self, answer: Answer) -> str:
        """Return what is right about an answer; raise Wrong if something is wrong."""
        function, worst = answer.function(self.name, *self.parameters), 0.0
        for trial in range(TRIALS):
            for case in self.cases(answer, function, trial, host.random.default_rng(trial)):
                difference = far(case.found, case.wanted)
                if not difference <= case.sharp:
                    raise Wrong(told(case))
                worst = max(worst, difference)
        return f"{self.right} in {TRIALS} cases, largest difference {worst:.0e}"


def far(found: Any, wanted: Any) -> float:
    """Return the largest difference, as a part of the largest number that was wanted, or of 1."""
    if host.shape(found) != host.shape(wanted):
        return float("inf")
    return float(host.max(abs(found - wanted), initial=0.0) / max(1.0, host.max(abs(wanted), initial=0.0)))


def told(case: Case) -> str:
    """Return both numbers and the likely cause, as a sentence."""
    found, wanted = host.asarray(case.found), host.asarray(case.wanted)
    named = [cause for cause, gives in case.causes.items() if far(found, host.asarray(gives)) <= case.sharp]
    where = ""
    if found.size > 6:  # one number is enough
        at = host.unravel_index(int(abs(found - wanted).argmax()), found.shape)
        where, found, wanted = f" at {[int(i) for i in at]}", found[at], wanted[at]
    cause = named[0] if named else general_cause(host.asarray(case.found), host.asarray(case.wanted))
    return f"{case.what}\n    got     {shown(found, 6)}{where}\n    wanted  {shown(wanted, 6)}\n{cause}".rstrip()


def general_cause(found: Any, wanted: Any) -> str:
    """Return what is true of the two arrays as such: the sign, a factor, a transpose, single precision."""
    factor = float((found * wanted).sum() / ((wanted * wanted).sum() or 1.0))
    if not host.any(found):
        return "All numbers are 0: is something cut off, or never added?"
    if far(found, factor * wanted) < 1e-9:
        return "The sign is wrong." if abs(factor + 1) < 1e-9 else f"It is {factor:.4g} times what was wanted."
    if far(found.T, wanted) < 1e-9:
        return "It is transposed."
    return "So small a difference is float32: use the dtype of the arguments." if far(found, wanted) < 1e-5 else ""
