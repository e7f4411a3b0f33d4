"""Where in the model and in time we are now.

A scope is one immutable link of a chain: `step=3` inside `module="lstm"` inside the root. Every recorded node keeps
a reference to the scope it was made in; pictures group by it, flow sums by it. Whether ops are recorded at all is a
property of the scope too, so `no_grad` is one more kind of scope and costs an op nothing extra. The current scope
lives in a ContextVar: each thread has its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Self, TypeVar, overload

from tinygrad_seq.engine.context_decorator import held

F = TypeVar("F", bound=Callable[..., Any])


class Scope:
    """One link of the chain: `key=value` inside `outer`. Without a key it says only how ops are recorded.

    `recording` says whether ops made here are: a bool, or a watch (see anomaly.py). `maker`: the id of the `with` that
    added the link. These never change. `kept` is a note of freed_graph.py: when a backward last kept a graph that was
    made here, as a serial number; not set before.
    """

    __slots__ = ("outer", "key", "value", "recording", "maker", "kept")

    kept: int

    def __init__(self, outer: "Scope | None", key: str, value: Any, recording: Any, maker: int = 0) -> None:
        self.outer = outer
        self.key = key
        self.value = value
        self.recording = recording
        self.maker = maker

    def links(self) -> "Iterator[Scope]":
        """Yield this link and those around it, from the inside out, without the root."""
        link = self
        while link.outer is not None:
            yield link
            link = link.outer

    def path(self) -> tuple[tuple[str, Any], ...]:
        """Return the entries from the outermost to this one."""
        return tuple([(link.key, link.value) for link in self.links() if link.key][::-1])

    def __repr__(self) -> str:
        return "Scope(" + ", ".join(f"{key}={value!r}" for key, value in self.path()) + ")"


class Name(str):
    """A name that belongs to one object. Two objects may have equal names: compare with `is` to tell them apart."""

    __slots__ = ()


root = Scope(None, "", None, True)
current: ContextVar[Scope] = ContextVar("current", default=root)
plainly: ContextVar[bool] = ContextVar("plainly", default=False)  # whether replayed functions run as they are


def run_plainly(function: Callable[..., Any], args: Iterable[Any], options: Mapping[str, Any]) -> Any:
    """Call a function; replayed ones in it run as they are, so that what they compute is recorded; see replay."""
    token = plainly.set(True)
    try:
        return function(*args, **options)
    finally:
        plainly.reset(token)


class ScopeContext:
    """A context that adds links to the chain; as a decorator it does so whenever the function's body runs.

    Leaving it takes out the links that it added, wherever they are by now: of two generators that hold one each, any
    may end first. It remembers nothing itself, so one object may be nested, used again, and shared by threads.
    """

    __slots__ = ()

    entries: Mapping[str, Any] = {}  # one link for each; the value of the key "" says how ops are recorded

    def __enter__(self) -> Scope:
        here, maker = current.get(), id(self)
        for key, value in self.entries.items():
            here = Scope(here, key, value, here.recording, maker) if key else linked(here, key, value, maker)
        current.set(here)
        return here

    def __exit__(self, *raised: Any) -> None:
        here, maker = current.get(), id(self)
        for _ in self.entries:
            if here.maker != maker:  # something else was added on top, and is still there
                here = without(current.get(), maker, len(self.entries), KeyboardInterrupt in raised)
                break
            here = here.outer  # type: ignore[assignment]  # the root has no maker
        current.set(here)

    def __call__(self, function: F) -> F:
        wrapper: F = held(self, function)
        return wrapper


class Switch(ScopeContext):
    """A context without arguments, so that it decorates a function without parentheses, too."""

    __slots__ = ()

    @overload
    def __new__(cls) -> Self: ...
    @overload
    def __new__(cls, function: F, /) -> F: ...  # type: ignore[misc]  # no instance, then
    def __new__(cls, *function: Any, **options: Any) -> Any:
        """Return a context, or the function that is decorated with one."""
        if options or len(function) > 1 or any(isinstance(each, type) or not callable(each) for each in function):
            got = [*map(repr, function), *[f"{key}={value!r}" for key, value in options.items()]]
            raise TypeError(f"{cls.__name__}: it takes no arguments, got {', '.join(got):.60}")
        context = super().__new__(cls)
        return context(*function) if function else context


class scope(ScopeContext):  # noqa: N801 (reads as the statement it makes)
    """Say where we are: ops inside `with scope(step=3):` carry `step=3`.

    The loop over time in every layer does just this; your own loop gets clusters in its picture the same way.

    >>> import tinygrad_seq as ts
    >>> x = ts.tensor([1.0], requires_grad=True)
    >>> for t in range(2):
    ...     with ts.scope(step=t):
    ...         x = x * 2.0
    >>> x.node.scope
    Scope(step=1)
    """

    __slots__ = ("entries",)

    def __init__(self, *unnamed: Any, **entries: Any) -> None:
        if unnamed:
            raise TypeError(f"scope: entries have names, as in ts.scope(step=3), got {unnamed[0]!r:.60}")
        self.entries = entries


class no_grad(Switch):  # noqa: N801 (reads as the statement it makes)
    """Compute without recording, as a context or as a decorator; each thread has its own switch.

    `@ts.no_grad` decorates as `@ts.no_grad()` does. Decorated generators and async functions do not record while their
    own body runs; their caller is not affected.

    >>> import tinygrad_seq as ts
    >>> w = ts.tensor([1.0], requires_grad=True)
    >>> with ts.no_grad():
    ...     (w * 2.0).requires_grad
    False
    """

    __slots__ = ()

    entries = {"": False}  # noqa: RUF012 (a class of slots has no other place for it)


def linked(outer: Scope, key: str, value: Any, maker: int) -> Scope:
    """Return the chain with one more link. One without a key says how to record; inside `no_grad` it has no effect."""
    recording = outer.recording
    return Scope(outer, key, value, recording if key or recording is False else value, maker)


def without(here: Scope, maker: int, count: int, interrupted: bool) -> Scope:
    """Return the chain without the innermost `count` links of that maker.

    Links inside of them stay, as copies on the rest of the chain. If `interrupted` they go, too: Ctrl-C may have come
    just before their own `with` could take them out.
    """
    link, others = here, []
    while count and link.outer is not None:
        if link.maker == maker:
            count -= 1
        else:
            others.append(link)
        link = link.outer
    if count:
        return here  # entered in another thread
    for other in () if interrupted else reversed(others):
        link = linked(link, other.key, other.value, other.maker)
    return link


def step_of(scope: Scope) -> Scope | None:
    """Return the innermost step around a scope, or None."""
    return next((link for link in scope.links() if link.key == "step"), None)


def place_of(entries: Iterable[tuple[str, Any]]) -> str:
    """Describe in words where in the model and in time a scope's path leads."""
    bare = ("module", "direction")
    words = [str(v) if key in bare else "backward" if key == "grad" else f"{key} {v}" for key, v in entries]
    return ", ".join(words) or "outside all modules"
