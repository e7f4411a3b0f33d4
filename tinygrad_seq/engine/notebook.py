"""What a notebook shows of an object: its text, and every richer kind that can be made of it.

An error on the way would hide the value that was to be shown. So there is none: a kind that fails is left out, whether
the graph was freed or matplotlib is not installed, and the text remains.
"""

from collections.abc import Callable, Collection, Mapping


def mimebundle(
    thing: object,
    kinds: Mapping[str, Callable[[], str]],
    include: Collection[str] | None = None,
    exclude: Collection[str] | None = None,
) -> dict[str, str]:
    """Return what `_repr_mimebundle_` is to return: the repr, and of `kinds` (a function by MIME type) what works."""
    found = {}
    for kind, made in {"text/plain": lambda: repr(thing), **kinds}.items():
        if (not include or kind in include) and kind not in (exclude or ()):
            try:
                found[kind] = made()
            except Exception as error:
                if kind == "text/plain":
                    found[kind] = f"<{type(thing).__name__} that cannot be shown: {type(error).__name__}>"
    return found
