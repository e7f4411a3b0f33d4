"""A loop as text: what is carried gets its start before, what others read is kept in arrays of all steps."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from tinygrad_seq.replay.passes.loops import Carried, Item, Local, Loop, Moving, Part
from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE, is_part
from tinygrad_seq.replay.text.along import Along, positions_in
from tinygrad_seq.replay.text.expressions import ATOM, Text, longest
from tinygrad_seq.replay.trace.tape import HOST, Equation, Ref, read_by


class LoopText(Along):
    """The lines of one loop. Positions are those of a block."""

    def __init__(self, program: Any, loop: Loop) -> None:
        super().__init__(program, loop)
        self.reader = {n: i for i, equation in enumerate(loop.body) for n in positions_in(equation, Local)}
        late = {n: i for i, equation in enumerate(loop.body) for n in positions_in(equation, Carried)}
        self.late = {n for n, i in late.items() if i > n}  # carried, and read when the next one is there already
        self.carried: dict[int, set[int]] = {}  # of a position: what is carried and read in its text
        self.inner: dict[int, Equation] = {}  # of a position: what is written where its value is read
        self.products: set[str] = set()  # names of slots in which there is a product; there is room for one
        self.lists: list[str] = []  # lines that make lists of values from outside

    def lines(self) -> Iterator[str]:
        """Yield the lines of the loop, and tell the program how its values are read from now on."""
        program, loop = self.program, self.loop
        for i, made in enumerate(loop.made):
            label = self.label(i)
            if label or i in loop.starts or self.kept[i]:
                self.names[i] = self.name_of_start(i) or program.name_for(made[-1], label)
        before = {n: program.free_name(f"{self.names[n]}_before") for n in sorted(self.late)}
        current = self.names | before
        self.longer = {i for i, number in loop.starts.items() if i in self.again and self.is_like(i, number)}
        for i in sorted(self.again):
            self.series[i] = program.free_name(f"{self.names[i]}_all")
            yield from self.empty(i)
        for n, number in loop.starts.items():
            slot = f"{self.series[n]}[{0 if self.by > 0 else loop.count}] = " if n in self.longer else ""
            start = program.read(Ref(number))[0]
            if slot or current[n] != start:
                yield f"{slot}{current[n]}{f' = {start}' if current[n] != start else ''}"
        for i in self.series:
            self.share(i)
        body: list[str] = []
        program.in_loop = True
        for i, equation in enumerate(loop.body):
            body += self.line(i, equation, partial(self.read, current))
        program.in_loop = False
        yield from self.lists
        yield self.begin()
        yield from (f"    {line}" for line in body)
        yield from (f"    {name} = {self.names[n]}" for n, name in before.items())
        for i, made in enumerate(loop.made):
            if self.kept[i] and (i not in self.joined or self.uses[i] or i in loop.starts):
                program.texts[made[-1]] = self.names[i], ATOM
        for i, name in self.series.items():
            self.keep(i, name)

    def is_like(self, i: int, start: int) -> bool:
        """Tell whether what a loop starts from is read later, and has the shape and dtype of its values."""
        program, body = self.program, self.loop.body[i]
        same = (program.shapes[start], program.dtypes[start]) == (body.shape, body.dtype)
        return same and program.last[start] > program.now

    def empty(self, i: int) -> Iterator[str]:
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
                self.take_memory(i, name, shape)

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
            if i in self.series and not self.has_slot(i):
                yield self.put(i)
            return
        if self.is_in_slot(i):
            index = self.program.index(equation.args[1], read)
            self.texts[i] = self.slot_of(equation.args[0].position, self.names.get(i, ""), f", {index}"), ATOM
            return
        if i in self.shared:
            whole, part = self.shared[i]
            name = self.program.value_names.get(self.loop.made[i][0])
            self.texts[i] = self.slot_of(whole, self.program.free_name(name) if name else "", part), ATOM
            yield self.program.call_into(equation, read, self.texts[i][0])
            return
        if i in self.joined:
            self.give_name(i)
            for part, x in self.joined[i]:
                yield f"{self.slot_of(i, part=part)}[...] = {read(x)[0]}"
            if self.uses[i] or i in self.loop.starts:
                yield f"{self.names[i]} = {self.slot_of(i)}"
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
            self.texts[i], self.carried[i], self.inner[i] = text, carried, equation
            return
        self.give_name(i)
        calls = self.calls(i, equation, read)
        yield from calls[:-1]
        yield f"{self.names[i]} = {calls[-1] if calls else text[0]}"
        if i in self.series and not calls:
            yield self.put(i)

    def calls(self, i: int, equation: Equation, read: Any) -> list[str]:
        """Return the calls that compute a value in its series, or where the only value that is made of it will be."""
        if self.program.writes(equation) and self.has_slot(i):
            slot = self.slot_of(i)
            return self.in_place(equation, read, slot) or [self.program.call_into(equation, read, slot)]
        reader = self.reader.get(i, i)
        body = self.loop.body[reader]
        is_alone = self.uses[i] == 1 and i not in self.loop.starts and not self.kept[i] and body.function in ELEMENTWISE
        if is_alone and self.has_slot(reader) and (body.shape, body.dtype) == (equation.shape, equation.dtype):
            return self.in_place(equation, read, self.slot_of(reader)) if self.program.writes(equation) else []
        return []

    def in_place(self, equation: Equation, read: Any, slot: str) -> list[str]:
        """Return the calls that compute a value where it will be, from the product in it on; none without one."""
        if equation.function == "dot" and slot not in self.products:
            self.products.add(slot)
            return [self.program.call_into(equation, read, slot)]
        for x in equation.args:
            inner = self.inner.get(x.position) if isinstance(x, Local) else None
            if inner is not None and (inner.shape, inner.dtype) == (equation.shape, equation.dtype):
                calls = self.in_place(inner, read, slot) if self.program.writes(inner) else []
                if calls:
                    own = lambda y, x=x: (slot, ATOM) if y == x else read(y)
                    return [*calls, self.program.call_into(equation, own, slot)]
        return []

    def give_name(self, i: int) -> None:
        """Give the value at a position a name."""
        self.names[i] = self.names.get(i) or self.program.name_for(self.loop.made[i][-1])
        self.texts[i] = self.names[i], ATOM

    def is_in_slot(self, i: int) -> bool:
        """Tell whether a value is a part of one that is in its series in this step."""
        equation = self.loop.body[i]
        x = equation.args[0] if is_part(equation) and i not in self.loop.starts and not self.kept[i] else None
        return isinstance(x, Local) and self.has_slot(x.position)

    def kernel_line(self, i: int, kernel: Equation, text: Text) -> str:
        """Return the line of a kernel of several results; those that are kept it writes into their series."""
        parts = {part.args[1]: j for j, part in enumerate(self.loop.body) if i in positions_in(part, Local)}
        results = [parts.get(k) for k in range(len(kernel.options["results"]))]
        for j in parts.values():
            self.give_name(j)
        slots = [self.slot_of(j) if j is not None and self.has_slot(j) else None for j in results]
        out = f", out=({', '.join(map(str, slots))})" if any(slots) else ""
        return f"{', '.join('_' if j is None else self.names[j] for j in results)} = {text[0][:-1]}{out})"

    def read(self, current: dict[int, str], x: Any) -> Text:
        """Return the text of what a block reads."""
        if isinstance(x, Local):
            return self.texts[x.position]
        if isinstance(x, Carried):
            return current[x.position], ATOM
        program = self.program
        if isinstance(x, Part) and isinstance(x.at, Moving):
            return self.along(program.read(x.whole)[0], x.at, program.shapes[x.whole.number][0]), ATOM
        if isinstance(x, Part):
            return f"{program.read(x.whole)[0]}[{x.at}]", ATOM
        if isinstance(x, Item):
            along = program.along(x.numbers)
            if along is not None:
                name = program.series[x.numbers[0]][0]
                return self.along(name, along, program.lengths[name]), ATOM
            name, line = program.series_name(x)
            self.lists += [line] if line else []
            return self.along(name, Moving(0, 1), len(x.numbers)), ATOM
        if isinstance(x, Moving):
            return self.along("t", x, 0), ATOM
        found: Text = program.read(x)
        return found
