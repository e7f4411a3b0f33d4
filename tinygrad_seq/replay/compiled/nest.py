"""Loops over the elements of a buffer, as text."""

import re


class Nest:
    """Loops over the elements of a buffer: rows of arrays that are read get a name, and so does every value."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.variables = [*(f"j{k}" for k in range(len(shape) - 1)), "j"] if shape else []
        self.rows: dict[str, str] = {}
        self.lines: list[str] = []
        self.around: tuple[list[str], list[str]] = [], []  # what is done for each row, before its elements and after
        self.known: dict[str, str] = {}
        self.elements: dict[tuple[int, tuple[tuple[str, int], ...]], str] = {}  # by op and index, what was computed
        self.target = ""
        self.at_once: set[str] = set()
        self.other_rows = False

    def load(self, name: str, at: list[str]) -> str:
        """Return the text of an element of an array."""
        if not at:
            return f"{name}[()]"
        if len(at) == 1 or any(re.search(r"\bj\b", part) for part in at[:-1]):
            return indexed(name, at)
        short = self.rows.setdefault(indexed(name, at[:-1]), f"§{len(self.rows)}§")
        return f"{short}[{at[-1]}]"

    def named(self, text: str) -> str:
        """Return a name for a value that is computed."""
        if text not in self.known:
            self.known[text] = f"x{len(self.known)}"
            self.lines.append(f"{self.known[text]} = {text}")
        return self.known[text]


def written(nests: list[Nest]) -> list[str]:
    """Return the lines of nests over the same rows: one loop over these, and in it one over the elements of each.

    How many rows there are is an argument, n16 for 16: LLVM would write a small number of them out, one after another.
    """
    if not nests:
        return []
    rows: dict[str, str] = {}
    inner: list[str] = []
    for nest in nests:
        text = "\n".join(nest.lines)
        for row, short in nest.rows.items():
            text = text.replace(short, rows.setdefault(row, f"r{len(rows)}"))
        first, last = nest.around
        lines = text.split("\n")
        lines = [f"for j in range({nest.shape[-1]}):", *(f"    {line}" for line in lines)] if nest.shape else lines
        inner += [*first, *lines, *last]
    sizes = [f"n{size}" if size > 1 else str(size) for size in nests[0].shape]
    outer = [f"for {variable} in range({size}):" for variable, size in zip(nests[0].variables[:-1], sizes)]
    inner = [*(f"{short} = {row}" for row, short in rows.items()), *inner]
    return ["    " * k + line for k, line in enumerate(outer)] + ["    " * len(outer) + line for line in inner]


def filled(shape: tuple[int, ...], name: str, at: list[str], value: str) -> list[str]:
    """Return loops that put an array, or a number, into a buffer: shorter to compile than an assignment."""
    nest = Nest(shape)
    text = indexed(value, nest.variables or ["()"]) if value.isidentifier() else value
    nest.lines.append(f"{indexed(name, [*at, *nest.variables] or ['()'])} = {text}")
    return written([nest])


def indexed(name: str, at: list[str]) -> str:
    """Return the text of a part of an array."""
    return f"{name}[{', '.join(at)}]" if at else name


def plus(variable: str, offset: int) -> str:
    """Return the text of an index."""
    if variable == "0":
        return str(offset)
    return variable if not offset else f"{variable} {'+' if offset > 0 else '-'} {abs(offset)}"
