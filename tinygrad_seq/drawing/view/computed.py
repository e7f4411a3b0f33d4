"""Compute again the values that no gradient rule keeps, from those that are kept: as long as no backward has freed the
graph and no parameter was changed, and with the library's own ops only.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from tinygrad_seq.engine.backend import Array, anywhere, host, modules, on_device_of, quiet
from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.primitive import registry


def unchanged(nodes: Sequence[Node]) -> bool:
    """Tell whether every parameter is still the one that the graph was made with, as far as rules have kept it."""
    pairs = ((parent, kept) for node in nodes for parent, kept in zip(node.parents, node.saved or ()))
    return all(kept is parent or parent.owner is None or kept is parent.owner.array for parent, kept in pairs)


def computed(
    nodes: Sequence[Node], known: Mapping[Node, Array], wanted: Collection[Node]
) -> Iterator[tuple[Node, Array]]:
    """Yield the values that are known, and those of wanted nodes that can be computed from them, in order of creation;
    what was computed is forgotten as soon as nothing needs it.
    """
    if not all(node.saved is not None for node in nodes if node.requires_grad) or not unchanged(nodes):
        wanted = ()
    missing: set[Node] = set()
    for node in reversed(nodes):
        if node not in known and node.op is not None and (node in wanted or node in missing):
            missing.add(node)
            missing.update(parent for parent in node.parents if parent not in known)
    readers = Counter(parent for node in missing for parent in node.parents)
    own = "tinygrad_seq."  # no code of others is run
    ours = {op for op in registry.values() if str(op.forward.__module__).startswith(own)}
    again: dict[Node, Any] = {}
    for node in nodes:
        if node in known:
            yield node, known[node]
        elif node in missing and node.op in ours and all(p in known or p in again for p in node.parents):
            args = [known[parent] if parent in known else again[parent] for parent in node.parents]
            xp, device = computing(args)
            pairs = zip(node.parents, args)  # a constant of equal numbers is known as the number
            with quiet(all="ignore"), device:
                args = [xp.full(p.shape, x, p.dtype) if isinstance(x, bool | int | float) else x for p, x in pairs]
                again[node] = node.op.forward(xp, *args, **(node.static or {}))
            yield node, again[node]
        for parent in node.parents if node in missing else ():
            readers[parent] -= 1
            if not readers[parent]:
                again.pop(parent, None)


def computing(args: Sequence[Any]) -> tuple[Any, AbstractContextManager[Any]]:
    """Return what computes on arrays, lists (the outputs of an op) and numbers, and the context in which it does."""
    arrays = (x[0] if isinstance(x, list) and x else x for x in args)
    return next(((modules[type(x)], on_device_of(x)) for x in arrays if type(x) in modules), (host, anywhere))
