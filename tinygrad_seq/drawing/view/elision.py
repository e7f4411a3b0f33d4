"""Decide which steps of a loop a picture leaves out: only those that were checked to be the same step again as one
that is shown. In an unrolled picture a box stands for several in a row, a gap; in a rolled one the last of a kind is
drawn for all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.same_step import StepKinds
from tinygrad_seq.engine.timeline import ScopeVisit, Timeline


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """Steps that are drawn as one."""

    id: str  # of its cluster
    steps: list[ScopeVisit]
    shown: ScopeVisit  # the step whose place in the picture it takes
    gap: bool = False  # a box that only says how many steps there are
    varying: Sequence[str] = ()  # what differs between the steps: indices, targets, constants


@dataclass(frozen=True, slots=True)
class Elision:
    """What is drawn for each step, and for each op of a step that is not drawn itself."""

    rolled: bool
    cards: dict[ScopeVisit, Card]  # of every step
    hidden: dict[Node, tuple[Card, int]]  # in a gap: which one, and which op of its step the node was
    twins: dict[Node, Node]  # of every op: the same op in the step that is drawn for its own


def elided(timeline: Timeline, same: StepKinds, rolled: bool, first: int, last: int) -> Elision:
    """Return what is left out of the loops, of which unrolled pictures show the first and last steps."""
    rolled = rolled and bool(timeline.loops)
    found = (rolls(loop, same) if rolled else gaps(loop, same, first, last) for loop in timeline.loops)
    cards = {step: card for loop in found for card in loop for step in card.steps}
    hidden = {
        node: (card, position)
        for step, card in reversed(cards.items())  # of gaps within gaps the outermost, which comes first, counts
        if card.gap
        for position, node in enumerate(timeline.ops_in[step])
    }
    return Elision(rolled, cards, hidden, {node: twin(node, timeline, cards) for node in timeline.positions})


def gaps(loop: list[ScopeVisit], same: StepKinds, first: int, last: int) -> list[Card]:
    """Return the cards of a loop in an unrolled picture. One step alone is shown: a gap would be no shorter."""
    hidden = {
        step
        for order, (before, step) in enumerate(pairwise(loop), 1)
        if first <= order < len(loop) - last and same.kind[step] == same.kind[before]
    }
    runs = [loop[:1]]
    for before, step in pairwise(loop):
        if before in hidden and step in hidden:
            runs[-1].append(step)
        else:
            runs.append([step])
    return [
        Card(f"{run[0].id}...", run, run[0], True, same.varying(run)) if len(run) > 1 else Card(run[0].id, run, run[0])
        for run in runs
    ]


def rolls(loop: list[ScopeVisit], same: StepKinds) -> list[Card]:
    """Return the cards of a loop in a rolled picture, one for each kind of step."""
    alike = grouped((same.kind[step], step) for step in loop)
    return [Card(steps[-1].id, steps, steps[-1], varying=same.varying(steps)) for steps in alike.values()]


def twin(node: Node, timeline: Timeline, cards: Mapping[ScopeVisit, Card]) -> Node:
    """Return the same op in the step that is drawn for its own; in loops within loops, in every loop."""
    for step, position in timeline.positions[node]:
        shown = cards[step].shown
        if shown is not step:
            from_end = position - len(timeline.ops_in[step])  # a first step may lack ops at its beginning
            return twin(timeline.ops_in[shown][from_end], timeline, cards)
    return node
