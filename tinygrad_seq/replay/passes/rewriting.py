"""What a pass over equations needs: who makes a value, how often it is read, and what stands instead of it."""

from collections import Counter
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from tinygrad_seq.replay.passes.loops import needed
from tinygrad_seq.replay.passes.simplify import in_order, with_others
from tinygrad_seq.replay.trace.tape import Equation, Ref, read_by

ELEMENTWISE = frozenset((
    "absolute", "add", "bitwise_and", "bitwise_or", "cos", "divide", "equal", "exp", "greater", "greater_equal",
    "invert", "less", "less_equal", "log", "maximum", "minimum", "multiply", "negative", "not_equal", "power", "sign",
    "sin", "sqrt", "subtract", "tanh", "where",
))  # fmt: skip
PLAIN = ELEMENTWISE & frozenset((  # beside an array, they take a number of Python for one of its dtype
    "add", "bitwise_and", "bitwise_or", "divide", "equal", "greater", "greater_equal", "less", "less_equal", "maximum",
    "minimum", "multiply", "not_equal", "power", "subtract",
))  # fmt: skip

least = 3  # what is done less often stays as it is


class Pass:
    """Equations that are read, and those that stand instead of some of them until `apply` puts these in their place."""

    def __init__(
        self,
        equations: list[Equation],
        shapes: dict[int, tuple[int, ...]],
        dtypes: dict[int, Any],
        new: Callable[[], int],
        outputs: Sequence[int],
    ) -> None:
        self.equations, self.new, self.outputs = needed(equations, outputs), new, outputs
        self.shapes = shapes | {equation.made: equation.shape for equation in equations}
        self.dtypes = dtypes | {equation.made: equation.dtype for equation in equations}
        self.maker = {equation.made: equation for equation in self.equations}
        self.reads = Counter([n for equation in self.equations for n in read_by(equation)] + [*outputs])  # how often
        self.time: dict[int, tuple[int, int]] = {}  # where gradients of steps belong: of which x, and which step
        self.twins: dict[int, int] = {}  # of a value that was left out: the one that it is
        self.instead: dict[int, list[Equation]] = {}
        self.same: dict[int, int] = {}  # of a value that is to be left out: the one that it is
        self.here: list[Equation] = []  # what stands instead of the equation that is looked at

    def calls(self, *functions: str) -> list[Equation]:
        """Return the equations that call one of some functions."""
        return [equation for equation in self.equations if equation.function in functions]

    def at(self, number: int) -> None:
        """Put the equations that are made next in place of the one that makes this value."""
        self.here = self.instead.setdefault(number, [])

    def drop(self, number: int, other: int) -> None:
        """Replace a value by an equal one, unless an output would then be an input or another output."""
        other = self.same.get(other, other)
        if number not in self.outputs or (other in self.maker and other not in self.outputs):
            self.same[number] = other
            self.instead[number] = []

    def make(self, function: str, shape: tuple[int, ...], dtype: Any, *args: Any, **options: Any) -> Ref:
        """Add an equation."""
        self.here.append(Equation(self.new(), function, args, options, shape, dtype))
        made = self.here[-1].made
        self.maker[made], self.shapes[made], self.dtypes[made] = self.here[-1], shape, dtype
        return Ref(made)

    def remake(self, equation: Equation, function: str, *args: Any, **options: Any) -> None:
        """Compute the value of an equation by another call."""
        self.instead.setdefault(equation.made, [])
        self.here.append(Equation(equation.made, function, args, options, equation.shape, equation.dtype))

    def apply(self) -> None:
        """Put the new equations in place of the old ones, in an order in which each is made before it is read."""
        if not self.instead:
            return
        if self.same:
            others = ((equation, with_others(equation, self.same)) for equation in self.equations)
            self.instead = {old.made: [new] for old, new in others if new is not old} | self.instead
            self.reads.subtract(self.outputs)
            self.outputs = [self.same.get(number, number) for number in self.outputs]
            self.reads.update(self.outputs)
            self.twins = {number: self.same.get(twin, twin) for number, twin in self.twins.items()} | self.same
        new = [made for each in self.equations for made in self.instead.get(each.made, (each,))]
        if self.is_late():
            new = in_order(new, lambda equation: (equation.made,), read_by) or self.equations
        if new is not self.equations:
            self.count()
            self.equations = [equation for equation in new if equation.made in self.maker]
        self.instead, self.same = {}, {}

    def is_late(self) -> bool:
        """Tell whether something that stands instead is made later than before, or reads what is made after it."""
        before = {equation.made: i for i, equation in enumerate(self.equations)}
        now = before | {each.made: before[number] for number, made in self.instead.items() for each in made}
        return any(
            now[each.made] > before.get(each.made, inf) or any(now.get(n, -1) > now[each.made] for n in read_by(each))
            for made in self.instead.values() for each in made
        )  # fmt: skip

    def count(self) -> None:
        """Note what is read no longer, and what is now, and leave out what nobody reads."""
        idle = [n for number in self.instead for n in read_by(self.maker.pop(number))]
        self.reads.subtract(idle)
        come = [equation for made in self.instead.values() for equation in made]
        self.maker.update((equation.made, equation) for equation in come)
        self.reads.update([n for equation in come for n in read_by(equation)])
        idle += [equation.made for equation in come if equation.function != "expect"]
        for number in idle:  # the list grows while it is read
            if not self.reads[number] and number in self.maker:
                inner = read_by(self.maker.pop(number))
                self.reads.subtract(inner)
                idle += inner

    def of(self, x: Any) -> Equation | None:
        """Return the equation that makes an argument."""
        return self.maker.get(x.number) if isinstance(x, Ref) else None

    def view(self, number: int) -> tuple[Ref, int] | None:
        """Return x and t where a value is x[t]."""
        made = self.maker.get(number)
        if made is None or made.function != "getitem" or type(made.args[1]) is not int or made.args[1] < 0:
            return None
        return (made.args[0], made.args[1]) if isinstance(made.args[0], Ref) else None

    def rows(self, numbers: Sequence[int]) -> Ref:
        """Return matrices below each other; of x[t], x[t + 1], ..., as a part of x in another shape."""
        like, start = self.maker[numbers[0]], self.start(numbers)
        shape = sum(self.shapes[number][0] for number in numbers), like.shape[1]
        if start is None:
            return self.make("concatenate", shape, like.dtype, tuple(map(Ref, numbers)), 0)
        return self.make("reshape", shape, like.dtype, self.taken(*start, len(numbers)), shape)

    def start(self, numbers: Sequence[int]) -> tuple[Ref, int, int] | None:
        """Return x, t and 1 where values are x[t], x[t + 1], ...; x, t and -1 where x[t], x[t - 1], ...; else None."""
        views = [self.view(number) for number in numbers]
        (x, t), near = views[0] or (None, 0), views[-1 if len(views) == 1 else 1]
        step = near[1] - t if near is not None and len(views) > 1 else 1
        if x is None or abs(step) != 1 or views != [(x, t + k * step) for k in range(len(views))]:
            return None
        return x, t, step

    def taken(self, x: Ref, start: int, step: int, count: int) -> Ref:
        """Return x[start], x[start + step], ..., so many of them: a part of x, which may be x."""
        shape, end = self.shapes[x.number], start + step * count
        if (count, step) == (shape[0], 1):
            return x
        part = slice(start, end) if step == 1 else slice(start, end if end >= 0 else None, step)
        return self.make("getitem", (count, *shape[1:]), self.dtypes[x.number], x, (part,))


def is_part(equation: Equation) -> bool:
    """Tell whether an equation is x[a:b, c:d, ...]."""
    index = equation.args[1] if equation.function == "getitem" else None
    return isinstance(index, tuple) and all(isinstance(part, slice) for part in index)


def axes_of(equation: Equation, rank: int) -> tuple[int, ...]:
    """Return the axes over which a sum, or the largest, of an array of that rank is taken."""
    return tuple(equation.options.get("axis", range(rank)))
