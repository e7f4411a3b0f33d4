"""A program: equations as the text of a Python function over `xp`, as a person would write it."""

import builtins
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.replay.compiled.machine_code import module_of, on_contiguous
from tinygrad_seq.replay.compiled.part import CompiledPart
from tinygrad_seq.replay.passes.loops import Loop, Statement, read_by_loops, read_outside
from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE, is_part
from tinygrad_seq.replay.plan import Plan
from tinygrad_seq.replay.text.aliases import escaping, gone_along, last_reads
from tinygrad_seq.replay.text.along import INTO
from tinygrad_seq.replay.text.element_forms import NoElements
from tinygrad_seq.replay.text.expressions import ATOM, Text, longest
from tinygrad_seq.replay.text.loop_text import LoopText
from tinygrad_seq.replay.text.memory import Memory
from tinygrad_seq.replay.text.series import Series
from tinygrad_seq.replay.text.value_names import made_by_calls
from tinygrad_seq.replay.trace.tape import Equation, Ref, Tape, read_by

# functions whose result may be a view of their argument
SAME_MEMORY = frozenset({"ascontiguousarray", "getitem", "reshape", "transpose"})
large = 2**15  # elements, of an array that the system gives new memory to at every call


class Program(Series):
    """The text of a tape, and the function that it says: `step(xp, *given)` returns the values that are asked for."""

    def __init__(
        self, tape: Tape, asked: Sequence[tuple[int, Any]], names: Mapping[int | None, str], compile: bool = False
    ) -> None:
        super().__init__(compile)
        self.compile = compile
        plan = Plan(tape, [number for number, _ in asked], names, compile)
        statements, outputs = plan.statements, plan.outputs
        self.labels, self.value_names, self.shapes, self.dtypes = plan.labels, plan.names, plan.shapes, plan.dtypes
        self.functions: list[str] = []  # that are compiled, and the dtype of their exp, log and tanh: of the first one
        self.dtype = ""
        self.of_loops: set[str] = set()  # names that mean something in one loop only
        self.memory = Memory(large)
        self.constant_lines: list[str] = []  # which make what is the same at every call
        self.constants = set(tape.constants)
        self.escaping = escaping(statements, outputs)
        self.reads = Counter(n for statement in statements for n in read_outside(statement))
        self.reads.update(outputs)
        self.last: dict[int, float] = {n: k for k, statement in enumerate(statements) for n in read_outside(statement)}
        self.last.update(dict.fromkeys(outputs, math.inf))  # of a value: the last statement that reads it
        self.now = self.unnamed = 0  # which statement is being written; how many values have no name of their own
        self.owner: dict[str, int] = {}  # of a name: the value that has it
        self.texts: dict[int, Text] = {}  # how a value is read
        self.inside: dict[int, set[int]] = {}  # of what is written where it is read: the values in its text
        self.given = [source for source in tape.sources if source.number in self.reads or source.is_draw]
        self.name_given(tape)
        head = ", ".join(["xp", *(self.texts[source.number][0] for source in self.given)])
        lines = [f"def step({head}):"]
        self.written_apart = read_by_loops(statements) | set(outputs)
        self.gone_along = gone_along(statements)
        self.until = last_reads(statements, outputs, self.may_wait)
        lines += [f"    {line}" for line in self.lines_of(statements)]
        result = ", ".join(self.results(outputs, [where for _, where in asked], made_by_calls(statements)))
        lines.append(f"    return ({result}{',' * (len(outputs) == 1)})")
        text = "\n".join([*lines, ""])
        if self.memory.lines:
            said = "; tanh(x, y) in a loop writes into y" if self.short else ""
            arrays = self.memory.text(self.free_name)
            text = "\n".join([f"# every call writes these arrays anew{said}", *arrays, "", text])
        top = [f"{name} = xp.{x.dtype.name}({x})" for name, x in self.space.items() if is_number_of_numpy(x)]
        top += [f"{name} = xp.array({x}, '{dtype}')" for (x, dtype), name in self.numbers.items()]
        if self.short:
            top.insert(0, f"{', '.join(self.short.values())} = {', '.join(f'xp.{name}' for name in self.short)}")
        top += [*self.constant_lines, *([""] if (top or self.constant_lines) and not self.memory.lines else [])]
        text = "\n\n".join([*self.kernels, "\n".join([*top, text])])
        self.source = "\n\n".join([*self.functions, text])
        space = {key: value for key, value in self.space.items() if value is not None}
        if self.functions:
            made = vars(module_of(self.functions, self.dtype or "float32"))
            space.update((name, on_contiguous(part)) for name, part in made.items() if name.startswith("part"))
        space["xp"] = tape.xp
        with tape.device:
            exec(builtins.compile(text, "<replay>", "exec"), space)
        self.step: Callable[..., tuple[Any, ...]] = space["step"]

    def results(self, outputs: Sequence[int], memory: Sequence[Any], calls: Mapping[int, Equation]) -> Iterator[str]:
        """Yield the texts of what is returned; what is a value again, or a view of one, is so only where it was."""
        known: dict[int, Any] = {source.number: source.memory for source in self.given}
        for number, where in zip(outputs, memory):
            text, whole = self.read(Ref(number))[0], number
            while whole in calls and calls[whole].function in SAME_MEMORY:
                whole = read_by(calls[whole])[0]
            is_shared = known.setdefault(whole, where) != where and self.dtypes[number] is not None
            yield f"{text}.copy()" if is_shared else text

    def lines_of(self, statements: list[Statement]) -> Iterator[str]:
        """Yield the lines of statements; loops become parts of compiled functions, where that is asked for."""
        part = CompiledPart(self)
        for self.now, statement in enumerate(statements):
            if not isinstance(statement, Loop):
                yield from part.close(self.now)
                yield from self.line(statement)
            elif not self.compile:
                yield from LoopText(self, statement).lines()
            else:
                if part.is_long():
                    yield from part.close(self.now)
                try:
                    part.add(statement)
                except NoElements as error:
                    yield from part.close(self.now)
                    yield f"# not compiled: {error} has no form over elements"
                    yield from LoopText(self, statement).lines()
        yield from part.close(len(statements))

    def name_given(self, tape: Tape) -> None:
        """Name what the program is given: by the end of where it is, if nothing else ends so."""
        ends = Counter(source.name.rpartition(".")[2] for source in self.given)
        for source in self.given:
            end = source.name.rpartition(".")[2]
            self.texts[source.number] = self.free_name(end if ends[end] == 1 else source.name), ATOM
        for number, array in tape.constants.items():
            if number in self.reads:
                self.texts[number] = self.mention("mask" if array.dtype.kind == "b" else "constant", array), ATOM

    def name_for(self, made: int, label: str | None = None) -> str:
        """Return a name for a value; one whose own value nobody reads any more will do."""

        def is_over(name: str) -> bool:
            return name in self.owner and self.last.get(self.owner[name], -1) < self.now

        name = self.free_name(label or self.label(made), is_over)
        self.give(name, made)
        return name

    def label(self, made: int) -> str:
        """Return what to call a value: as in the graph, by what it is made of, or by a number."""
        label = self.labels.get(made) or self.value_names.get(made)
        self.unnamed += label is None
        return label or f"v{self.unnamed}"

    def give(self, name: str, made: int) -> None:
        """Let a value have a name, in this statement at least."""
        self.owner[name] = made
        self.last[made] = max(self.last.get(made, -1), self.now)

    def line(self, equation: Equation) -> Iterator[str]:
        """Yield the line of an equation; none where its value is written where it is read."""
        made = equation.made
        if made in self.texts:  # a kernel made it, with other values
            return
        is_constant = self.never_changes(equation)
        for n in () if is_constant else self.constants.intersection(read_by(equation)):
            self.make_once(n)
        text, results = self.text(equation, self.read), equation.options.get("results", ())
        has_line = self.reads[made] > 1 or made in self.written_apart or made in self.labels or len(text[0]) > longest
        if is_constant:
            self.constants.add(made)
            self.texts[made] = text
            if has_line:
                self.make_once(made)
        elif has_line and self.is_kept_view(equation, text):
            self.texts[made] = self.free_name(self.label(made)), ATOM
            self.memory.view(self.texts[made][0], text[0], equation)
        elif equation.function == "expect":
            yield text[0]
        elif results:
            self.texts.update((n, (self.name_for(n), ATOM)) for n in results)
            yield f"{', '.join(self.texts[n][0] for n in results)} = {text[0]}"
        elif equation.function == "stack" and self.neighbours(equation):
            self.texts[made] = text
        elif self.fits(equation) and not self.neighbours(equation):
            self.texts[made] = self.memory_for(equation), ATOM
            yield self.call_into(equation, self.read, self.texts[made][0])
        elif has_line:
            self.texts[made] = self.name_for(made), ATOM
            yield f"{self.texts[made][0]} = {text[0]}"
        else:
            self.texts[made] = text
            self.inside[made] = {n for number in read_by(equation) for n in self.inside.get(number, {number})}
            self.last.update((n, max(self.last[n], self.last[made])) for n in self.inside[made])

    def never_changes(self, equation: Equation) -> bool:
        """Tell whether an equation makes the same array at every call, which nobody is given."""
        is_array = equation.dtype is not None and equation.shape != () and not equation.options.get("results")
        is_own = is_array and not self.compile and equation.made not in self.escaping
        return is_own and self.constants.issuperset(read_by(equation))

    def make_once(self, made: int) -> None:
        """Give a name to what is the same at every call, and make it above the function."""
        text = self.texts[made][0]
        if not text.isidentifier():
            self.texts[made] = self.free_name(self.label(made)), ATOM
            self.constant_lines.append(f"{self.texts[made][0]} = {text}")

    def may_wait(self, equation: Equation) -> bool:
        """Tell whether an equation may be written where its value is read."""
        made = equation.made
        return not (self.reads[made] > 1 or made in self.written_apart or made in self.labels or self.fits(equation))

    def fits(self, equation: Equation) -> bool:
        """Tell whether a call writes into an array that is kept: a large one, or one that a loop goes along.

        New memory is slow. Nobody is given such an array.
        """
        if self.compile or equation.dtype is None or equation.made in self.escaping:
            return False
        is_kept = math.prod(equation.shape) >= large or (equation.made in self.gone_along and len(equation.shape) > 1)
        return is_kept and self.writes(equation)

    def writes(self, equation: Equation) -> bool:
        """Tell whether a call can write into an array that is there."""
        return equation.function in (*INTO, "kernel") or (equation.function == "dot" and len(equation.shape) == 2)

    def is_kept_view(self, equation: Equation, text: Text) -> bool:
        """Tell whether a value is a view of an array that is kept: then it is kept, too."""
        is_view = self.memory.is_indexed if is_part(equation) else self.memory.is_dense
        return is_view(text[0]) and self.memory.rank(text[0]) > 0

    def memory_for(self, equation: Equation) -> str:
        """Return the name of the array for a value: that of an operand which nobody else reads, or another one."""
        made, until = equation.made, self.until.get(equation.made, self.now)
        read = Counter(x.number for x in equation.args if isinstance(x, Ref) and equation.function in ELEMENTWISE)
        for n, count in read.items():
            block = self.memory.of.get(n)
            like = self.shapes[n], self.dtypes[n]
            if block is not None and like == (equation.shape, equation.dtype) and count == self.reads[n]:
                block.until, self.memory.of[made] = until, block
                return self.read(Ref(n))[0]
        name = self.free_name(self.label(made))
        self.memory.of[made] = self.memory.take(name, equation.shape, equation.dtype, self.now, until)
        return name

    def read(self, x: Ref) -> Text:
        """Return the text of a value."""
        if x.number in self.texts:
            return self.texts[x.number]
        name, k = self.series[x.number]
        return f"{name}[{k}]", ATOM


def is_number_of_numpy(x: Any) -> bool:
    """Tell whether this is a finite number of NumPy, which a text may have."""
    is_one = isinstance(x, host.generic | host.ndarray) and not x.ndim
    return is_one and x.dtype.kind in "fiu" and math.isfinite(x)
