"""One kind of call of a function, traced: what it reads, what it makes and what it changes."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, ContextVar
from typing import Any

from tinygrad_seq.engine.backend import host, modules, uploaded
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.engine.random import redraw
from tinygrad_seq.replay.program import Program
from tinygrad_seq.replay.text.expressions import OtherPath
from tinygrad_seq.replay.trace.arrays import Traced, lifted, traced
from tinygrad_seq.replay.trace.calls import Given
from tinygrad_seq.replay.trace.draws import Draws
from tinygrad_seq.replay.trace.in_place import changed_in, check_unseen, layout, look_into
from tinygrad_seq.replay.trace.place import ITEMS, Place, absent, put_all, spot_of
from tinygrad_seq.replay.trace.places import Places
from tinygrad_seq.replay.trace.reads import Reads
from tinygrad_seq.replay.trace.results import Results, names_of
from tinygrad_seq.replay.trace.scalars import Scalar, read_anew
from tinygrad_seq.replay.trace.surroundings import Surroundings
from tinygrad_seq.replay.trace.tape import Tape, TraceError, collector_paused, tracing
from tinygrad_seq.replay.trace.tape import tape as current_tape
from tinygrad_seq.replay.trace.traced_twice import check_kept, check_tapes


class TracedCall:
    """A program, and how a call reads its inputs, makes its result and changes what the function changes."""

    @collector_paused()
    def __init__(self, given: Given, compile: bool, known: "list[TracedCall]", begins: bool = False) -> None:
        """Trace a call, beside those that are known, and make its program.

        There is none where the call may begin something, such as a gradient, and does.
        """
        self.places, self.asked = Places(given.function, *given.others), Reads()
        self.arrays = given.arrays
        tape = self.trace_with_numbers(given, known)
        if compile and tape.xp is not host:
            raise TraceError("replay: compile=True is for the CPU: move the model and the batch there, or leave it out")
        before = [self.places.before.get(place) for place, _ in self.effects]
        self.begins = begins and any(x is None or x is absent for x in before)  # later calls find it there
        if not self.begins:
            self.asked.spots.update(spot_of(place) for place, _ in self.effects)
            if not all(self.asked.has(place.holder, place.key) for place in self.places.before):
                self.places = Places(given.function, *given.others, reads=self.asked)  # without what is not read
                tape = self.trace_with_numbers(given, known)
            self.check_again(tape, given)
            self.results.tensors = {}
            self.places.contents = []  # copies, which nobody compares any more
            self.build(tape, compile)

    def build(self, tape: Tape, compile: bool) -> None:
        """Make the program of what was traced."""
        outputs = [*self.results.outputs]
        self.array_source = Program(tape, outputs, self.names).source if compile else None
        program = Program(tape, outputs, self.names, compile)  # not kept: it knows all of the tape
        self.source, self.step = program.source, program.step
        self.xp, self.device, self.context = tape.xp, tape.device, Context()
        self.context.run(host.seterr, all="ignore")  # once: to enter `errstate` takes longer
        self.surroundings = Surroundings(self.places, [place for place, _ in self.effects])
        self.results.surroundings = self.surroundings
        at = self.surroundings.at  # where the holder of a changed place is read, if it is not always the same one
        is_item = lambda effect: isinstance(effect[0].holder, ITEMS)  # of a list, a dict or the like, no attribute
        self.changes = [
            (place.holder, None if place.around is None else at[place.around], place.key, make)
            for place, make in sorted(self.effects, key=is_item)
        ]
        self.flags_set = [(x, None if around is None else at[around], flag) for x, flag, around in self.flags]
        self.in_place = [(i, at[place]) for i, place in self.written]
        self.memory = self.memory_now(self.arrays)
        self.items = sum(map(is_item, self.effects))  # of the changes, which come last
        self.reads = [at.get(source.read, source.read) for source in program.given]

    # --------------------------------------------------------------------------------------------------- the first call

    def trace_with_numbers(self, given: Given, known: "list[TracedCall]") -> Tape:
        """Trace a call. A number that it leaves somewhere, such as the loss in a log, is read anew, if it may be so."""
        before = {spot_of(place): place for place, x in self.places.before.items() if type(x) in (int, float)}
        spots = {spot_of(place) for call in known for place in call.places.numbers}
        with suppress(TraceError):
            while True:
                self.places.numbers = {before[spot] for spot in spots & before.keys()}
                tape = self.trace(given, Tape())
                left = {spot_of(place) for place, x in self.left if isinstance(x, Scalar)}
                if left & before.keys() <= spots:
                    return tape
                spots |= left
        self.places.numbers = set()
        return self.trace(given, Tape())

    def trace(self, given: Given, tape: Tape) -> Tape:
        """Call the function with traced arrays; note what it returns and changes, and put everything back."""
        self.results, self.draws = Results(self.places), Draws()
        arguments: list[tuple[Traced, int | None]] = []

        def source(array: Any, read: Any, name: str) -> Traced:
            if type(array) is host.ndarray:
                array = array.view()
                array.flags.writeable = False  # what has no program form is an error before it has written
            made = traced(array, current_tape().source(read, name, array))
            look_into(current_tape(), made)
            return made

        def drawn(generator: Any, draw: Callable[[Any], Any]) -> Traced:
            token = uploaded.set(None)
            draws = self.draws.draw(generator, draw)
            uploaded.reset(token)
            made = source(draws, lambda: draw(generator), "draws")
            current_tape().sources[-1].is_draw = True
            return made

        def argument(i: int, _: Any) -> Traced:
            made = source(self.arrays[i], lambda: self.arrays[i], given.names[i])
            arguments.append((made, made.number))
            return made

        told: dict[ContextVar[Any], Any] = {tracing: tape, redraw: drawn, uploaded: lifted}  # constants of a GPU, too
        tokens = [(variable, variable.set(value)) for variable, value in told.items()]
        try:
            swapped = self.swap(tape, source)
            args, options = given.with_arrays(argument)
            objects = [x for x, *_ in self.places.holders]
            with self.draws.watched(objects), self.asked.noted(objects):
                result = given.function(*args, **options)
            if tape.refusal is not None:
                raise tape.refusal
            changed = changed_in({place: x for place, x in swapped.items() if isinstance(x[0], Traced)})
            changes = [
                (place, x) for place, x in self.places.changed()
                if place not in swapped or x is not swapped[place][0]
            ]  # fmt: skip
            self.check_changes(changes)
            self.left = changes
            if given.is_changed() or any(x.number != number for x, number in arguments):
                raise TraceError(
                    "replay: an argument is changed inside the function: return the new value, or keep it outside"
                )
            self.result = self.results.maker(result)
            self.effects = [(place, self.results.maker(value)) for place, value in changes]
            self.flags = self.places.flags_changed()
            self.written = [(self.results.output(x), place) for place, x in changed.items()]
            raw = [x for x, *_ in (*tape.known.values(), *self.places.contents) if type(x) in modules]
            check_unseen([(place.name, self.places.before[place]) for _, place in self.written], raw)
            self.names = dict(pair for change in (*changes, *changed.items()) for pair in names_of(*change))
        finally:
            for variable, token in tokens:
                variable.reset(token)
            for optimizer in self.places.optimizers:
                vars(optimizer).pop("current_groups", None)
            self.places.restore()
            written = self.places.written()
        if written:
            what = f"{written[0] or 'something'} is changed inside the function, and is no Tensor"
            raise TraceError(f"replay: {what}: return what is new in it")
        tape.finish()
        return tape

    def swap(self, tape: Tape, source: Callable[[Any, Any, str], Traced]) -> dict[Place, tuple[Any, int]]:
        """Put traced arrays in place of those of all Tensors and optimisers, and Scalars in place of options.

        Return what is in these places now, and its number on the tape.
        """
        states = {id(state) for optimizer in self.places.optimizers for state in optimizer.state.values()}
        swapped: dict[Place, Any] = {}
        for place, value in self.places.before.items():
            if (isinstance(place.holder, Value) and place.key == "array") or (
                id(place.holder) in states and type(value) in modules
            ):
                swapped[place] = source(value, place, place.name)
            elif (id(place.holder) in states and type(value) is int) or place in self.places.numbers:
                swapped[place] = Scalar(value, tape.source(place, place.name))
        for optimizer in self.places.optimizers:
            groups = [
                {option: read_anew(tape, optimizer, (i, option), value) for option, value in group.items()}
                for i, group in enumerate(optimizer.current_groups())
            ]
            vars(optimizer)["current_groups"] = lambda groups=groups: groups
        for place, value in swapped.items():
            place.put(value)
        return {place: (value, value.number) for place, value in swapped.items()}

    def check_changes(self, changes: list[tuple[Place, Any]]) -> None:
        """Refuse a change that would be the same at every call, although it should not."""
        for place, value in changes:
            where = place.name.lstrip(".") or "something"
            if isinstance(place.holder, list | deque) and place not in self.places.before:
                grown = f"{type(place.holder).__name__} {where.rpartition('[')[0]}"
                raise TraceError(f"replay: the {grown} grows inside the function: return the value")
            if isinstance(place.key, Scalar):
                raise TraceError(f"replay: a number of one call is a key of {where}: count outside of the function")
            if type(value) in (int, float) or value is absent:
                now = "taken away" if value is absent else f"set to {value}"
                raise TraceError(f"replay: {where} is {now} inside the function, and would be so at every call")

    def memory_now(self, arrays: list[Any]) -> list[int]:
        """Return which arrays share memory: no others may where some are written in place."""
        return layout(x for x in (*self.surroundings.values, *arrays) if type(x) in modules)

    def check_again(self, first: Tape, given: Given) -> None:
        """Trace once more, and compare: random numbers, the time and what a cache has are no constants."""
        fixed, draws = self.results.fixed, self.draws
        check_tapes(first, self.trace(given, Tape()), {id(x) for x in self.places.before.values()})
        draws.check_again(self.draws)
        check_kept(fixed, self.results.fixed)
        if not self.places.left_out.isdisjoint(self.asked.spots):
            raise TraceError("replay: the function reads other attributes when it is called again")

    # ---------------------------------------------------------------------------------------------------- later calls

    def try_out(self) -> None:
        """Run the program without a change of anything: what it is made of is compiled then."""
        states = self.states()
        with suppress(OtherPath):
            self.compute()
        self.surroundings.values = ()
        for generator, state in states:
            generator.bit_generator.state = state

    def states(self) -> list[tuple[Any, Any]]:
        """Return the generators that the function draws from, and their states."""
        return [(generator, generator.bit_generator.state) for generator in self.draws.drawn.values()]

    def compute(self) -> tuple[Any, ...]:
        """Return the values that the program makes of what is there now."""
        now = self.surroundings.values
        with self.device:
            given = [now[x] if type(x) is int else x() for x in self.reads]
            return self.context.run(self.step, self.xp, *given)

    def written_in_place(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Write what the function does in place into the arrays that are there, which others may look into."""
        result = [*values]
        for i, place in self.in_place:
            result[i] = self.surroundings.values[place]
            result[i][...] = values[i]
        return tuple(result)

    def __call__(self, arrays: list[Any]) -> Any:
        """Run the program; make the changes when all is computed, and return the result."""
        self.arrays, states = arrays, self.states()
        try:
            values = self.compute()
        except OtherPath:
            for generator, state in states:
                generator.bit_generator.state = state
            raise
        now = self.surroundings.values
        values = self.written_in_place(values) if self.in_place else values
        changes = [(now[i] if i is not None else x, key, make(values)) for x, i, key, make in self.changes]
        result = self.result(values)
        self.results.made.clear()
        put_all(changes, self.items)
        for x, i, flag in self.flags_set:
            (now[i] if i is not None else x).requires_grad = flag
        self.surroundings.values = ()  # keep nothing of what was there before
        return result
