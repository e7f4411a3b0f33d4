"""NaN and inf, found where they start.

A network computes on with a NaN; it is seen at the loss, long after. Inside `detect_anomaly` every op's result is
looked at as it is made, and every rule's gradient on the way back. The first value that is not finite ("bad" below) is
an error that says where in the model and in time it arose.

It costs nothing outside: an op asks its scope whether to record, which it has to anyway. Inside, the answer is a
`Watch`, which counts as no; an op that does not record asks why not, and so the watch gets to make the op.
"""

import linecache
import sys
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from tinygrad_seq.engine.backend import host, modules, on_device_of
from tinygrad_seq.engine.graph import Node, Value, ancestors
from tinygrad_seq.engine.scope import Scope, Switch, current, linked, place_of, step_of
from tinygrad_seq.engine.walk import Observer, Use

package = Path(__file__).parents[1]
making: ContextVar[bool] = ContextVar("making", default=False)  # whether a watch is making an op
waiting: ContextVar["BadValue | None"] = ContextVar("waiting", default=None)

# ---------------------------------------------------------------------------------------------------------- bad values


def bad(array: Any) -> bool:
    """Return whether an array holds a NaN or an inf."""
    with on_device_of(array):
        return array.dtype.kind == "f" and not bool(modules[type(array)].isfinite(array).all())


def first_bad(array: Any) -> str:
    """Return the first bad element of an array, and where it is, in words."""
    with on_device_of(array):
        flat = array.reshape(-1)
        first = int((~modules[type(array)].isfinite(flat)).argmax())
    index = [int(i) for i in host.unravel_index(first, array.shape)]
    return f"{float(flat[first])}" + (f" at {index} of {array.shape}" if array.shape else "")


def largest(array: Any) -> float:
    """Return the largest absolute value: inf for a bad array, -1 for one that was not kept, is empty or holds ints."""
    if array is None or array.dtype.kind != "f" or not array.size:
        return -1.0
    with on_device_of(array):
        return host.inf if bad(array) else float(abs(array).max())


class Trail(dict[Node, int]):
    """Hold nodes with their numbers along a path, as `ts.draw(..., show=...)` takes them."""

    label = "the way to the first NaN or inf"  # what a picture calls the numbers
    ordered = True
    end = ": first NaN or inf"  # what a picture says of the last one


def trail_to(node: Node) -> Trail:
    """Return the nodes that led to this one, numbered from 1: before each, the argument with the largest values."""
    path = [node]
    while node.saved:
        kept = [
            (largest(parent.output if isinstance(array, Node) else array), parent.serial, parent)
            for parent, array in zip(node.parents, node.saved)
        ]
        node = max(kept)[2]
        path.append(node)
    return Trail((node, number) for number, node in enumerate(reversed(path), 1))


def bad_array(gradient: Any) -> Any:
    """Return the first bad array in a gradient, or None. A Tensor was looked at when its op made it."""
    arrays = gradient if isinstance(gradient, list) else [gradient]
    return next((g for g in arrays if g is not None and not isinstance(g, Value) and bad(g)), None)


# -------------------------------------------------------------------------------------------------------------- places


