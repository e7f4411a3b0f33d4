"""The recorded graph: nodes, and functions that go through them. Structure only: no arithmetic happens here.

    x ──┐                 a Tensor (a Value) is a handle: an array, and the Node that made it
        ├─▶ Node(multiply) ──▶ Node(sum)
    w ──┘
Parents point back, never forward, so a graph that nobody holds is freed at once by reference count.
A node is made after its parents: creation order (`serial`) is a topological order, and every walk is
"collect, sort by serial, go", with no recursion at any depth.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from operator import attrgetter
from typing import Any
from weakref import ReferenceType, ref

from tinygrad_seq.engine.backend import Array, host, modules
from tinygrad_seq.engine.scope import Scope, current

new_serial = count().__next__
by_serial = attrgetter("serial")


@dataclass(init=False, repr=False, eq=False, slots=True)  # only the slots: fields are named once, nodes made fast
class Node:
    """One recorded application of an op, or (op None) a leaf: a parameter, an input or a constant."""

    op: Any  # the Primitive, None for a leaf
    parents: tuple["Node", ...]  # of the arguments, in argument order
    static: dict[str, Any] | None  # keyword arguments that are not arrays
    output: Any  # its array, where a rule reads it or `.named` wants it kept, else None
    saved: tuple[Any, ...] | None  # arguments as the rules need them: arrays, or Nodes for their shape; None once freed
    shape: tuple[int, ...]  # of the output
    dtype: Any  # of the output
    requires_grad: bool
    scope: Scope  # where in the model and in time it was made
    serial: int  # creation order
    name: str | None  # what `.named` called it
    owner_ref: "ReferenceType[Value] | None"  # to the Tensor that receives `.grad`
    hooks: dict[object, Callable[[Any], Any]] | None  # what `register_hook` added, by a key for each time
    line: str | None  # "file:line" that made it, when asked for
    reached: bool  # True, set where a backward delivered its gradient, or began with the gradient 1

    @property
    def owner(self) -> Any:
        """Return the Tensor that receives `.grad`, or None if there is none or it is gone."""
        return None if self.owner_ref is None else self.owner_ref()

    def __repr__(self) -> str:
        what = self.op.name if self.op is not None else "leaf"
        label = "" if self.name is None else f" {self.name!r}"
        return f"<Node {what}{label} {self.shape} {self.scope!r}>"


@dataclass(init=False, repr=False, eq=False, slots=True)
class Detached(Node):
    """A detached constant. It stores where it came from as numbers, for pictures, and keeps nothing of that alive."""

    origin: tuple[int, ...]  # serial numbers: of the node that it was, and of that node's parents


@dataclass(init=False, repr=False, eq=False, slots=True)
class Frozen(Node):
    """The constant that a frozen leaf is. It keeps the node where gradients arrive: a leaf has one for all its life."""

    learning: Node


@dataclass(init=False, repr=False, eq=False, slots=True, weakref_slot=True)
class Value:
    """An array and the node that made it: the bare base of Tensor, so that files below tensor.py can hold one."""

    array: Array
    node: Node | None
    stored_grad: Any
    read: bool  # of a gradient: somebody asked for it, as a step by hand does
    used: str  # of a gradient: which call made a step with it, "step" or "assign"
    stale: str  # of a gradient: the same, of an older one that it was added to


def leaf(value: Value, requires_grad: bool, kind: type[Node] = Node) -> Node:
    """Give a value a node of its own, and return it: where gradients arrive, or a constant that pictures show."""
    node = kind()
    array = value.array
    number = not any(array.strides) and array.size and modules[type(array)] is host  # one, or one repeated by broadcast
    node.static = {"value": array.item(0)} if number else None  # a picture shows a number as the number
    node.op = node.output = node.name = node.owner_ref = node.hooks = node.line = None
    node.parents = node.saved = ()
    node.shape = array.shape
    node.dtype = array.dtype
    node.requires_grad = requires_grad
    node.scope = current.get()
    node.serial = new_serial()
    if requires_grad:
        node.owner_ref = ref(value)
    value.node = node
    return node


def constant_after(value: Value, array: Array) -> Node:
    """Return the node of a leaf that is a constant of this array from now on. The caller assigns it."""
    twin, before = Value(), value.node
    twin.array = array
    learning = before if before is not None and before.requires_grad else getattr(before, "learning", None)
    node: Any = leaf(twin, False, Node if learning is None else Frozen)
    if learning is not None:
        node.learning = learning
    node.name = None if before is None else before.name
    return node  # type: ignore[no-any-return]


def learning_after(value: Value) -> Node:
    """Return the node of a leaf that learns from now on: the one it had before it was frozen, if there was one."""
    before = value.node
    if isinstance(before, Frozen):
        node = before.learning
        node.name, node.dtype = before.name, value.array.dtype
    else:
        node = constant_after(value, value.array)
        node.requires_grad, node.owner_ref = True, ref(value)
    return node


def mark_detached(value: Value, node: Node) -> None:
    """Give a value without history a node that says where it came from: from this node, or from its origin."""
    constant: Any = leaf(value, False, Detached)
    serials = (node.serial, *(parent.serial for parent in node.parents))
    constant.origin = node.origin if isinstance(node, Detached) else serials
    constant.name = node.name


def ancestors(roots: Iterable[Node], *, constants: bool = True) -> list[Node]:
    """Return every node that the roots were made from, and the roots, in the order of their creation.

    Without `constants`, only the nodes that a gradient can reach.
    """
    found = list(dict.fromkeys(roots))
    seen = set(found)
    for node in found:  # the list grows while it is read
        for parent in node.parents:
            if parent not in seen and (constants or parent.requires_grad):
                seen.add(parent)
                found.append(parent)
    found.sort(key=by_serial)
    return found


def between(nodes: list[Node], sources: Iterable[Node]) -> list[Node]:
    """Return those of some nodes, in order of creation, that are sources or were made from one."""
    reached = set(sources)
    for node in nodes:
        if node not in reached and not reached.isdisjoint(node.parents):
            reached.add(node)
    return [node for node in nodes if node in reached]
