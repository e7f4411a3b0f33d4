"""Passes that replace equations by fewer or cheaper ones of the same value.

(Wᵀ)ᵀ                                       W
(A B)ᵀ                                      Bᵀ Aᵀ
c x + c x                                   (2 c) x
the sum of all rows of A                    1ᵀ A
x[:, 0], x[:, 1], ...                       y[0], y[1], ..., where y is x with that axis first
"""

from collections import defaultdict
from typing import Any

from tinygrad_seq.engine.ops.indexing import Steps, steps_in
from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE, Pass, least
from tinygrad_seq.replay.passes.simplify import key_of
from tinygrad_seq.replay.trace.tape import Equation, Ref, read_by


def is_transpose(equation: Equation | None) -> bool:
    """Tell whether an equation is the transpose of a matrix."""
    return equation is not None and equation.function == "transpose" and equation.args[1] == (1, 0)


def without_idle(work: Pass) -> None:
    """Remove calls without effect: a reshape to the same shape, a transpose of a transpose."""
    for equation in work.calls("reshape", "transpose"):
        x = equation.args[0]
        if equation.function == "reshape" and isinstance(x, Ref) and work.shapes[x.number] == equation.shape:
            work.drop(equation.made, x.number)
        elif is_transpose(equation):
            inner = work.of(x)
            while inner is not None and inner.function in ("ascontiguousarray", "reshape"):
                before = inner.args[0]
                inner = work.of(before) if work.shapes[before.number] == inner.shape else None
            if inner is not None and is_transpose(inner):
                work.drop(equation.made, inner.args[0].number)


def without_broadcast(work: Pass) -> None:
    """Leave out what brings an argument into the shape of another one, beside which it is computed with."""

    broad = {equation.made for equation in work.calls("broadcast_to", "reshape")}
    for equation in work.equations:
        if equation.function in ELEMENTWISE and not broad.isdisjoint(read_by(equation)):
            args = tuple([narrow(work, x) for x in equation.args])
            read = [x.number for x in args if isinstance(x, Ref)]
            new = [x for x, old in zip(args, equation.args) if x is not old]
            numbers = {getattr(x, "dtype", None) for x in new if not isinstance(x, Ref)}
            typed = numbers <= {work.dtypes[n] for n in read}  # beside a mask, say, a number would widen the result
            if new and typed and any(work.shapes[n] == equation.shape for n in read):
                work.at(equation.made)
                work.remake(equation, equation.function, *args, **equation.options)


def narrow(work: Pass, x: Any) -> Any:
    """Return an argument as it was before it was broadcast."""
    made = work.of(x)
    if made is None or not (
        made.function == "broadcast_to" or (made.function == "reshape" and not isinstance(made.args[0], Ref))
    ):
        return x
    return narrow(work, made.args[0])


