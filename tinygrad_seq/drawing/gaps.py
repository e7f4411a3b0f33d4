"""Which steps of a long loop a picture leaves out: only those that were checked to be the same step again as one that
is shown, a box for several in a row, or one card for all of a kind.
"""

from dataclasses import dataclass, field

from tinygrad_seq.drawing.caption import shortened
from tinygrad_seq.drawing.view import Cluster, Item
from tinygrad_seq.engine.timeline import ScopeVisit


@dataclass(slots=True)
class Gap:
    """Steps left out, and the box drawn instead."""

    steps: list[ScopeVisit]
    cluster: Cluster
    passing: dict[int, Item] = field(default_factory=dict)  # by position in the step: what goes on from here


def gaps_of(loop: list[ScopeVisit], kinds: dict[ScopeVisit, int], first: int, last: int) -> list[Gap]:
    """The gaps of a loop, which shows its first and last steps. One step alone is shown: a box would be no shorter."""
    gaps: list[Gap] = []
    shown = loop[0]
    hidden: list[ScopeVisit] = []
    for order, step in enumerate([*loop[1:], None], 1):
        if step is not None and first <= order < len(loop) - last and kinds[step] == kinds[shown]:
            hidden.append(step)
            continue
        if len(hidden) > 1:
            gaps.append(gap_of(hidden))
        hidden = []
        shown = step or shown
    return gaps


def gap_of(hidden: list[ScopeVisit]) -> Gap:
    count = f"{len(hidden)} identical steps"
    times = f"t = {shortened(hidden[0].text)} … {shortened(hidden[-1].text)}"
    about = f"{count}, {times}: each holds the same ops, wired the same way, as the step before"
    cluster = Cluster(f"{hidden[0].id}...", "gap", count)
    cluster.items.append(Item(f"{cluster.id}#", "middle", "⋯", f"{count}\n{times}", about, -1))
    return Gap(hidden, cluster)


def rolls_of(loop: list[ScopeVisit], kinds: dict[ScopeVisit, int]) -> list[list[ScopeVisit]]:
    """The steps of a loop by kind, each in order of time; of a rolled loop the last of a kind is drawn for all."""
    rolls: dict[int, list[ScopeVisit]] = {}
    for step in loop:
        rolls.setdefault(kinds[step], []).append(step)
    return list(rolls.values())
