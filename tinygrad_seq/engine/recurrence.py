"""Tell a recurrence from what only looks like one: a running sum, or a stack of layers with weights in one array."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.same_step import DATA

additions = frozenset({"add", "subtract"})
reductions = frozenset({"multiply", "maximum", "minimum"})
products = frozenset({"matmul", "multiply", "divide", "einsum"})


def depends_on_itself(block: Sequence[Node], reads_of: Sequence[tuple[int, int]]) -> bool:
    """Tell whether a state depends on its own earlier value by more than a sum over steps, which is no state."""
    place = {node: i for i, node in enumerate(block)}
    readers: dict[int, list[int]] = defaultdict(list)
    for i, node in enumerate(block):
        for parent in node.parents:
            if parent in place:
                readers[place[parent]].append(i)
    later: dict[int, list[int]] = defaultdict(list)
    for reader, producer in reads_of:
        later[producer].append(reader)
    states = {(i, made) for i, made in reads_of if not is_sum(block, place, readers, later[made], made)}
    made = {producer for _, producer in states}
    leads_to: dict[int, set[int]] = {producer: set() for producer in made}  # from a state to those of the next step
    for reader, producer in states:
        reached, stack = {reader}, [reader]
        while stack:
            for after in readers[stack.pop()]:
                if after not in reached:
                    reached.add(after)
                    stack.append(after)
        leads_to[producer] |= reached & made
    for start in made:
        reached, stack = set(), [start]
        while stack:
            for after in leads_to[stack.pop()] - reached:
                reached.add(after)
                stack.append(after)
        if start in reached:
            return True
    return False


def is_sum(
    block: Sequence[Node], place: Mapping[Node, int], readers: Mapping[int, list[int]], nexts: list[int], made: int
) -> bool:
    """Tell whether a result is only added to in every block; or multiplied by, or compared with, something new."""
    first = block[nexts[0]].op.name
    while len(nexts) == 1:
        node = block[nexts[0]]
        is_more = node.op.name == first in reductions and any(parent in place for parent in node.parents)
        if not is_more and not (first in additions and node.op.name in additions):
            return False
        if nexts[0] == made:
            return True
        nexts = readers.get(nexts[0], [])
    return False


def weighs_by_number(blocks: list[list[Node]], readers: Iterable[int]) -> bool:
    """Tell whether a state is multiplied by another part of a parameter in every block: a stack of layers, whose
    weights are in one array.
    """
    numbers: set[int] = set()  # ops that give such a part, or what is made of it
    first, state = blocks[0], set(readers)
    place = {node: i for i, node in enumerate(blocks[-1])}
    for i, node in enumerate(blocks[-1]):
        inside = [place.get(parent, -1) for parent in node.parents]
        if not state.isdisjoint(inside):
            state.add(i)
        is_part = reads_data(node) and repr(node.static) != repr(first[i].static)
        is_learned = all(at in numbers or parent.op is None for at, parent in zip(inside, node.parents))
        if is_learned and (is_part or not numbers.isdisjoint(inside)):
            numbers.add(i)
        if node.op.name in products and i in state and not numbers.isdisjoint(inside):
            return True
    return False


def reads_data(node: Node) -> bool:
    """Tell whether an op looks up places that are data: what it gives is not a parameter in another form."""
    return node.op.name != "part" and node.static is not None and not DATA.keys().isdisjoint(node.static)
