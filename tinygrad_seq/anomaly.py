"""NaN and inf, found where they start.

Most of a network works on happily with a NaN; it shows at the loss, long after. Inside `detect_anomaly` every op is
looked at as it is made, and every rule's gradient on the way back, and the first that is not finite is an exception
that says where in the model and in time it arose.

How it costs nothing outside: an op asks its scope whether to record, which it has to anyway. Here the answer is a
`Watch`, which counts as no, and whoever is not recording looks why not.
"""

import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tinygrad_seq.backend import host, modules, quiet
from tinygrad_seq.backprop import Observer, Use
from tinygrad_seq.graph import Node, Value
from tinygrad_seq.scope import Scope, current, enter, place_of, step_of

package = Path(__file__).parent


class AnomalyError(RuntimeError):
    """`node` is where it arose (None: an op that was not recorded), `path` numbers the nodes that led there, from 1.

    `output` is the bad Tensor that a forward made, to draw the path of: nothing after it exists.
    """

    def __init__(self, message: str, node: Node | None, output: Value | None = None) -> None:
        super().__init__(message)
        self.node, self.output, self.path = node, output, Trail() if node is None else path_to(node)


class Watch:
    """Sees every op and every rule. The first bad value waits, as long as its step lasts, for a name to be given."""

    def __init__(self) -> None:
        self.first: tuple[str, Scope, Value] | None = None  # what was found, where
        self.readers: list[Node] = []  # ops that read a bad value since then: one of them may be named after its gate

    def __bool__(self) -> bool:
        return False

    def __call__(self, here: Scope, call: Any, args: tuple[Any, ...], static: dict[str, Any]) -> Any:
        """Make an op and look at it."""
        self.settle(here)
        here.recording = True
        try:
            result = call(*args, **static)
        finally:
            here.recording = self
        values = result if isinstance(result, list) else [result]
        line, nodes = source_line(), [value.node for value in values if value.node is not None]
        for node in nodes + [node.parents[0] for node in nodes if isinstance(result, list)]:
            node.line = line
        read = [i for i, x in enumerate(args) if isinstance(x, Value) and bad(x.array)]
        if self.first is not None and read and is_around(here, self.first[1]):
            self.readers += nodes
        for value in values if self.first is None else ():
            if bad(value.array):
                what = f"{call.__name__} gave {element(value.array)}, at {quoted(line)}"
                if read:  # which no op made
                    x = args[read[0]]
                    name = "" if x.node is None or x.node.name is None else f", {x.node.name},"
                    what += f"; its argument {read[0]}{name} of shape {x.array.shape} came in with {element(x.array)}"
                self.first = what, here, value
                break
        if step_of(here) is None or here.key == "grad":  # where nobody gives names
            self.settle(None)
        return result

    def settle(self, here: Scope | None) -> None:
        """Raise what was found, once it has a name or its step is over."""
        if self.first is not None:
            what, scope, value = self.first
            named = [n.name for n in (value.node, *self.readers) if n is not None and n.name is not None]
            if named or here is None or step_of(here) is not step_of(scope):
                self.first, self.readers = None, []
                gate = f", {named[0]}" if named else ""
                raise AnomalyError(f"detect_anomaly: {place_of(scope.path())}{gate}: {what}", value.node, value)

    def backward(self, outputs: Any) -> Observer:
        """Refuse a loss that is not finite; what listens to the walk."""
        self.settle(None)
        for output in outputs:
            if bad(output.array):
                raise AnomalyError(f"detect_anomaly: backward: the loss is {element(output.array)}", output.node)

        def hear(uses: list[Use], parent: Node, contribution: Any) -> None:
            for g in contribution if isinstance(contribution, list) else [contribution]:
                if not isinstance(g, Value) and bad(g):  # what is recorded is looked at as it is made
                    node = uses[0][0]
                    where = place_of(node.scope.path()) + ("" if node.name is None else f", {node.name}")
                    at = "" if node.line is None else f", made at {quoted(node.line)}"
                    into = parent.name or (parent.op.name if parent.op is not None else "a leaf")
                    what = f"the rule of {node.op.name} gave {into} {element(g)}{at}"
                    raise AnomalyError(f"detect_anomaly: backward: {where}: {what}", node)

        return hear


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Inside this context the first NaN or inf is a RuntimeError that says where it arose; outside it flows on.

    Forward first: every op that is made, then, in `backward` and `grad`, the loss and what every rule gives. The
    message names layer, direction, step, gate, op and source line, and the error's `path`, a mapping from node to
    number, leads to the first bad node: `ts.draw(error.output, show=error.path)`. Nothing under `no_grad` is looked at.
    A deliberate -inf counts, too: mask with a large negative number. An op in here takes about nine times as long;
    outside, nothing is asked. Each thread has its own.

    >>> import tinygrad_seq as ts
    >>> x = ts.tensor([0.0, 1.0], requires_grad=True).named("x")
    >>> with ts.detect_anomaly():
    ...     (x / x).sum().backward()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_seq.anomaly.AnomalyError: detect_anomaly: outside all modules: divide gave nan at [0] of (2,), at ...
    """
    watch, here = Watch(), current.get()
    with quiet(all="ignore"), enter(Scope(here.outer, here.key, here.value, watch)):
        try:
            yield
        except AnomalyError:
            raise
        except Exception as error:  # the bad value may be what it stumbled over
            try:
                watch.settle(None)
            except AnomalyError as anomaly:
                raise anomaly from error
            raise
        watch.settle(None)


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
