"""Tell where a loop that was found begins and ends: the first of its steps, and steps with other ops at its ends."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

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
) -> tuple[int, int]:
    """Add a first and a last step with other ops in the same places to a loop; return where it begins and ends then.

    A first state may be none, a last step may give an answer, too: the same modules are called, and the state goes on.
    """
    names = [unit.name for unit in units[begin : begin + period]]
    before = units[max(begin - period, 0) : begin] if not any(taken[max(begin - period, 0) : begin]) else []
    after = units[end : end + period] if not any(taken[end : end + period]) else []
    if [unit.name for unit in before] == names and reads(loop.blocks[0], before) and is_first(before, *loop.blocks[:2]):
        loop.blocks.insert(0, before)
        begin -= period
    if [unit.name for unit in after] == names and all(unit.visit for unit in after) and reads(after, loop.blocks[-1]):
        loop.blocks.append(after)
        end += period
    loop.ops = [node for block in loop.blocks for unit in block for node in unit.ops]
    return begin, end


def is_first(block: list[Unit], *later: list[Unit]) -> bool:
    """Tell whether ops read the parameters that later steps read, or one in the place of a state: a first state."""
    made = {node for unit in block for node in unit.ops}
    for unit, second, third in zip(block, *later):
        for own, next_one, last in zip(unit.ops[0].parents, second.ops[0].parents, third.ops[0].parents):
            if unit.visit is None and own.requires_grad and own.op is None and own is not last and next_one not in made:
                return False
    return True


def reads(block: Sequence[Unit], before: Sequence[Unit]) -> bool:
    """Tell whether a block reads what the block before has made."""
    made = {node for unit in before for node in unit.ops}
    return any(parent in made for unit in block for node in unit.ops for parent in node.parents)


def narrowest(units: Sequence[Unit], period: int) -> int:
    """Return where in a stretch the first step begins: of the places that lose no step, where fewest values cross."""
    spare = len(units) % period
    if not spare:
        return 0
    home = {node: i for i, unit in enumerate(units) for node in unit.ops}
    last = list(range(len(units)))  # of each unit, the last that reads it
    for node, i in home.items():
        for parent in node.parents:
            if parent in home:
                last[home[parent]] = max(last[home[parent]], i)
    change = [0] * (len(units) + 2)
    for i, end in enumerate(last):
        change[i + 1] += 1
        change[end + 1] -= 1
    crossing = list(accumulate(change))  # at each cut, the number of units before it that one after it reads
    return min(range(spare + 1), key=lambda at: sum(crossing[at : len(units) : period]))
