"""Passes over equations: what is done at every step with one array is done once for all steps.

    x[0] @ W, x[1] @ W, ...                     the rows of all x[t], times W: one product
    h[0].T @ dz[0] + h[1].T @ dz[1] + ...       one product of all rows

Sums are rounded in another order, so results agree with those of the graph to rounding, no longer bit for bit.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.replay.passes.all_steps import checked, elements
from tinygrad_seq.replay.passes.gates import gates
from tinygrad_seq.replay.passes.rewriting import Pass, least
from tinygrad_seq.replay.passes.simplify import without_repeats
from tinygrad_seq.replay.passes.tidy import (
    doubled,
    is_transpose,
    rows_added,
    steps_apart,
    steps_first,
    turned,
    windows,
    without_broadcast,
    without_idle,
)
from tinygrad_seq.replay.trace.tape import Equation, Ref, Tape, read_by

# ---------------------------------------------------------------------------------------------------------------- sums


def sums(work: Pass) -> None:
    """Replace a sum over time of products by one product, and a sum over time of row sums by one sum."""
    found = []
    for chain, added in chains(work):
        kinds = defaultdict(list)
        for leaf in added:
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
            work.time.update((max(read), (view[0].number, view[1])) for (_, read), view in zip(terms, views))  # type: ignore[index]
        else:
            work.time.update((max(read), (0, -max(read))) for _, read in terms if max(read) not in work.time)
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
            total = work.make("sum", shapes[0][1:], chain.dtype, columns[0], axis=(0,))
            work.make("reshape", shape, chain.dtype, total, shape)
        for leaf in rest:
            shape = host.broadcast_shapes(shape, work.shapes[leaf])
            work.make("add", shape, chain.dtype, Ref(leaf), Ref(work.here[-1].made))
        work.here[-1].made = chain.made


def totals(work: Pass) -> None:
    """Let x[t] + x[t + 1] + ... be a sum over steps of x."""
    for chain, added in chains(work):
        groups: dict[Any, list[int]] = defaultdict(list)
        terms = [without_zero(work, n) for n in added]
        for n in terms:
            view = work.view(n)
            groups[(view or (n,))[0]].append(n)
        steps = {
            x: work.start(sorted(numbers, key=lambda n: in_time(work, n)))
            for x, numbers in groups.items() if len(numbers) >= least
        }  # fmt: skip
        alike = {(work.shapes[n], work.dtypes[n]) for n in terms} == {(chain.shape, chain.dtype)}
        if any(steps.values()) and alike and chain.dtype.kind == "f":  # a sum of bools is none of bools
            work.at(chain.made)
            added = []
            for x, numbers in groups.items():
                start = steps.get(x)
                if start is not None:
                    part = work.taken(*start, len(numbers))
                    numbers = [work.make("sum", chain.shape, chain.dtype, part, axis=(0,)).number]
                added += numbers
            for n in added[1:]:
                added[0] = work.make("add", chain.shape, chain.dtype, Ref(added[0]), Ref(n)).number
            work.here[-1].made = chain.made


def without_zero(work: Pass, n: int) -> int:
    """Return what a value adds to 0, as the first term of a sum, or the value itself."""
    made = work.maker.get(n)
    if made is None or made.function != "add" or work.reads[n] > 1 or all(isinstance(x, Ref) for x in made.args):
        return n
    is_zero = all(isinstance(x, Ref) or x == 0.0 for x in made.args)
    return next(iter(read_by(made)), n) if is_zero else n


def chains(work: Pass) -> Iterator[tuple[Equation, list[int]]]:
    """Yield the sums that are in no other sum, and all that each adds."""
    added = work.calls("add")
    inside = {equation.made: sums_in(work, equation) for equation in added}
    inner = {n for made in inside.values() for n in made}
    for chain in added:
        if is_sum(chain) and chain.made not in inner:
            yield chain, leaves(work, chain, inside)


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
        by_rows = inner.options.get("axis") == (0,) and work.reads[inner.made] == 1
        return (("sum", made.shape), (whole.made,)) if whole and by_rows and len(whole.shape) == 2 else (None, ())
    return (("sum", made.shape), (leaf,)) if len(made.shape) == 2 and made.shape[0] == 1 else (None, ())


# ------------------------------------------------------------------------------------------------------------ products


def products(work: Pass) -> None:
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
        for t, equation in enumerate(group):
            work.remake(equation, "getitem", whole, t)


def in_time(work: Pass, number: int) -> tuple[int, int]:
    """Return a key that sorts by time: the number of x and t for x[t], for others what `time` says, or their own."""
    view = work.view(number)
    return (view[0].number, view[1]) if view else work.time.get(number, (0, number))


# --------------------------------------------------------------------------------------------------------------- views


def regrouped(work: Pass) -> None:
    """Add what is the same at all steps to x[t] first: (x[t] + h) + b is (x[t] + b) + h."""
    for equation in work.calls("add"):
        inner = work.of(equation.args[0]) if is_sum(equation) else None
        if inner is not None and is_sum(inner) and work.reads[inner.made] == 1 and inner.shape == equation.shape:
            left, right, last = *inner.args, equation.args[1]
            is_one = {work.dtypes[x.number] for x in (left, right, last)} == {equation.dtype}
            views = [work.view(x.number) is not None for x in (left, right, last)]
            if is_one and views == [True, False, False]:
                work.at(equation.made)
                first = work.make("add", equation.shape, equation.dtype, left, last)
                work.remake(equation, "add", first, right, **equation.options)


def without_views(work: Pass) -> None:
    """Let x[t], x[t + 1], ... that are stacked or joined along an axis be a part of x, with the axes in that order."""
    for equation in work.calls("stack", "concatenate"):
        parts, axis, *_ = *equation.args, None
        numbers = [x.number for x in parts if isinstance(x, Ref)] if type(axis) is int else []
        if not len(parts) == len(numbers) > 1:
            continue
        runs = [[*run] for _, run in groupby(numbers, lambda n: (work.view(n) or (n,))[0])]  # each of one array
        starts = [start for run in runs if (start := work.start(run)) is not None]
        if len(runs) == len(starts) == 1:
            work.at(equation.made)
            x = work.taken(*starts[0], len(numbers))
            if axis:
                shape = work.shapes[x.number]
                order = *range(1, axis + 1), 0, *range(axis + 1, len(shape))
                x = work.make("transpose", tuple([shape[i] for i in order]), equation.dtype, x, order)
            work.remake(equation, "reshape", x, equation.shape)
        elif axis == 0 and len(starts) == len(runs) <= len(numbers) / least:
            work.at(equation.made)
            joined = []
            for start, run in zip(starts, runs):
                rows = len(run) * (1 if equation.function == "stack" else work.shapes[run[0]][0])
                shape, x = (rows, *equation.shape[1:]), work.taken(*start, len(run))
                joined.append(work.make("reshape", shape, equation.dtype, x, shape))
            work.remake(equation, "concatenate", tuple(joined), 0)


def reshaped_once(work: Pass) -> None:
    """Replace two reshapes in a row by one."""
    for equation in work.calls("reshape"):
        inner = work.of(equation.args[0])
        if inner is not None and inner.function == "reshape":
            work.at(equation.made)
            work.remake(equation, "reshape", inner.args[0], *equation.args[1:], **equation.options)


PASSES: Iterable[Callable[[Pass], None]] = (
    without_idle, windows, steps_apart, steps_first, without_broadcast, doubled, sums, products, gates, regrouped,
    elements, totals, checked, without_views, reshaped_once, turned, without_idle, rows_added,
)  # fmt: skip


def done_together(
    passes: list[Callable[[Pass], None]], equations: Iterable[Equation], tape: Tape, outputs: list[int]
) -> tuple[list[Equation], dict[int, int]]:
    """Return the equations of a tape after all passes, and for every value that is left out one that is the same."""
    equations, same = without_repeats(equations)
    outputs = [same.get(number, number) for number in outputs]
    work = Pass(equations, tape.shapes(), tape.dtypes(), tape.new, outputs)
    for improve in passes:
        improve(work)
        work.apply()
    equations, more = without_repeats(work.equations)
    for found in work.twins, more:
        same = {number: found.get(other, other) for number, other in same.items()} | found
    return equations, same
