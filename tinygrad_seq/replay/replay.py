"""`ts.replay`: trace a function once for each kind of call, then run it as a program over arrays."""

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from tinygrad_seq.engine.backend import host, modules
from tinygrad_seq.engine.commit import commit
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.engine.random import redraw
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.replay.arrays import LazyNumber, Scalar, Traced
from tinygrad_seq.replay.places import Place, Places, absent
from tinygrad_seq.replay.program import OtherPath, Text
from tinygrad_seq.replay.tape import Ref, Tape, TraceError, tracing

P = ParamSpec("P")
R = TypeVar("R")


class Given:
    """The arguments of a call: their arrays in order, and all else as a key."""

    def __init__(self, args: Any) -> None:
        self.arrays: list[Any] = []
        self.key = self.flatten(args)

    def flatten(self, x: Any) -> Any:
        if isinstance(x, Value):
            self.arrays.append(x.array)
            return (Value, x.array.shape, x.array.dtype, x.node is not None and x.node.requires_grad)
        if type(x) in modules and getattr(x, "ndim", 0):
            self.arrays.append(x)
            return (type(x), x.shape, x.dtype)
        if isinstance(x, tuple | list):
            return (type(x), *map(self.flatten, x))
        if isinstance(x, dict):
            return (dict, *((key, self.flatten(part)) for key, part in x.items()))
        try:
            hash(x)
        except TypeError:
            return (type(x), id(x))
        return (type(x), x)


def with_traced(x: Any, fresh: Callable[[Any], Traced]) -> Any:
    """Return arguments with traced arrays in place of arrays."""
    if isinstance(x, Value):
        if x.node is not None and x.node.op is not None and x.node.requires_grad:
            raise TraceError("replay: an argument was made from what requires a gradient: detach() it first")
        return x if isinstance(x.array, Traced) else make_tensor(fresh(x.array))
    if type(x) in modules and getattr(x, "ndim", 0):
        return fresh(x)
    if isinstance(x, tuple | list):
        return type(x)(with_traced(part, fresh) for part in x)
    if isinstance(x, dict):
        return {key: with_traced(part, fresh) for key, part in x.items()}
    return x


