"""All or nothing: the new values are computed first, then assigned at once.

Python looks for a signal between two of its own instructions, and switches threads there. So a loop of assignments may
be left half done by Ctrl-C, or seen half done by another thread; one call of C is not.
"""

from collections import deque
from collections.abc import Iterable
from itertools import starmap
from typing import Any

Change = tuple[object, str, Any]  # an object, the name of an attribute, its new value


def commit(changes: Iterable[Change]) -> None:
    """Assign every attribute, in one call of C: no signal and no other thread comes in between.

    No setter written in Python may run here, so a property's slot is named, not the property.
    """
    deque(starmap(object.__setattr__, list(changes)), maxlen=0)
