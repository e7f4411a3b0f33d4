"""A pass over equations: what is done to neighbouring parts of an array is done to the array.

    sigmoid(z[:, :4]), sigmoid(z[:, 4:8])       y = sigmoid(z), and y[:, :4], y[:, 4:8]

So all gates of a cell are computed in one call. Every element is computed as before, so the bits are the same.
"""

from collections import defaultdict
from typing import Any

from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE, Pass, is_part
from tinygrad_seq.replay.passes.simplify import key_of
from tinygrad_seq.replay.trace.tape import Equation, Ref, read_by

Span = tuple[int, int]  # columns, from the first to the one after the last


def gates(work: Pass) -> None:
    """Compute elementwise on all columns what is computed on parts of them, where these are most of all."""
    parts: dict[int, tuple[Any, Span]] = {}  # of a value: what it is a part of (a value, or what is done to it), where
    groups: dict[Any, dict[Span, Equation]] = defaultdict(dict)
    for equation in work.equations:
        columns = columns_of(work, equation)
        if columns:
            parts[equation.made] = equation.args[0].number, columns
        elif equation.function in ELEMENTWISE and not equation.options:
            read = read_by(equation)
            spans = {parts[n][1] for n in read if n in parts}
            if len(spans) == 1 and all(n in parts and work.shapes[n] == equation.shape for n in read):
                whats = (parts[x.number][0] if isinstance(x, Ref) else key_of(x) for x in equation.args)
                key = equation.function, *whats, equation.dtype
                parts[equation.made] = key, spans.pop()
                groups[key].setdefault(parts[equation.made][1], equation)
    wholes: dict[Any, tuple[Ref, int]] = {}  # of what is done: the array, and its first column

    def taken(what: Any, start: int, end: int, rows: tuple[int, ...], dtype: Any) -> Ref:
        """Return these columns of an array."""
        x, first = wholes.get(what) or (Ref(what), 0)
        if (start - first, end - first) == (0, work.shapes[x.number][-1]):
            return x
        return work.make("getitem", (*rows, end - start), dtype, x, index(rows, start - first, end - first))

    for key, group in groups.items():
        start, end = min(a for a, _ in group), max(b for _, b in group)
        first = next(iter(group.values()))
        there = all(isinstance(what, int) or what in wholes for what in (parts[n][0] for n in read_by(first)))
        if there and len(group) > 1 and 2 * sum(b - a for a, b in group) > end - start:
            rows = first.shape[:-1]
            work.at(first.made)
            args = [
                taken(parts[x.number][0], start, end, rows, work.maker[x.number].dtype) if isinstance(x, Ref) else x
                for x in first.args
            ]
            whole = work.make(first.function, (*rows, end - start), first.dtype, *args)
            wholes[key] = whole, start
            for (a, b), equation in group.items():
                work.remake(equation, "getitem", whole, index(rows, a - start, b - start))


def index(rows: tuple[int, ...], start: int, end: int) -> tuple[slice, ...]:
    """Return the index of some columns."""
    return *(slice(None) for _ in rows), slice(start, end)


def columns_of(work: Pass, equation: Equation) -> Span | None:
    """Return which columns of an array a value is."""
    x = equation.args[0] if is_part(equation) else None
    if not isinstance(x, Ref) or not equation.shape or len(equation.args[1]) != len(work.shapes[x.number]):
        return None
    shape, asked = work.shapes[x.number], equation.args[1]
    start, end, step = asked[-1].indices(shape[-1])
    whole = all(part.indices(size) == (0, size, 1) for part, size in zip(asked[:-1], shape[:-1]))
    return (start, end) if whole and step == 1 and 0 < end - start < shape[-1] else None
