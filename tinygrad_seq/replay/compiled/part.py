"""A part of a program as one compiled function: loops over time, and what is between them."""

import re
from collections.abc import Iterator
from typing import Any

from tinygrad_seq.replay.compiled.element_loop import ElementLoop
from tinygrad_seq.replay.passes.loops import Loop, Statement, loop_of, made_by, read_outside
from tinygrad_seq.replay.text.element_forms import NoElements, without_form

most_lines, most_equations = 400, 60  # of a function, of a loop of one step: longer ones take too long to compile


class CompiledPart:
    """The text of a function, and the line that calls it; after `close`, those of the next one."""

    def __init__(self, program: Any) -> None:
        self.program = program
        self.given: dict[str, str] = {}  # of an argument of the function: its text in the program
        self.own: dict[str, list[int]] = {}  # of what is made in the function: the values that are in there
        self.lines: list[str] = []

    def add(self, loop: Loop) -> None:
        """Add a loop, or nothing of it where it has no form over elements."""
        program = self.program
        before = dict(program.space), dict(program.literals), dict(self.given), program.dtype
        try:
            elements = ElementLoop(program, loop, self)
            self.lines += elements.write()
        except NoElements:
            program.space, program.literals, self.given, program.dtype = before
            raise
        self.own |= {name: elements.values(i) for i, name in elements.names.items()}

    def argument(self, text: str) -> str:
        """Return the name that something outside has in the function."""
        known = next((name for name, given in self.given.items() if given == text), None)
        if known is None:
            known = text if text.isidentifier() else self.program.free_name("array")
            self.given[known] = text
        return known

    def is_long(self) -> bool:
        """Tell whether the next loop should be in another function."""
        return len(self.lines) > most_lines

    def close(self, end: float) -> Iterator[str]:
        """Add the function to the program, whose next statement that is, and yield the line that calls it."""
        last = self.program.last
        made = [name for name, numbers in self.own.items() if any(last.get(n, -1) >= end for n in numbers)]
        if made:
            name = self.program.free_name("part")
            returned = ", ".join(each for each in made if each not in self.given)  # others are kept, and known
            self.given |= {f"n{size}": size for size in re.findall(r"range\(n(\d+)\)", "\n".join(self.lines))}
            lines = [f"def {name}({', '.join(self.given)}):", *(f"    {line}" for line in self.lines)]
            self.program.functions.append("\n".join([*lines, *([f"    return {returned}"] if returned else [])]))
            yield f"{returned}{' = ' if returned else ''}{name}({', '.join(self.given.values())})"
        self.given, self.own, self.lines = {}, {}, []


def in_parts(statements: list[Statement]) -> list[Statement]:
    """Return statements with those together that can be compiled, and what is between loops as loops of one step.

    First comes what needs no compiled value, and what the function checks of what it is given: ids that are out of
    range must not be computed with.
    """
    after_loops: set[int] = set()
    for statement in statements:
        if isinstance(statement, Loop) or not after_loops.isdisjoint(read_outside(statement)):
            after_loops.update(made_by(statement))
    checked: set[int] = set()
    for statement in reversed(statements):
        if not isinstance(statement, Loop) and (statement.function == "expect" or statement.made in checked):
            checked.update(n for n in read_outside(statement) if statement.made not in after_loops)

    def is_plain(statement: Statement) -> bool:
        """Tell whether a statement stays a line over arrays."""
        return not isinstance(statement, Loop) and (bool(without_form(statement)) or statement.made in checked)

    first: list[Statement] = []
    rest: list[Statement] = []
    late: set[int] = set()
    for statement in statements:
        if is_plain(statement) and late.isdisjoint(read_outside(statement)):
            first.append(statement)
        else:
            rest.append(statement)
            late.update(made_by(statement))
    result: list[Statement] = []
    between: list[Any] = []
    for statement in rest:
        if isinstance(statement, Loop) or is_plain(statement):
            result += [*one_step(between), statement]
            between = []
        else:
            between.append(statement)
    return [*first, *result, *one_step(between)]


def one_step(equations: list[Any]) -> list[Statement]:
    """Return equations as loops of one step, none of them too long."""
    result: list[Statement] = []
    for i in range(0, len(equations), most_equations):
        some = equations[i : i + most_equations]
        loop = loop_of(some, len(some), {})
        result += some if loop is None else [loop]
    return result
