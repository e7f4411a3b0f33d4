"""Compute Jacobians of many nodes with respect to many earlier ones, in two ways that give the same result.

`walked`: one walk from every element of every end goes all the way back, and reads the gradients that it passes. For T
numbers at T steps these walks go through about T^2 steps. `chained`: every path of a derivative leads from step to step
through the nodes that one step hands to the next (h, and c). So it is enough to pass the rows of all Jacobians from
each of these nodes to the next ones, and to add up what arrives on several paths. The Jacobian with respect to a node
is where that node was computed, whatever devices the graph spans.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from math import prod
from typing import Any

from tinygrad_seq.engine.backend import device_of, modules, on_device_of, to_device
from tinygrad_seq.engine.graph import Node, by_serial
from tinygrad_seq.engine.ops.elementwise import add
from tinygrad_seq.engine.ops.joining import concatenate
from tinygrad_seq.engine.ops.matmul import matmul
from tinygrad_seq.engine.scope import step_of
from tinygrad_seq.engine.walk import walk

Losses = list[tuple[Node, Any]]  # with the array, which says where
Found = Iterator[tuple[int, Node, Any]]  # a loss, a state, the Jacobian


def walked(inside: set[Node], losses: Losses, wanted: AbstractSet[Node]) -> Found:
    """Yield the Jacobian of every loss with respect to every state, from walks all the way back."""
    for t, (end, array) in enumerate(losses):
        for node, jacobian in passed_back(identity(array), end, inside, wanted, True).items():
            yield t, node, jacobian


def chained(inside: set[Node], losses: Losses, carried: set[Node]) -> Found:
    """Yield the Jacobian of every loss with respect to every carried node, newest first: a sum over all paths."""
    waiting: list[dict[Node, Any]] = [{end: identity(array)} for end, array in losses]
    for node in sorted({*[end for end, _ in losses], *carried}, key=by_serial, reverse=True):
        reached = [(t, sums.pop(node)) for t, sums in enumerate(waiting) if node in sums]
        if not reached:
            continue
        rows = concatenate(*[jacobian for _, jacobian in reached], axis=0)
        behind = passed_back(rows, node, inside, carried, False)
        start = 0
        for t, jacobian in reached:
            yield t, node, jacobian
            mine = slice(start, start + len(jacobian))
            start = mine.stop
            for parent, product in behind.items():
                found = waiting[t]
                found[parent] = add(found[parent], product[mine]) if parent in found else product[mine]


def passed_back(rows: Any, node: Node, inside: set[Node], wanted: AbstractSet[Node], through: bool) -> dict[Node, Any]:
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
    seeds = rows if len(rows) <= prod(node.shape) else identity(rows[0])
    found: dict[Node, Any] = {}
    for i, seed in enumerate(seeds if targets else ()):
        with on_device_of(seed):
            start = seed.astype(node.dtype).reshape(node.shape)
        for target, g in walk(segment, {node: start}, False, targets).items():
            if target in targets:
                with on_device_of(g):
                    if target not in found:
                        found[target] = modules[type(g)].zeros((len(seeds), g.size))
                    found[target][i] = g.reshape(-1)
    if seeds is rows:
        return found
    return {target: matmul(to_device(rows, device_of(jacobian)), jacobian) for target, jacobian in found.items()}


def identity(array: Any) -> Any:
    """Return the Jacobian of an array with respect to itself, float64, where the array is."""
    with on_device_of(array):
        return modules[type(array)].eye(array.size)


def handed_on(nodes: list[Node]) -> set[Node]:
    """Return the nodes that are made in one step and read in another, or after all steps."""
    steps = {node: step_of(node.scope) for node in nodes}
    return {
        parent
        for node in nodes
        for parent in node.parents
        if steps.get(parent) is not None and steps[parent] is not steps[node]
    }
