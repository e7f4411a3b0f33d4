"""NaN and inf, found where they start.

Most of a network works on happily with a NaN; it shows at the loss, long after. Inside `detect_anomaly` every op is
looked at as it is made, and every rule's gradient on the way back, and the first that is not finite is an exception
that says where in the model and in time it arose.

How it costs nothing outside: an op asks its scope whether to record, which it has to anyway. Here the answer is a
`Watch`, which counts as no, and whoever is not recording looks why not.
"""

import linecache
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from tinygrad_seq.engine.backend import host, modules
from tinygrad_seq.engine.backprop import Observer, Use
from tinygrad_seq.engine.graph import Node, Value, ancestors
from tinygrad_seq.engine.scope import Scope, ScopeContext, current, linked, place_of, step_of

package = Path(__file__).parents[1]


making: ContextVar[bool] = ContextVar("making", default=False)  # is an op being made under the eyes of a watch?
waiting: ContextVar["Found | None"] = ContextVar("waiting", default=None)


class AnomalyError(RuntimeError):
    """`node` is where it arose (None: an op that was not recorded), `path` numbers the nodes that led there, from 1.

    `output` is the Tensor to draw the path of: the bad one that a forward made, or what a backward started from.
    """

    def __init__(self, message: str, node: Node | None, output: Value) -> None:
        super().__init__(message)
        self.node, self.output, self.path = node, output, Trail() if node is None else path_to(node)


class Found:
    """A bad value that waits, as long as its step lasts, for a name to be given."""

    def __init__(self, what: str, scope: Scope, value: Value) -> None:
        self.what, self.scope, self.value = what, scope, value
        self.readers: list[Node] = []  # ops that read a bad value since then: one of them may be named after its gate

    def name(self) -> str | None:
        nodes = (self.value.node, *self.readers)
        return next((node.name for node in nodes if node is not None and node.name is not None), None)

    def error(self) -> AnomalyError:
        where = ", ".join(filter(None, (place_of(self.scope.path()), self.name())))
        return AnomalyError(f"detect_anomaly: {where}: {self.what}", self.value.node, self.value)


class Watch:
    """Sees every op and every rule; in several threads at once, too, each with its own value that waits."""

    def __init__(self, warnings: Any) -> None:
        self.warnings = warnings  # what NumPy is to do of bad values afterwards
        self.found: list[Found] = []  # what waits, in any thread
        self.over = False

    def __bool__(self) -> bool:
        """Whether to record as anywhere else: only what is being made and looked at."""
        return making.get()

    def __call__(self, here: Scope, call: Any, args: tuple[Any, ...], static: dict[str, Any]) -> Any:
        """Make an op and look at it."""
        first = self.settle(here)
        making.set(True)
        try:
            result = call(*args, **static)
        finally:
            making.set(False)
        values = result if isinstance(result, list) else [result]
        line, nodes = source_line(), [value.node for value in values if value.node is not None]
        joint = nodes[0].parents if nodes and isinstance(result, list) else ()  # none of what has no history
        for node in (*nodes, *joint):
            node.line = line
        read = [i for i, x in enumerate(args) if isinstance(x, Value) and bad(x.array)]
        if first is not None and read and is_around(here, first.scope):
            first.readers += nodes
        for value in values if first is None else ():
            if bad(value.array):
                what = f"{call.__name__} gave {element(value.array)}, at {quoted(line)}"
                if read:  # which no op made
                    x = args[read[0]]
                    name = "" if x.node is None or x.node.name is None else f", {x.node.name},"
                    what += f"; its argument {read[0]}{name} of shape {x.array.shape} came in with {element(x.array)}"
                found = Found(what, here, value)
                self.found.append(found)
                waiting.set(found)
                break
        if self.over or step_of(here) is None or here.key == "grad":  # where nobody gives names
            self.settle(None)
        return result

    def settle(self, here: Scope | None) -> Found | None:
        """Raise what was found once it has a name or its step is over; what goes on waiting."""
        first = waiting.get()
        if first is None or first not in self.found:  # told by another
            return None
        if here is None or first.name() is not None or step_of(here) is not step_of(first.scope):
            self.found.remove(first)
            waiting.set(None)
            raise first.error()
        return first

    def backward(self, outputs: Sequence[Value]) -> Observer:
        """Refuse a loss that is not finite; what listens to the walk."""
        self.settle(None)
        for output in outputs:
            if bad(output.array):
                what = f"detect_anomaly: backward: the loss is {element(output.array)}"
                raise AnomalyError(what, output.node, output)

        def hear(uses: list[Use], parent: Node, contribution: Any) -> None:
            for g in contribution if isinstance(contribution, list) else [contribution]:
                if not isinstance(g, Value) and bad(g):  # what is recorded is looked at as it is made
                    node = uses[0][0]
                    where = place_of(node.scope.path()) + ("" if node.name is None else f", {node.name}")
                    at = "" if node.line is None else f", made at {quoted(node.line)}"
                    into = parent.name or (parent.op.name if parent.op is not None else "a leaf")
                    what = f"the rule of {node.op.name} gave {into} {element(g)}{at}"
                    start = next(x for x in outputs if x.node is not None and node in ancestors([x.node]))
                    raise AnomalyError(f"detect_anomaly: backward: {where}: {what}", node, start)

        return hear


