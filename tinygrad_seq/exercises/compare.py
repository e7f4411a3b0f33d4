"""Numbers that came back beside those that were wanted."""

from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.exercises.answer import Wrong, shown

TRIALS = 20  # random cases for each stop, small ones first: a mistake is shown where it is easiest to see


def difference(found: Any, wanted: Any) -> float:
    """Return the largest difference, as a part of the largest number that was wanted, or of 1."""
    found, wanted = host.asarray(found), host.asarray(wanted)
    if found.shape != wanted.shape:
        return float("inf")
    return float(host.max(abs(found - wanted), initial=0.0) / max(1.0, host.max(abs(wanted), initial=0.0)))


def complaint(what: str, found: Any, wanted: Any, cause: str = "") -> Wrong:
    """Return both numbers and the likely cause, as a sentence."""
    why, where = cause or general_cause(found, wanted), ""
    if found.size > 6:  # one number is enough
        at = host.unravel_index(int(abs(found - wanted).argmax()), found.shape)
        where, found, wanted = f" at {[int(i) for i in at]}", found[at], wanted[at]
    return Wrong(f"{what}\n    got     {shown(found, 6)}{where}\n    wanted  {shown(wanted, 6)}\n{why}".rstrip())


def general_cause(found: Any, wanted: Any) -> str:
    """Return what is true of the two arrays as such: the sign, a factor, a transpose, single precision."""
    factor = float((found * wanted).sum() / ((wanted * wanted).sum() or 1.0))
    if not host.any(found):
        return "All numbers are 0: is something cut off, or never added?"
    if abs(factor + 1) < 1e-9 and difference(found, -wanted) < 1e-9:
        return "The sign is wrong."
    if found.size > 1 and difference(found, factor * wanted) < 1e-9:
        return f"It is {factor:.4g} times what was wanted."
    if difference(found.T, wanted) < 1e-9:
        return "It is transposed."
    small = "So small a difference is float32, or a number like 1e-8 that was added."
    return small if difference(found, wanted) < 1e-5 else ""
