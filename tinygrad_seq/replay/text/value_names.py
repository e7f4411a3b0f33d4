"""What to call values that have no name in the graph: by what is read of them, or by what they are made of.

weight_T = weight.T                     and x_rows = x.reshape(...), h_squared = h * h
a = a_x_t + h.dot(weight_T)             a sum with a product in it; a_x is what x gives to it, at all steps
gates = ...                             parts of it have names: forget = gates[:, 4:8], output = gates[:, 12:]
tanh_c = tanh(c)
output_all = gates_all[:, :, 12:]       of all steps, what `output` is in one
d_gates = [..., d_output]               beside gates, something is joined in a loop: their gradient
d_h = d_h_out_t + d_a.dot(weight)       a gradient: what comes from outside of the loop; d_h_next, from the next step
d_c = d_h * dh_dc_t                     the chain rule
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tinygrad_seq.replay.passes.loops import Carried, Local, Loop, Part, Statement, outside, read_in
from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE, is_part
from tinygrad_seq.replay.passes.simplify import key_of
from tinygrad_seq.replay.passes.tidy import is_transpose
from tinygrad_seq.replay.trace.tape import Equation, Ref, read_by

FULL = {("zeros", None): "zeros", ("full", 1.0): "ones"}  # of what is made of one number

ENDINGS = {"ascontiguousarray": "", "concatenate": "_rows", "reshape": "_rows", "transpose": "_by_step"}  # of calls


class Names:
    """The names of values: those of the graph and of what a program is given, and those that are found."""

    def __init__(self, statements: Sequence[Statement], known: Mapping[int, str]) -> None:
        self.known, self.found = {**known}, dict[int, str]()
        self.loops = [each for each in statements if isinstance(each, Loop)]
        self.calls = made_by_calls(statements)

    def give(self, numbers: Iterable[int], name: str) -> None:
        """Name values that have no name yet."""
        new = {n: name for n in numbers if n not in self.known}
        self.known.update(new)
        self.found.update(new)

    def of(self, numbers: Iterable[int]) -> str:
        """Return the name of a value, of which there is one a step, or nothing."""
        return next((self.known[n] for n in numbers if n in self.known), "")

    def source(self, n: int) -> str:
        """Return the name of what a value is made of, the first that has one, or nothing."""
        todo, seen = [n], set[int]()
        while todo:
            n = todo.pop()
            if n in self.known:
                return self.known[n]
            seen.add(n)
            call = self.calls.get(n)
            read = read_by(call)[call.function == "where" :] if call is not None else ()
            todo += [k for k in read[::-1] if k not in seen]
        return ""

    def in_gates(self, labels: Mapping[int, str]) -> None:
        """Name what has parts with names, and what is joined beside it in a backward loop."""
        parts = [part for loop in self.loops for part in named_parts(loop, labels)]
        places = {str(index): name for loop in self.loops for _, index, name in named_parts(loop, labels, further=True)}
        count = Counter(whole for whole, _, _ in parts)
        self.give([n for whole in count if count[whole] > 1 for n in whole], "gates")
        of_one = {(min(whole), str(index)): name for whole, index, name in parts}
        stacks = {n: min(read_by(each)) for n, each in self.calls.items() if each.function == "stack"}
        for n, each in self.calls.items():
            if is_part(each) and each.args[0].number in stacks:
                name = of_one.get((stacks[each.args[0].number], str(each.args[1][1:])))
                self.give([n] if name else [], f"{name}_all")
        for loop, equation, made in self.lines("concatenate") if len(places) > 1 else ():
            if not self.of(made):
                self.give(made, "d_gates")
                for numbers, name in pieces(loop, equation, places):
                    self.give(numbers, name)

    def lines(self, *functions: str) -> Iterator[tuple[Loop, Equation, tuple[int, ...]]]:
        """Yield the calls of functions in loops, and what they make."""
        for loop in self.loops:
            for equation, made in zip(loop.body, loop.made):
                if equation.function in functions:
                    yield loop, equation, made

    def in_loops(self) -> None:
        """Name what one call makes of a named value: its tanh, or the state that a padded step keeps."""
        for loop, equation, made in self.lines(*ELEMENTWISE):
            x = equation.args[0]
            if len(equation.args) == 1 and isinstance(x, Local) and self.of(loop.made[x.position]):
                self.give(made, f"{equation.function}_{self.of(loop.made[x.position])}")
        for loop, equation, made in self.lines("where"):
            name = self.of(numbers_of(loop, equation.args[1]))
            self.give(made if name and isinstance(equation.args[2], Carried) else (), f"{name}_kept")

    def factors(self) -> None:
        """Name factors of gradients by the chain rule: d_c = d_h * dh_dc."""
        for loop, equation, made in self.lines("multiply"):
            for base, factor in (equation.args, equation.args[::-1]):
                above = self.of(numbers_of(loop, base)) if isinstance(base, Local | Carried) else ""
                numbers = numbers_of(loop, factor)
                if above.startswith("d_") and numbers and not self.of(numbers):
                    self.give(made if goes_through_a_matrix(loop, made) else (), "d_a")
                    below = self.of(made)
                    self.give(numbers if below.startswith("d_") else (), f"d{above[2:]}_d{below[2:]}")

    def sums(self) -> None:
        """Name sums with a product in them, and what is added there."""
        forward = set()  # loops with a product in which no gradient is a factor
        for loop, equation, made in self.lines("add"):
            dots = [loop.body[x.position] for x in equation.args if isinstance(x, Local)]
            factors = [dot.args[0] for dot in dots if dot.function == "dot" and not isinstance(dot.args[0], Ref)]
            if factors and not self.of(numbers_of(loop, factors[0])).startswith("d_"):
                self.give(made, "a")
                forward.add(id(loop))
        for loop, equation, made in self.lines("add"):
            name = self.of(made)
            for x in equation.args:
                if isinstance(x, Part) and id(loop) in forward:
                    self.give([x.whole.number], f"{name or 'a'}_{self.source(x.whole.number) or 'in'}")
                elif isinstance(x, Part) and name.startswith("d_"):
                    self.give([x.whole.number], f"{name}_out")
                elif isinstance(x, Carried) and name.startswith("d_"):
                    self.give(numbers_of(loop, x), f"{name}_next")

    def in_calls(self) -> None:
        """Name transposes, rows, squares and numbers that fill an array."""
        for n, each in self.calls.items():
            filled = each.args[1] if each.function == "full" else None
            is_square = each.function == "multiply" and len(set(map(key_of, each.args))) == 1
            ending = "_T" if is_transpose(each) else "_squared" if is_square else ENDINGS.get(each.function)
            name = self.of_read(each) if len(each.shape) == 2 or ending != "_rows" else ""
            full = FULL.get((each.function, filled)) or ("mask" if each.shape and each.dtype == bool else "")
            self.give([n] if full or (name and ending is not None) else (), full or f"{name}{ending}")

    def of_read(self, equation: Equation) -> str:
        """Return the one name of all that an equation reads, also by way of a stack, or nothing."""
        read = read_by(equation)
        inner = self.calls.get(read[0]) if read else None
        read = read_by(inner) if inner is not None and inner.function == "stack" else read
        names = {self.known.get(n, "") for n in read}
        return names.pop() if len(names) == 1 else ""


def value_names(
    statements: Sequence[Statement], labels: Mapping[int, str], given: Mapping[int, str], outputs: Iterable[int]
) -> dict[int, str]:
    """Return names for values that have none in the graph; `given` are the names of what a program is given."""
    names = Names(statements, {**given, **labels})
    names.in_gates(labels)
    names.in_loops()
    names.factors()
    names.sums()
    names.in_calls()
    names.give(outputs, "result")
    return names.found


def numbers_of(loop: Loop, x: Any) -> tuple[int, ...]:
    """Return the values that an argument in a loop stands for."""
    return loop.made[x.position] if isinstance(x, Local | Carried) else outside(x)


def goes_through_a_matrix(loop: Loop, made: tuple[int, ...]) -> bool:
    """Tell whether a value of a loop is multiplied with a matrix in it."""
    dots = (each.args[0] for each in loop.body if each.function == "dot")
    return any(numbers_of(loop, x) == made for x in dots)


def pieces(loop: Loop, joined: Equation, names: Mapping[str, str]) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield names for what is joined: as for the parts of gates at the same places."""
    end = 0
    for x in joined.args[0]:
        if isinstance(x, Local):
            begin, end = end, end + loop.body[x.position].shape[-1]
            name = names.get(str((slice(None), slice(begin, end))))
            if name:
                yield loop.made[x.position], f"d_{name}"


def made_by_calls(statements: Sequence[Statement]) -> dict[int, Equation]:
    """Return what is computed outside of loops, by its number."""
    return {each.made: each for each in statements if isinstance(each, Equation)}


def named_parts(
    loop: Loop, labels: Mapping[int, str], further: bool = False
) -> Iterator[tuple[tuple[int, ...], object, str]]:
    """Yield what has a name and is a part of another value in a loop: that value at all steps, the index, the name.

    `further`: the name may also be that of what is made of the part, by calls on elements.
    """
    last = {x.position: i for i, each in enumerate(loop.body) for x in read_in(each) if isinstance(x, Local)}
    for i, equation in enumerate(loop.body):
        if is_part(equation) and isinstance(equation.args[0], Local):
            name = next((labels[n] for n in loop.made[i] if n in labels), "")
            while further and not name and i in last and loop.body[last[i]].function in ELEMENTWISE:
                i = last[i]
                name = next((labels[n] for n in loop.made[i] if n in labels), "")
            if name:
                yield loop.made[equation.args[0].position], equation.args[1], name
