"""Find loops over time that no scope declares: the same block of ops again and again, each reading the one before.

The ops of a place (a module's call, or the top) are a sequence of units in the order of recording: its own ops, and the
visits inside it. Every unit gets a token, equal where two units are the same but for data. A loop is a stretch in which
the tokens repeat with a period, and which then passes these checks, op by op, inside of visits, too:

    every block reads the same parameter, constant or outside value at the same place;
    it reads the block before at the same place, and what it reads there depends on what that block read there;
        or it reads, at the same place, what the steps of a loop have made, in their order: an answer to every state;
    all else that it reads lies in the block, or is data.

What is not certain is no loop. What is found is only a grouping: whether two steps are the same is asked of same_step.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import pairwise

from tinygrad_seq.engine.graph import Detached, Node
from tinygrad_seq.engine.loop_ends import Unit, beginning, certain, extended, reads
from tinygrad_seq.engine.periods import stretches
from tinygrad_seq.engine.recurrence import depends_on_itself, reads_data, weighs_by_number
from tinygrad_seq.engine.same_step import kinds_of_ops
from tinygrad_seq.engine.scope import Name, Scope
from tinygrad_seq.engine.timeline import FoundStep, ScopeVisit, Timeline
from tinygrad_seq.engine.walk import GradientOf

least_steps = 3
least_steps_of_one_op = 8
deepest_expression = 3
work_per_op = 60  # how often an op may be looked at, before nothing more is looked for

Token = Hashable


def timeline_of(ops: Sequence[Node], find: bool = True) -> Timeline:
    """Return the Timeline of ops that are given in order of creation, with the steps that are found in it."""
    timeline = Timeline(ops)
    scopes = scopes_with_steps(timeline) if find else {}
    place = {node.serial: scope for node, scope in scopes.items()}
    for node in scopes:  # a recorded backward is in the steps of its forward
        key = node.scope.value
        if isinstance(key, GradientOf) and key.serial in place:
            scopes[node] = Scope(place[key.serial], "grad", key, True)
    return Timeline(ops, scopes) if scopes else timeline


def scopes_with_steps(timeline: Timeline) -> dict[Node, Scope]:
    """Return new scopes for the ops of a Timeline: the same places, and the steps that were found in them."""
    finder = Finder(timeline)
    units = finder.units_of(timeline.top)
    scopes: dict[Node, Scope] = {}
    if finder.found:
        stack: list[tuple[list[Unit], Scope]] = [(units, Scope(None, "", None, True))]
        while stack:
            members, here = stack.pop()
            for unit in members:
                if unit.blocks:
                    steps = [Scope(here, "step", FoundStep(k), True) for k in range(len(unit.blocks))]
                    stack += zip(unit.blocks, steps)
                elif unit.visit is None:
                    scopes[unit.ops[0]] = here
                else:
                    place = Scope(here, unit.visit.key, unit.visit.value, True)
                    stack.append((finder.inside[unit.visit], place))
    return scopes


class Finder:
    """Goes through the places of a graph, inner ones first, and replaces what repeats in them by loops."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.numbers: dict[Token, int] = {}  # of tokens
        self.expressions: dict[Node, tuple[int, int]] = {}  # what is made of parameters alone: a number, how deep
        self.inside: dict[ScopeVisit, list[Unit]] = {}  # the units of each visit
        self.steps: dict[Node, tuple[Unit, int, int]] = {}  # of ops in loops: the loop, the step, how far from its end
        self.found = 0
        self.work = work_per_op * len(timeline.visit_of) + 1000

    def number(self, token: Token) -> int:
        """Return a number for a token, equal for equal ones."""
        return self.numbers.setdefault(token, len(self.numbers))

    def units_of(self, top: ScopeVisit) -> list[Unit]:
        """Return the units of a place, after those of all places inside it."""
        kinds = kinds_of_ops(self.timeline.visit_of)
        tokens = {node: self.number(self.token(node, kind)) for node, kind in kinds.items()}
        places = [top]
        for place in places:  # the list grows while it is read
            places += self.timeline.inner[place]
        first: dict[ScopeVisit, int] = {}
        for place in reversed(places):
            inner = [visit for visit in self.timeline.inner[place] if visit in first]
            units = [Unit(tokens[node], [node], name=kinds[node]) for node in place.ops]
            units += map(self.unit_of, inner)
            units.sort(key=lambda unit: unit.ops[0].serial)
            if units:
                first[place] = units[0].ops[0].serial
                self.inside[place] = units if place.key == "grad" else certain(self.with_loops(units))
        return self.inside.get(top, [])

    def unit_of(self, visit: ScopeVisit) -> Unit:
        """Return a visit as a unit. A declared step, and a backward, are like nothing else."""
        units = self.inside[visit]
        known = () if visit.key in ("step", "grad") else tuple(unit.token for unit in units)
        name = id(visit.value) if isinstance(visit.value, Name) else visit.text
        token = ("visit", visit.key, name, known) if known else ("visit", id(visit))
        module = name if visit.key == "module" else None
        return Unit(self.number(token), [node for unit in units for node in unit.ops], visit, module)

    def token(self, node: Node, kind: Token) -> Token:
        """Return what an op has in common with the same op in another step."""
        keys: list[Hashable] = []
        deep = deepest_expression if reads_data(node) else -1
        for parent in node.parents:
            if parent.op is None and parent.requires_grad:
                keys.append(("leaf", parent.serial))
                deep = max(deep, 0)
            elif parent in self.expressions:
                number, depth = self.expressions[parent]
                keys.append(("expression", number))
                deep = max(deep, depth)
            else:
                keys.append(parent.shape)
                deep = deepest_expression
        token = (kind, tuple(keys))
        if 0 <= deep < deepest_expression and node.name is None:
            self.expressions[node] = self.number(("expression", token, node.op.name, repr(node.static))), deep + 1
        return token

    # ------------------------------------------------------------------------------------------------- what repeats

    def with_loops(self, units: list[Unit]) -> list[Unit]:
        """Return units with those that are the steps of a loop in one unit, inner loops first."""
        while len(units) >= least_steps and self.work > 0:
            loops: list[tuple[int, int, Unit]] = []
            taken, tokens = [False] * len(units), [unit.token for unit in units]
            if max(Counter(tokens).values()) < least_steps:
                break
            for period, start, end in sorted(stretches(tokens, least_steps)):
                loop = self.checked(units[start:end], period) if not any(taken[start:end]) else None
                if loop is not None:
                    at, length, unit = loop
                    begin, end = extended(units, taken, start + at, start + at + length, unit, period)
                    loops.append((begin, end, unit))
                    taken[begin:end] = [True] * (end - begin)
            if not loops:
                break
            self.found += len(loops)
            for begin, end, unit in sorted(loops, key=lambda loop: loop[0], reverse=True):
                units[begin:end] = [unit]
                for k, block in enumerate(unit.blocks):
                    ops = [node for part in block for node in part.ops]
                    self.steps.update((node, (unit, k, i - len(ops))) for i, node in enumerate(ops))
        return units

    def checked(self, units: list[Unit], period: int) -> tuple[int, int, Unit] | None:
        """Return where a loop of that period begins in a stretch, how many units it has, and the loop; or None."""
        count = len(units) // period
        size = sum(len(unit.ops) for unit in units[:period])
        self.work -= size * count + len(units)
        if self.work < 0 or count < (least_steps_of_one_op if size == 1 else least_steps):
            return None
        at = beginning(units, period)
        blocks = [units[i : i + period] for i in range(at, len(units), period)]
        if len(blocks[-1]) < period:
            partial = blocks.pop()
            is_most = 2 * sum(len(unit.ops) for unit in partial) >= size
            blocks += [partial] if is_most and reads(partial, blocks[-1]) else []
        whole = [[node for unit in block for node in unit.ops] for block in blocks if len(block) == period]
        if len(whole) < least_steps or not self.is_loop(whole):
            return None
        token = self.number(("loop", frozenset(unit.token for unit in blocks[0])))
        ops = [node for block in blocks for unit in block for node in unit.ops]
        return at, sum(map(len, blocks)), Unit(token, ops, blocks=blocks)

    # ------------------------------------------------------------------------------------------------- what is a loop

    def is_loop(self, blocks: list[list[Node]]) -> bool:
        """Tell whether blocks of equal ops are the steps of a loop over time."""
        where = {node.serial: (k, i) for k, block in enumerate(blocks) for i, node in enumerate(block)}
        if len({len(block) for block in blocks}) > 1:
            return False
        states: list[tuple[int, int]] = []  # which op reads which op of the block before
        shares = follows = False
        for i, nodes in enumerate(zip(*blocks)):
            for parents in zip(*(node.parents for node in nodes)):
                seen = [where.get(origin_of(parent)) for parent in parents]
                back = [None if at is None else (k - at[0], at[1]) for k, at in enumerate(seen)]
                steps = back[-1][0] if back[-1] is not None else 0
                if back[-1] is None:
                    if any(place is not None for place in back):
                        return False
                    along = self.are_steps(parents)
                    if not along and not self.is_same_outside(parents):
                        return False
                    follows = follows or along
                    shares = shares or parents[0] is parents[-1] or is_one_constant(parents)
                elif any(place != back[-1] for place in back[steps:]):
                    return False
                elif any(place is not None and place[0] >= 0 for place in back[:steps]):
                    return False  # the first steps read something from before the loop instead
                elif steps == 1:
                    states.append((i, back[-1][1]))
                shares = shares or all(parent in self.expressions for parent in parents)
        if not shares or weighs_by_number(blocks, [reader for reader, _ in states]):
            return False
        return follows or depends_on_itself(blocks[-1], states)

    def are_steps(self, parents: Sequence[Node]) -> bool:
        """Tell whether nodes are the same op in the steps of a loop that was found, one after the other."""
        found = [self.steps.get(parent) for parent in parents]
        first = found[0]
        return first is not None and all(
            at is not None and (at[0], at[1] - k, at[2]) == first for k, at in enumerate(found)
        )

    def is_same_outside(self, parents: Sequence[Node]) -> bool:
        """Tell whether what all steps read from outside is one thing, or data, or the slices of one thing in order."""
        first = parents[0]
        if all(parent is first for parent in parents):
            return True
        if all(parent.op is None and not parent.requires_grad for parent in parents):
            return True
        if first in self.expressions:
            number = self.expressions[first][0]
            return all(self.expressions.get(parent, (None,))[0] == number for parent in parents)
        if any(parent.op is not first.op or parent.op is None for parent in parents):
            return False
        if first.op.name == "part" and len({parent.parents[0] for parent in parents}) == 1:
            numbers = [parent.static["index"] for parent in parents]  # type: ignore[index]
            return len({after - before for before, after in pairwise(numbers)}) == 1
        return first.op.name == "getitem" and len({parent.parents[0] for parent in parents}) == 1


def origin_of(node: Node) -> int:
    """Return the serial number of a node; of one that was detached, that of what it was."""
    return node.origin[0] if isinstance(node, Detached) else node.serial


def is_one_constant(parents: Sequence[Node]) -> bool:
    """Tell whether leaves are the same number."""
    values = [parent.static and parent.static.get("value") for parent in parents]
    return values[0] is not None and all(value == values[0] for value in values)
