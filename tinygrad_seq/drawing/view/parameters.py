"""Find the nodes that are just a parameter to the reader of a picture: the parameter itself, and what is made from
parameters alone before the steps begin (a weight transposed once per call, the sum of two biases), or anew in each step
(transposed again and again). Pictures show these as a small proxy beside every use: one weight node with an edge to
every step is unreadable, and hangs Graphviz.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from tinygrad_seq.drawing.view.conventions import preparing, rearranging, remade
from tinygrad_seq.engine.graph import Node, Value
from tinygrad_seq.nn.module import Parameter

Sources = dict[Node, tuple[Node, ...]]


def grad_of(node: Node) -> Any:
    """Return the `.grad` of the Tensor that a node stands for, or None."""
    return getattr(node.owner, "stored_grad", None)


def delivered_to_nobody(node: Node) -> bool:
    """Tell whether a backward reached a leaf whose Tensor is gone, and `.grad` with it."""
    return node.op is None and getattr(node, "reached", False) and node.owner is None


def began(outputs: Sequence[Value]) -> bool:
    """Tell whether a backward began at each of these outputs, with the gradient 1."""
    return all(getattr(output.node, "reached", False) for output in outputs)


def is_parameter(node: Node) -> bool:
    """Tell whether a Parameter stands for this leaf. Where the Parameter is gone, a name is the sign of one."""
    if node.op is not None or not node.requires_grad:
        return False
    owner = node.owner
    return node.name is not None if owner is None else isinstance(owner, Parameter)


def made_of_parameters(nodes: Sequence[Node], roots: Set[Node] = frozenset()) -> Sources:
    """Return the parameters that each node is made of: of every parameter itself, and of what is prepared of parameters
    alone. Ops in `roots`, and what is made of these, are left out.
    """
    made: Sources = {}
    for node in nodes:
        if node.op is None and node.requires_grad:
            made[node] = (node,)
        elif node.op is not None and node.op.name in preparing and node not in roots and made.keys() >= {*node.parents}:
            made[node] = tuple(dict.fromkeys(leaf for parent in node.parents for leaf in made[parent]))
    return made


def sources(
    nodes: Sequence[Node],
    roots: Set[Node],
    positions: Mapping[Node, Sequence[Any]],  # the steps around each op
    users: Mapping[Node, Sequence[Node]],
) -> Sources:
    """Return, for every node that is just parameters, the leaves it is made of."""
    made = made_of_parameters(nodes, roots)
    for node in reversed(nodes):
        if node in made and node.op is not None:
            before_steps = not positions[node] and all(positions[user] or user in made for user in users[node])
            may_come_again = remade if positions[node] else rearranging
            if not before_steps and not (node.op.name in may_come_again and all(map(is_parameter, made[node]))):
                del made[node]
    for node in nodes:  # what was made of something that is drawn after all, is drawn
        if node in made and not all(parent in made for parent in node.parents):
            del made[node]
    return made
