"""Warn of parts in plain lists, where nothing finds them: not `parameters()`, not `to()`, not `train()`."""

from collections.abc import Callable
from itertools import islice
from typing import Any

from tinygrad_seq.engine.callers import warn

PLAIN_CONTAINERS = (list, tuple, set, dict)


def warn_of_lists(
    module: Any, listed: list[Any], kinds: tuple[type, ...], ids_to_find: Callable[[Any], set[int]]
) -> None:
    """Warn, once for each, of plain lists whose parts are not among those of the listed modules.

    `kinds`: what is a part. `ids_to_find(part)`: the ids of what has to be listed, if the part is.
    """
    for name, value in list(vars(module).items()):
        if isinstance(value, PLAIN_CONTAINERS) and name not in module.warned_of:
            inside = parts_in(value, kinds)
            known = {id(part) for other in listed for _, part in other.parts()} if inside else set()
            if not all(known.issuperset(ids_to_find(part)) for part in inside):
                module.warned_of |= {name}
                warn(
                    f"{type(module).__name__}: what the plain {type(value).__name__} {name!r} holds is not found by "
                    "parameters(), to() and train(): make it an nn.ModuleList, or give each part an attribute "
                    "(python -m tinygrad_seq explain plain-list)"
                )


def parts_in(value: Any, kinds: tuple[type, ...]) -> list[Any]:
    """Return the parts in a list, tuple, set or dict; it may hold much data, so only its beginning is looked at."""
    found = [value]
    for item in found:  # which grows on the way
        if isinstance(item, PLAIN_CONTAINERS) and len(found) < 200:
            found.extend(islice(item.values() if isinstance(item, dict) else item, 20))
    return [item for item in found if isinstance(item, kinds)]
