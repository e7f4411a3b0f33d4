"""A pass over statements: a product of rows from several places in a loop takes those of one place together.

    concatenate((a[0], b[0], a[1], b[1], ...))              concatenate((*a, *b))

A body that multiplies by one matrix twice, as a Runge-Kutta step does, has two terms in the gradient of that matrix. It
is a sum over all rows, in any order: in this one its text, and what is compiled, is as long at any number of steps.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tinygrad_seq.replay.passes.factors import Shapes
from tinygrad_seq.replay.passes.loops import Loop, Statement, read_outside
from tinygrad_seq.replay.passes.tidy import is_transpose
from tinygrad_seq.replay.trace.tape import Equation, Ref


def by_place(statements: Sequence[Statement], shapes: Shapes) -> list[Statement]:
    """Return statements in which rows that two joins bring together in a product are sorted by where they are made."""
    loops = [statement for statement in statements if isinstance(statement, Loop)]
    place = {n: (k, i) for k, loop in enumerate(loops) for i, made in enumerate(loop.made) for n in made}
    maker = {statement.made: statement for statement in statements if isinstance(statement, Equation)}
    reads = Counter(n for statement in statements for n in read_outside(statement))
    sorted_rows: dict[int, Equation] = {}

    def made_for_one(x: object) -> Equation | None:
        """Return the equation that makes a value which is read once."""
        return maker.get(x.number) if isinstance(x, Ref) and reads[x.number] == 1 else None

    def joined(x: object) -> Equation | None:
        """Return the equation that joins rows to a matrix which is read once."""
        made = made_for_one(x)
        return made if made is not None and made.function == "concatenate" and made.args[1:] == (0,) else None

    for dot in [equation for equation in maker.values() if equation.function == "dot"]:
        turned = made_for_one(dot.args[0])
        left, right = joined(turned.args[0]) if turned and is_transpose(turned) else None, joined(dot.args[1])
        if left is not None and right is not None and len(left.args[0]) == len(right.args[0]):
            rows = sorted(zip(left.args[0], right.args[0]), key=lambda row: place.get(row[1].number, (-1, 0)))
            if all(shapes[a.number][0] == shapes[b.number][0] for a, b in rows):
                for join, parts in zip((left, right), zip(*rows)):
                    sorted_rows[join.made] = replace(join, args=(parts, 0))
    return [sorted_rows.get(each.made, each) if isinstance(each, Equation) else each for each in statements]
