"""The texts of values that loops keep, those of all steps in one list or array: `h_all[3]`, `*h_all[1:]`."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from tinygrad_seq.replay.passes.loops import Item, Moving
from tinygrad_seq.replay.text.expressions import ATOM, Expressions, Text
from tinygrad_seq.replay.trace.tape import Equation, Ref


class Series(Expressions):
    """The lists and arrays in which loops keep values, and the texts of what is read there."""

    read: Callable[[Ref], Text]  # the text of a value; see Program

    def __init__(self, compile: bool) -> None:
        super().__init__(compile)
        self.series: dict[int, tuple[str, int]] = {}  # of a value that a loop keeps: where, and which one
        self.lengths: dict[str, int] = {}  # of these lists
        self.arrays: set[str] = set()  # those that are arrays

    def along(self, numbers: Sequence[int]) -> Moving | None:
        """Return start and stride of values in one series, or None if they are not evenly spaced in one."""
        found = [self.series[number] for number in numbers if number in self.series]
        if len(found) < len(numbers) or len({name for name, _ in found}) > 1:
            return None
        steps = {after - before for (_, before), (_, after) in pairwise(found)}
        return Moving(found[0][1], steps.pop()) if len(steps) == 1 else None

    def listed(self, numbers: Sequence[int]) -> str:
        """Return the texts of values, with those of one list together."""
        texts: list[str] = []
        for run in self.runs(numbers):
            texts += [f"*{self.run(run[0], run[-1])}"] if len(run) > 2 else [self.read(Ref(n))[0] for n in run]
        return ", ".join(texts)

    def runs(self, numbers: Sequence[int]) -> list[list[int]]:
        """Return values in the same order, those together that are neighbours in one list."""
        found: list[list[int]] = []
        for number in numbers:
            near = self.along([*found[-1][-2:], number]) if found else None
            if near is not None and abs(near.step) == 1:
                found[-1].append(number)
            else:
                found.append([number])
        return found

    def text(self, equation: Equation, read: Callable[[Any], Text]) -> Text:
        """Return the text of a call; of neighbours in an array that a compiled loop made, as a part of that."""
        whole = self.neighbours(equation)
        if whole is None:
            return super().text(equation, read)
        return (whole if equation.function == "stack" else f"{whole}.reshape({equation.shape})"), ATOM

    def neighbours(self, equation: Equation) -> str | None:
        """Return the text of steps of a series that is an array, where an equation joins these in order."""
        parts = equation.args[0] if equation.function in ("stack", "concatenate") and equation.args[1:] == (0,) else ()
        numbers = [part.number for part in parts if isinstance(part, Ref)]
        if not len(parts) == len(numbers) > 1 or self.series.get(numbers[0], ("", 0))[0] not in self.arrays:
            return None
        way = self.along(numbers)
        return self.run(numbers[0], numbers[-1]) if way is not None and way.step == 1 else None

    def run(self, first: int, last: int) -> str:
        """Return the text of neighbouring values in the list of a loop."""
        (name, begin), (_, end) = self.series[first], self.series[last]
        if begin > end:
            return f"{name}[{begin}:{end - 1 if end else ''}:-1]"
        after = end + 1 if end + 1 < self.lengths[name] else ""
        return f"{name}[{begin or ''}:{after}]" if begin or after else name

    def series_name(self, x: Item) -> tuple[str, str]:
        """Return the name of a list of values that are in no list yet, and the line that makes it, if it is new."""
        if x.numbers in self.literals:
            return self.literals[x.numbers], ""
        name = self.literals[x.numbers] = self.free_name("series")
        return name, f"{name} = [{self.listed(x.numbers)}]"
