"""Passes over equations: what is done at every step with one array is done once for all steps.

    x[0] @ W, x[1] @ W, ...                     the rows of all x[t], times W: one product
    h[0].T @ dz[0] + h[1].T @ dz[1] + ...       one product of all rows
    tanh(y[0]), tanh(y[1]), ...                 tanh(y)

Sums are rounded in another order, so results agree with those of the graph to rounding, no longer bit for bit.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable
from typing import Any, TypeGuard

from tinygrad_seq.engine.backend import host
from tinygrad_seq.replay.passes.gates import gates
from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE, Pass, is_part
from tinygrad_seq.replay.passes.simplify import key_of, without_repeats
from tinygrad_seq.replay.passes.tidy import doubled, is_transpose, rows_added, steps_first, turned, without_broadcast, without_idle
from tinygrad_seq.replay.trace.tape import Equation, Ref, Tape, read_by

least = 3  # what is done less often stays as it is
most_idle = 2  # steps that are computed with the others, although nobody asks for them
REDUCTIONS = ("all", "any", "max", "min", "sum")


# ---------------------------------------------------------------------------------------------------------------- sums


def sums(work: Pass) -> list[Equation]:
    """Add up over steps at once: products of two values of each step, and sums over the rows of one."""
    added = work.calls("add")
    inside = {equation.made: sums_in(work, equation) for equation in added}
    inner = {n for made in inside.values() for n in made}
    found = []
    for chain in added:
        if is_sum(chain) and chain.made not in inner:
            kinds = defaultdict(list)
            for leaf in leaves(work, chain, inside):
                kind, read = kind_of_term(work, leaf)
                is_one = kind and all(work.maker[n].dtype == chain.dtype for n in (leaf, *read))
                kinds[kind if is_one else None].append((leaf, read))
            alike = {k: Counter(work.maker[n].function for n, _ in terms) for k, terms in kinds.items() if k}
            many = [kind for kind, functions in alike.items() if max(functions.values()) >= least]  # those of steps
            if len(many) == 1:
                found.append((chain, kinds.pop(many[0]), [leaf for terms in kinds.values() for leaf, _ in terms]))
    for _, terms, _ in found:
        views = [work.view(read[0]) for _, read in terms]
        if len(terms[0][1]) == 2 and all(views):  # products with x[t]
            work.time.update((max(read), view[1]) for (_, read), view in zip(terms, views))  # type: ignore[index]
        else:
            work.time.update((max(read), -max(read)) for _, read in terms if max(read) not in work.time)
    for chain, terms, rest in found:
        work.at(chain.made)
        steps = sorted((read for _, read in terms), key=lambda read: work.time[max(read)])
        columns = [work.rows(numbers) for numbers in zip(*steps)]
        shapes = [work.shapes[column.number] for column in columns]
        shape = work.shapes[terms[0][0]]
        if len(columns) == 2:
            turned = work.make("transpose", shapes[0][::-1], chain.dtype, columns[0], (1, 0))
            work.make("dot", shape, chain.dtype, turned, columns[1])
        else:
            total = work.make("sum", shapes[0][1:], chain.dtype, columns[0], axis=0)
            work.make("reshape", shape, chain.dtype, total, shape)
        for leaf in rest:
            shape = host.broadcast_shapes(shape, work.shapes[leaf])
            work.make("add", shape, chain.dtype, Ref(leaf), Ref(work.here[-1].made))
        work.here[-1].made = chain.made
    return work.result()


def sums_in(work: Pass, equation: Equation) -> list[int]:
    """Return the sums that a sum adds, and nobody else reads."""
    found = [work.of(x) for x in equation.args if work.reads[x.number] == 1] if is_sum(equation) else []
    return [inner.made for inner in found if inner and is_sum(inner) and inner.shape == equation.shape]


def is_sum(equation: Equation) -> bool:
    """Tell whether an equation adds two values."""
    return equation.function == "add" and len(equation.args) == 2 and all(isinstance(x, Ref) for x in equation.args)


def leaves(work: Pass, chain: Equation, inside: dict[int, list[int]]) -> list[int]:
    """Return what a chain of sums adds; `inside` tells which sums are in one."""
    found, stack = [], [chain]
    while stack:
        equation = stack.pop()
        inner = inside[equation.made]
        found += [n for n in read_by(equation) if n not in inner]
        stack += [work.maker[number] for number in inner]
    return found


def kind_of_term(work: Pass, leaf: int) -> tuple[Any, tuple[int, ...]]:
    """Return what kind of term of a sum over time a value is, and the values that it is made of; None for others."""
    made = work.maker.get(leaf)
    if made is None or made.dtype is None or made.dtype.kind != "f":
        return None, ()
    inner = work.of(made.args[0])
    once = work.reads[leaf] == 1
    if once and inner is not None and is_transpose(made) and inner.function == "dot":
        kind, read = kind_of_term(work, inner.made)  # (AᵀB)ᵀ is BᵀA
        return (kind and ("dot", *kind[:0:-1])), read[::-1]
    if once and inner is not None and made.function == "dot" and is_transpose(inner):
        left, right = work.of(inner.args[0]), work.of(made.args[1])
        return (("dot", left.shape, right.shape), (left.made, right.made)) if left and right else (None, ())
    if once and inner is not None and made.function == "reshape" and inner.function == "sum":
        whole = work.of(inner.args[0])
        by_rows = inner.options.get("axis") in (0, (0,)) and work.reads[inner.made] == 1
        return (("sum", made.shape), (whole.made,)) if whole and by_rows and len(whole.shape) == 2 else (None, ())
    return (("sum", made.shape), (leaf,)) if len(made.shape) == 2 and made.shape[0] == 1 else (None, ())


# ------------------------------------------------------------------------------------------------------------ products


def products(work: Pass) -> list[Equation]:
    """Multiply all rows by a matrix at once, where none of them depends on another's product."""
    groups = defaultdict(list)
    for equation in work.calls("dot"):
        left = work.of(equation.args[0])
        if left is not None and len(left.shape) == len(equation.shape) == 2:
            groups[equation.args[1], left.shape, left.dtype].append(equation)
    many = [group for group in groups.values() if len(group) >= least]
    bit = {equation.made: 1 << i for i, group in enumerate(many) for equation in group}
    after: dict[int, int] = {}  # of a value: a bit for every group that it depends on
    recurrent = 0
    for equation in work.equations if many else ():
        bits, own = 0, bit.get(equation.made, 0)
        for number in read_by(equation):
            bits |= after.get(number, 0)
        recurrent |= bits & own
        after[equation.made] = bits | own
    for group in many:
        if bit[group[0].made] & recurrent:
            continue
        group.sort(key=lambda equation: in_time(work, equation.args[0].number))
        first, n = group[0], len(group)
        work.at(min(equation.made for equation in group))
        rows = work.rows([equation.args[0].number for equation in group])
        dot = work.make("dot", (n * first.shape[0], first.shape[1]), first.dtype, rows, first.args[1])
        whole = work.make("reshape", (n, *first.shape), first.dtype, dot, (n, *first.shape))
        take_apart(work, whole, group)
    return work.result()


