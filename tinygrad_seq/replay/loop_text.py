"""A loop as text: what is carried gets its start before, what others read is kept in arrays of all steps."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from tinygrad_seq.replay.expressions import ATOM, LEVELS, Text, longest
from tinygrad_seq.replay.loops import Carried, Item, Local, Loop, Moving, Part, read_in
from tinygrad_seq.replay.nest import plus
from tinygrad_seq.replay.passes import ELEMENTWISE
from tinygrad_seq.replay.simplify import read_by
from tinygrad_seq.replay.tape import HOST, Equation, Ref

INTO = ELEMENTWISE - {"where"} | {"concatenate"}  # functions that write into an array that is there


class LoopText:
    """The lines of one loop. Positions are those of a block."""

    def __init__(self, program: Any, loop: Loop) -> None:
        self.program, self.loop = program, loop
        self.uses = Counter(n for equation in loop.body for n in positions_in(equation, Local))
        self.reader = {n: i for i, equation in enumerate(loop.body) for n in positions_in(equation, Local)}
        late = {n: i for i, equation in enumerate(loop.body) for n in positions_in(equation, Carried)}
        self.late = {n for n, i in late.items() if i > n}  # carried, and read when the next one is there already
        self.kept = {i: [n for n in made if n in program.reads] for i, made in enumerate(loop.made)}
        self.start, self.by = self.direction()
        self.names: dict[int, str] = {}
        self.texts: dict[int, Text] = {}  # of a position: how it is read
        self.carried: dict[int, set[int]] = {}  # of a position: what is carried and read in its text
        self.again = {i for i, numbers in self.kept.items() if numbers and numbers != [loop.made[i][-1]]}  # read later
        self.longer: set[int] = set()  # of these: those that are kept with what they start from
        self.series: dict[int, str] = {}  # of these: the name of the array, or list, of all steps
        self.lists: list[str] = []  # lines that make lists of values from outside

    def lines(self) -> Iterator[str]:
        """Yield the lines of the loop, and tell the program how its values are read from now on."""
        program, loop = self.program, self.loop
        for i, made in enumerate(loop.made):
            label = next((program.labels[n] for n in made if n in program.labels), None)
            if label or i in loop.starts or self.kept[i]:
                self.names[i] = self.name_of_start(i) or program.name_for(made[-1], label)
        before = {n: program.free_name(f"{self.names[n]}_before") for n in sorted(self.late)}
        current = self.names | before
        for n, number in loop.starts.items():
            if current[n] != program.read(Ref(number))[0]:
                yield f"{current[n]} = {program.read(Ref(number))[0]}"
        self.longer = {i for i, number in loop.starts.items() if i in self.again and self.is_like(i, number)}
        for i in sorted(self.again):
            self.series[i] = program.free_name(f"{self.names[i]}_all")
            yield from self.empty(i, current.get(i, ""))
        body: list[str] = []
        for i, equation in enumerate(loop.body):
            body += self.line(i, equation, partial(self.read, current))
        yield from self.lists
        end = self.start + self.by * loop.count
        up = f"range({loop.count})" if self.start == 0 else f"range({self.start}, {end})"
        yield f"for t in {up}:" if self.by > 0 else f"for t in reversed(range({end + 1}, {self.start + 1})):"
        yield from (f"    {line}" for line in body)
        yield from (f"    {name} = {self.names[n]}" for n, name in before.items())
        for i, made in enumerate(loop.made):
            if self.kept[i]:
                program.texts[made[-1]] = self.names[i], ATOM
        for i, name in self.series.items():
            self.keep(i, name)

    def is_like(self, i: int, start: int) -> bool:
        """Tell whether what a loop starts from is read later, and has the shape and dtype of its values."""
        program, body = self.program, self.loop.body[i]
        same = (program.shapes[start], program.dtypes[start]) == (body.shape, body.dtype)
        return same and program.last[start] > program.now

    def empty(self, i: int, start: str) -> Iterator[str]:
        """Yield the lines that make what a series is kept in, with what it starts from if that is read later."""
        body, name, count = self.loop.body[i], self.series[i], self.loop.count + (i in self.longer)
        if body.dtype is None or body.function == "to_device" or body.function.startswith(HOST):
            yield f"{name} = [None] * {count}"
        else:
            shape = count, *body.shape
            self.program.arrays.add(name)
            if self.escapes(i):
                yield f"{name} = xp.empty({shape}, '{body.dtype}')"
            else:
                values = [*self.loop.made[i], *([self.loop.starts[i]] if i in self.longer else [])]
                until = max(self.program.until.get(n, -1) for n in values)
                self.program.memory.take(name, shape, body.dtype, self.program.now, until)
        if i in self.longer:
            yield f"{name}[{0 if self.by > 0 else count - 1}] = {start}"

    def slot(self, later: int = 0) -> str:
        """Return the text of where this step is in a series, or a later one."""
        return plus("t", later - min(self.start, self.start + self.by * (self.loop.count - 1)))

    def keep(self, i: int, name: str) -> None:
        """Tell the program which values are in a series, in the order of time, whichever way the loop goes."""
        program, loop, offset = self.program, self.loop, int(i in self.longer)
        program.lengths[name] = loop.count + offset
        made = loop.made[i] if self.by > 0 else loop.made[i][::-1]
        if offset:
            program.series.setdefault(loop.starts[i], (name, 0 if self.by > 0 else loop.count))
        program.series.update((n, (name, k + offset * (self.by > 0))) for k, n in enumerate(made))

    def name_of_start(self, i: int) -> str | None:
        """Return the name of what a carried value starts from, if it can go on under it: if nobody else reads that."""
        number = self.loop.starts.get(i)
        if number is None or i in self.late or self.program.last[number] > self.program.now:
            return None
        name: str = self.program.read(Ref(number))[0]
        read_in_body = any(number in read_by(equation) for equation in self.loop.body)
        if self.program.owner.get(name) != number or read_in_body:
            return None
        self.program.give(name, self.loop.made[i][-1])
        return name

    def line(self, i: int, equation: Equation, read: Any) -> Iterator[str]:
        """Yield the line of a position; none where its value is written where it is read."""
        if i in self.texts:  # a kernel made it, with other values
            if i in self.series and not self.slot_of(i):
                yield f"{self.step_of(i)} = {self.names[i]}"
            return
        text = self.program.text(equation, read)
        if equation.function == "expect":
            yield text[0]
            return
        if "results" in equation.options:
            yield self.kernel_line(i, equation, text)
            return
        carried = {n for n in positions_in(equation, Carried) if n not in self.late}
        carried.update(*(self.carried.get(n, ()) for n in positions_in(equation, Local)))
        in_time = all(self.reader.get(i, 0) <= n for n in carried)  # before what it reads is the next one
        if self.uses[i] == 1 and i not in self.names and in_time and len(text[0]) <= longest:
            self.texts[i], self.carried[i] = text, carried
            return
        self.names.setdefault(i, "")
        self.names[i] = self.names[i] or self.program.name_for(self.loop.made[i][-1])
        self.texts[i] = self.names[i], ATOM
        slot = self.slot_of(i)
        if slot and (equation.function in INTO or equation.function == "kernel") and text[1] == ATOM:
            yield f"{self.names[i]} = {text[0][:-1]}, out={slot})"
        else:
            yield f"{self.names[i]} = {text[0]}"
            if i in self.series:
                yield f"{self.step_of(i)} = {self.names[i]}"

    def kernel_line(self, i: int, kernel: Equation, text: Text) -> str:
        """Return the line of a kernel of several results; those that are kept it writes into their series."""
        parts = {part.args[1]: j for j, part in enumerate(self.loop.body) if i in positions_in(part, Local)}
        results = [parts.get(k) for k in range(len(kernel.options["results"]))]
        for j in parts.values():
            self.names[j] = self.names.get(j) or self.program.name_for(self.loop.made[j][-1])
            self.texts[j] = self.names[j], ATOM
        slots = ["" if j is None else self.slot_of(j) for j in results]
        out = f", out=({', '.join(slot or 'None' for slot in slots)})" if any(slots) else ""
        return f"{', '.join('_' if j is None else self.names[j] for j in results)} = {text[0][:-1]}{out})"

    def slot_of(self, i: int) -> str:
        """Return the text of where a call may write the value of this step, or nothing; x[t] may be a number."""
        return self.step_of(i) if i in self.series and self.loop.body[i].shape and not self.escapes(i) else ""

    def step_of(self, i: int) -> str:
        """Return the text of where this step is in a series."""
        return f"{self.series[i]}[{self.slot(i in self.longer and self.by > 0)}]"

    def escapes(self, i: int) -> bool:
        """Tell whether what the program returns may be a view of a value."""
        return not self.program.escaping.isdisjoint(self.loop.made[i])

    def read(self, current: dict[int, str], x: Any) -> Text:
        """Return the text of what a block reads."""
        if isinstance(x, Local):
            return self.texts[x.position]
        if isinstance(x, Carried):
            return current[x.position], ATOM
        if isinstance(x, Part):
            return f"{self.program.read(x.whole)[0]}[{self.moving(x.at)}]", ATOM
        if isinstance(x, Item):
            along = self.program.along(x.numbers)
            if along is not None:
                return f"{self.program.series[x.numbers[0]][0]}[{self.moving(along)}]", ATOM
            name, line = self.program.series_name(x)
            self.lists += [line] if line else []
            return f"{name}[{self.moving(Moving(0, 1))}]", ATOM
        found: Text = self.program.read(x) if isinstance(x, Ref) else (self.moving(x), LEVELS["+"])
        return found

    def direction(self) -> tuple[int, int]:
        """Return where t begins, and how it moves: as most of what the loop reads does."""
        found: Counter[tuple[int, int]] = Counter()
        for equation in self.loop.body:
            for x in read_in(equation):
                at = x.at if isinstance(x, Part) else self.program.along(x.numbers) if isinstance(x, Item) else x
                if isinstance(at, Moving) and abs(at.step) == 1:
                    found[at.start, at.step] += 1
        return min(found, key=lambda at: (-found[at], at)) if found else (0, 1)

    def moving(self, x: Any) -> str:
        """Return the text of an int that moves."""
        if not isinstance(x, Moving):
            return repr(x)
        factor = x.step // self.by
        offset = x.start - factor * self.start
        if factor == -1:
            return f"{offset} - t"
        text = "t" if factor == 1 else f"{factor} * t"
        return text + (f" + {offset}" if offset > 0 else f" - {-offset}" if offset else "")


def positions_in(equation: Equation, kind: type[Local] | type[Carried]) -> Iterator[int]:
    """Yield the positions that an equation reads, of its own block or of the one before."""
    return (x.position for x in read_in(equation) if isinstance(x, kind))
