"""A pass over statements: what waits for nothing in a loop is computed before it, for all steps at once.

for t in range(T):                          k = 1 - y * y
    d = ...                                 for t in range(T):
    b = d * (1 - y[t] * y[t])                   d = ...
                                                b = d * k[t]
"""

from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any

from tinygrad_seq.replay.passes.factors import Shapes, elementwise, factored, rebuilt
from tinygrad_seq.replay.passes.loops import (
    Carried,
    Item,
    Local,
    Loop,
    Moving,
    Part,
    Statement,
    Uneven,
    from_the_last,
    read_by_loops,
    read_in,
)
from tinygrad_seq.replay.passes.rewriting import is_part
from tinygrad_seq.replay.passes.simplify import changed, without_repeats
from tinygrad_seq.replay.trace.tape import Equation, Ref


def in_bulk(
    statements: Sequence[Statement],
    outputs: Sequence[int],
    shapes: Shapes,
    dtypes: dict[int, Any],
    new: Callable[[], int],
) -> list[Statement]:
    """Return statements with loops that do only what has to wait."""
    loops = [statement for statement in statements if isinstance(statement, Loop)]
    home = {n: (loop, i, k) for loop in loops for i, made in enumerate(loop.made) for k, n in enumerate(made)}

    def split(statement: Statement, kept: set[int]) -> list[Statement]:
        """Return a loop, after what need not wait in it; any other statement as it is."""
        if not isinstance(statement, Loop):
            return [statement]
        back = sum(directions(statement, home)) < 0
        loop = factored(statement, kept, home, shapes, dtypes, new)
        return hoisted(loop, back, kept, shapes, dtypes, new)

    return said_once(from_the_last(statements, outputs, split), outputs)


def said_once(statements: list[Statement], outputs: Sequence[int]) -> list[Statement]:
    """Return statements of which no two equations are the same, but for what loops read and what is returned."""
    fixed = read_by_loops(statements).union(outputs)
    equations, _ = without_repeats((each for each in statements if isinstance(each, Equation)), fixed)
    known = {equation.made: equation for equation in equations}
    found = (each if isinstance(each, Loop) else known.get(each.made) for each in statements)
    return [each for each in found if each is not None]


def directions(loop: Loop, home: dict[int, tuple[Loop, int, int]]) -> Iterator[int]:
    """Yield 1 or -1 for what a loop reads at every step: whether it goes on in time, or back."""
    for equation in loop.body:
        for x in read_in(equation):
            if isinstance(x, Part) and isinstance(x.at, Moving):
                yield 1 if x.at.step > 0 else -1
            elif isinstance(x, Item) and x.numbers[0] in home and x.numbers[1] in home:
                yield 1 if home[x.numbers[0]][2] < home[x.numbers[1]][2] else -1


def hoisted(
    loop: Loop, back: bool, kept: Container[int], shapes: Shapes, dtypes: dict[int, Any], new: Callable[[], int]
) -> list[Statement]:
    """Return a loop, after what is computed for all of its steps at once; `back`: whether time runs backwards in it."""
    first: list[Statement] = []
    wholes: dict[Any, Ref] = {}  # of what has a value in each step, and how many dimensions that has: all of them
    way = Moving(loop.count - 1, -1) if back else Moving(0, 1)

    def make(function: str, shape: tuple[int, ...], dtype: Any, *args: Any) -> Ref:
        made = new()
        first.append(Equation(made, function, args, {}, shape, dtype))
        return Ref(made)

    def together(x: Any, rank: int) -> Ref:
        """Return what has a value of that many dimensions in each step, for all steps."""
        kinds = {(shapes[n], dtypes[n]) for n in x.numbers} if isinstance(x, Item) else ()
        if isinstance(x, Item) and len(kinds) == 1 and len(shapes[x.numbers[0]]) == rank:
            numbers = x.numbers[::-1] if back else x.numbers
            return make("stack", (loop.count, *shapes[numbers[0]]), dtypes[numbers[0]], tuple(map(Ref, numbers)), 0)
        if isinstance(x, Part) and isinstance(x.at, Moving) and x.at.step == way.step:
            start, shape = min(x.at.start, x.at.start + x.at.step * (loop.count - 1)), shapes[x.whole.number]
            if len(shape) == rank + 1:
                if (start, loop.count) == (0, shape[0]):
                    return x.whole
                part = slice(start, start + loop.count)
                return make("getitem", (loop.count, *shape[1:]), dtypes[x.whole.number], x.whole, (part,))
        raise Uneven

    def whole(x: Any, rank: int) -> Any:
        """Return an argument for all steps."""
        if isinstance(x, Local | Item | Part):
            if (x, rank) not in wholes:
                wholes[x, rank] = together(x, rank)
            return wholes[x, rank]
        if isinstance(x, Carried | Moving) or (isinstance(x, Ref) and len(shapes[x.number]) > rank):
            raise Uneven
        return x

    found: dict[int, Ref] = {}  # of a position: the value of all steps
    for i, equation in enumerate(loop.body):
        varies = any(isinstance(x, Local | Item | Part) for x in equation.args)
        if varies and elementwise(equation) and not any(n in kept for n in loop.made[i]):
            rank = len(equation.shape)
            try:
                args = [whole(x, rank) for x in equation.args]
            except Uneven:
                continue
            if is_part(equation):
                args[1] = slice(None), *equation.args[1]
            found[i] = make(equation.function, (loop.count, *equation.shape), equation.dtype, *args)
            wholes[Local(i), rank] = found[i]

    def read(x: Any) -> Any:
        return Part(found[x.position], way) if isinstance(x, Local) and x.position in found else x

    body = [changed(equation, read) for equation in loop.body]
    return [*first, rebuilt(loop, body, {i: i for i in range(len(body))}, kept, new)]
