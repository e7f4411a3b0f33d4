"""Find loops over time that no scope declares: the same block of ops again and again, each reading the one before.

The ops of a place (a module's call, or the top) are a sequence of units in the order of recording: its own ops, and the
visits inside it. Every unit gets a token, equal where two units are the same but for data. A loop is a stretch in which
the tokens repeat with a period, and which then passes these checks, op by op, inside of visits, too:

    every block reads the same parameter, constant or outside value at the same place;
    it reads the block before at the same place, and what it reads there depends on what that block read there;
        or it reads, at the same place, what the steps of a loop have made, in their order: an answer to every state;
    all else that it reads lies in the block, or is data.

A loop that is not certain is not reported. The result is only a grouping: same_step.py says which steps are the same.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from itertools import chain, pairwise

from tinygrad_seq.engine.graph import Detached, Node
from tinygrad_seq.engine.loop_ends import Unit, beginning, certain, extended, is_learned, ops_in, reads
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
    places = [(units, Scope(None, "", None, True))] if finder.steps else []
    for members, here in places:  # the list grows while it is read
        for unit in members:
            if unit.blocks:
                places += [(block, Scope(here, "step", FoundStep(k), True)) for k, block in enumerate(unit.blocks)]
            elif unit.visit is None:
                scopes[unit.ops[0]] = here
            else:
                places.append((finder.inside[unit.visit], Scope(here, unit.visit.key, unit.visit.value, True)))
    return scopes


class Finder:
    """Goes through the places of a graph, inner ones first, and replaces what repeats in them by loops."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.numbers: dict[Token, int] = {}  # of tokens
        self.expressions: dict[Node, tuple[Token, int]] = {}  # what is made of parameters alone, and how deep
        self.inside: dict[ScopeVisit, list[Unit]] = {}  # the units of each visit
        self.steps: dict[Node, tuple[Unit, int, int]] = {}  # of ops in loops: the loop, the step, how far from its end
        self.reads = Counter(parent for node in timeline.visit_of for parent in node.parents)
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
        for place in reversed(places):
            units = [Unit(tokens[node], [node], name=kinds[node]) for node in place.ops]
            units += [self.unit_of(visit) for visit in self.timeline.inner[place] if visit in self.inside]
            units.sort(key=lambda unit: unit.ops[0].serial)
            if units:
                self.inside[place] = units if place.key == "grad" else certain(self.with_loops(units))
        return self.inside.get(top, [])

    def unit_of(self, visit: ScopeVisit) -> Unit:
        """Return a visit as a unit. A declared step, and a backward, are like nothing else."""
        units = self.inside[visit]
        known = () if visit.key in ("step", "grad") else tuple(unit.token for unit in units)
        name = id(visit.value) if isinstance(visit.value, Name) else visit.text
        token = ("visit", visit.key, name, known) if known else ("visit", id(visit))
        module = name if visit.key == "module" else None
        return Unit(self.number(token), ops_in(units), visit, module)

    def token(self, node: Node, kind: Token) -> Token:
        """Return what is equal for an op and the same op in another step."""
        found = [self.key(parent, node) for parent in node.parents]
        token = (kind, tuple([key for key, _ in found]))
        depth = max((depth for _, depth in found), default=deepest_expression)
        if depth < deepest_expression and node.name is None and not reads_data(node):
            number = self.number(("expression", token, node.op.name, repr(node.static)))
            self.expressions[node] = ("expression", number), depth + 1
        return token

    def key(self, parent: Node, reader: Node) -> tuple[Token, int]:
        """Return what is equal for a parent of an op in all steps, and its depth as an expression of parameters."""
        if is_learned(parent) and not self.is_first_state(parent, reader):
            return ("leaf", parent.serial), 0
        return self.expressions.get(parent, (parent.shape, deepest_expression))

    def is_first_state(self, leaf: Node, reader: Node) -> bool:
        """Return whether a learned leaf is read beside a parameter that steps read, and less often than that."""
        least = max(self.reads[leaf] + 1, least_steps)
        return any(self.reads[p] >= least for p in reader.parents if is_learned(p) or p in self.expressions)

    # ------------------------------------------------------------------------------------------------- what repeats

    def with_loops(self, units: list[Unit]) -> list[Unit]:
        """Return units in which every loop that was found is one unit, inner loops first."""
        while len(units) >= least_steps and self.work > 0:
            loops: list[tuple[int, int, Unit]] = []
            taken, tokens = [False] * len(units), [unit.token for unit in units]
            for period, start, end in sorted(set(stretches(tokens, least_steps))):
                loop = self.checked(units, start, end, period) if not any(taken[start:end]) else None
                if loop is not None:
                    loops.append(extended(units, taken, *loop, period))
                    begin, end, _ = loops[-1]
                    taken[begin:end] = [True] * (end - begin)
            if not loops:
                break
            for begin, end, unit in sorted(loops, key=lambda loop: loop[0], reverse=True):
                units[begin:end] = [unit]
                for k, block in enumerate(unit.blocks):
                    ops = ops_in(block)
                    self.steps.update((node, (unit, k, i - len(ops))) for i, node in enumerate(ops))
        return units

    def checked(self, units: list[Unit], start: int, end: int, period: int) -> tuple[int, int, Unit] | None:
        """Return where a loop of that period begins and ends in a stretch of units, and the loop; or None."""
        count, size = (end - start) // period, len(ops_in(units[start : start + period]))
        self.work -= size * count + end - start
        if self.work < 0 or count < (least_steps_of_one_op if size == 1 else least_steps):
            return None
        begin = beginning(units, start, end, period)
        blocks = [units[i : min(i + period, end)] for i in range(begin, end, period)]
        if len(blocks[-1]) < period:
            partial = blocks.pop()
            blocks += [partial] if 2 * len(ops_in(partial)) >= size and reads(partial, blocks[-1]) else []
        whole = [ops_in(block) for block in blocks if len(block) == period]
        if len(whole) < least_steps or len(set(map(len, whole))) > 1 or not self.is_loop(whole):
            return None
        token = self.number(("loop", frozenset(unit.token for unit in blocks[0])))
        return begin, begin + sum(map(len, blocks)), Unit(token, [], blocks=blocks)

    # ------------------------------------------------------------------------------------------------- what is a loop

    def is_loop(self, blocks: list[list[Node]]) -> bool:
        """Return whether blocks of equal ops are the steps of a loop over time."""
        where = {node.serial: (k, i) for k, block in enumerate(blocks) for i, node in enumerate(block)}
        states: dict[int, list[int]] = defaultdict(list)  # of an op, those of the next block that read it
        shares = follows = False
        for i, nodes in enumerate(zip(*blocks)):
            for parents in zip(*(node.parents for node in nodes)):
                seen = [where.get(origin_of(parent)) for parent in parents]
                back = [None if at is None else (k - at[0], at[1]) for k, at in enumerate(seen)]
                steps = back[-1][0] if back[-1] is not None else 0
                from_before = all(place is None or place[0] < 0 for place in back[:steps])  # what the first steps read
                if not from_before or any(place != back[-1] for place in back[steps:]):
                    return False
                if back[-1] is None:
                    along = self.are_steps(parents)
                    if not along and not self.is_same_outside(parents):
                        return False
                    follows = follows or along
                elif steps == 1:
                    states[back[-1][1]].append(i)
                is_one = back[-1] is None and (parents[0] is parents[-1] or is_one_constant(parents))
                shares = shares or is_one or all(parent in self.expressions for parent in parents)
        if not shares or weighs_by_number(blocks, chain(*states.values())):
            return False
        return follows or depends_on_itself(blocks[-1], states)

    def are_steps(self, parents: Sequence[Node]) -> bool:
        """Return whether nodes are the same op in the steps of a loop that was found, one after the other."""
        found = [self.steps.get(parent) for parent in parents]
        first = found[0]
        return first is not None and all(
            at is not None and (at[0], at[1] - k, at[2]) == first for k, at in enumerate(found)
        )

    def is_same_outside(self, parents: Sequence[Node]) -> bool:
        """Return whether what the steps read from outside is one node, or data, or the slices of one node in order."""
        first = parents[0]
        is_data = all(parent.op is None and not parent.requires_grad for parent in parents)
        if is_data or all(parent is first for parent in parents):
            return True
        if first in self.expressions:
            return all(self.expressions.get(parent) == self.expressions[first] for parent in parents)
        if any(parent.op is not first.op or parent.parents[:1] != first.parents[:1] for parent in parents):
            return False
        op = "" if first.op is None else first.op.name
        numbers = [parent.static["index"] for parent in parents] if op == "part" else []  # type: ignore[index]
        return op in ("part", "getitem") and len({after - before for before, after in pairwise(numbers)}) <= 1


def origin_of(node: Node) -> int:
    """Return the serial number of a node; of one that was detached, that of what it was."""
    return node.origin[0] if isinstance(node, Detached) else node.serial


def is_one_constant(parents: Sequence[Node]) -> bool:
    """Return whether leaves are the same number."""
    values = [parent.static and parent.static.get("value") for parent in parents]
    return values[0] is not None and all(value == values[0] for value in values)