def source_line() -> str:
    """Return the line that made an op, as "file:number": a layer's own line, or else the user's."""
    frame = sys._getframe(2)
    while frame.f_back is not None and is_machinery(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


@cache
def is_machinery(file: str) -> bool:
    """Return whether a file belongs to this package, but not to its layers."""
    return package in Path(file).parents and package / "nn" not in Path(file).parents


def quoted(line: str) -> str:
    """Return "file:number" with the text of that line."""
    file, _, number = line.rpartition(":")
    text = linecache.getline(file, int(number)).strip()
    return f"{line}: {text}" if text else line


def place(scope: Scope, name: str | None) -> str:
    """Return a scope and the name of a value, in words."""
    return place_of(scope.path()) + ("" if name is None else f", {name}")


def links(scope: Scope | None) -> Iterator[Scope]:
    """Yield a scope and those around it, from the inside out."""
    while scope is not None:
        yield scope
        scope = scope.outer


def watch_around(scope: Scope, maker: int | None = None) -> "Watch | None":
    """Return the innermost watch around a scope: of any `with`, or of the one with this id."""
    watches = (link for link in links(scope) if isinstance(link.value, Watch))
    return next((link.value for link in watches if maker in (None, link.maker)), None)


# ----------------------------------------------------------------------------------------------------------- the watch


class AnomalyError(RuntimeError):
    """Say where the first bad value arose.

    `node` is that place (None: an op that was not recorded); `path` numbers the nodes that led there, from 1; `output`
    is the Tensor to draw the path of: the bad one that a forward made, or what a backward started from.
    """

    def __init__(self, what: str, output: Value, node: Node | None) -> None:
        super().__init__(f"detect_anomaly: {what}")
        self.output, self.node, self.path = output, node, Trail() if node is None else trail_to(node)


class BadValue:
    """Hold a bad value until its step is over: the gate that it belongs to gets its name only after it was made."""

    def __init__(self, what: str, scope: Scope, value: Value) -> None:
        self.what, self.scope, self.value = what, scope, value
        self.readers: list[Node] = []  # later ops, here or around, on bad values: one may get a name

    def name(self) -> str | None:
        """Return the name that the value or one of its readers was given, or None."""
        nodes = (self.value.node, *self.readers)
        return next((node.name for node in nodes if node is not None and node.name is not None), None)

    def error(self) -> AnomalyError:
        """Return the error for it."""
        return AnomalyError(f"{place(self.scope, self.name())}: {self.what}", self.value, self.value.node)


class Watch:
    """Look at every op and every rule. In several threads, each has its own value that waits."""

    def __init__(self, warnings: Any) -> None:
        self.warnings = warnings  # NumPy's settings, to be restored at the end
        self.found: list[BadValue] = []  # all that wait, in any thread
        self.over = False  # whether the `with` was left; a thread may still be at work

    def __bool__(self) -> bool:
        """Return whether ops record: only the one that this watch is making."""
        return making.get()

    def __call__(self, here: Scope, call: Any, args: tuple[Any, ...], static: dict[str, Any]) -> Any:
        """Apply an op and look at its results."""
        first = self.settle(here)
        making.set(True)
        try:
            result = call(*args, **static)
        finally:
            making.set(False)
        values = result if isinstance(result, list) else [result]
        line, nodes = source_line(), [value.node for value in values if value.node is not None]
        joint = nodes[0].parents if nodes and isinstance(result, list) else ()
        for node in (*nodes, *joint):
            node.line = line
        read = [i for i, x in enumerate(args) if isinstance(x, Value) and bad(x.array)]
        value = next((value for value in values if bad(value.array)), None)
        if first is not None:
            if read and here in links(first.scope):
                first.readers += nodes
        elif value is not None:
            what = f"{call.__name__} gave {first_bad(value.array)}, at {quoted(line)}"
            if read:  # a bad value that no op made
                x = args[read[0]]
                name = "" if x.node is None or x.node.name is None else f", {x.node.name},"
                what += f"; its argument {read[0]}{name} of shape {x.array.shape} came in with {first_bad(x.array)}"
            self.found.append(BadValue(what, here, value))
            waiting.set(self.found[-1])
        if self.over or step_of(here) is None or here.key == "grad":  # nothing is named there
            self.settle(None)
        return result

    def settle(self, here: Scope | None) -> BadValue | None:
        """Raise the value that waits if it has a name by now, or its step is over; return it if it must wait on.

        `here` is the scope of the next op; None ends every step.
        """
        first = waiting.get()
        if first is None or first not in self.found:  # another thread raised it
            return None
        if here is None or first.name() is not None or step_of(here) is not step_of(first.scope):
            self.found.remove(first)
            waiting.set(None)
            raise first.error()
        return first

    def backward(self, outputs: Sequence[Value]) -> Observer:
        """Refuse a loss that is not finite; return the function that looks at what each rule gives."""
        self.settle(None)
        for output in outputs:
            if bad(output.array):
                raise AnomalyError(f"backward: the loss is {first_bad(output.array)}", output, output.node)

        def look(uses: list[Use], parent: Node, contribution: Any) -> None:
            if (g := bad_array(contribution)) is not None:
                node = uses[0][0]
                at = "" if node.line is None else f", made at {quoted(node.line)}"
                into = parent.name or (parent.op.name if parent.op is not None else "a leaf")
                what = f"the rule of {node.op.name} gave {into} {first_bad(g)}{at}"
                given = next((g for _, each in uses if (g := bad_array(each)) is not None), None)
                if given is not None:  # a gradient to start from, or one that a hook returned
                    what += f"; the gradient of its output came in with {first_bad(given)}"
                start = next(x for x in outputs if x.node is not None and node in ancestors([x.node]))
                raise AnomalyError(f"backward: {place(node.scope, node.name)}: {what}", start, node)

        return look


class detect_anomaly(Switch):  # noqa: N801 (reads as the statement it makes)
    """Raise a RuntimeError at the first NaN or inf inside this context, and say where it arose; outside it flows on.

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

    entries = {"": None}  # noqa: RUF012 (one link, which `__enter__` makes; a class of slots has no other place for it)

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
            raise found[0].error() from error  # the bad value may have led to the other error