def in_time(work: Pass, number: int) -> int:
    """Return where a value is in time: x[t] at t, others as what they are multiplied with or as they were made."""
    view = work.view(number)
    return view[1] if view else work.time.get(number, number)


def take_apart(work: Pass, whole: Ref, steps: list[Equation]) -> None:
    """Let values of steps be x[0], x[1], ... of one x."""
    for t, equation in enumerate(steps):
        work.remake(equation, "getitem", whole, t)


# --------------------------------------------------------------------------------------------------------- elementwise


def regrouped(work: Pass) -> list[Equation]:
    """Add what is the same at all steps to x[t] first: (x[t] + h) + b is (x[t] + b) + h."""
    for equation in work.calls("add"):
        inner = work.of(equation.args[0]) if is_sum(equation) else None
        if inner is not None and is_sum(inner) and work.reads[inner.made] == 1 and inner.shape == equation.shape:
            left, right, last = *inner.args, equation.args[1]
            if work.view(left.number) and not work.view(right.number) and not work.view(last.number):
                work.at(equation.made)
                first = work.make("add", equation.shape, equation.dtype, left, last)
                work.remake(equation, "add", first, right, **equation.options)
    return work.result()


def elements(work: Pass) -> list[Equation]:
    """Compute on all of x at once, elementwise or of every row, what is done on every x[t]."""
    numbers: dict[Any, int] = {}  # of what is done to which arrays at every t
    lanes: dict[int, tuple[int, tuple[int, int, int]]] = {}  # of a value: which of these, and t, how many, dimensions
    wholes: dict[int, Ref] = {}
    groups: dict[int, dict[int, Equation]] = defaultdict(dict)
    for equation in work.equations:
        rank = len(equation.shape)
        view = work.view(equation.made) if equation.function == "getitem" else None
        if view is not None:
            kind = numbers.setdefault(view[0], len(numbers))
            wholes[kind] = view[0]
            lanes[equation.made] = kind, (view[1], work.shapes[view[0].number][0], rank)
        elif equation.function in ELEMENTWISE or is_part(equation) or equation.function in REDUCTIONS:
            steps = {lanes[n][1] for n in read_by(equation) if n in lanes}
            t, size, dimensions = steps.pop() if len(steps) == 1 else (0, 0, -1)
            if dimensions == (len(work.shapes[read_by(equation)[0]]) if equation.function in REDUCTIONS else rank):
                whats = [lanes[x.number][0] if is_in(x, lanes) else key_of(x) for x in equation.args]
                options = [(name, key_of(x)) for name, x in equation.options.items()]
                key = equation.function, *whats, *options, equation.shape, equation.dtype
                kind = numbers.setdefault(key, len(numbers))
                lanes[equation.made] = kind, (t, size, rank)
                groups[kind][t] = equation
    for kind, group in groups.items():
        first = next(iter(group.values()))
        size = lanes[first.made][1][1]
        known = all(lanes[n][0] in wholes for n in read_by(first) if n in lanes)
        if len(group) >= max(size - most_idle, least) and known:
            args: list[Any] = [wholes[lanes[x.number][0]] if is_in(x, lanes) else x for x in first.args]
            options = dict(first.options)
            if is_part(first):
                args[1] = slice(None), *first.args[1]
            elif first.function in REDUCTIONS:
                options["axis"] = tuple([axis + 1 for axis in axes_of(first, len(work.shapes[args[0].number]) - 1)])
                args = args[:1]
            work.at(first.made)
            wholes[kind] = work.make(first.function, (size, *first.shape), first.dtype, *args, **options)
            for t, equation in group.items():
                work.remake(equation, "getitem", wholes[kind], t)
    return work.result()


