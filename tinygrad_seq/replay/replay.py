"""`ts.replay`: a function is traced once for every kind of call, and runs as a program over arrays."""

from collections.abc import Callable
from functools import partial
from threading import RLock
from types import MethodType
from typing import Any, Generic, ParamSpec, TypeVar, overload

from tinygrad_seq.engine import callers
from tinygrad_seq.engine.scope import current, plainly, run_plainly
from tinygrad_seq.replay.compiled.machine_code import check_numba
from tinygrad_seq.replay.text.expressions import OtherPath
from tinygrad_seq.replay.trace.calls import Given
from tinygrad_seq.replay.trace.place import Replayed
from tinygrad_seq.replay.trace.tape import TraceError, tracing
from tinygrad_seq.replay.traced_call import TracedCall

P = ParamSpec("P")
R = TypeVar("R")
many = 8  # kinds of calls after which something changes all the time
tracing_lock = RLock()  # while a function is traced, what it reaches has traced arrays


class Replay(Replayed, Generic[P, R]):
    """A function that runs as a program; made by `ts.replay`.

    `source` is the text of the program that ran last, a Python function over `xp`, which is NumPy or CuPy.
    """

    __slots__ = ("calls", "compile", "last", "lock", "refused", "traces")
    function: Callable[P, R]

    def __init__(self, function: Callable[P, R], compile: bool = False) -> None:
        self.function, self.compile = function, compile
        self.calls: dict[Any, list[TracedCall]] = {}
        self.last: TracedCall | None = None
        self.traces = 0
        self.refused = False  # whether a call that began something was refused after it
        self.lock = RLock()  # a call looks around, then computes: others wait

    def __call__(self, *args: P.args, **options: P.kwargs) -> R:
        is_watched = type(current.get().recording) is not bool  # every op, by `detect_anomaly` or a checkpoint
        if plainly.get() or is_watched or tracing.get() is not None:
            return self.function(*args, **options)  # it is a part of another function that is replayed
        with self.lock:
            given = Given(self.function, args, options)
            result = self.answer(given)
            if result is None:
                with tracing_lock:  # a program may fit again: another thread had the model's arrays traced
                    result = self.answer(given) or self.traced(given)
            return result[0]  # type: ignore[no-any-return]

    def __get__(self, owner: Any, _: Any = None) -> Any:
        """Return the method of an object, as a function of its class does."""
        return self if owner is None else MethodType(self, owner)

    def __reduce__(self) -> Any:
        return Replay, (self.function, self.compile)  # a copy, which makes programs of its own

    def plain(self, given: Given) -> Any:
        """Run the function itself, and all replayed ones in it as parts of that."""
        return run_plainly(self.function, *given.without_history())

    def answer(self, given: Given) -> tuple[Any] | None:
        """Return what a program makes of a call; None where there is none for it."""
        for call in self.calls.get(given.key, ()):
            if call.surroundings.hold() and (not call.in_place or call.memory_now(given.arrays) == call.memory):
                try:
                    result = call(given.arrays)
                except OtherPath:
                    continue
                self.last = call
                return (result,)
        return None

    def traced(self, given: Given) -> tuple[Any]:
        """Trace a call: run the program that comes of it, or the function itself, and return what that returns."""
        known = self.calls.setdefault(given.key, [])
        try:
            call = TracedCall(given, self.compile, known, begins=not (known or self.refused))
            if not call.begins:
                self.add(call, known, given)
                return (call(given.arrays),)
        except OtherPath:  # what the function asks for is there and then another value, to rounding
            return (self.plain(given),)
        except TraceError:
            if not any(call.surroundings.hold() for call in known):
                raise
            return (self.plain(given),)  # only this way, such as that of an error, has no program form
        result = self.plain(given)
        try:
            call = TracedCall(given, self.compile, known)
            call.try_out()
            self.add(call, known, given)
        except TraceError:
            self.refused = True  # the next call says why
        return (result,)

    def add(self, call: TracedCall, known: list[TracedCall], given: Given) -> None:
        """Keep a kind of call, and warn where there are many."""
        self.traces += 1
        if self.traces == many + 1:
            last = [key for key in self.calls if key != given.key][-1:]
            what = call.surroundings.differs_from(known[0].surroundings) if known else given.differs_from(*last)
            callers.warn(f"replay: traced for the ninth time, because of {what}")
        known.insert(0, call)
        self.last = call

    @property
    def __wrapped__(self) -> Callable[P, R]:
        """Return the function, for `inspect.signature` to tell its arguments."""
        return self.function

    @property
    def source(self) -> str:
        """Return the text of the program that ran last."""
        return self.ran_last().source

    @property
    def array_source(self) -> str:
        """Return that text over whole arrays, which is shorter where loops are compiled."""
        call = self.ran_last()
        return call.array_source or call.source

    def ran_last(self) -> TracedCall:
        """Return the kind of call that ran last."""
        if self.last is None:
            raise RuntimeError("replay: the function has not been called yet: call it first, then read .source")
        return self.last


