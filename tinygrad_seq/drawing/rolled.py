"""The rolled view of a loop: steps that do the same are drawn once, and their state leads back to them, one step later.

What a step reads in place of a step before the first does not make it another (it is drawn as the first state), and
neither does who reads it; whatever else differs, a dropped unit's op or a branch taken once, gets a card of its own.
"""

from tinygrad_seq.steps import Place


def rolls_of(loop: list[Place], kinds: dict[Place, int]) -> list[list[Place]]:
    """The steps of a loop by kind, each in order of time; the last of a kind is the one that is drawn."""
    rolls: dict[int, list[Place]] = {}
    for step in loop:
        rolls.setdefault(kinds[step], []).append(step)
    return list(rolls.values())
