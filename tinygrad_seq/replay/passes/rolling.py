"""Find what repeats in a list of equations, and put loops in its place."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from math import inf
from typing import Any

from tinygrad_seq.engine.periods import stretches
from tinygrad_seq.replay.passes.edges import widened
from tinygrad_seq.replay.passes.loops import Loop, Statement, is_view, least_blocks, loop_of, made_by, read_outside
from tinygrad_seq.replay.passes.simplify import in_order, key_of
from tinygrad_seq.replay.trace.tape import SEQUENCES, Equation, Ref, read_by

least_equations = 8  # that a loop takes the place of
most_steps = 4  # of one block: what is read of further back is in no loop
Free = dict[int, Equation]  # equations that are in no loop yet, by what they make


def rolled(equations: list[Equation], new: Callable[[], int]) -> list[Statement]:
    """Return the equations with loops in place of what repeats; what waits for nothing goes where it is read."""
    found = rolled_once(equations, new)
    idle = {n for each in found if isinstance(each, Loop) and not each.starts for n in made_by(each)}
    if idle:
        found = min(found, rolled_once(read_soon(equations, idle), new), key=len)
    while many := max((len(each.body) for each in found if isinstance(each, Loop) and repeats(each.body)), default=0):
        again = rolled_once(equations, new, many)  # a loop over sequences, say, may write out the steps of one
        if size(again) >= size(found):
            break
        found = again
    return found


def size(statements: list[Statement]) -> int:
    """Return of how many equations statements are, those of a loop counted once."""
    return sum(len(each.body) if isinstance(each, Loop) else 1 for each in statements)


def repeats(body: list[Equation]) -> bool:
    """Tell whether half of a loop's body, or more, could be a loop itself."""
    tokens = numbered((equation.function, equation.shape, equation.dtype) for equation in body)
    return any(2 * (end - start) > len(body) for _, start, end in stretches(tokens, least_blocks + 1))


def numbered(keys: Iterable[Any]) -> list[int]:
    """Return a number for each key, the same for the same keys."""
    numbers: dict[Any, int] = {}
    return [numbers.setdefault(key, len(numbers)) for key in keys]


def read_soon(equations: list[Equation], idle: Container[int]) -> list[Equation]:
    """Return equations with some of them where they are read first, not where they were made."""
    first: dict[int, int] = {}  # of a value: where it is read first
    places = []
    for i, equation in reversed([*enumerate(equations)]):
        place = first.get(equation.made, i) if equation.made in idle else i
        places.append((place, i))
        first.update((n, min(first.get(n, place), place)) for n in read_by(equation))
    return [equations[i] for _, i in sorted(places)]


def rolled_once(equations: list[Equation], new: Callable[[], int], many: float = inf) -> list[Statement]:
    """Return the equations with loops of fewer equations than `many` in place of what repeats, the longest first."""
    tokens = numbered(map(token, equations))
    search = Search(equations, new)
    free = {equation.made: equation for equation in equations}
    loops: dict[int, list[Statement]] = defaultdict(list)
    found = {
        (start - end, k * period, start)
        for period, start, end in stretches(tokens, least_blocks) for k in range(1, most_steps + 1)
        if k * period < many
    }  # fmt: skip
    todo = sorted(found)
    for length, period, start in todo:  # the list grows while it is read
        left = [i for i in range(start, start - length) if equations[i].made in free]  # by loops that share its ends
        if len(left) < least_blocks * period or left[-1] - left[0] >= len(left):
            continue
        start, end = left[0], left[-1] + 1
        if all(map(is_view, equations[start : start + period])):
            continue
        loop = search.best(period, start, end, free)
        if loop is None:
            todo += [each for each in search.wired_alike(period, start, end, tokens) if each not in todo]
        else:
            found_loop, rest = loop
            loops[start] += [rest[n] for n in rest if n not in free]  # zeros, which it begins with
            loops[start].append(found_loop)
            free = {number: equation for number, equation in rest.items() if number in free}
    statements: list[Statement] = []
    for i, equation in enumerate(equations):
        statements += loops.get(i, [])
        statements += [equation] if equation.made in free else []
    return in_order(statements, made_by, read_outside) or list(equations)


