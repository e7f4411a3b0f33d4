"""Find where a loop begins and ends: its first step, and steps at its ends that have more or fewer ops than others."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain

from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.timeline import ScopeVisit


@dataclass(eq=False, slots=True)
class Unit:
    """An op, a visit, or a loop that was found; with all ops in it, in order."""

    token: int
    ops: list[Node]
    visit: ScopeVisit | None = None
    name: Hashable = None  # what is the same in a step that is like no other: the module that is called, or the op
    blocks: list[list["Unit"]] = field(default_factory=list)  # of a loop: its steps


def extended(
    units: list[Unit], taken: list[bool], begin: int, end: int, loop: Unit, period: int
) -> tuple[int, int, Unit]:
    """Add a first and a last step that differ from the others to a loop; return where it begins and ends, and the loop.

    In a first step the state may be a constant, so that some ops are not recorded; a last step may also give an
    answer. They call the same modules, and the state goes through them.
    """
    free = next((at for at in range(begin, max(begin - period, 0), -1) if taken[at - 1]), max(begin - period, 0))
    before = first_step(units[free:begin], loop.blocks)
    after = units[end : end + period] if not any(taken[end : end + period]) else []
    is_call = all(unit.visit for unit in after) and [u.name for u in after] == [u.name for u in loop.blocks[-1]]
    after = after if is_call and reads(after, loop.blocks[-1]) else []
    loop.blocks = [block for block in (before, *loop.blocks, after) if block]
    loop.ops = ops_in(chain(*loop.blocks))
    return begin - len(before), end + len(after), loop


def first_step(units: list[Unit], blocks: Sequence[list[Unit]]) -> list[Unit]:
    """Return the last of some units that are the first step of a loop, by comparison with the next two steps; or none.

    They are the same ops and calls, and read what later steps read, but anything where those read a state. Ops that
    are not recorded if the state is a constant, such as `concatenate([x, h])`, may be missing.
    """
    at, aligned, lacking = len(units), [], set[Node]()
    for second, third in zip(reversed(blocks[0]), reversed(blocks[1])):
        if at and units[at - 1].name == second.name:
            at -= 1
            aligned.append((units[at], second, third))
        else:
            lacking.update(second.ops)
    made, inside = set(ops_in(units[at:])), set(ops_in(blocks[0]))
    if not all(p in made or p in lacking or not p.requires_grad for node in lacking for p in node.parents):
        return []
    same = {b: a for unit, second, _ in aligned for a, b in zip(reversed(unit.ops), reversed(second.ops))}
    for unit, second, third in aligned:
        for own, next_one, last in zip(*(each.ops[0].parents for each in (unit, second, third))):
            # An op of the step is the same one, or what it would be; else it is a state, one thing for all, or data.
            is_same = own is same.get(next_one) or (next_one not in same and own.op is None and not is_learned(own))
            is_data = next_one is not last and own.op is next_one.op and is_learned(own) == is_learned(next_one)
            fits = is_same if next_one in inside else next_one in made or own is next_one or is_data
            if unit.visit is None and not fits:
                return []
    return units[at:] if reads(blocks[0], units[at:]) else []


def ops_in(units: Iterable[Unit]) -> list[Node]:
    """Return all ops of some units, in order."""
    return [node for unit in units for node in unit.ops]


def is_learned(node: Node) -> bool:
    """Return whether a node is a parameter."""
    return node.op is None and node.requires_grad


def reads(block: Sequence[Unit], before: Sequence[Unit]) -> bool:
    """Return whether a block reads a result of the block before."""
    made = set(ops_in(before))
    return any(parent in made for node in ops_in(block) for parent in node.parents)


def beginning(all_units: list[Unit], start: int, end: int, period: int) -> int:
    """Return where in a stretch of units the first step begins.

    Of the places with the same number of steps, it is the one where the fewest values go from step to step. If as few
    do where the last step is whole, and most of a first step stands before it, also before the stretch, it is that
    place: a first step may lack ops, and reads what may be a parameter where others read a state.
    """
    units = all_units[start:end]
    spare = len(units) % period
    home = {node: i for i, unit in enumerate(units) for node in unit.ops}
    last = {i: i for i in range(len(units))}  # of each unit, the last that reads it
    last.update((home[parent], i) for node, i in home.items() for parent in node.parents if parent in home)
    ends = Counter(last.values())
    crossing = [0, *accumulate(1 - ends[i] for i in last)]  # at each cut, the units before it that one after it reads
    total = [sum(crossing[at : len(units) : period]) for at in range(spare + 1)]
    inner = [sum(crossing[at + period : len(units) : period]) for at in range(spare + 1)]
    narrowest = total.index(min(total))
    blocks = [units[i : i + period] for i in (spare, spare + period)]
    whole = start + spare
    is_as_good = spare and inner[spare] <= inner[narrowest] and reads(units[-spare:], units[:-spare])
    before = first_step(all_units[max(whole - period, 0) : whole], blocks) if is_as_good else []
    return whole if 2 * len(before) >= period else start + narrowest


def certain(units: list[Unit]) -> list[Unit]:
    """Return units without doubtful loops, such as a chain within a tree: their parameters are all read elsewhere, too.

    Allowed are one step before and one after the loop, and other loops that read them as often in each step.
    """
    while doubtful := read_elsewhere(units):
        units = [part for unit in units for part in (chain(*unit.blocks) if unit in doubtful else [unit])]
    return units


def read_elsewhere(units: list[Unit]) -> set[Unit]:
    """Return the loops whose parameters are all read more often outside of them than a step before and after would."""
    totals: Counter[Node] = Counter()
    alike: Counter[tuple[Node, int]] = Counter()  # reads in loops that read a parameter so often in every step
    steps: Counter[tuple[Node, int]] = Counter()  # and how many more may be before and after these loops
    rates: dict[Unit, dict[Node, int]] = {}
    for unit in units:
        found = Counter(parent for node in unit.ops for parent in node.parents if is_learned(parent))
        totals += found
        rates[unit] = {node: max(round(n / len(unit.blocks)), 1) for node, n in found.items()} if unit.blocks else {}
        for rate in rates[unit].items():
            alike[rate] += found[rate[0]]
            steps[rate] += 2 * rate[1]
    return {
        unit
        for unit, found in rates.items()
        if found and all(totals[rate[0]] - alike[rate] > steps[rate] for rate in found.items())
    }
