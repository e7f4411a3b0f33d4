"""The end of a backward: gradients go to their leaves, and the graph frees its arrays.

Every new total is computed before the first is assigned, and they are assigned at once: whatever happens, Ctrl-C
included, all leaves have their new `.grad` or all the old one.
"""

from collections.abc import Iterable
from threading import RLock
from typing import Any

from tinygrad_seq.engine.backend import Array, modules, on_device_of
from tinygrad_seq.engine.callers import warn
from tinygrad_seq.engine.commit import Change, commit
from tinygrad_seq.engine.graph import Node, Value
from tinygrad_seq.engine.recording import make_tensor

delivering = RLock()  # threads that share parameters add to them one after the other
deliveries = 0  # how many backwards have delivered to whatever leaves; an optimiser asks whether there was one


def deliver(found: dict[Node, Any], recorded: bool) -> None:
    """Add to `.grad`: of all leaves or of none, and nothing to one that was frozen since the forward."""
    global deliveries
    changes: list[Change] = []
    given = []
    for node, g in found.items():
        changes.append((node, "reached", True))
        owner = node.owner
        if owner is not None and owner.node is not None and owner.node.requires_grad:
            given.append((owner, result_of(g, owner.array, recorded)))
    with delivering: add(given, recorded, changes)  # noqa: E701 (an interrupt comes before a line, so here with no lock)
    deliveries += 1


def add(given: list[tuple[Value, Any]], recorded: bool, changes: list[Change]) -> None:
    """Replace each owner's `.grad` by its sum with what is given, and make the other changes, at once."""
    for owner, new in given:
        old = getattr(owner, "stored_grad", None)
        if old is not None:
            with on_device_of(new.array):
                new = old + new if recorded else make_tensor(old.array + new.array, None)
            new.stale = getattr(old, "used", "") or getattr(old, "stale", "")
        changes.append((owner, "stored_grad", new))
    commit(changes)


def warn_if_stale(place: str, gradients: Iterable[Any]) -> None:
    """Warn of a step with gradients to which an older one was added that a step has used already.

    Only the step can tell: gradients may also be added and then set to None unused, as those of a discriminator in the
    backward of the generator (GAN).
    """
    if any(getattr(g, "stale", "") == place.rpartition(".")[2] for g in gradients):
        warn(
            f"{place}: the gradients of an earlier step are still part of these: call zero_grad() before each "
            "backward (python -m tinygrad_seq explain zero-grad-forgotten)"
        )


def result_of(g: Any, like: Array, recorded: bool) -> Any:
    """Return a gradient as a Tensor, which shares memory with nothing."""
    with on_device_of(like):
        if recorded:
            return make_tensor(g.array.copy(), g.node)
        return make_tensor(modules[type(like)].array(g), None)


def free(nodes: Iterable[Node]) -> None:
    """Free the saved arrays; the structure stays, so a picture is still possible."""
    for node in nodes:
        if node.op is not None:
            node.output = node.saved = None