class Search:
    """Search a stretch of equations for its best loop."""

    def __init__(self, equations: Sequence[Equation], new: Callable[[], int]) -> None:
        self.equations, self.new = equations, new
        self.at = {equation.made: i for i, equation in enumerate(equations)}
        self.views = {equation.made: equation.args for equation in equations if is_view(equation)}
        self.readers = defaultdict(list)
        for equation in equations:
            for number in read_by(equation):
                self.readers[number].append(equation)

    def best(self, period: int, start: int, end: int, free: Free) -> tuple[Loop, Free] | None:
        """Return a loop in a stretch, and what is left: cut where it takes in the first and the last step, too."""

        def left_out(cut: int) -> int:
            last = cut + (end - cut) // period * period
            if last < cut + 3 * period:
                return len(self.equations)
            ends = (cut, cut + 3 * period), (last - 3 * period, last)
            tried = [self.loop(*limits, period, free) for limits in ends]
            outside = self.equations[max(start - period, 0) : cut], self.equations[last : end + period]
            if not all(tried):
                return len(self.equations)
            left = sum(equation.made in one[1] for one, near in zip(tried, outside) for equation in near)  # type: ignore[index]
            return left + parts_of_steps(*tried[0])  # type: ignore[misc]

        cuts = sorted(cuts_of(self.equations, period, start, end), key=left_out)
        tried = (self.loop(*limits, period, free) for cut in cuts[:2] for limits in tries(cut, end, period))
        return next(filter(None, tried), None)

    def wired_alike(self, period: int, start: int, end: int, tokens: list[int]) -> list[tuple[int, int, int]]:
        """Return the parts of a stretch in which equations read what was made as long before, the longest first."""

        def wiring(i: int) -> Any:
            far = (i - self.at.get(n, i) for n in read_by(self.equations[i]))
            return tokens[i], *(distance if distance < 2 * period else 0 for distance in far)

        wired = numbered(map(wiring, range(start, end)))
        parts = {(a - b, each, start + a) for each, a, b in stretches(wired, least_blocks) if each == period}
        return sorted(each for each in parts if -each[0] < end - start)

    def loop(self, begin: int, end: int, period: int, free: Free) -> tuple[Loop, Free] | None:
        """Return a loop that begins and ends there, or a step earlier or later, and what is left."""
        loop = loop_of(self.equations[begin:end], period, self.views)
        if loop is None:
            return None
        left = free.copy()
        for number in made_by(loop):
            left.pop(number)
        return widened(loop, left, self.readers, self.new), left


def parts_of_steps(loop: Loop, left: Free) -> int:
    """Count the start values that are computed by the same function as the values carried after them."""
    starts = ((left.get(number), loop.body[position]) for position, number in loop.starts.items())
    return sum(made is not None and made.function == body.function for made, body in starts)


def token(equation: Equation) -> Any:
    """Return what an equation has in common with the same one in another block."""
    options = shape_of([*equation.options.items()], False) if equation.options else None
    return equation.function, equation.shape, equation.dtype, shape_of(equation.args, is_view(equation)), options


def shape_of(x: Any, moves: bool) -> Any:
    """Return an argument with all values alike, and ints where they move."""
    if isinstance(x, Ref):
        return Ref
    if isinstance(x, SEQUENCES):
        return type(x), *(shape_of(part, moves) for part in x)
    return int if moves and type(x) is int else key_of(x)


def cuts_of(equations: Sequence[Equation], period: int, start: int, end: int) -> list[int]:
    """Return where the steps of a stretch may begin: where few values go from step to step."""
    home = {equation.made: i for i, equation in enumerate(equations[start:end])}
    last = {home[n]: i for i, equation in enumerate(equations[start:end]) for n in read_by(equation) if n in home}
    middle = period * ((end - start) // period // 2)
    crossing = [0] * period  # of a cut at that place: how many values are made before it and read after it
    for i in range(max(middle - period, 0), min(middle + period, end - start)):
        for cut in range(max(i + 1, middle), min(last.get(i, i), middle + period - 1) + 1):
            crossing[cut - middle] += 1
    return [start + at for at in sorted(range(period), key=lambda at: (crossing[at], at))[:8]]


def tries(cut: int, end: int, period: int) -> Iterator[tuple[int, int]]:
    """Yield where a loop may begin and end that is cut there, longer ones first."""
    count = (end - cut) // period
    for first, after in ((0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (2, 2)):
        begin, blocks = cut + first * period, count - first - after
        if blocks >= least_blocks and blocks * period >= least_equations:
            yield begin, begin + blocks * period