class Program:
    """What one kind of call does: its text, what it reads, what it gives and changes."""

    def __init__(self, function: Callable[..., Any], given: Given, args: Any, options: Any) -> None:
        tape = Tape()
        places = Places(function)
        swapped = self.swap(tape, places)
        token = tracing.set(tape)
        generators: dict[int, tuple[Any, Any]] = {}

        def drawn(generator: Any, draw: Callable[[Any], Any]) -> Traced:
            generators.setdefault(id(generator), (generator, generator.bit_generator.state))
            return Traced(draw(generator), tape.source(lambda: draw(generator), "draws"))

        token_of_draws = redraw.set(drawn)
        inputs = iter(range(len(given.arrays)))

        def fresh(array: Any) -> Traced:
            i = next(inputs)
            return Traced(array, tape.source(lambda: self.arrays[i], f"argument {i}"))

        try:
            result = function(*with_traced(args, fresh), **with_traced(options, fresh))
            for optimizer in places.optimizers:
                vars(optimizer).pop("current_groups", None)
            changes = [(place, value) for place, value in places.changed() if place not in swapped or value is not swapped[place]]
            self.outputs: list[int] = []
            self.known = places.tensors
            self.result = self.template(result)
            self.effects = [(place, self.template(value)) for place, value in changes]
            self.check_changes(changes)
        finally:
            tracing.reset(token)
            redraw.reset(token_of_draws)
            for generator, state in generators.values():
                generator.bit_generator.state = state
            for optimizer in places.optimizers:
                vars(optimizer).pop("current_groups", None)
            places.restore()
        text = Text(tape, self.outputs)
        self.text, self.step, self.tape = text.source, text.compiled(), tape
        self.reads = [source.read for source in text.given]
        self.arrays: list[Any] = []
        self.places, self.generators = places, [generator for generator, _ in generators.values()]
        self.facts = places.facts()

    def swap(self, tape: Tape, places: Places) -> dict[Place, Any]:
        """Put traced arrays in place of the arrays of all Tensors, and of what optimisers keep."""
        swapped: dict[Place, Any] = {}
        kept = {id(state) for optimizer in places.optimizers for state in optimizer.state.values()}
        for place, value in places.before.items():
            read = place.read
            if isinstance(place.holder, Value) and place.key == "array":
                swapped[place] = Traced(value, tape.source(read, place.name))
            elif id(place.holder) in kept and isinstance(value, host.ndarray):
                swapped[place] = Traced(value, tape.source(read, place.name))
            elif id(place.holder) in kept and type(value) is int:
                swapped[place] = Scalar(value, tape.source(read, place.name))
        for optimizer in places.optimizers:
            groups = optimizer.current_groups()

            def number(i: int, option: str, value: Any, optimizer: Any = optimizer) -> Any:
                if type(value) is tuple:
                    return tuple(
                        Scalar(part, tape.source(lambda k=k: optimizer.param_groups[i][option][k], option))
                        for k, part in enumerate(value)
                    )
                if type(value) in (int, float):
                    return Scalar(value, tape.source(lambda: optimizer.param_groups[i][option], option))
                return value

            traced = [{option: number(i, option, value) for option, value in group.items()} for i, group in enumerate(groups)]
            vars(optimizer)["current_groups"] = lambda traced=traced: traced
        for place, value in swapped.items():
            place.put(value)
        return swapped

    def template(self, x: Any) -> Any:
        """Return what a call makes a result or a change of: functions of the program's values."""
        if isinstance(x, Traced):
            if x.number is None:
                return lambda values, a=x.array: a
            i = self.output(x.number)
            return lambda values: values[i]
        if isinstance(x, LazyNumber):
            i = self.output(x.number)
            return lambda values: values[i].item()
        if isinstance(x, Scalar):
            i = self.output(x.number)
            return lambda values: values[i]
        if isinstance(x, Value):
            if id(x) in self.known:
                return lambda values: x
            inner = self.template(x.array)
            return lambda values: make_tensor(inner(values))
        if type(x) in (tuple, list):
            parts = [self.template(part) for part in x]
            kind = type(x)
            return lambda values: kind(part(values) for part in parts)
        if type(x) is dict:
            items = [(key, self.template(part)) for key, part in x.items()]
            return lambda values: {key: part(values) for key, part in items}
        return lambda values: x

    def output(self, number: int) -> int:
        """Return the position of a value among what the program returns."""
        if number not in self.outputs:
            self.outputs.append(number)
        return self.outputs.index(number)

    def check_changes(self, changes: list[tuple[Place, Any]]) -> None:
        """Refuse a change that would be the same at every call although it is a number."""
        for place, value in changes:
            if type(value) in (int, float) or value is absent:
                raise TraceError(f"replay: {place.name} changes inside the function, to {value!r:.60}: it would stay so")

    def __call__(self, arrays: list[Any]) -> Any:
        """Run the program; change what the function changes, all at once, and return what it returns."""
        self.arrays = arrays
        states = [generator.bit_generator.state for generator in self.generators]
        try:
            values = self.step(host, *[read() for read in self.reads])
        except OtherPath:
            for generator, state in zip(self.generators, states):
                generator.bit_generator.state = state
            raise
        done = [(place, make(values)) for place, make in self.effects]
        result = self.result(values)
        for place, value in done:
            place.now().put(value)
        return result


class Replay(Generic[P, R]):
    """A function that runs as programs."""

    def __init__(self, function: Callable[P, R]) -> None:
        self.function = function
        self.programs: dict[Any, list[Program]] = {}

    def __call__(self, *args: P.args, **options: P.kwargs) -> R:
        given = Given((args, options))
        found = self.programs.setdefault(given.key, [])
        for program in found:
            if program.places.facts() == program.facts:
                try:
                    return program(given.arrays)  # type: ignore[no-any-return]
                except OtherPath:
                    continue
        found.insert(0, Program(self.function, given, args, options))
        return found[0](given.arrays)  # type: ignore[no-any-return]

    @property
    def source(self) -> str:
        """Return the text of the program that was made last."""
        return next(iter(self.programs.values()))[0].text


def replay(function: Callable[P, R]) -> Replay[P, R]:
    """Return the function as a program over arrays, traced at its first call of each kind."""
    return Replay(function)
