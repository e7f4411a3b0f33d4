"""Where in the model and in time we are now.

A scope is one immutable link of a chain: `step=3` inside `module="lstm"` inside the root. Every recorded node keeps
a reference to the scope it was made in; pictures group by it, flow sums by it. Whether ops are recorded at all is a
property of the scope too, so `no_grad` is one more kind of scope and costs an op nothing extra. The current scope
lives in a ContextVar: each thread has its own.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any


class Scope:
    """One link: `key=value` inside `outer`. `recording` says whether ops made here are recorded: a bool, or a watch."""

    __slots__ = ("outer", "key", "value", "recording", "kept")  # kept: set where a backward kept the graph

    def __init__(self, outer: "Scope | None", key: str, value: Any, recording: Any) -> None:
        self.outer = outer
        self.key = key
        self.value = value
        self.recording = recording

    def path(self) -> tuple[tuple[str, Any], ...]:
        """The entries from the outermost to this one."""
        entries = []
        link: Scope | None = self
        while link is not None and link.outer is not None:
            entries.append((link.key, link.value))
            link = link.outer
        return tuple(reversed(entries))

    def __repr__(self) -> str:
        return "Scope(" + ", ".join(f"{key}={value!r}" for key, value in self.path()) + ")"


class Name(str):
    """A name of one object: scopes that carry this very one are about it, and not about another of the same name."""

    __slots__ = ()


root = Scope(None, "", None, True)
current: ContextVar[Scope] = ContextVar("current", default=root)


class scope:  # noqa: N801 (reads as the statement it makes)
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

    __slots__ = ("entries", "token")

    def __init__(self, **entries: Any) -> None:
        self.entries = entries
        self.token: Token[Scope] | None = None

    def __enter__(self) -> Scope:
        here = current.get()
        for key, value in self.entries.items():
            here = Scope(here, key, value, here.recording)
        self.token = current.set(here)
        return here

    def __exit__(self, *_: object) -> None:
        if self.token is not None:
            current.reset(self.token)


@contextmanager
def enter(link: Scope) -> Iterator[Scope]:
    """Go to a scope that exists already, as the backward pass does when it is recorded itself."""
    token = current.set(link)
    try:
        yield link
    finally:
        current.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording, as a context or as a decorator; each thread has its own switch.

    >>> import tinygrad_seq as ts
    >>> w = ts.tensor([1.0], requires_grad=True)
    >>> with ts.no_grad():
    ...     (w * 2.0).requires_grad
    False
    """
    here = current.get()
    with enter(Scope(here, "no_grad", True, False)):
        yield


def step_of(scope: Scope) -> Scope | None:
    """The innermost step around a scope."""
    link: Scope | None = scope
    while link is not None and link.key != "step":
        link = link.outer
    return link


def place_of(entries: Iterable[tuple[str, Any]]) -> str:
    """Where in the model and in time a scope's path leads, in words."""
    bare = ("module", "direction")
    words = [str(v) if key in bare else "backward" if key == "grad" else f"{key} {v}" for key, v in entries]
    return ", ".join(words) or "outside all modules"
