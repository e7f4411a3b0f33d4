"""Which steps of a loop are laid out alike, and what in them is the same op."""

from collections import Counter
from collections.abc import Hashable

from tinygrad_seq.drawing.view.model import Cluster, Item, View, leaves, within

Contents = Counter[Hashable]  # how often each op is in a step


def step_classes(view: View) -> dict[str, Hashable]:
    """Return what tells the templates of steps apart, by the id of the step: which ops are in it, and how many.

    Where the largest step has about two thirds of all kinds of ops of its loop, or more, one template holds them all,
    and says None: a first step that does a little more, or less, stands exactly like the others.
    """
    found: dict[str, Hashable] = {}
    for loop in view.loops:
        contents = {card.id: ops_in(card) for card in loop if card.key != "gap"}
        largest, all_ops = max(map(len, contents.values()), default=0), set().union(*contents.values())
        alike = len(all_ops) <= 1.5 * largest + 2
        found |= {id: None if alike else frozenset(ops.items()) for id, ops in contents.items()}
    return found


def written(item: Item) -> tuple[str, str]:
    """Return what is written on an op that is the same in every step: all but the index of what it picks."""
    return "[ ]" if item.symbol.startswith("[") else item.symbol, item.label


def ops_in(card: Cluster) -> Contents:
    """Count the ops in a step that are written alike, at the same place in it."""
    return Counter(
        (inner.id.removeprefix(card.id), *written(item))
        for inner in list(within(card))
        for item in inner.items
        if item.role not in leaves
    )
