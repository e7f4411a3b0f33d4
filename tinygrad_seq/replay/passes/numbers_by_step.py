"""A pass over equations: numbers, and arrays made outside, that differ from step to step become steps of one array.

    0.9 * x[0], 0.81 * x[1], ...                c[0] * x[0], c[1] * x[1], ...
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from itertools import count, pairwise
from typing import Any

from tinygrad_seq.engine.backend import modules
from tinygrad_seq.engine.periods import stretches
from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE
from tinygrad_seq.replay.passes.simplify import key_of, told
from tinygrad_seq.replay.trace.tape import Equation, Ref, Tape, leaves, read_by

least_steps = 4  # of numbers that become an array: fewer stay in the text
most_alike = 32  # tokens that are compared on either side of an equation, to find it in another step
BESIDE_NUMBERS = ELEMENTWISE | {"broadcast_to", "reshape"}
Known = dict[int, Any]  # of an equation: the numbers and constants among its leaves, by their place there


def numbers_by_step(given: Iterable[Equation], tape: Tape) -> list[Equation]:
    """Return the equations; where every step has a number or a constant of its own, it reads a step of one array."""
    equations = [*given]
    known = [known_in(equation, tape.constants) for equation in equations]
    shapes = {number: (array.shape, array.dtype) for number, array in tape.constants.items()}
    arrays: list[tuple[Ref, dict[Any, int]]] = []  # and where in it which value stands
    views: dict[int, dict[int, Equation]] = defaultdict(dict)
    for steps, k in sorted(differing(equations, known, shapes), key=longest_first):
        values = [array_of(equations[i], known[i][k], tape) for i in steps]
        keys = [(value.shape, value.dtype, key_of(known[i][k])) for i, value in zip(steps, values)]
        known_places: Iterator[tuple[Ref | None, list[Any]]] = ((x, [at.get(key) for key in keys]) for x, at in arrays)
        x, places = next((found for found in known_places if is_even(found[1])), (None, [*range(len(keys))]))
        if x is None:  # a backward pass mostly reads what its forward pass did
            x = Ref(tape.new())
            with tape.device:
                tape.constants[x.number] = tape.xp.stack(values)
            arrays.append((x, dict(zip(keys, places))))
        for i, t, value in zip(steps, places, values):
            views[i][k] = Equation(tape.new(), "getitem", (x, t), {}, value.shape, value.dtype)
    return [made for i, equation in enumerate(equations) for made in with_views(equation, views.get(i, {}))]


def longest_first(found: tuple[list[int], int]) -> Any:
    """Return a key that sorts by length, then by place."""
    return -len(found[0]), found


def known_in(equation: Equation, constants: Container[int]) -> Known:
    """Return what is known in an equation before a call: numbers beside arrays, and constants."""
    if equation.function == "full":
        return {len(equation.shape): equation.args[1]}
    is_beside = equation.function in BESIDE_NUMBERS
    return {
        k: x for k, x in enumerate(leaves(equation.args))
        if (x.number in constants if isinstance(x, Ref) else is_beside and type(x) in modules)
    }  # fmt: skip


def array_of(equation: Equation, x: Any, tape: Tape) -> Any:
    """Return what is known as an array: a number with as many dimensions as what is computed with it."""
    if isinstance(x, Ref):
        return tape.constants[x.number]
    with tape.device:
        return tape.xp.full((1,) * len(equation.shape), x, getattr(x, "dtype", equation.dtype))


def is_even(places: list[Any]) -> bool:
    """Tell whether places are neighbours, one way or the other."""
    return None not in places and {after - before for before, after in pairwise(places)} in ({1}, {-1})


def differing(
    equations: list[Equation], known: list[Known], shapes: dict[int, Any]
) -> Iterator[tuple[list[int], int]]:
    """Yield the equations of all steps in which something known stands that differs, and at which leaf."""
    kinds: dict[Any, set[Any]] = defaultdict(set)
    for equation, found in zip(equations, known):
        for k, x in found.items():
            kinds[equation.function, equation.shape, k].add(key_of(x))
    if max(map(len, kinds.values()), default=0) < least_steps:
        return
    numbers: dict[Any, int] = {}
    tokens = [numbers.setdefault(token(*each, shapes), len(numbers)) for each in zip(equations, known)]
    done: set[tuple[int, int]] = set()
    for period, start, end in sorted(stretches(tokens, least_steps), key=lambda found: found[1] - found[2]):
        for first in range(start, start + period):
            for k in known[first]:
                steps = [i for i in range(first, end, period) if (i, k) not in done]
                if len(steps) >= least_steps and len({key_of(known[i][k]) for i in steps}) > 1:
                    near = step_near(tokens, period, steps[0], -1), step_near(tokens, period, steps[-1], 1)
                    steps = [i for i in (near[0], *steps, near[1]) if i is not None and (i, k) not in done]
                    yield steps[:: -1 if runs_back(equations[first : first + 2 * period]) else 1], k
                done.update((i, k) for i in steps)


def step_near(tokens: list[int], period: int, i: int, way: int) -> int | None:
    """Return the same equation of a step before or after a stretch, which may have other equations around it."""
    others = range(max(i - 2 * period, 0), i) if way < 0 else range(i + 1, min(i + 2 * period, len(tokens)))
    found = {j: same_tokens(tokens, i, j, -1) + same_tokens(tokens, i, j, 1) for j in others if tokens[j] == tokens[i]}
    best = max(found, key=lambda j: found[j], default=i)
    return best if found.get(best, 0) > 2 else None  # and another one beside it


def same_tokens(tokens: list[int], i: int, j: int, way: int) -> int:
    """Return how many tokens are the same from two places on, as far as that is looked at."""
    count = 0
    while count < most_alike and min(i, j) >= 0 and max(i, j) < len(tokens) and tokens[i] == tokens[j]:
        i, j, count = i + way, j + way, count + 1
    return count


def runs_back(steps: list[Equation]) -> bool:
    """Tell whether steps are those of a backward pass, which read values in the reverse order of their making."""
    half = len(steps) // 2
    numbers = ((a, b) for one, other in zip(steps, steps[half:]) for a, b in zip(read_by(one), read_by(other)))
    made = steps[0].made
    return sum((b > a) - (b < a) for a, b in numbers if max(a, b) < made) < 0


def token(equation: Equation, known: Known, shapes: dict[int, Any]) -> Any:
    """Return what an equation has in common with the same one in another step."""
    is_index = equation.function == "getitem"

    def key(k: int, x: Any) -> Any:
        if isinstance(x, Ref):
            return Ref, shapes[x.number] if k in known else None
        if k in known:
            return type(x), getattr(x, "dtype", None)
        if is_index and type(x) is slice and type(x.start) is type(x.stop) is int:
            return slice, x.stop - x.start, x.step
        return int if is_index and type(x) is int else key_of(x)  # x[t] and x[t:t+n] are so at any t

    same = (key(k, x) for k, x in enumerate(leaves(equation.args)))
    options = [(name, key_of(x)) for name, x in equation.options.items() if not isinstance(x, Ref)]
    return equation.function, equation.shape, equation.dtype, *same, *options


def with_views(equation: Equation, views: dict[int, Equation]) -> Iterator[Equation]:
    """Yield an equation after the steps that it reads, which stand instead of some of its leaves."""
    yield from views.values()
    places = count()
    args = told(equation.args, lambda x: Ref(views[k].made) if (k := next(places)) in views else x)
    if views and equation.function == "full":
        yield replace(equation, function="broadcast_to", args=(args[1], args[0]))
    else:
        yield replace(equation, args=args)
