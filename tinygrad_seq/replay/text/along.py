"""The arrays over which a loop iterates, and the name of the element of each in a step.

    for x_t, h_t in zip(x, h_all):
        h = tanh(x_t + h.dot(w), h_t)

To find `x[t]` takes NumPy a third of the time of a small sum. Of arrays that are kept, the views of all steps are, too.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tinygrad_seq.replay.passes.loops import Carried, Item, Local, Loop, Moving, Part, read_in
from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE
from tinygrad_seq.replay.text.expressions import Text
from tinygrad_seq.replay.trace.tape import Equation

most_put = 2  # parts of a row that are copied into it: with more, one `concatenate` is faster
INTO = ELEMENTWISE - {"where"} | {"concatenate"}  # functions that write into an array that is there


class Along:
    """The names of what a loop goes along. Positions are those of a block."""

    def __init__(self, program: Any, loop: Loop) -> None:
        self.program, self.loop = program, loop
        self.uses = Counter(n for equation in loop.body for n in positions_in(equation, Local))
        self.kept = {i: [n for n in made if n in program.reads] for i, made in enumerate(loop.made)}
        self.again = {i for i, numbers in self.kept.items() if numbers and numbers != [loop.made[i][-1]]}  # read later
        self.start, self.by = self.direction()
        self.names: dict[int, str] = {}
        self.texts: dict[int, Text] = {}  # of a position: how it is read
        self.series: dict[int, str] = {}  # of a position: the name of the array, or list, of all steps
        self.longer: set[int] = set()  # of these: those that are kept with what they start from
        self.steps: dict[tuple[str, Moving, int, str], str] = {}  # of what the loop goes along: its name in a step
        self.shared: dict[int, tuple[int, str]] = {}  # of a position: the one whose row in a series it is a part of
        self.joined: dict[int, list[tuple[str, Local]]] = {}  # of such a row: its other parts, which are copied

    def direction(self) -> tuple[int, int]:
        """Return where t begins, and how it moves: as most of what the loop reads does."""
        found: Counter[tuple[int, int]] = Counter()
        for equation in self.loop.body:
            for x in read_in(equation):
                at = x.at if isinstance(x, Part) else self.program.along(x.numbers) if isinstance(x, Item) else x
                if isinstance(at, Moving) and abs(at.step) == 1:
                    found[at.start, at.step] += 1
        return min(found, key=lambda at: (-found[at], at)) if found else (0, 1)

    def along(self, whole: str, at: Moving, size: int, name: str = "", part: str = "") -> str:
        """Return the name of what is in an array or list in this step, or of a part of that."""
        key = whole, at, size, part
        if key not in self.steps:
            own = self.steps.values()
            is_over = lambda name: name in self.program.of_loops and name not in own
            base = re.match(r"\w+", whole)[0].removesuffix("_all")  # type: ignore[index]
            is_time = whole == "t" and "t" not in own  # a name that is left to it
            self.steps[key] = name or ("t" if is_time else self.program.free_name(f"{base}_t", is_over))
            self.program.of_loops.update({self.steps[key]} if not name else ())
        return self.steps[key]

    def begin(self) -> str:
        """Return the line that begins the loop. Views of all steps of arrays that are kept are made once."""
        memory, count = self.program.memory, self.loop.count
        kept = {key: name for key, name in self.steps.items() if memory.rank(key[0]) > 1}
        others = {key: name for key, name in self.steps.items() if key not in kept}
        names, texts = list(others.values()), [span(key, count) for key in others]
        if kept:
            turned = self.by < 0
            once = zipped([span(key, count, turned) for key in kept])
            texts.insert(0, memory.once(f"list({once}){'[::-1]' * turned}", self.program.free_name))
            both = ", ".join(kept.values())
            names.insert(0, f"({both})" if others and len(kept) > 1 else both)
        if not names:
            return f"for _ in range({count}):"
        return f"for {', '.join(names)} in {zipped(texts)}:"

    def share(self, i: int) -> None:
        """Let what is joined in a row of a series be written there at once."""
        joined, offset = self.loop.body[i], 0
        if joined.function != "concatenate" or len(joined.args) != 2 or not self.has_slot(i):
            return
        pieces, axis = joined.args
        own = [isinstance(x, Local) and self.may_share(x.position, joined) for x in pieces]
        if own.count(False) > most_put or not all(isinstance(x, Local) for x in pieces):
            return
        self.joined[i] = []
        for x, is_own in zip(pieces, own):
            end = offset + self.loop.body[x.position].shape[axis]
            part = f"{', :' * axis}, {offset or ''}:{end if end < joined.shape[axis] else ''}"
            if is_own and x.position not in self.shared:
                self.shared[x.position] = i, part
            else:
                self.joined[i].append((part, x))
            offset = end

    def may_share(self, i: int, joined: Equation) -> bool:
        """Tell whether a piece of a row can be written where it will be."""
        piece = self.loop.body[i]
        is_free = i not in self.names and i not in self.shared
        return is_free and piece.function in INTO - {"concatenate"} and piece.dtype == joined.dtype

    def has_slot(self, i: int) -> bool:
        """Tell whether a call may write the value of this step into its series; x[t] may be a number."""
        return i in self.series and self.loop.body[i].shape != () and not self.escapes(i)

    def now(self, i: int) -> Moving:
        """Return where this step is in a series, which is in the order of time."""
        first = int(i in self.longer and self.by > 0)
        return Moving(first, 1) if self.by > 0 else Moving(first + self.loop.count - 1, -1)

    def slot_of(self, i: int, name: str = "", part: str = "") -> str:
        """Return the name of where this step is in a series, or of a part of that."""
        return self.along(self.series[i], self.now(i), self.loop.count + (i in self.longer), name, part)

    def put(self, i: int) -> str:
        """Return the line that puts the value of this step into its series."""
        if self.series[i] in self.program.arrays and self.loop.body[i].shape:
            return f"{self.slot_of(i)}[...] = {self.names[i]}"
        return f"{self.series[i]}[{self.along('t', self.now(i), 0)}] = {self.names[i]}"

    def keep(self, i: int, name: str) -> None:
        """Tell the program which values are in a series, in the order of time, whichever way the loop goes."""
        program, loop, offset = self.program, self.loop, int(i in self.longer)
        program.lengths[name] = loop.count + offset
        made = loop.made[i] if self.by > 0 else loop.made[i][::-1]
        if offset:
            program.series.setdefault(loop.starts[i], (name, 0 if self.by > 0 else loop.count))
        program.series.update((n, (name, k + offset * (self.by > 0))) for k, n in enumerate(made))

    def values(self, i: int) -> list[int]:
        """Return the values that a series holds, with what it starts from where that is kept in it."""
        return [*([self.loop.starts[i]] if i in self.longer else []), *self.loop.made[i]]

    def take_memory(self, i: int, name: str, shape: tuple[int, ...]) -> None:
        """Let the program keep an array for the values of a position, as long as one of them is read."""
        until = max(self.program.now, *(self.program.until.get(n, -1) for n in self.values(i)))
        self.program.memory.take(name, shape, self.loop.body[i].dtype, self.program.now, until)

    def label(self, i: int) -> str | None:
        """Return what the graph calls the values of a position."""
        return next((self.program.labels[n] for n in self.loop.made[i] if n in self.program.labels), None)

    def escapes(self, i: int) -> bool:
        """Tell whether what the program returns may be a view of a value."""
        return not self.program.escaping.isdisjoint(self.loop.made[i])


def span(step: tuple[str, Moving, int, str], count: int, turned: bool = False) -> str:
    """Return the text of what a loop goes along; `turned`: from its last step to the first."""
    whole, at, size, part = step
    if turned:
        at = Moving(at.start + at.step * (count - 1), -at.step)
    begin, end = at.start, at.start + at.step * count
    if whole == "t":
        return f"range({begin}, {end}, {at.step})" if at.step != 1 else f"range({begin}, {end})"
    if at.step > 0:
        text = f"{begin or ''}:{end if end < size else ''}"
    else:
        text = f"{begin if begin < size - 1 else ''}:{end if end >= 0 else ''}"
    text += f":{at.step}" if at.step != 1 else ""
    return whole if text + part == ":" else f"{whole}[{text}{part}]"


def zipped(texts: list[str]) -> str:
    """Return the text of what goes along several things at once."""
    return f"zip({', '.join(texts)})" if len(texts) > 1 else texts[0]


def positions_in(equation: Equation, kind: type[Local] | type[Carried]) -> Iterator[int]:
    """Yield the positions that an equation reads, of its own block or of the one before."""
    return (x.position for x in read_in(equation) if isinstance(x, kind))