def axes_of(equation: Equation, rank: int) -> list[int]:
    """Return over which axes of its argument an equation sums, or the like."""
    axis = equation.options.get("axis", equation.args[1] if len(equation.args) > 1 else None)
    asked = range(rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return [each % rank for each in asked]


def checked(work: Pass) -> list[Equation]:
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
            y = work.taken(x, first, len(found), work.maker[x.number].dtype)
            work.remake(equation, "expect", y, equation.args[1])
            for _, other in found[1:]:
                work.drop(other.made, equation.made)
    return work.result()


def is_in(x: Any, values: Container[int]) -> TypeGuard[Ref]:
    """Tell whether an argument is one of some values."""
    return isinstance(x, Ref) and x.number in values


def without_views(work: Pass) -> list[Equation]:
    """Let x[t], x[t + 1], ... that are stacked or joined along an axis be a part of x, with the axes in that order."""
    for equation in work.calls("stack", "concatenate"):
        parts, axis = equation.args[0], (*equation.args, 0)[1] % len(equation.shape)
        numbers = [x.number for x in parts if isinstance(x, Ref)] if isinstance(parts, tuple) else []
        start = work.start(numbers) if len(parts) == len(numbers) > 1 else None
        if start is not None:
            work.at(equation.made)
            x = work.taken(*start, len(numbers), equation.dtype)
            if axis:
                shape = work.shapes[x.number]
                order = *range(1, axis + 1), 0, *range(axis + 1, len(shape))
                x = work.make("transpose", tuple([shape[i] for i in order]), equation.dtype, x, order)
            work.remake(equation, "reshape", x, equation.shape)
    return work.result()


def reshaped_once(work: Pass) -> list[Equation]:
    """Put in another shape at once what is put in one shape after another."""
    for equation in work.calls("reshape"):
        inner = work.of(equation.args[0])
        if inner is not None and inner.function == "reshape":
            work.at(equation.made)
            work.remake(equation, "reshape", inner.args[0], *equation.args[1:], **equation.options)
    return work.result()


PASSES: Iterable[Callable[[Pass], list[Equation]]] = (
    without_idle, steps_first, without_broadcast, doubled, sums, products, gates, regrouped, elements, checked, without_views,
    reshaped_once, turned, without_idle, rows_added,
)  # fmt: skip


def done_together(
    passes: list[Callable[[Pass], list[Equation]]], equations: Iterable[Equation], tape: Tape, outputs: list[int]
) -> tuple[list[Equation], dict[int, int]]:
    """Return the equations of a tape after all passes, and for every value that is left out one that is the same."""
    equations, same = without_repeats(equations)
    outputs = [same.get(number, number) for number in outputs]
    work = Pass(equations, tape.shapes(), tape.new, outputs)
    for improve in passes:
        improve(work)
    equations, more = without_repeats(work.equations)
    for found in work.twins, more:
        same = {number: found.get(other, other) for number, other in same.items()} | found
    return equations, same
