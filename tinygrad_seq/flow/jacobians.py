"""Compute Jacobians of many nodes with respect to many earlier ones, in two ways that give the same result.

`walked`: one walk from every element of every end goes all the way back, and reads the gradients that it passes. For T
numbers at T steps these walks go through about T^2 steps. `chained`: every path of a derivative leads from step to step
through the nodes that one step hands to the next (h, and c). So it is enough to pass the rows of all Jacobians from
each of these nodes to the next ones, and to add up what arrives on several paths.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from math import prod
from typing import Any

from tinygrad_seq.engine.graph import Node, by_serial
from tinygrad_seq.engine.scope import step_of
from tinygrad_seq.engine.walk import walk

Found = Iterator[tuple[int, Node, Any]]  # a loss, a state, the Jacobian


def walked(inside: set[Node], ends: list[Node], wanted: AbstractSet[Node], xp: Any) -> Found:
    """Yield the Jacobian of every loss with respect to every state, from walks all the way back."""
    for t, end in enumerate(ends):
        rows = xp.eye(prod(end.shape))
        for node, jacobian in passed_back(rows, end, inside, wanted, True, xp).items():
            yield t, node, jacobian


def chained(inside: set[Node], ends: list[Node], carried: set[Node], xp: Any) -> Found:
    """Yield the Jacobian of every loss with respect to every carried node, newest first: a sum over all paths."""
    waiting: list[dict[Node, Any]] = [{end: xp.eye(prod(end.shape))} for end in ends]
    for node in sorted({*ends, *carried}, key=by_serial, reverse=True):
        reached = [(t, sums.pop(node)) for t, sums in enumerate(waiting) if node in sums]
        rows = xp.concatenate([jacobian for _, jacobian in reached] or [xp.zeros((0, prod(node.shape)))])
        behind = passed_back(rows, node, inside, carried, False, xp)
        start = 0
        for t, jacobian in reached:
            yield t, node, jacobian
            mine = slice(start, start + len(jacobian))
            start = mine.stop
            for parent, product in behind.items():
                found = waiting[t]
                found[parent] = found[parent] + product[mine] if parent in found else product[mine]


def passed_back(
    rows: Any, node: Node, inside: set[Node], wanted: AbstractSet[Node], through: bool, xp: Any
) -> dict[Node, Any]:
    """Return the products of rows with the Jacobians of a node with respect to the wanted nodes that it was made from.

    Each row is a gradient to start a walk from. If the rows are more than the node's elements, walks from the elements
    give the Jacobians, to multiply the rows with. `through`: go through wanted nodes to those behind them, and count
    the node itself; else stop at the nearest.
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
    seeds = rows if len(rows) <= prod(node.shape) else xp.eye(prod(node.shape))
    found = {target: xp.zeros((len(seeds), prod(target.shape))) for target in targets}
    for i, seed in enumerate(seeds if targets else ()):
        gradients = walk(segment, {node: seed.astype(node.dtype).reshape(node.shape)}, False, targets)
        for target in targets & gradients.keys():
            found[target][i] = gradients[target].reshape(-1)
    return found if seeds is rows else {target: rows @ jacobian for target, jacobian in found.items()}


def handed_on(nodes: list[Node]) -> set[Node]:
    """Return the nodes that are made in one step and read in another, or after all steps."""
    steps = {node: step_of(node.scope) for node in nodes}
    return {
        parent
        for node in nodes
        for parent in node.parents
        if steps.get(parent) is not None and steps[parent] is not steps[node]
    }
