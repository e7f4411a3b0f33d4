"""The recorded graph: nodes, and the ways to go through them. Structure only: no arithmetic happens here.

    x ──┐                 a Tensor (a Value) is a handle: an array, and the Node that made it
        ├─▶ Node(multiply) ──▶ Node(sum)
    w ──┘
parents point back, never forward, so a graph that nobody holds dies at once by reference count.
A node is made after its parents: creation order (`serial`) is a topological order, and every walk is
"collect, sort by serial, go", with no recursion at any depth.
"""

from collections.abc import Callable, Iterable
from itertools import count
from operator import attrgetter
from typing import Any
from weakref import ReferenceType, ref

from tinygrad_seq.engine.backend import Array, host, modules
from tinygrad_seq.engine.scope import Scope, current

new_serial = count().__next__
by_serial = attrgetter("serial")


class Node:
    """One recorded application of an op, or (op None) a leaf: a parameter, an input or a constant."""

    __slots__ = (
        "op",  # the Primitive, None for a leaf
        "parents",  # Nodes of the arguments, in argument order
        "static",  # keyword arguments that are not arrays, or None
        "output",  # its array, where a rule reads it or `.named` wants it kept, else None
        "saved",  # the arguments as the rules need them: arrays, or Nodes where a shape is enough; None once freed
        "shape",  # of the output
        "dtype",  # of the output
        "requires_grad",
        "scope",  # where in the model and in time it was made
        "serial",  # creation order
        "name",  # what `.named` called it
        "owner",  # weak reference to the Tensor that receives `.grad`, or None
        "hooks",  # what `register_hook` added, or None
        "line",  # "file:line" that made it, when asked for
        "reached",  # set, to True, where a backward delivered its gradient
    )

    op: Any
    parents: tuple["Node", ...]
    static: dict[str, Any] | None
    output: Any
    saved: tuple[Any, ...] | None
    shape: tuple[int, ...]
    dtype: Any
    requires_grad: bool
    scope: Scope
    serial: int
    name: str | None
    owner: "ReferenceType[Value] | None"
    hooks: list[Callable[[Any], Any]] | None
    line: str | None
    reached: bool

    def __repr__(self) -> str:
        what = self.op.name if self.op is not None else "leaf"
        label = "" if self.name is None else f" {self.name!r}"
        return f"<Node {what}{label} {self.shape} {self.scope!r}>"


class Cut(Node):
    """A constant that went on without its history: it keeps none of that alive, only numbers that pictures ask for."""

    __slots__ = ("origin",)  # serial numbers: of the node that it was, and of that one's parents

    origin: tuple[int, ...]


class Value:
    """An array and the node that made it: the bare base of Tensor, so that floors below it can hold one."""

    __slots__ = ("array", "node", "stored_grad", "__weakref__")

    array: Array
    node: Node | None
    stored_grad: Any


def leaf(value: Value, requires_grad: bool, kind: type[Node] = Node) -> Node:
    """Give a value a node of its own: where gradients arrive, or a constant that pictures show."""
    node = kind()
    constant = not value.array.shape and modules[type(value.array)] is host
    node.static = {"value": value.array.item()} if constant else None  # a picture shows a number as the number
    node.op = node.output = node.name = node.owner = node.hooks = node.line = None
    node.parents = node.saved = ()
    node.shape = value.array.shape
    node.dtype = value.array.dtype
    node.requires_grad = requires_grad
    node.scope = current.get()
    node.serial = new_serial()
    if requires_grad:
        node.owner = ref(value)
    value.node = node
    return node


def leaf_after(value: Value, array: Array, requires_grad: bool) -> Node:
    """The node of a leaf once it has that array and setting: name and hooks go along. It is the caller's to assign."""
    twin, before = Value(), value.node
    twin.array = array
    node = leaf(twin, False)
    if before is not None:
        node.name, node.hooks = before.name, before.hooks
    if requires_grad:
        node.requires_grad, node.owner = True, ref(value)
    return node


def cut(value: Value, node: Node) -> None:
    """Note what a value without history was: the result of that node, or what that was cut from."""
    constant: Any = leaf(value, False, Cut)
    serials = (node.serial, *(parent.serial for parent in node.parents))
    constant.origin = node.origin if isinstance(node, Cut) else serials
    constant.name = node.name


def ancestors(roots: Iterable[Node], *, constants: bool = True) -> list[Node]:
    """Every node that the roots were made from, the roots included, in the order of their creation.

    Without `constants`, only the nodes that a gradient can reach.
    """
    found = list(dict.fromkeys(roots))
    seen = set(found)
    for node in found:  # which grows on the way
        for parent in node.parents:
            if parent not in seen and (constants or parent.requires_grad):
                seen.add(parent)
                found.append(parent)
    found.sort(key=by_serial)
    return found


def between(nodes: list[Node], sources: Iterable[Node]) -> list[Node]:
    """Of nodes in order of creation, those that were made from one of the sources (which count themselves)."""
    reached = set(sources)
    for node in nodes:
        if node not in reached and not reached.isdisjoint(node.parents):
            reached.add(node)
    return [node for node in nodes if node in reached]
