"""The pages of the twenty mistakes: `python -m tinygrad_seq explain NAME` prints what an error points to."""

import re
from difflib import get_close_matches
from pathlib import Path

FILE = Path(__file__).with_name("mistakes.md")


def pages() -> dict[str, str]:
    """Return the text of every section of mistakes.md, by name."""
    parts = re.split(r"^## (\S+)\n+", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.rstrip() for part in parts[2::2])))


def listing() -> str:
    """Return the names of all pages, with the first sentence of each."""
    known = pages()
    width = max(map(len, known))
    return "\n".join(f"{name:<{width}}  {text.partition(chr(10))[0]}" for name, text in known.items())


def page(name: str) -> str:
    """Return a page as plain text: code is indented, its fences are left out. Raises LookupError for an unknown name.

    >>> print(page("backward-twice").splitlines()[2])
    Backward went through the same graph for the second time.
    """
    known = pages()
    if name not in known:
        near = [f"the nearest is {found!r}" for found in get_close_matches(name.lower(), known, 1, 0.3)]
        raise LookupError(f"explain: there is no page {name!r}; {(*near, 'without a name it lists all')[0]}")
    lines, inside = [name, "=" * len(name)], False
    for line in known[name].splitlines():
        if line.startswith("```"):
            inside = not inside
        else:
            lines.append(f"    {line}".rstrip() if inside else line)
    return "\n".join(lines)
