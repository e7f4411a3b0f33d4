"""Which values may share their memory with others: with what a program returns, or with what is read later."""

from collections.abc import Callable, Iterable, Sequence
from math import inf

from tinygrad_seq.replay.passes.loops import (
    Carried,
    Local,
    Loop,
    Moving,
    Part,
    Statement,
    outside,
    read_in,
    read_outside,
)
from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE, is_part
from tinygrad_seq.replay.trace.tape import Equation, read_by

NEW = ELEMENTWISE | {  # the result is no view
    "argmax", "dot", "kernel", "max", "mean", "min", "sum", "with_added", "with_item",
}  # fmt: skip


def escaping(statements: Sequence[Statement], outputs: Iterable[int]) -> set[int]:
    """Return the outputs, and all values that they may be views of."""
    return {n for n, end in last_reads(statements, outputs, lambda _: False).items() if end == inf}


def last_reads(
    statements: Sequence[Statement], outputs: Iterable[int], waits: Callable[[Equation], bool]
) -> dict[int, float]:
    """Return which statement is the last to read a value, or what may be a view of it; infinity for what is returned.

    `waits` tells whether an equation may be computed where its value is read.
    """
    last: dict[int, float] = {n: k for k, statement in enumerate(statements) for n in read_outside(statement)}
    last.update(dict.fromkeys(outputs, inf))
    for statement in reversed(statements):
        if isinstance(statement, Loop):
            extend_in(statement, last)
        elif statement.function not in NEW or waits(statement):
            end = last.get(statement.made, -1)
            last.update((n, max(last[n], end)) for n in read_by(statement))
    return last


def extend_in(loop: Loop, last: dict[int, float]) -> None:
    """Let what views in a loop are made of be read as long as these are."""
    ends = [max(last.get(n, -1) for n in numbers) for numbers in loop.made]
    views = [(i, x) for i, body in enumerate(loop.body) if body.function not in NEW for x in read_in(body)]
    own = [(i, x) for i, x in reversed(views) if isinstance(x, Local | Carried)]
    while late := [(i, x) for i, x in own if ends[x.position] < ends[i]]:
        for i, x in late:
            ends[x.position] = max(ends[x.position], ends[i])
    read = [(n, end) for numbers, end in zip(loop.made, ends) for n in numbers]
    for i, x in views:
        read += [(n, ends[i]) for n in ((loop.starts[x.position],) if isinstance(x, Carried) else outside(x))]
    last.update((n, max(last.get(n, -1), end)) for n, end in read)


def gone_along(statements: list[Statement]) -> set[int]:
    """Return the values that loops go along, and those that these are views of."""
    found = set[int]()
    for statement in reversed(statements):
        if isinstance(statement, Loop):
            read = (x for equation in statement.body for x in read_in(equation))
            found.update(x.whole.number for x in read if isinstance(x, Part) and isinstance(x.at, Moving))
        elif statement.made in found and (is_part(statement) or statement.function == "reshape"):
            found.update(read_by(statement))
    return found
