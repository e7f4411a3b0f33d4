"""Tell a recurrence from what only looks like one: a running sum, or layers whose weights are parts of one array."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.same_step import DATA

additions = frozenset({"add", "subtract"})
reductions = frozenset({"multiply", "maximum", "minimum"})
products = frozenset({"matmul", "multiply", "divide", "einsum"})


def depends_on_itself(block: Sequence[Node], states: Mapping[int, list[int]]) -> bool:
    """Return whether a state depends on its own earlier value. A mere sum over the steps does not count.

    `states`: the ops of a block that the next block reads, and those of its ops that do.
    """
    place = {node: i for i, node in enumerate(block)}
    read_by = {i: [place[parent] for parent in node.parents if parent in place] for i, node in enumerate(block)}
    readers: dict[int, list[int]] = defaultdict(list)
    for i, read in read_by.items():
        for made in read:
            readers[made].append(i)
    for made, following in states.items():
        for reader in () if is_sum(block, place, readers, following, made) else following:
            read_by[reader].append(made)
    try:
        TopologicalSorter(read_by).prepare()
    except CycleError:  # within a block there is none
        return True
    return False


def is_sum(
    block: Sequence[Node], place: Mapping[Node, int], readers: Mapping[int, list[int]], nexts: list[int], made: int
) -> bool:
    """Return whether a result is a running sum, product, maximum or minimum: each block only takes in something new."""
    path = [*nexts]
    while len(nexts) == 1 and nexts[0] != made:
        nexts = readers.get(nexts[0], [])
        path += nexts
    names = {block[i].op.name for i in path}
    is_more = all(any(parent in place for parent in block[i].parents) for i in path) and len(names) == 1
    return nexts == [made] and (names <= additions or (is_more and names <= reductions))


def weighs_by_number(blocks: list[list[Node]], readers: Iterable[int]) -> bool:
    """Return whether every block multiplies the state by another part of a parameter.

    That is a stack of layers whose weights are in one array, not a loop over time.
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
    """Return whether an op takes indices that are data, so that its result is not a parameter in another form."""
    return node.op.name != "part" and node.static is not None and not DATA.keys().isdisjoint(node.static)
