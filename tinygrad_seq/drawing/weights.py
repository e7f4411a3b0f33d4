"""Which nodes are just a parameter to the reader of a picture: the parameter itself, and what is made from parameters
alone before the steps begin (a weight transposed once per call, the sum of two biases). Pictures show these as a small
proxy beside every use: one weight node with an edge to every step is unreadable, and hangs Graphviz.
"""

from collections.abc import Mapping, Sequence

from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.timeline import Timeline
from tinygrad_seq.nn.module import Parameter

rearranging = {"transpose", "contiguous", "cast", "transfer"}
preparing = rearranging | {"add", "split", "part", "reshape", "broadcast_to", "getitem"}

Sources = dict[Node, tuple[Node, ...]]


def is_parameter(node: Node) -> bool:
    """A leaf that a Parameter stands for. Where the Parameter is gone, its name is what tells."""
    if node.op is not None or not node.requires_grad:
        return False
    owner = node.owner
    return node.name is not None if owner is None else isinstance(owner, Parameter)


def sources(
    nodes: Sequence[Node], roots: set[Node], timeline: Timeline, users: Mapping[Node, Sequence[Node]]
) -> Sources:
    """For every node that is just parameters, the leaves it is made of."""
    made: Sources = {}
    for node in nodes:
        if node.op is None and node.requires_grad:
            made[node] = (node,)
        elif (
            node.op is not None
            and node.op.name in preparing
            and not timeline.positions[node]
            and node not in roots
            and all(parent in made for parent in node.parents)
        ):
            made[node] = tuple(dict.fromkeys(leaf for parent in node.parents for leaf in made[parent]))
    for node in reversed(nodes):
        if node in made and node.op is not None:
            before_steps = all(timeline.positions[user] or user in made for user in users[node])
            if not before_steps and not (node.op.name in rearranging and all(map(is_parameter, made[node]))):
                del made[node]
    for node in nodes:  # what was made of something that is drawn after all, is drawn
        if node in made and not all(parent in made for parent in node.parents):
            del made[node]
    return made
