"""Decide which steps of a loop a picture leaves out: only those that were checked to be the same step again as one
that is shown. In an unrolled picture a box stands for several in a row, a gap; in a rolled one the last of a kind is
drawn for all of them.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.same_numbers import called
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
    like: Sequence[ScopeVisit] = ()  # of a gap: for each of its steps, the drawn one that it is again
    varying: Sequence[str] = ()  # what differs between steps of one kind: indices, targets, constants
    places: dict[Hashable, int] = field(default_factory=dict)  # of a gap: the numbers of the ops in it


@dataclass(frozen=True, slots=True)
class Elision:
    """What is drawn for each step, and for each op of a step that is not drawn itself."""

    rolled: bool
    cards: dict[ScopeVisit, Card]  # of every step
    hidden: dict[Node, tuple[Card, int]]  # in a gap: which one, and the number of the op in it
    twins: dict[Node, Node]  # of every op: the same op in the step that is drawn for its own


def elided(timeline: Timeline, same: StepKinds, rolled: bool, first: int, last: int) -> Elision:
    """Return what is left out of the loops, of which unrolled pictures show the first and last steps."""
    rolled = rolled and bool(timeline.loops)
    found = [rolls(loop, same) if rolled else gaps(loop, same, first, last) for loop in timeline.loops]
    cards = {step: card for loop in found for card in loop for step in card.steps}
    hidden: dict[Node, tuple[Card, int]] = {}
    for loop in reversed(found):  # of gaps within gaps the outermost, which comes first, counts
        for card in loop:
            hidden |= numbered(card, timeline) if card.gap else {}
    return Elision(rolled, cards, hidden, {node: twin(node, timeline, cards) for node in timeline.positions})


def gaps(loop: list[ScopeVisit], same: StepKinds, first: int, last: int) -> list[Card]:
    """Return the cards of a loop in an unrolled picture: a step may be left out if one of its kind was drawn before."""
    oldest = {same.kind[step]: step for step in reversed(loop)}  # of each kind the first, which is always drawn
    hidden = {step for step in loop[first : max(len(loop) - last, 0)] if step is not oldest[same.kind[step]]}
    found = ((is_hidden, list(steps)) for is_hidden, steps in groupby(loop, hidden.__contains__))
    runs = [run for is_hidden, steps in found for run in ([steps] if is_hidden else [[step] for step in steps])]
    cards: list[Card] = []
    drawn: dict[int, ScopeVisit] = {}  # of each kind, the last so far
    for run in runs:
        id, kinds = run[0].id, grouped((same.kind[step], step) for step in run)
        if len(run) == 1:  # a gap for one step would be no shorter
            drawn |= dict.fromkeys(kinds, run[0])
            cards.append(Card(id, run, run[0]))
        else:
            told = (what for kind, steps in kinds.items() for what in same.varying([drawn[kind], *steps]))
            like = [drawn[same.kind[step]] for step in run]
            cards.append(Card(f"{id}...", run, run[0], True, like, list(dict.fromkeys(told))))
    return cards


def rolls(loop: list[ScopeVisit], same: StepKinds) -> list[Card]:
    """Return the cards of a loop in a rolled picture, one for each kind of step."""
    alike = grouped((same.kind[step], step) for step in loop)
    return [Card(steps[-1].id, steps, steps[-1], varying=same.varying(steps)) for steps in alike.values()]


def numbered(gap: Card, timeline: Timeline) -> dict[Node, tuple[Card, int]]:
    """Return the number of every op in a gap: one for the same op in steps of all kinds."""
    found: dict[Node, tuple[Card, int]] = {}
    of_kind: dict[ScopeVisit, list[int]] = {}
    for step, like in zip(gap.steps, gap.like):
        ops = timeline.ops_in[step]
        if like not in of_kind:
            places = (place_of(node, step.loop, timeline) for node in ops)
            taken = sum(map(len, of_kind.values()))
            of_kind[like] = [gap.places.setdefault(place, number) for number, place in enumerate(places, taken)]
        found.update((node, (gap, number)) for node, number in zip(ops, of_kind[like]))
    return found


def place_of(node: Node, loop: int, timeline: Timeline) -> Hashable:
    """Return what an op is in its step of a loop: which op, how far from the end of the step; None outside the loop."""
    for step, position in timeline.positions[node]:
        if step.loop == loop:
            return position - len(timeline.ops_in[step]), node.op.name, node.shape, called(node)
    return None


def twin(node: Node, timeline: Timeline, cards: Mapping[ScopeVisit, Card]) -> Node:
    """Return the same op in the step that is drawn for its own; in loops within loops, in every loop."""
    for step, position in timeline.positions[node]:
        shown = cards[step].shown
        if shown is not step and not cards[step].gap:
            from_end = position - len(timeline.ops_in[step])  # a first step may lack ops at its beginning
            return twin(timeline.ops_in[shown][from_end], timeline, cards)
    return node
