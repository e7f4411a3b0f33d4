"""Passes over equations: what is done on every x[t] is done once on all of x.

    tanh(x[0]), tanh(x[1]), ...                 tanh(x)
    x[0].sum(axis=0), ...                       x.sum(axis=1)
    x[0][i, j[0]], x[1][i, j[1]], ...           x[t, i, j], with all t
"""

from collections import defaultdict
from collections.abc import Container
from typing import Any, TypeGuard

from tinygrad_seq.engine.backend import host
from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE, Pass, axes_of, is_part, least
from tinygrad_seq.replay.passes.simplify import key_of, told
from tinygrad_seq.replay.trace.tape import Equation, Ref, leaves, read_by, refs

REDUCTIONS = ("all", "any", "max", "min", "sum")


def elements(work: Pass) -> None:
    """Compute on all of x at once what is done on every x[t]."""
    numbers: dict[Any, int] = {}  # of what is done to which arrays at every t
    lanes: dict[int, tuple[int, int]] = {}  # of a value: which of these, and t
    wholes: dict[int, tuple[Ref, range]] = {}  # of these, and of arrays: what has been computed, and of which steps
    groups: dict[int, dict[int, Equation]] = defaultdict(dict)
    for equation in work.equations:
        view = work.view(equation.made) if equation.function == "getitem" else None
        if view is not None:
            kind = numbers.setdefault(view[0], len(numbers))
            wholes[kind] = view[0], range(work.shapes[view[0].number][0])
            lanes[equation.made] = kind, view[1]
            continue
        times = [lanes[n][1] for n in read_by(equation) if n in lanes]
        if times and is_of_one_step(work, equation, lanes):
            t = min(times)
            kind = numbers.setdefault(kind_of_step(equation, lanes, t), len(numbers))
            lanes[equation.made] = kind, t
            groups[kind][t] = equation
    for kind, group in groups.items():
        begin, count = min(group), len(group)
        first = group[begin]
        read = {n: (lanes[n][1], *wholes.get(lanes[n][0], (Ref(n), range(0)))) for n in read_by(first) if n in lanes}
        known = all(t in steps and t + count - 1 in steps for t, _, steps in read.values())
        if count >= least and known and max(group) == begin + count - 1:
            work.at(next(iter(group.values())).made)
            parts = {n: work.taken(x, t - steps[0], 1, count) for n, (t, x, steps) in read.items()}
            whole = of_all_steps(work, first, with_parts(first.args, parts), count)
            wholes[kind] = whole, range(begin, begin + count)
            for t, equation in group.items():
                work.remake(equation, "getitem", whole, t - begin)


def kind_of_step(equation: Equation, lanes: dict[int, tuple[int, int]], t: int) -> Any:
    """Return a key that is equal for the same call at other steps."""

    def at_this_step(x: Any) -> Any:
        return f"{lanes[x.number][0]} {lanes[x.number][1] - t} later" if is_in(x, lanes) else x

    args = equation.args[equation.function == "with_added" :]  # to zeros, which are others at every step
    options = [(name, key_of(x)) for name, x in equation.options.items()]
    return equation.function, key_of(told(args, at_this_step)), *options, equation.shape, equation.dtype


def with_parts(args: tuple[Any, ...], parts: dict[int, Ref]) -> tuple[Any, ...]:
    """Return arguments with parts of arrays in place of what these have in one step."""
    made: tuple[Any, ...] = told(args, lambda x: parts.get(x.number, x) if isinstance(x, Ref) else x)
    return made


def is_in(x: Any, values: Container[int]) -> TypeGuard[Ref]:
    """Tell whether an argument is one of some values."""
    return isinstance(x, Ref) and x.number in values


def is_of_one_step(work: Pass, equation: Equation, lanes: Container[int]) -> bool:
    """Tell whether a call on values of one step has a form for all steps."""
    function, args = equation.function, equation.args
    if not equation.options.keys() <= {"axis", "keepdims"}:
        return False
    if function in ELEMENTWISE or function == "broadcast_to" or is_part(equation):
        return all(len(work.shapes[n]) == len(equation.shape) for n in read_by(equation) if n in lanes)
    if function == "concatenate":
        return type((*args, None)[1]) is int and all(is_in(x, lanes) for x in args[0])
    if function not in ("getitem", "with_added"):
        return function in REDUCTIONS
    ids = [x.number for x in leaves(args[1]) if isinstance(x, Ref) and work.dtypes[x.number].kind in "iu"]
    others = [x for x in leaves(args[1]) if type(x) is not int and not is_in(x, ids)]
    if others or len({work.shapes[n] for n in ids}) != 1:
        return False
    if function == "getitem":
        return True
    zeros, value = work.of(args[0]), args[2]
    full = *work.shapes[ids[0]], *equation.shape[len([*leaves(args[1])]) :]
    shape = work.shapes[value.number] if isinstance(value, Ref) else ()
    is_full = shape == full or (shape == () and not is_in(value, lanes))
    return zeros is not None and zeros.function == "zeros" and is_full


def of_all_steps(work: Pass, equation: Equation, args: tuple[Any, ...], size: int) -> Ref:
    """Add the call of a step for all steps, with these arguments; return what it makes."""
    function, options, shape = equation.function, dict(equation.options), (size, *equation.shape)
    if is_part(equation):
        args = args[0], (slice(None), *args[1])
    elif function == "broadcast_to":
        args = args[0], shape
    elif function == "concatenate":
        args = args[0], args[1] + 1
    elif function in REDUCTIONS:
        axes = axes_of(equation, len(work.shapes[read_by(equation)[0]]))
        options |= {"axis": tuple([axis + 1 for axis in axes])}
    elif function == "with_added":
        zeros = work.make("zeros", shape, equation.dtype, shape, equation.dtype)
        args = zeros, with_steps(work, equation, args[1], size), args[2]
    elif function == "getitem" and args[0] is not equation.args[0]:
        args = args[0], with_steps(work, equation, args[1], size)
    return work.make(function, shape, equation.dtype, *args, **options)


def with_steps(work: Pass, equation: Equation, index: Any, size: int) -> tuple[Ref, ...]:
    """Return an index of all steps: t, and the ids in every step."""
    whole = size, *work.shapes[next(refs(equation.args[1]))]
    column = size, *(1 for _ in whole[1:])
    int64 = host.dtype("int64")
    steps = work.make("reshape", column, int64, work.make("arange", (size,), int64, size), column)
    ids = steps, *leaves(index)

    def broad(x: Any) -> Any:
        is_whole = type(x) is int or work.shapes[x.number] == whole
        return x if is_whole else work.make("broadcast_to", whole, work.dtypes[x.number], x, whole)

    return tuple(map(broad, ids))


def checked(work: Pass) -> None:
    """Check at once that all x[t] are what they were."""
    groups = defaultdict(list)
    for equation in work.calls("expect"):
        view = work.view(equation.args[0].number)
        if view is not None:
            groups[view[0], key_of(equation.args[1])].append((view[1], equation))
    for (x, _), found in groups.items():
        (first, equation), last = found[0], found[-1][0]
        if [t for t, _ in found] == [*range(first, last + 1)] and len(found) >= least:
            work.at(equation.made)
            y = work.taken(x, first, 1, len(found))
            work.remake(equation, "expect", y, equation.args[1])
            for _, other in found[1:]:
                work.drop(other.made, equation.made)
