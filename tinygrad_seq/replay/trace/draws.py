"""What a function draws while it is traced: a program draws anew at every call, from the same generators."""

import pickle
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.random import default
from tinygrad_seq.replay.trace.tape import TraceError


class OtherGenerator:
    """A generator that no draw of a program is from: Python's, or NumPy's of old."""

    def __init__(self, name: str, generator: Any) -> None:
        is_python = hasattr(generator, "getstate")
        self.name, self.state = name, generator.getstate if is_python else generator.get_state
        self.set_state = generator.setstate if is_python else generator.set_state
        self.before = self.state()

    def check(self) -> None:
        """Raise where something was drawn."""
        if not all(map(host.array_equal, self.before, self.state())):
            raise TraceError(
                f"replay: the function draws from {self.name}, whose numbers would be those of the first call: draw "
                "outside of it and make the number an argument, or draw with ts.rand"
            )


class Draws:
    """The generators that a function draws from. They are put back to where they were when it has been traced."""

    def __init__(self) -> None:
        self.drawn: dict[int, Any] = {}  # by id: what the program draws from
        self.known: dict[int, tuple[Any, Any, bytes]] = {}  # a generator, its state before, and after the last draw

    def look(self, generator: Any) -> None:
        """Note where a generator is; refuse a function that moves it otherwise than by draws that a program repeats."""
        state = generator.bit_generator.state
        first = self.known.get(id(generator), (generator, state, pickle.dumps(state)))
        if first[2] != pickle.dumps(state):
            raise TraceError(
                "replay: the function moves a generator, by a shuffle or a draw of its own, and a program would not: "
                "do that outside of it; ts.rand, ts.randn and dropout draw anew at every call"
            )
        self.known[id(generator)] = first

    def draw(self, generator: Any, draw: Any) -> Any:
        """Return what is drawn from a generator; `draw` is None where its state is set."""
        if draw is None:
            raise TraceError("replay: the function sets the seed, which a program would not: set it before each call")
        self.look(generator)
        draws, self.drawn[id(generator)] = draw(generator), generator
        _, before, _ = self.known[id(generator)]
        self.known[id(generator)] = generator, before, pickle.dumps(generator.bit_generator.state)
        return draws

    @contextmanager
    def watched(self, reached: Iterable[Any]) -> Iterator[None]:
        """Refuse draws in here that a program would not repeat: from generators other than those of `ts.rand`.

        `reached` has the objects that the function reaches, among them generators.
        """
        own = [x for x in reached if isinstance(x, host.random.Generator | host.random.RandomState | random.Random)]
        for generator in (default(), *own):
            if isinstance(generator, host.random.Generator):
                self.look(generator)
        others = [OtherGenerator(f"a {type(x).__name__}", x) for x in own if not isinstance(x, host.random.Generator)]
        others += OtherGenerator("random", random), OtherGenerator("numpy.random", host.random)
        try:
            yield
            for other in others:
                other.check()
            for generator, *_ in [*self.known.values()]:
                self.look(generator)
        finally:
            for other in others:
                other.set_state(other.before)
            for generator, before, _ in self.known.values():
                generator.bit_generator.state = before

    def check_again(self, other: "Draws") -> None:
        """Refuse generators that the function makes itself: every call begins with new ones."""
        if self.drawn.keys() != other.drawn.keys():
            raise TraceError(
                "replay: the function makes a generator and draws from it: make it outside of the function, or draw "
                "there and make the numbers an argument"
            )
