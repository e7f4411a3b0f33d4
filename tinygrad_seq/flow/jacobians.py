"""Jacobians of many nodes with respect to many earlier ones, computed in two ways that give the same result.

`walked`: one walk from every element of every end goes all the way back, and reads the gradients that it passes. For T
numbers at T steps these walks go through about T^2 steps. `chained`: every path of a derivative leads from step to step
through the nodes that one step hands to the next (h, and c). Short walks, back to these nodes and no further, give the
Jacobians between neighbouring steps, once for all ends. Products of them, summed over all paths, give the others.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from math import prod
from typing import Any

from tinygrad_seq.engine.backprop import walk
from tinygrad_seq.engine.graph import Node, by_serial
from tinygrad_seq.engine.scope import step_of

Found = Iterator[tuple[int, Node, Any]]  # a loss, a state, the Jacobian


def walked(inside: set[Node], ends: list[Node], wanted: AbstractSet[Node], xp: Any) -> Found:
    """Yield the Jacobian of every loss with respect to every state, from walks all the way back."""
    for t, end in enumerate(ends):
        for node, jacobian in jacobians(end, inside, wanted, True, xp).items():
            yield t, node, jacobian


def chained(inside: set[Node], ends: list[Node], carried: set[Node], xp: Any) -> Found:
    """Yield the Jacobian of every loss with respect to every carried node, newest first: products summed over paths."""
    waiting: list[dict[Node, Any]] = [{end: xp.eye(prod(end.shape))} for end in ends]
    for node in sorted({*ends, *carried}, key=by_serial, reverse=True):
        reached = [(t, sums.pop(node)) for t, sums in enumerate(waiting) if node in sums]
        neighbours = jacobians(node, inside, carried, False, xp) if reached else {}
        for t, jacobian in reached:
            yield t, node, jacobian
            for parent, local in neighbours.items():
                product = jacobian @ local
                waiting[t][parent] = waiting[t][parent] + product if parent in waiting[t] else product


def jacobians(node: Node, inside: set[Node], wanted: AbstractSet[Node], through: bool, xp: Any) -> dict[Node, Any]:
    """Return the Jacobians of a node with respect to the wanted nodes that it was made from, one walk per element.

    `through`: go through wanted nodes to those behind them, and count the node itself; else stop at the nearest.
    """
    segment, seen = [node], {node}
    for each in segment:  # the list grows in the loop
        if through or each is node or each not in wanted:
            for parent in each.parents:
                if parent in inside and parent not in seen:
                    seen.add(parent)
                    segment.append(parent)
    targets = seen & wanted if through else (seen & wanted) - {node}
    # Visit targets last and the oldest first, so that none of them passes its gradient on to another target.
    ends = set() if through else targets
    segment.sort(key=lambda each: -each.serial if each in ends else each.serial)
    size = prod(node.shape)
    found = {target: xp.zeros((size, prod(target.shape))) for target in targets}
    for element in range(size if targets else 0):
        seed = (xp.arange(size) == element).astype(node.dtype).reshape(node.shape)
        gradients = walk(segment, {node: seed}, False, targets)
        for target in targets & gradients.keys():
            found[target][element] = gradients[target].reshape(-1)
    return found


def handed_on(nodes: list[Node]) -> set[Node]:
    """Return the nodes that are made in one step and read in another, or after all steps."""
    steps = {node: step_of(node.scope) for node in nodes}
    return {
        parent
        for node in nodes
        for parent in node.parents
        if steps.get(parent) is not None and steps[parent] is not steps[node]
    }