def transposed(work: Pass, x: Ref, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return the transpose of a matrix: what it was made of, if it is a transpose."""
    inner = work.of(x)
    if inner is not None and is_transpose(inner):
        return inner.args[0]
    return work.make("transpose", shape[::-1], dtype, x, (1, 0))


def turned(work: Pass) -> None:
    """Multiply transposed matrices, where a product would be transposed."""
    for equation in work.calls("transpose"):
        dot = work.of(equation.args[0]) if is_transpose(equation) else None
        if dot is not None and dot.function == "dot" and work.reads[dot.made] == 1 and len(dot.shape) == 2:
            factors: tuple[Any, ...] = dot.args
            shapes = [work.shapes[x.number] for x in factors]
            if [len(shape) for shape in shapes] == [2, 2]:
                work.at(equation.made)
                left, right = (
                    transposed(work, x, shape, equation.dtype) for x, shape in zip(factors[::-1], shapes[::-1])
                )
                work.remake(equation, "dot", left, right)


def doubled(work: Pass) -> None:
    """Multiply by twice the number, where a multiple is added to itself, as in the gradient of a square."""
    for equation in work.calls("add"):
        scaled = work.of(equation.args[0]) if len(set(map(key_of, equation.args))) == 1 else None
        if scaled is not None and scaled.function == "multiply" and work.reads[scaled.made] == 2:
            factors = [x if isinstance(x, Ref) else 2 * x for x in scaled.args]
            if sum(isinstance(x, Ref) for x in factors) == 1:
                work.at(equation.made)
                work.remake(equation, "multiply", *factors)


def steps_of_arrays(work: Pass) -> dict[tuple[Ref, int, int], list[tuple[Equation, Steps]]]:
    """Return the calls that pick steps along one axis, by the array, the axis and how many steps they pick."""
    groups = defaultdict(list)
    for equation in work.calls("getitem"):
        x, index = equation.args
        shape = work.shapes[x.number] if isinstance(x, Ref) else ()
        found = steps_in(index, shape, max(shape)) if shape else None
        if found is not None:
            groups[x, found.axis, found.length].append((equation, found))
    return groups


def steps_apart(work: Pass) -> None:
    """Let x[t, a:b] be x[t][a:b], where x[t, ...] is read at many steps."""
    groups = defaultdict(list)
    for equation in work.calls("getitem"):
        x, index = equation.args
        if isinstance(x, Ref) and isinstance(index, tuple) and all(type(part) in (int, slice) for part in index):
            ints = [axis for axis, part in enumerate(index) if type(part) is int]
            rest = tuple([part for part in index if type(part) is slice])
            if len(ints) == 1 and any(part != slice(None) for part in rest):
                groups[x, ints[0], key_of(rest)].append((equation, rest))
    for (x, axis, _), steps in groups.items():
        for equation, rest in steps if len(steps) >= least else ():
            shape = work.shapes[x.number]
            work.at(equation.made)
            at = *(slice(None),) * axis, equation.args[1][axis]
            one = work.make("getitem", shape[:axis] + shape[axis + 1 :], equation.dtype, x, at if axis else at[0])
            work.remake(equation, "getitem", one, rest)


def with_axis_first(work: Pass, x: Ref, axis: int) -> Ref:
    """Return an array with one of its axes first."""
    shape = work.shapes[x.number]
    order = axis, *(i for i in range(len(shape)) if i != axis)
    turned = tuple([shape[i] for i in order])
    return work.make("transpose", turned, work.dtypes[x.number], x, order) if axis else x


def steps_first(work: Pass) -> None:
    """Let x[:, t] and x[:, t:t+1], along any axis, be y[t]: a loop knows these as steps of one array."""
    for (x, axis, length), steps in steps_of_arrays(work).items():
        if len(steps) > 2 and length <= 1 and (axis, length) != (0, 0):
            first, _ = steps[0]
            work.at(first.made)
            y = with_axis_first(work, x, axis)
            if length:
                shape = work.shapes[x.number][axis], *first.shape
                y = work.make("reshape", shape, first.dtype, y, shape)
            for equation, found in steps:
                work.remake(equation, "getitem", y, found.start)


def windows(work: Pass) -> None:
    """Let x[0:n], x[n:2 * n], ... be y[0], y[1], ..., so that a loop over windows knows these as steps of one array."""
    for (x, axis, length), steps in steps_of_arrays(work).items():
        starts = sorted({found.start for _, found in steps})
        may_be_time = axis == 0 or work.of(x) is None  # other parts of what was computed are those of gates
        is_even = length > 1 and starts == [*range(starts[0], starts[-1] + 1, length)]
        if may_be_time and is_even and len(starts) >= least:
            first, _ = steps[0]
            work.at(first.made)
            y = with_axis_first(work, x, axis)
            rest = work.shapes[y.number][1:]
            shape = len(starts), length, *rest
            y = work.make("reshape", shape, first.dtype, work.taken(y, starts[0], 1, length * len(starts)), shape)
            for equation, found in steps:
                k = (found.start - starts[0]) // length
                if axis:
                    one = work.make("getitem", (length, *rest), first.dtype, y, k)
                    work.remake(equation, "transpose", one, (*range(1, axis + 1), 0, *range(axis + 1, len(rest) + 1)))
                else:
                    work.remake(equation, "getitem", y, k)


def rows_added(work: Pass) -> None:
    """Add up the rows of a matrix by a product with ones: BLAS is faster, and adds in blocks, which is more exact."""
    ones: dict[Any, Ref] = {}
    for equation in work.calls("sum"):
        x, axes = equation.args[0], equation.options.get("axis")
        rows = work.shapes[x.number][0] if axes == (0,) and equation.dtype.kind == "f" else 0
        made = work.of(x)
        if rows > 1 and len(equation.shape) == 1 and made is not None and made.dtype == equation.dtype:
            work.at(equation.made)
            if (rows, equation.dtype) not in ones:
                ones[rows, equation.dtype] = work.make("full", (rows,), equation.dtype, (rows,), 1.0, equation.dtype)
            work.remake(equation, "dot", ones[rows, equation.dtype], x)
