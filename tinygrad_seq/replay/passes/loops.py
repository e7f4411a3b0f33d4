"""Loops: equal blocks of equations, each of which reads the block before.

What an argument is in all blocks tells how a loop says it: a value of the same block, a value of the block before (and
what stands for it in the first), one value from outside, or another value from outside for each block, a series.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, TypeVar

from tinygrad_seq.replay.trace.tape import SEQUENCES, Equation, Ref, leaves, read_by, refs

least_blocks = 3


@dataclass(frozen=True, slots=True)
class Local:
    """A value of the same block, by its position there."""

    position: int


@dataclass(frozen=True, slots=True)
class Carried:
    """A value of the block before, by its position there."""

    position: int


@dataclass(frozen=True, slots=True)
class Item:
    """A value from outside, another one for each block."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Moving:
    """An int that grows evenly from block to block."""

    start: int
    step: int


@dataclass(frozen=True, slots=True)
class Part:
    """x[t] of one x."""

    whole: Ref
    at: Any  # an int, or one that moves


VALUES = Ref | Local | Carried | Item | Part  # what an argument that is computed may be


@dataclass(slots=True)
class Loop:
    """Blocks of equations, `count` of them: of every position `made` has all values, `starts` what is carried in."""

    count: int
    body: list[Equation]
    made: list[tuple[int, ...]]
    starts: dict[int, int]


Statement = Equation | Loop
Some = TypeVar("Some", Equation, Statement)


def is_view(equation: Equation) -> bool:
    """Tell whether an equation is x[t]."""
    return equation.function == "getitem" and type(equation.args[1]) is int and isinstance(equation.args[0], Ref)


def loop_of(equations: Sequence[Equation], period: int, views: dict[int, tuple[Any, ...]]) -> Loop | None:
    """Return equations as a loop of blocks of that length, or None where they are not wired evenly."""
    blocks = [equations[i : i + period] for i in range(0, len(equations), period)]
    home = {equation.made: (k, i) for k, block in enumerate(blocks) for i, equation in enumerate(block)}
    starts: dict[int, int] = {}
    body = []
    try:
        for same in zip(*blocks):
            args = told([equation.args for equation in same], home, starts, views)
            keys = same[0].options
            options = {key: told([equation.options[key] for equation in same], home, starts, views) for key in keys}
            body.append(Equation(same[0].made, same[0].function, args, options, same[0].shape, same[0].dtype))
    except Uneven:
        return None
    made = [tuple(equation.made for equation in same) for same in zip(*blocks)]
    return Loop(len(blocks), body, made, starts)


class Uneven(Exception):  # noqa: N818 (no error: it is no loop)
    """Tell that blocks are not wired alike."""


def told(
    arguments: list[Any], home: dict[int, tuple[int, int]], starts: dict[int, int], views: dict[int, tuple[Any, ...]]
) -> Any:
    """Return the same argument of all blocks as the loop says it."""
    first = arguments[0]
    if isinstance(first, SEQUENCES):
        parts = [told(list(same), home, starts, views) for same in zip(*arguments)]
        return type(first)(parts)
    if not isinstance(first, Ref):
        return moved(arguments) if type(first) is int else first
    numbers = [ref.number for ref in arguments]
    places = [home.get(number) for number in numbers]
    last = places[-1]
    if last is None:
        if any(place is not None for place in places):
            raise Uneven
        return first if len(set(numbers)) == 1 else series(numbers, views)
    back = [place and (k - place[0], place[1]) for k, place in enumerate(places)]
    if all(place == back[-1] == (0, last[1]) for place in back):
        return Local(last[1])
    before = starts.setdefault(last[1], numbers[0])
    if back[0] is None and before == numbers[0] and all(place == (1, last[1]) for place in back[1:]):
        return Carried(last[1])
    raise Uneven


def series(numbers: list[int], views: dict[int, tuple[Any, ...]]) -> Any:
    """Return a series; where it is x[t] of one x, as that."""
    found = [views.get(number) for number in numbers]
    if all(found) and len({view[0] for view in found}) == 1:  # type: ignore[index]
        return Part(found[0][0], moved([view[1] for view in found]))  # type: ignore[index]
    return Item(tuple(numbers))


def moved(numbers: list[int]) -> Any:
    """Return ints as one, or as one that moves."""
    steps = {after - before for before, after in pairwise(numbers)} or {0}
    if len(steps) > 1:
        raise Uneven
    return numbers[0] if steps == {0} else Moving(numbers[0], steps.pop())


def made_by(statement: Statement) -> Iterable[int]:
    """Return the values that a statement makes."""
    return (statement.made,) if isinstance(statement, Equation) else chain(*statement.made)


def read_outside(statement: Statement) -> Iterable[int]:
    """Return the values from outside that a statement reads."""
    if isinstance(statement, Equation):
        return read_by(statement)
    inside = (outside(x) for equation in statement.body for x in read_in(equation))
    return chain(statement.starts.values(), *inside)


def read_by_loops(statements: Iterable[Statement]) -> set[int]:
    """Return the values from outside that any loop reads."""
    return {n for each in statements if isinstance(each, Loop) for n in read_outside(each)}


def outside(x: Any) -> tuple[int, ...]:
    """Return the values from outside that an argument stands for."""
    if isinstance(x, Item):
        return x.numbers
    return (x.whole.number,) if isinstance(x, Part) else tuple(refs(x))


def shape_outside(x: Any, shapes: dict[int, tuple[int, ...]]) -> tuple[int, ...] | None:
    """Return the shape that something from outside has in one step, None for what is no value."""
    numbers = outside(x)
    if not numbers:
        return None
    return shapes[numbers[0]][1:] if isinstance(x, Part) else shapes[numbers[0]]


def read_in(equation: Equation) -> Iterator[Any]:
    """Yield what an equation reads: values, numbers, axes."""
    return leaves((equation.args, *equation.options.values()))


def needed(statements: Sequence[Some], outputs: Iterable[int]) -> list[Some]:
    """Return the loops, and the equations that these, the outputs and the checks are made of."""
    wanted, kept = set(outputs), []
    for statement in reversed(statements):
        if isinstance(statement, Loop) or statement.function == "expect" or statement.made in wanted:
            wanted.update(read_outside(statement))
            kept.append(statement)
    return kept[::-1]


def from_the_last(
    items: Sequence[Any], outputs: Iterable[int], change: Callable[[Any, set[int]], Sequence[Statement]]
) -> list[Statement]:
    """Return the statements that `change` makes of each item; it is told which values are read after the item."""
    result: list[Statement] = []
    kept = set(outputs)
    for item in reversed(items):
        found = change(item, kept)
        result += found[::-1]
        kept.update(n for each in found for n in read_outside(each))
    return result[::-1]
