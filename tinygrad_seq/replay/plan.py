"""What a program computes, before it is text: the equations of a tape after all passes, steps rolled up to loops."""

from collections.abc import Mapping, Sequence

from tinygrad_seq.engine.backend import host
from tinygrad_seq.replay.compiled.by_step import by_step
from tinygrad_seq.replay.compiled.part import in_parts
from tinygrad_seq.replay.passes.bulk import in_bulk
from tinygrad_seq.replay.passes.by_place import by_place
from tinygrad_seq.replay.passes.gates import gates
from tinygrad_seq.replay.passes.loops import Loop, Statement, needed
from tinygrad_seq.replay.passes.normal_form import normal_form
from tinygrad_seq.replay.passes.numbers_by_step import numbers_by_step
from tinygrad_seq.replay.passes.rolling import rolled
from tinygrad_seq.replay.passes.tidy import rows_added
from tinygrad_seq.replay.passes.together import PASSES, done_together
from tinygrad_seq.replay.text.kernels import with_kernels
from tinygrad_seq.replay.text.value_names import value_names
from tinygrad_seq.replay.trace.tape import Tape

on_arrays = (gates, rows_added)  # which pay for arrays of NumPy alone


class Plan:
    """Statements, the values that they give back, and of all values shapes, dtypes and the names that the graph has."""

    def __init__(self, tape: Tape, outputs: Sequence[int], names: Mapping[int | None, str], compile: bool) -> None:
        on_gpu = tape.xp is not host
        passes = [improve for improve in PASSES if improve not in on_arrays or not (compile or on_gpu)]
        equations, same = done_together(passes, numbers_by_step(normal_form(tape), tape), tape, [*outputs])
        self.outputs = [same.get(number, number) for number in outputs]
        self.labels = {same.get(n, n): name for n, name in (*tape.names.items(), *names.items()) if n is not None}
        self.shapes, self.dtypes = tape.shapes(), tape.dtypes()
        self.statements: list[Statement] = []
        self.shapes |= {equation.made: equation.shape for equation in equations}
        self.take(needed(by_place(rolled(equations, tape.new), self.shapes), self.outputs))
        if compile:
            self.take(by_step(self.statements, self.outputs, self.shapes, tape.new))
        elif passes:
            bulk = in_bulk(self.statements, self.outputs, self.shapes, self.dtypes, tape.new)
            self.take(needed(bulk, self.outputs))
        given = {source.number: source.name.rpartition(".")[2] for source in tape.sources}
        self.names = value_names(self.statements, self.labels, given, self.outputs)
        if compile:
            self.take(in_parts(self.statements))
        elif passes and on_gpu:
            self.take(with_kernels(self.statements, self.outputs, self.dtypes, self.labels, tape.new))

    def take(self, statements: list[Statement]) -> None:
        """Go on with these statements, and note the shapes and dtypes of what they make."""
        self.statements = statements
        for statement in statements:
            body = statement.body if isinstance(statement, Loop) else [statement]
            values = statement.made if isinstance(statement, Loop) else [(statement.made,)]
            for equation, made in zip(body, values):
                self.shapes.update(dict.fromkeys(made, equation.shape))
                self.dtypes.update(dict.fromkeys(made, equation.dtype))