@overload
def replay(function: Callable[P, R], *, compile: bool = False) -> Replay[P, R]: ...
@overload
def replay(*, compile: bool = False) -> Callable[[Callable[P, R]], Replay[P, R]]: ...
def replay(function: Callable[P, R] | None = None, *, compile: bool = False) -> Any:
    """Return a function as a program: it is traced at its first call, and later calls run array code without a graph.

    The function is an ordinary training step, or any other: forward, `backward()`, clipping, an optimiser's step. What
    it returns (Tensors, in tuples, lists and dicts; a number by `.item()`) and what it changes (parameters, gradients,
    the state of optimisers, of `ts.truncated` and of the caller's own objects) is what the function itself would return
    and change, but without a history: call `backward()` inside. Products of all steps with one matrix are one product,
    and sums over time one sum, so numbers agree with those of the graph to rounding. Read anew at every call: arguments
    that are Tensors or arrays, all Tensors that the function reaches, learning rates and other options, draws of
    dropout. Another shape, dtype or Python argument, another setting of a model (`.eval()`), other numbers in an array
    that is no Tensor and no argument, and a check that comes out otherwise (an id out of range, a norm that is not
    finite) trace again. A first call that makes what was not there, such as gradients or an optimiser's state, runs as
    the function itself does: the program is for the calls after it, and what is another at every call is found at the
    second.

    As a decorator it is `@ts.replay` or `@ts.replay(compile=True)`, of methods, too.

    With `compile=True` the program becomes functions of loops over elements, compiled by Numba (the extra `compile`),
    which pays most where steps are small: `source` is what is compiled, `array_source` the shorter text over arrays.
    The first call takes seconds then; the machine code is kept in a cache on disk.

    Raises TraceError, and changes nothing, for what has no program form: numbers that Python computes with, `.numpy()`,
    lists that grow, arguments that are changed, arrays that are others at every call or out of reach, such as those in
    a cache; ImportError where Numba is asked for and missing.

    >>> import tinygrad_seq as ts
    >>> layer = ts.nn.Linear(2, 1)
    >>> optimizer = ts.optim.SGD(layer.parameters(), lr=0.1)
    >>> def step(x, y):
    ...     optimizer.zero_grad()
    ...     loss = ((layer(x) - y) ** 2).mean()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss.item()
    >>> fast = ts.replay(step)
    >>> losses = [fast(ts.ones(3, 2), ts.zeros(3, 1)) for _ in range(20)]
    >>> losses[-1] < losses[0]
    True
    >>> "def step(xp, weight, bias, lr, momentum, weight_decay, x, y):" in fast.source
    True
    """
    if function is None:
        return partial(replay, compile=compile)
    if not callable(function):
        raise TypeError(f"replay: expected a function, got {type(function).__name__} {function!r:.60}")
    if compile:
        check_numba()
    return Replay(function, compile)
