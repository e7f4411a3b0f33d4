"""Hold what a checkpoint keeps of a call in place of its graph, and compare a second call with the first."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple
from weakref import ReferenceType

from tinygrad_seq.engine.backend import device_of, host, modules, on_device_of, to_host
from tinygrad_seq.engine.graph import Node, Value, by_serial
from tinygrad_seq.engine.primitive import part
from tinygrad_seq.engine.scope import Scope

Outputs = dict[Node, Any]  # nodes and their Tensors, oldest first


class Part(NamedTuple):
    """A part of a graph: its nodes, and those that it reads, oldest first."""

    nodes: list[Node]
    read: list[Node]
    mark: int  # a hash of its ops and constants: differs if two parts compute something else


class Again(NamedTuple):
    """What came out of a call that was made again."""

    recorded: bool  # whether the walk through it is
    start: int  # the serial number when it began
    outputs: Outputs


@dataclass(init=False, repr=False, eq=False, slots=True)
class Call:
    """A call of a function that can be made again."""

    function: Callable[[], Any]
    scope: Scope
    before: dict[str, Any]  # the state of the default generator
    after: dict[str, Any]
    outside: list[Node]  # what it reads
    stages: list[list[int]]  # the numbers of its outputs, by segment
    known: list[ReferenceType[Node]]  # what stands for its outputs
    again: Again | None  # what came out the last time, as long as a segment needs it


@dataclass(init=False, repr=False, eq=False, slots=True)
class Segment(Node):
    """What a node needs to go through its part of a call. It is freed with the graph, as all that a node saves."""

    call: Call
    numbers: list[int]  # which outputs of the call are its own
    values: list[Any]  # their arrays
    ends: list[Node]  # what they are made from: nodes outside the call, and those of its other outputs
    others: dict[int, Node]  # the latter, by their numbers
    leaves: list[Any]  # the arrays of those that are leaves
    mark: int


@dataclass(init=False, repr=False, eq=False, slots=True, weakref_slot=True)
class Output(Node):
    """An output of a call, which may be referred to weakly."""


def output_node(node: Node) -> Output:
    """Return a node again as one that may be referred to weakly."""
    found = Output()
    for field in fields(Node):
        if hasattr(node, field.name):
            setattr(found, field.name, getattr(node, field.name))
    return found


def made_since(start: int, result: Any) -> tuple[list[Any], Outputs]:
    """Return the Tensors in a result that were recorded since then, and one for each node."""
    values = [value for value in dict.fromkeys(tensors(result)) if value.requires_grad and not value.is_leaf]
    values = sorted([value for value in values if value.node.serial > start], key=lambda value: value.node.serial)
    return values, {value.node: value for value in values}


def graph_since(start: int, roots: Iterable[Node], ends: Collection[Node] = ()) -> Part:
    """Return the nodes made since then that the roots were made from, back to older ones or `ends`.

    Only nodes that a gradient reaches. Raises RuntimeError for a Tensor that should get a `.grad`.
    """
    inside: dict[Node, None] = dict.fromkeys(roots)
    outside: dict[Node, None] = {}
    beside: list[Node] = []
    stack = list(inside)
    while stack:
        node = stack.pop()
        for parent in node.parents:
            if not parent.requires_grad:
                beside.append(node)
            elif parent.serial < start or parent in ends:
                outside[parent] = None
            elif parent not in inside:
                if parent.owner_ref is not None:
                    raise RuntimeError(
                        "checkpoint: the function makes a leaf that requires a gradient, or calls retain_grad on what "
                        "it does not return: it would be another one when it runs again. Hand it in, or return it"
                    )
                inside[parent] = None
                stack.append(parent)
    nodes = sorted(inside, key=by_serial)
    return Part(nodes, sorted(outside, key=by_serial), mark_of(nodes, sorted(beside, key=by_serial)))


def mark_of(nodes: list[Node], beside: list[Node]) -> int:
    """Return a hash of the ops that were recorded, their static arguments, and the constants saved for their rules."""
    seen: list[Any] = [node.op.name for node in nodes]
    seen += [node.static["index"] for node in nodes if node.op is part.op]  # type: ignore[index]
    seen += [comparable([*node.static.values()]) for node in nodes if node.static and node.op is not part.op]
    seen += [node.saved[0].mark for node in nodes if node.op.name == "checkpoint" and node.saved]
    saved = [(parent, kept) for node in beside for parent, kept in zip(node.parents, node.saved or ())]
    seen += contents([kept for parent, kept in saved if not parent.requires_grad and not isinstance(kept, Node)])
    return hash(tuple(seen))


def contents(arrays: list[Any]) -> Iterator[bytes]:
    """Yield what arrays hold. Those on a device are read in one go for each dtype: every read waits for the device."""
    groups: dict[Any, list[Any]] = {}
    for array in arrays:
        groups.setdefault((device_of(array), array.dtype), []).append(array)
    for (device, _), some in groups.items():
        if device == "cpu":
            yield from [to_host(array).tobytes() for array in some]
        else:
            with on_device_of(some[0]):
                yield to_host(modules[type(some[0])].concatenate([array.reshape(-1) for array in some])).tobytes()


def comparable(static: Any) -> Any:
    """Return static arguments as something that can be hashed."""
    if isinstance(static, tuple | list):
        return tuple([comparable(value) for value in static])
    return to_host(static).tobytes() if type(static) in modules else repr(static)


def leaf_array(node: Node) -> Any:
    """Return the array that a leaf has now; None for what is no leaf."""
    return None if node.op is not None or node.owner is None else node.owner.array


def alike(now: Any, before: Any) -> bool:
    """Return whether two arrays are the same, but for rounding."""
    if now.shape != before.shape or now.dtype != before.dtype:
        return False
    xp, rounding = modules[type(before)], float(host.finfo(now.dtype).eps) ** 0.5
    with on_device_of(before):
        largest = xp.where(xp.isfinite(before), abs(before), 0.0).max() if before.size else 0.0
        return bool(xp.allclose(now, before, rounding, rounding * float(largest), equal_nan=True))


def tensors(result: Any) -> Iterator[Any]:
    """Yield the Tensors in nested tuples, lists and dicts."""
    if isinstance(result, Value):
        yield result
    elif isinstance(result, list | tuple | dict):
        for item in result.values() if isinstance(result, dict) else result:
            yield from tensors(item)
