"""Jacobians of many nodes by many earlier ones, in two ways that give the same.

`walked`: from every element of every end a walk goes all the way back, and passes everything on its way. For T numbers
at T steps that is of the order of T^2 steps. `chained`: whatever way a derivative takes, it goes from step to step
through what one step hands to the next (h, and c). Short walks, back to that and no further, give the Jacobians
between neighbours, once for all ends; their products, added up over all ways, are the rest. For vectors it is cheaper.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from math import prod
from typing import Any

from tinygrad_seq.engine.backprop import walk
from tinygrad_seq.engine.graph import Node, by_serial
from tinygrad_seq.engine.scope import step_of

Found = Iterator[tuple[int, Node, Any]]  # a loss, a state, the Jacobian


def walked(nodes: list[Node], ends: list[Node], wanted: AbstractSet[Node], xp: Any) -> Found:
    """Every loss by every state, of walks all the way back."""
    inside = set(nodes)
    for t, end in enumerate(ends):
        for node, found in jacobians(end, inside, wanted, True, xp).items():
            yield t, node, found


def chained(nodes: list[Node], ends: list[Node], carried: set[Node], xp: Any) -> Found:
    """Every loss by everything carried, newest first: the sum over all ways there of the product along each."""
    inside = set(nodes)
    waiting: list[dict[Node, Any]] = [{end: xp.eye(prod(end.shape))} for end in ends]
    for node in sorted({*ends, *carried}, key=by_serial, reverse=True):
        reached = [(t, there.pop(node)) for t, there in enumerate(waiting) if node in there]
        back = jacobians(node, inside, carried, False, xp) if reached else {}
        for t, found in reached:
            yield t, node, found
            for parent, one in back.items():
                way = found @ one
                waiting[t][parent] = waiting[t][parent] + way if parent in waiting[t] else way


def jacobians(node: Node, inside: set[Node], wanted: AbstractSet[Node], passing: bool, xp: Any) -> dict[Node, Any]:
    """A node by the wanted ones that it was made from: by all of them (itself counts), or only by the nearest."""
    segment, seen = [node], {node}
    for each in segment:  # which grows on the way
        if passing or each is node or each not in wanted:
            for parent in each.parents:
                if parent in inside and parent not in seen:
                    seen.add(parent)
                    segment.append(parent)
    targets = seen & wanted if passing else (seen & wanted) - {node}
    ends = set() if passing else targets  # reached last, and oldest first: when nobody they could pass on to is left
    segment.sort(key=lambda each: -each.serial if each in ends else each.serial)
    size = prod(node.shape)
    found = {target: xp.zeros((size, prod(target.shape))) for target in targets}
    for element in range(size if targets else 0):
        seed = (xp.arange(size) == element).astype(node.dtype).reshape(node.shape)
        row = walk(segment, {node: seed}, False, targets)
        for target in targets & row.keys():
            found[target][element] = row[target].reshape(-1)
    return found


def handed_on(nodes: list[Node]) -> set[Node]:
    """What is made in one step and read in another, or after all of them."""
    steps = {node: step_of(node.scope) for node in nodes}
    return {
        parent
        for node in nodes
        for parent in node.parents
        if steps.get(parent) is not None and steps[parent] is not steps[node]
    }


def costs(nodes: list[Node], ends: list[Node], carried: set[Node]) -> tuple[float, float]:
    """Of both methods, in calls of a rule: so many of walks, so many of products."""
    before = {node: i for i, node in enumerate(nodes, 1)}
    walks = 0
    for end in ends:
        last = end
        while last not in carried and (read := [parent for parent in last.parents if parent in before]):
            last = max(read, key=by_serial)
        walks += prod(end.shape) * before.get(last, 0)
    sizes = [prod(node.shape) for node in carried]
    rows, hops, width = sum(prod(end.shape) for end in ends), sum(sizes), 2 * max(sizes, default=0)
    steps = hops * (8 + len(nodes) / max(len(carried), 1))  # to begin a walk costs as much as 8 rules
    return walks, steps + len(ends) * len(carried) + rows * hops * width / 12500
