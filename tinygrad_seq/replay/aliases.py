"""Which values may share their memory with what a program returns: that memory must not be written again."""

from collections.abc import Iterable, Sequence

from tinygrad_seq.replay.loops import Carried, Local, Loop, Statement, outside, read_in
from tinygrad_seq.replay.passes import ELEMENTWISE
from tinygrad_seq.replay.simplify import read_by
from tinygrad_seq.replay.tape import Equation

NEW = ELEMENTWISE | {  # the result is no view
    "argmax", "dot", "kernel", "max", "mean", "min", "sum", "with_added", "with_item",
}  # fmt: skip


def escaping(statements: Sequence[Statement], outputs: Iterable[int]) -> set[int]:
    """Return the outputs, and all values that they may be views of."""
    found = set(outputs)
    for statement in reversed(statements):
        if isinstance(statement, Equation):
            if statement.made in found and statement.function not in NEW:
                found.update(read_by(statement))
        else:
            found.update(escaping_from(statement, found))
    return found


def escaping_from(loop: Loop, later: set[int]) -> set[int]:
    """Return the values in a loop, and those that it reads, which later values may be views of."""
    todo = [i for i, numbers in enumerate(loop.made) if not later.isdisjoint(numbers)]
    seen, found = set(todo), set[int]()
    while todo:
        i = todo.pop()
        found.update(loop.made[i])
        equation = loop.body[i]
        if equation.function in NEW:
            continue
        for x in read_in(equation):
            if isinstance(x, Local | Carried) and x.position not in seen:
                seen.add(x.position)
                todo.append(x.position)
            if isinstance(x, Carried):
                found.add(loop.starts[x.position])
            found.update(outside(x))
    return found
