"""Passes over equations that say the same in fewer words, with the algebra of matrices.

    (Wᵀ)ᵀ                                       W
    (A B)ᵀ                                      Bᵀ Aᵀ
    the sum of the rows [a, b, c]               a + b + c
"""

from typing import Any

from tinygrad_seq.replay.passes import Pass
from tinygrad_seq.replay.tape import Equation, Ref

TRANSPOSED = (("swapaxes", (-1, -2)), ("transpose", ((1, 0),)))  # of matrices: .T


def is_transpose(equation: Equation | None) -> bool:
    """Tell whether an equation is the transpose of a matrix."""
    return equation is not None and (equation.function, equation.args[1:]) in TRANSPOSED and len(equation.shape) == 2


def without_idle(work: Pass) -> list[Equation]:
    """Leave out what gives the value itself: a shape that was there before, a transpose of a transpose."""
    for equation in work.equations:
        x, inner = equation.args[0] if equation.args else None, work.of(next(iter(equation.args), None))
        if not isinstance(x, Ref):
            continue
        if equation.function == "reshape" and work.shapes[x.number] == equation.shape:
            work.drop(equation.made, x.number)
        elif is_transpose(equation):
            while inner is not None and inner.function in ("ascontiguousarray", "reshape"):
                before = inner.args[0]
                inner = work.of(before) if work.shapes[before.number] == inner.shape else None
            if is_transpose(inner):
                work.drop(equation.made, inner.args[0].number)  # type: ignore[union-attr]
    return work.result()


def turned(work: Pass) -> list[Equation]:
    """Multiply transposed matrices, where a product would be transposed."""
    for equation in work.equations:
        dot = work.of(equation.args[0]) if is_transpose(equation) else None
        if dot is not None and dot.function == "dot" and work.reads[dot.made] == 1 and len(dot.shape) == 2:
            factors: tuple[Any, ...] = dot.args
            shapes = [work.shapes[x.number] for x in factors]
            if [len(shape) for shape in shapes] == [2, 2]:
                work.at(equation.made)
                left, right = (
                    inner.args[0] if is_transpose(inner := work.of(x)) else
                    work.make("transpose", shape[::-1], equation.dtype, x, (1, 0))
                    for x, shape in zip(factors[::-1], shapes[::-1])
                )
                work.make("dot", equation.shape, equation.dtype, left, right)
                work.here[-1].made = equation.made
    return work.result()


def rows_added(work: Pass) -> list[Equation]:
    """Add rows that were joined only to be added."""
    for equation in work.equations:
        joined = work.of(equation.args[0]) if equation.function == "sum" else None
        if joined is None or joined.function != "concatenate" or work.reads[joined.made] > 1:
            continue
        parts: Any = joined.args[0]
        rows = all(isinstance(x, Ref) and work.shapes[x.number] == (1, *equation.shape) for x in parts)
        if rows and joined.args[1:] == (0,) and equation.options.get("axis") in (0, (0,)) and not equation.options.get("keepdims") and len(parts) < 8:
            work.at(equation.made)
            total = parts[0]
            for part in parts[1:]:
                total = work.make("add", (1, *equation.shape), equation.dtype, total, part)
            work.make("reshape", equation.shape, equation.dtype, total, equation.shape)
            work.here[-1].made = equation.made
    return work.result()
