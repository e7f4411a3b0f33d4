"""Extend a loop by its first and its last step, which have fewer equations than the others.

In a backward pass no gradient comes from after the last step, and nobody asks for one before the first. So these steps
have fewer equations than the others. What they lack is zero, or is computed and not read.
"""

from collections.abc import Callable
from typing import Any

from tinygrad_seq.replay.passes.loops import (
    Carried,
    Item,
    Local,
    Loop,
    Moving,
    Part,
    Uneven,
    is_view,
    made_by,
    read_outside,
)
from tinygrad_seq.replay.passes.simplify import changed, key_of
from tinygrad_seq.replay.trace.tape import SEQUENCES, Equation, Ref, leaves

LINEAR = frozenset({"add", "dot", "multiply", "negative", "subtract", "reshape", "getitem", "transpose"})


class Edge:
    """The step before a loop begins, or after it has ended, as far as its equations are found."""

    def __init__(self, loop: Loop, maker: dict[int, Equation], step: int) -> None:
        self.loop, self.maker, self.step = loop, maker, step
        self.found: dict[Any, int | None] = {}  # of what a loop makes or reads: its value in this step, None for zero
        self.searching = False  # whether only values that are known may be read
        self.zeros: list[tuple[int, tuple[int, ...], Any]] = []  # new values: zeros, with shape and dtype

    def known(self, x: Any, number: int | None) -> None:
        """Note what something is in this step; it cannot be two things."""
        if self.found.setdefault(x, number) != number:
            raise Uneven

    def made(self) -> dict[Any, int]:
        """Return the values that this step makes."""
        return {x: number for x, number in self.found.items() if type(x) is Local and number is not None}

    def match(self, said: Any, x: Any) -> None:
        """Match an argument, as the loop says it, with what stands in this step."""
        if isinstance(said, SEQUENCES) and isinstance(x, SEQUENCES) and len(said) == len(x):
            for pair in zip(said, x):
                self.match(*pair)
        elif isinstance(said, Local | Carried | Item | Part):
            if not isinstance(x, Ref) or (self.searching and isinstance(said, Local) and said not in self.found):
                raise Uneven
            if isinstance(said, Part):
                made = self.maker.get(x.number)
                if made is None or not is_view(made) or made.args != (said.whole, self.moved(said.at)):
                    raise Uneven
                self.found[said] = x.number
            else:
                self.known(said, x.number)
        elif key_of(x) != key_of(self.moved(said)):
            raise Uneven

    def moved(self, x: Any) -> Any:
        """Return an int that moves as it is in this step."""
        if not isinstance(x, Moving):
            return x
        at = x.start + self.step * x.step
        if at < 0:
            raise Uneven
        return at

    def tried(self, action: Callable[..., None], *args: Any) -> bool:
        """Do something, or nothing of it where it does not fit."""
        before = self.found.copy()
        try:
            action(*args)
        except Uneven:
            self.found = before
            return False
        return True

    def play(self, x: Local, number: int) -> None:
        """Match the equation of a position with that of a value; of a sum, one term may be missing."""
        body, made = self.loop.body[x.position], self.maker.get(number)
        if made is not None and self.tried(self.fit, x, made):
            return
        terms = (body.args, body.args[::-1]) if body.function == "add" else ()
        if not any(self.tried(self.lacks, there, missing, number) for there, missing in terms):
            raise Uneven

    def play_all(self) -> None:
        """Find the equations of the step before the first, from what that step carries over."""
        done: set[Local] = set()
        while todo := [each for each in self.made().items() if each[0] not in done]:
            for x, number in todo:
                self.play(x, number)
                done.add(x)

    def search(self, readers: dict[int, list[Equation]]) -> None:
        """Find equations of other positions, by what they read."""
        self.searching = found = True
        while found:
            found = sum(self.find(Local(i), readers) for i in range(len(self.loop.body))) > 0

    def find(self, x: Local, readers: dict[int, list[Equation]]) -> bool:
        """Find the equation of a position, if it is not found yet."""
        if x in self.found:
            return False
        body = self.loop.body[x.position]
        inner = (x for x in leaves(body.args) if isinstance(x, Local | Carried | Item | Part))
        read = next((self.value(x, readers) for x in inner), None)
        alike = (each for each in readers.get(read, ()) if each.function == body.function) if read is not None else ()
        free = [each for each in alike if each.made in self.maker]
        taken = {*self.made().values()} if free else ()
        return any(found.made not in taken and self.tried(self.fit, x, found) for found in free)

    def value(self, x: Local | Carried | Item | Part, readers: dict[int, list[Equation]]) -> int | None:
        """Return the value of a position in this step, of what is carried into it, of x[t] or of an even series."""
        if isinstance(x, Part):
            views = (each for each in readers.get(x.whole.number, ()) if is_view(each))
            return next((view.made for view in views if view.args[1] == self.moved(x.at)), None)
        return self.beyond(x) if isinstance(x, Item) else self.found.get(x)

    def beyond(self, x: Item) -> int:
        """Return the number that the next value of an evenly numbered series would have."""
        near, far = x.numbers[:2] if self.step < 0 else x.numbers[:-3:-1]
        return near + (near - far)

    def next_of(self, x: Item) -> int:
        """Return the next value of a series. Nobody reads what this step computes from it."""
        made, like = self.maker.get(self.beyond(x)), self.maker.get(x.numbers[0 if self.step < 0 else -1])
        if made is None or like is None or (made.function, made.shape) != (like.function, like.shape):
            raise Uneven
        return made.made

    def fit(self, x: Local, made: Equation) -> None:
        """Let an equation be that of a position."""
        body = self.loop.body[x.position]
        if (body.function, body.shape, body.dtype) != (made.function, made.shape, made.dtype):
            raise Uneven
        self.match((body.args, *body.options.items()), (made.args, *made.options.items()))
        self.known(x, made.made)

    def grown(self, new: Callable[[], int]) -> Loop:
        """Return the loop with this step."""
        loop, first, own = self.loop, self.step < 0, self.made()
        if not own:
            raise Uneven
        body = [changed(equation, self.said) for equation in loop.body]
        for position, equation in enumerate(loop.body):
            needed = equation.function == "expect" or any(isinstance(x, Moving) for x in leaves(equation.args))
            if needed and Local(position) not in own:
                raise Uneven
        starts = loop.starts
        if first:
            befores = {position: self.found.get(Carried(position)) for position in starts}
            starts = {i: self.nothing(i, new) if number is None else number for i, number in befores.items()}
        made = []
        for position, numbers in enumerate(loop.made):
            number = own[Local(position)] if Local(position) in own else new()
            made.append((number, *numbers) if first else (*numbers, number))
        result = Loop(loop.count + 1, body, made, starts)
        if not set(made_by(result)).isdisjoint(read_outside(result)):
            raise Uneven
        return result

    def said(self, x: Any) -> Any:
        """Return an argument of the loop, extended by its value in this step."""
        first = self.step < 0
        if isinstance(x, Item):
            number = self.found.get(x)
            number = self.next_of(x) if number is None else number
            return Item((number, *x.numbers) if first else (*x.numbers, number))
        if isinstance(x, Part):
            if x not in self.found:
                raise Uneven
            return Part(x.whole, self.said(x.at))
        if isinstance(x, Moving):
            at = self.moved(x)
            return Moving(at if first else x.start, x.step)
        return x

    def nothing(self, position: int, new: Callable[[], int]) -> int:
        """Return a zero of the shape of a position."""
        body = self.loop.body[position]
        self.zeros.append((new(), body.shape, body.dtype))
        return self.zeros[-1][0]

    def lacks(self, there: Any, missing: Any, number: int) -> None:
        """Match a value with one term of a sum whose other term is zero."""
        self.match(there, Ref(number))
        self.vanish(missing, set())

    def vanish(self, x: Any, stays: set[Any]) -> None:
        """Take an argument as zero in this step: a carried value, or a linear function of one.

        `stays` is what was found to be none: a value is reached in as many ways as there are paths.
        """
        if not isinstance(x, Local | Carried) or x in stays:
            raise Uneven
        if self.found.get(x, x) is None:  # it is zero already
            return
        self.known(x, None)
        if isinstance(x, Local):
            body = self.loop.body[x.position]
            parts = (self.tried(self.vanish, part, stays) for part in body.args)
            if body.function not in LINEAR or not (all if body.function in ("add", "subtract") else any)(parts):
                stays.add(x)
                raise Uneven


def widened(loop: Loop, free: dict[int, Equation], readers: dict[int, list[Equation]], new: Callable[[], int]) -> Loop:
    """Return a loop with the steps before and after it whose equations are there; they are free no longer."""
    for is_first in (True, True, False, False):
        edge = Edge(loop, free, -1 if is_first else loop.count)
        try:
            if is_first:
                edge.found.update((Local(position), number) for position, number in loop.starts.items())
                edge.play_all()
            else:
                edge.found.update((Carried(position), loop.made[position][-1]) for position in loop.starts)
            edge.search(readers)
            loop = edge.grown(new)
        except Uneven:
            continue
        for number in edge.made().values():
            free.pop(number, None)
        for number, shape, dtype in edge.zeros:
            free[number] = Equation(number, "zeros", (shape, dtype), {}, shape, dtype)
    return loop
