"""A loop over time as loops over elements, for Numba: what is in no need of memory is computed where it is read.

A product of matrices, a sum and what is carried, kept or read more than once get a buffer; everything else becomes part
of the innermost loop that reads it. Each such loop writes one buffer, so that LLVM can compute many elements at once.
What is between two loops over time is a loop of one step.
"""

from collections import defaultdict
from collections.abc import Iterator
from math import prod
from typing import Any

from tinygrad_seq.replay.compiled.nest import filled
from tinygrad_seq.replay.compiled.stores import Stores, ids_of
from tinygrad_seq.replay.passes.loops import VALUES, Local, Loop
from tinygrad_seq.replay.text.element_forms import FORMS, PRODUCTS, VIEWS, WHOLE, NoElements, kind_of, without_form
from tinygrad_seq.replay.text.expressions import ATOM
from tinygrad_seq.replay.trace.tape import Equation, Ref, leaves


class ElementLoop(Stores):
    """The lines of a loop in a compiled function."""

    def __init__(self, program: Any, loop: Loop, function: Any) -> None:
        super().__init__(program, loop, function)
        if missing := [*filter(None, map(without_form, loop.body))]:
            raise NoElements(missing[0])
        for i, number in loop.starts.items():
            if (self.shape(Ref(number)), self.dtype(Ref(number))) != (loop.body[i].shape, loop.body[i].dtype):
                raise NoElements("a state that changes its shape")
        self.choose()

    def choose(self) -> None:
        """Choose what gets a name: a buffer of its own, or a part of another's."""
        body = self.loop.body
        dots = (x for equation in body if equation.function in PRODUCTS for x in map(self.behind, equation.args))
        self.factors = {x.position for x in dots if isinstance(x, Local)}
        kept = {i for i, numbers in self.kept.items() if numbers}
        self.stored = kept | set(self.loop.starts) | self.factors
        self.parts = {i for i in range(len(body)) if self.is_part(i)}
        for i, equation in enumerate(body):
            read = (*ids_of(equation), *(equation.args[:1] if i in self.parts else ()))
            self.stored.update(x.position for x in read if isinstance(x, Local))
            if equation.function in WHOLE or i in self.parts or ids_of(equation):
                self.stored.add(i)
        readers: dict[int, list[Equation]] = defaultdict(list)
        nests: dict[int, set[Any]] = defaultdict(set)  # of a position: the loops over elements that compute it
        for i, equation in reversed(list(enumerate(body))):
            alike = all(reader.function in FORMS and reader.shape == equation.shape for reader in readers[i])
            if equation.function not in VIEWS and (len(nests[i]) > 1 or (self.uses[i] > 1 and not alike)):
                self.stored.add(i)
            for k, x in enumerate(leaves(equation.args)):
                if isinstance(x, Local):
                    readers[x.position].append(equation)
                    own = {(i, k if equation.function in WHOLE else 0)}
                    nests[x.position] |= own if i in self.stored else nests[i]

    def is_part(self, i: int) -> bool:
        """Tell whether a value is another one's memory in another shape, or steps of a series."""
        equation = self.loop.body[i]
        if i in self.again or i in self.loop.starts:
            return False
        if equation.function == "reshape" and isinstance(equation.args[0], VALUES):
            whole = self.loop.count == 1 and (i in self.factors or self.kept[i])
            return bool(whole) or not self.same_sizes(self.shape(equation.args[0]), equation.shape)
        return self.program.neighbours(equation) is not None

    # ----------------------------------------------------------------------------------------------------- the lines

    def write(self) -> list[str]:
        """Return the lines, and tell the program how the values are read."""
        program, loop = self.program, self.loop
        for i in sorted(self.stored):
            label = self.label(i) or program.label(loop.made[i][-1])
            self.names[i] = program.free_name(f"{label}_all" if i in self.again else label)
        self.longer = {i for i in self.again if i in loop.starts}
        self.next = {i: program.free_name(f"{self.names[i]}_new") for i in loop.starts if i not in self.longer}
        for i in sorted(self.stored):
            self.store(i)
        self.flush()
        self.body += [f"{self.names[i]}, {other} = {other}, {self.names[i]}" for i, other in self.next.items()]
        lines = self.body
        if loop.count > 1:
            end = self.start + self.by * loop.count
            span = f"{loop.count}" if (self.start, self.by) == (0, 1) else f"{self.start}, {end}"
            lines = [f"for t in range({span}{', -1' if self.by < 0 else ''}):", *(f"    {line}" for line in lines)]
        started = [line for i in loop.starts for line in self.started(i)]
        made = [line for i in sorted(self.stored - self.parts) for line in self.buffers(i)]
        for i, numbers in self.kept.items():
            if i in self.again:
                self.keep(i, self.names[i])
                program.arrays.add(self.names[i])
            elif numbers:
                program.texts[loop.made[i][-1]] = self.names[i], ATOM
        return made + self.head + started + lines

    def started(self, i: int) -> list[str]:
        """Return the lines that put into a buffer what is carried in."""
        at = [str(0 if self.by > 0 else self.loop.count)] if i in self.longer else []
        return filled(self.loop.body[i].shape, self.names[i], at, self.array(Ref(self.loop.starts[i])))

    def buffers(self, i: int) -> Iterator[str]:
        """Yield the lines that make the memory of a value. Large arrays that nobody is given are made once."""
        program, body = self.program, self.loop.body[i]
        shape = (self.loop.count + (i in self.longer), *body.shape) if i in self.again else body.shape
        is_new = prod(shape) < program.memory.large or self.escapes(i) or (i in self.next and self.kept[i])
        for name in (self.names[i], *([self.next[i]] if i in self.next else [])):
            if is_new:
                yield f"{name} = np.empty({shape}, np.{kind_of(body)})"
            else:
                self.take_memory(i, self.function.argument(name), shape)
