"""A pass over a loop: a gradient in it is another one times a factor, and factors that wait for nothing come first.

    a = d * x[t]                                a = d * x[t]
    b = a - a * y[t] * y[t]                     b = d * (x[t] - x[t] * y[t] * y[t])

Rules of gradients are linear in them, so every step of a backward pass is a few products with such factors. What is in
a factor comes from the forward pass: `bulk.py` computes it for all steps at once.
"""

from collections.abc import Callable, Container
from dataclasses import replace
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.replay.passes.loops import Carried, Item, Local, Loop, outside, read_in, shape_outside
from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE, is_part
from tinygrad_seq.replay.passes.simplify import changed, key_of
from tinygrad_seq.replay.trace.tape import Equation, leaves

Shapes = dict[int, tuple[int, ...]]
Form = tuple[Any, Any]  # a value of the loop, and the factor that it is multiplied with; None for 1


class Body:
    """The body of a loop while it is written anew."""

    def __init__(self, loop: Loop, shapes: Shapes, dtypes: dict[int, Any]) -> None:
        self.loop, self.shapes, self.dtypes = loop, shapes, dtypes
        self.equations: list[Equation] = []
        self.known: set[int] = set()  # positions that wait for nothing in the loop
        self.first: dict[Any, Local] = {}  # of what is known: where it is computed

    def add(self, equation: Equation) -> Local:
        """Add an equation; return its value."""
        self.equations.append(equation)
        value = Local(len(self.equations) - 1)
        if elementwise(equation) and all(map(self.is_known, leaves(equation.args))):
            self.known.add(value.position)
            self.first.setdefault((equation.function, key_of(equation.args)), value)
        return value

    def factor(self, equation: Equation) -> Local:
        """Return the value of what is known, which may be there already; a part is computed of parts."""
        x = equation.args[0]
        whole = self.equations[x.position] if isinstance(x, Local) else None
        if whole is not None and is_part(equation) and not is_part(whole):
            shapes = [self.shape(each) for each in whole.args]
            if all(shape in (None, whole.shape) for shape in shapes):
                args = [
                    x if shape is None else self.factor(replace(equation, args=(x, equation.args[1])))
                    for x, shape in zip(whole.args, shapes)
                ]
                return self.factor(replace(whole, args=tuple(args), shape=equation.shape))
        return self.first.get((equation.function, key_of(equation.args))) or self.add(equation)

    def made(self, x: Local | Carried) -> Equation:
        """Return the equation that makes a value of the loop."""
        return (self.equations if isinstance(x, Local) else self.loop.body)[x.position]

    def shape(self, x: Any) -> tuple[int, ...] | None:
        """Return the shape of a value in one step, None for what is no value."""
        return self.made(x).shape if isinstance(x, Local | Carried) else shape_outside(x, self.shapes)

    def dtype(self, x: Any) -> Any:
        """Return the dtype of an argument, None for a number of Python."""
        numbers = outside(x)
        own = self.made(x) if isinstance(x, Local | Carried) else x
        return self.dtypes[numbers[0]] if numbers else getattr(own, "dtype", None)

    def is_known(self, x: Any) -> bool:
        """Tell whether an argument waits for nothing in the loop."""
        return x.position in self.known if isinstance(x, Local) else not isinstance(x, Carried)


def elementwise(equation: Equation) -> bool:
    """Tell whether every element is computed of elements in one place, or is that element."""
    return (equation.function in ELEMENTWISE and not equation.options) or is_part(equation)


def factored(
    loop: Loop,
    kept: Container[int],
    home: dict[int, tuple[Loop, int, int]],
    shapes: Shapes,
    dtypes: dict[int, Any],
    new: Callable[[], int],
) -> Loop:
    """Return a loop in which products with what is known are one product.

    `kept` is what is read after it; `home` tells where values of loops are made: the loop, position and step.
    """
    body = Body(loop, shapes, dtypes)
    at: dict[int, int] = {}  # of an old position: the new one
    forms: dict[int, Form] = {}

    def read(x: Any) -> Any:
        """Return an argument: a series of parts of values as parts of that series, so only that one is kept."""
        if isinstance(x, Item) and all(n in home for n in x.numbers):
            places = [home[n] for n in x.numbers]
            maker, i, _ = places[0]
            part = maker.body[i]
            if is_part(part) and isinstance(part.args[0], Local) and all(p[0] is maker and p[1] == i for p in places):
                series = Item(tuple(maker.made[part.args[0].position][k] for _, _, k in places))
                return body.factor(replace(part, args=(series, part.args[1])))
        return Local(at[x.position]) if isinstance(x, Local) else x

    def form(x: Any) -> Form:
        return forms.get(x.position, (x, None)) if isinstance(x, Local) else (x, None)

    def combined(equation: Equation) -> Form | None:
        """Return the value of an equation as a product with a factor, if it is one."""
        known = [body.is_known(x) for x in equation.args]
        dtypes = {body.dtype(x) for x in equation.args}
        if dtypes != {equation.dtype} or getattr(equation.dtype, "kind", "") != "f" or all(known):
            return None  # a sum of two masks would be one
        one = host.asarray(1.0, equation.dtype)
        parts = [form(x) for x, is_known in zip(equation.args, known) if not is_known]
        base, factor = parts[0]
        if not isinstance(base, Local | Carried) or body.shape(base) != equation.shape or equation.options:
            return None
        if equation.function == "multiply" and any(known):
            other = equation.args[known.index(True)]
            return base, other if factor is None else body.factor(replace(equation, args=(factor, other)))
        if equation.function == "negative" and factor is not None:
            return base, body.factor(replace(equation, args=(factor,)))
        if equation.function in ("add", "subtract") and not any(known) and parts[1][0] == base:
            factors = tuple(one if each is None else each for _, each in parts)
            return base, body.factor(replace(equation, args=factors))
        return None

    for i, equation in enumerate(loop.body):
        equation = changed(equation, read)
        found = combined(equation)
        stays = i in loop.starts or any(n in kept for n in loop.made[i])
        if is_part(equation) and body.is_known(equation.args[0]) and not stays:
            at[i] = body.factor(equation).position
        elif found is not None:
            at[i] = body.add(replace(equation, function="multiply", args=found)).position
            forms[at[i]] = found
        else:
            at[i] = body.add(equation).position
    return rebuilt(loop, body.equations, at, kept, new)


def rebuilt(
    loop: Loop, equations: list[Equation], at: dict[int, int], kept: Container[int], new: Callable[[], int]
) -> Loop:
    """Return a loop of other equations, without those that nobody reads; `at` tells where the old positions are."""
    made = {at[i]: numbers for i, numbers in enumerate(loop.made) if i in at}
    wanted = {i for i, numbers in made.items() if any(n in kept for n in numbers)}
    wanted.update(i for i, equation in enumerate(equations) if equation.function == "expect")
    todo = list(wanted)
    while todo:
        own = [x for x in read_in(equations[todo.pop()]) if isinstance(x, Local | Carried)]
        inner = {at[x.position] if isinstance(x, Carried) else x.position for x in own}
        todo += inner - wanted
        wanted |= inner
    order = {i: k for k, i in enumerate(sorted(wanted))}

    def said(x: Any) -> Any:
        if isinstance(x, Carried):
            return Carried(order[at[x.position]])
        return Local(order[x.position]) if isinstance(x, Local) else x

    return Loop(
        loop.count,
        [changed(equations[i], said) for i in order],
        [made[i] if i in made else tuple(new() for _ in range(loop.count)) for i in order],
        {order[at[i]]: number for i, number in loop.starts.items() if at.get(i) in order},
    )
