"""A pass over statements that are compiled: what one loop alone reads, step by step, is computed there, step by step.

    z = x_all + bias
    for t in range(T):                          for t in range(T):
        h = tanh(z[t] + h.dot(w))                   h = tanh(x_all[t] + bias + h.dot(w))

It is the reverse of `bulk.py`: a loop over elements does such sums on the way, and what it need not write and read
again, for all steps, would take longer than to compute it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from tinygrad_seq.replay.passes.factors import Shapes, rebuilt
from tinygrad_seq.replay.passes.loops import (
    Local,
    Loop,
    Moving,
    Part,
    Statement,
    from_the_last,
    outside,
    read_in,
)
from tinygrad_seq.replay.passes.rewriting import is_part
from tinygrad_seq.replay.passes.simplify import changed
from tinygrad_seq.replay.text.element_forms import FORMS, without_form
from tinygrad_seq.replay.trace.tape import Equation, Ref, read_by

MOVED = FORMS.keys() | {"broadcast_to"}


def by_step(
    statements: list[Statement], outputs: Iterable[int], shapes: Shapes, new: Callable[[], int]
) -> list[Statement]:
    """Return statements of which those that one loop reads at its own step are computed in it."""
    readers: dict[int, set[Any]] = defaultdict(set, {n: {None} for n in outputs})  # a loop, and x[t] that it reads
    moved: dict[int, Equation] = {}
    for statement in reversed(statements):
        if isinstance(statement, Loop):
            for x in (x for equation in statement.body for x in read_in(equation)):
                steps = isinstance(x, Part) and isinstance(x.at, Moving)
                for n in outside(x):
                    readers[n].add((id(statement), x.at) if steps else None)
            for n in statement.starts.values():
                readers[n].add(None)
            continue
        reader = next(iter(readers[statement.made])) if len(readers[statement.made]) == 1 else None
        is_rows = is_part(statement) and statement.args[1][0] == slice(None)
        if reader and (is_rows or (statement.function in MOVED and not without_form(statement))):
            moved[statement.made] = statement
        for n in read_by(statement):
            is_row = statement.made in moved and shapes[n][:1] == statement.shape[:1]
            readers[n].add(reader if is_row and len(shapes[n]) == len(statement.shape) else None)

    def together(statement: Statement, kept: set[int]) -> list[Statement]:
        """Return a loop with what is moved into it; nothing in place of what is moved."""
        if isinstance(statement, Loop):
            loop, checks = without_checks(statement, new)
            read = {n for each in checks for n in read_by(each)}
            return [with_steps(loop, moved, kept | read, shapes, new), *checks]
        return [] if statement.made in moved else [statement]

    return from_the_last(statements, outputs, together)


def without_checks(loop: Loop, new: Callable[[], int]) -> tuple[Loop, list[Equation]]:
    """Return a loop without its checks, and these for all of its steps at once, to come after it."""
    body, checks = [*loop.body], []
    for i, check in enumerate(loop.body):
        x = check.args[0] if check.function == "expect" else None
        if isinstance(x, Local) and body[x.position].dtype is not None:
            value, numbers, made = body[x.position], loop.made[x.position], new()
            shape = loop.count, *value.shape
            checks += [
                Equation(made, "stack", (tuple(map(Ref, numbers)), 0), {}, shape, value.dtype),
                replace(check, args=(Ref(made), *check.args[1:])),
            ]
            body[i] = replace(check, function="checked later", args=())  # nobody reads it
    return replace(loop, body=body), checks


def with_steps(
    loop: Loop, moved: dict[int, Equation], kept: set[int], shapes: Shapes, new: Callable[[], int]
) -> Loop:
    """Return a loop that computes its steps of what is moved into it."""
    body: list[Equation] = []
    known: dict[int, Local] = {}  # of what is moved: where it is computed
    at: dict[int, int] = {}  # of an old position: the new one

    def read(x: Any) -> Any:
        """Return an argument, computed at the end of the body where it is moved."""
        if isinstance(x, Local):
            return Local(at[x.position])
        if not isinstance(x, Part) or x.whole.number not in moved:
            return x
        n = x.whole.number
        if n not in known:
            equation, rank = moved[n], len(shapes[n])

            def step_of(y: Any) -> Any:
                if not isinstance(y, Ref) or len(shapes[y.number]) < rank:
                    return y
                return read(Part(y, x.at if shapes[y.number][0] == equation.shape[0] else 0))

            own = replace(changed(equation, step_of), shape=equation.shape[1:])
            if is_part(own):
                own.args = own.args[0], own.args[1][1:]
            elif own.function == "broadcast_to":
                own.args = own.args[0], own.shape
            body.append(own)
            known[n] = Local(len(body) - 1)
        return known[n]

    for i, equation in enumerate(loop.body):
        own = changed(equation, read)
        at[i] = len(body)
        body.append(own)
    return rebuilt(loop, body, at, kept, new)
