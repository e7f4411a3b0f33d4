"""Which attributes of the caller's own objects a function reads: only these have to be what they were.

It is not told by the text of the function: an attribute may be read by `getattr`, a pattern, a descriptor or a library.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tinygrad_seq.replay.trace.place import is_own

WHOLE = frozenset(("__dict__", "__getstate__", "__reduce__", "__reduce_ex__"))  # which lead to all attributes
IMMUTABLE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE


class Reads:
    """The attributes that were read, by the id of the object and the name."""

    def __init__(self) -> None:
        self.spots: set[tuple[int, Any]] = set()

    @contextmanager
    def noted(self, objects: Iterable[Any]) -> Iterator[None]:
        """Note which attributes of plain objects are read in here, by whatever way."""
        kinds = {type(x) for x in objects if is_plain(x)}

        def noting(get: Any) -> Callable[[Any, str], Any]:
            def read(x: Any, name: str) -> Any:
                self.spots.add((id(x), "__dict__" if name in WHOLE else name))
                return get(x, name)

            return read

        for kind in kinds:
            type.__setattr__(kind, "__getattribute__", noting(kind.__getattribute__))
        try:
            yield
        finally:
            for kind in kinds:
                type.__delattr__(kind, "__getattribute__")

    def has(self, x: Any, key: Any) -> bool:
        """Tell whether what an object has there was read; of other objects than plain ones it is not known."""
        return not is_plain(x) or not self.spots.isdisjoint(((id(x), key), (id(x), "__dict__")))


def is_plain(x: Any) -> bool:
    """Tell whether an object is of a class of the caller's alone, and has its attributes as any other."""
    kinds = type(x).__mro__[:-1]  # without `object`
    others = {"__getattr__", "__getattribute__"}
    is_fixed = type(x).__flags__ & IMMUTABLE  # a class of C
    return bool(kinds) and not is_fixed and all(is_own(kind) and others.isdisjoint(vars(kind)) for kind in kinds)