class detect_anomaly(ScopeContext):  # noqa: N801 (reads as the statement it makes)
    """Inside this context the first NaN or inf is a RuntimeError that says where it arose; outside it flows on.

    Forward first: every op that is made, then, in `backward` and `grad`, the loss and what every rule gives. The
    message names layer, direction, step, gate, op and source line, and the error's `path`, a mapping from node to
    number, leads to the first bad node: `ts.draw(error.output, show=error.path)`. Nothing under `no_grad` is looked at.
    A deliberate -inf counts, too: mask with a large negative number. An op in here takes about nine times as long;
    outside, nothing is asked. Each thread has its own; one that is given a copy of the context
    (`asyncio.to_thread`) is watched, too.

    >>> import tinygrad_seq as ts
    >>> x = ts.tensor([0.0, 1.0], requires_grad=True).named("x")
    >>> with ts.detect_anomaly():
    ...     (x / x).sum().backward()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_seq.checks.anomaly.AnomalyError: detect_anomaly: outside all modules: divide gave nan at [0] ...
    """

    __slots__ = ()

    entries = {"": None}  # noqa: RUF012 (a class of slots has no other place for it)

    def __enter__(self) -> Scope:
        here = current.get()
        warnings = host.seterr(all="ignore")
        outer = watch_around(here)
        here = linked(here, "", Watch(warnings if outer is None else outer.warnings), id(self))
        current.set(here)
        return here

    def __exit__(self, *raised: Any) -> None:
        _, error, _ = raised
        watch = watch_around(current.get(), id(self))
        super().__exit__(*raised)
        if watch is None:  # entered in another thread
            return
        if watch_around(current.get()) is None:
            host.seterr(**watch.warnings)
        found, watch.found, watch.over = watch.found, [], True
        if waiting.get() in found:
            waiting.set(None)
        if found and (error is None or (isinstance(error, Exception) and not isinstance(error, AnomalyError))):
            raise found[0].error() from error  # the bad value may be what the other error stumbled over


def watch_around(scope: Scope, maker: int | None = None) -> Watch | None:
    """The innermost watch around a scope, or the innermost one that this `with` made."""
    link: Scope | None = scope
    while link is not None and not (isinstance(link.value, Watch) and maker in (None, link.maker)):
        link = link.outer
    return None if link is None else link.value


def bad(array: Any) -> bool:
    """Does it hold a NaN or an inf?"""
    return array.dtype.kind == "f" and not bool(modules[type(array)].isfinite(array).all())


def element(array: Any) -> str:
    """The first bad value, and where in the array."""
    flat = array.reshape(-1)
    first = int((~modules[type(array)].isfinite(flat)).argmax())
    index = [int(i) for i in host.unravel_index(first, array.shape)]
    return f"{float(flat[first])}" + (f" at {index} of {array.shape}" if array.shape else "")


def is_around(scope: Scope, inner: Scope) -> bool:
    """Is the second scope the first, or inside it?"""
    link: Scope | None = inner
    while link is not None and link is not scope:
        link = link.outer
    return link is scope


def source_line() -> str:
    """The line that made an op, as "file:number": the layer's own, where a layer did."""
    frame = sys._getframe(2)
    while frame.f_back is not None and is_engine(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


@cache
def is_engine(file: str) -> bool:
    """Is this a file of the package that says nothing of a model?"""
    return package in Path(file).parents and package / "nn" not in Path(file).parents


def quoted(line: str) -> str:
    """A source line with its text."""
    file, _, number = line.rpartition(":")
    text = linecache.getline(file, int(number)).strip()
    return f"{line}: {text}" if text else line


class Trail(dict[Node, int]):
    """Nodes with their numbers along a path, as `ts.draw(..., show=...)` takes them."""

    label = "path"  # what a picture calls the numbers


def path_to(node: Node) -> Trail:
    """The nodes that led to this one, numbered from 1: always the argument with the largest value that is known."""
    path = [node]
    while node.saved:
        kept = [
            (size_of(parent.output if array is parent else array), parent.serial, parent)
            for parent, array in zip(node.parents, node.saved)
        ]
        node = max(kept)[2]
        path.append(node)
    return Trail((node, number) for number, node in enumerate(reversed(path), 1))


def size_of(array: Any) -> float:
    """The largest absolute value; a NaN is larger than all, an array that was not kept smaller."""
    if array is None or array.dtype.kind != "f" or not array.size:
        return -1.0
    return host.inf if bad(array) else float(abs(array).max())
