"""The memory of a program: arrays that are made once, and written anew at every call.

The system takes longer to give new memory than NumPy to fill it. A value has memory of its own; a large one that of a
value of about the same size, if nobody reads that any more.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tinygrad_seq.replay.trace.tape import Equation

near = 8  # two values are in one array in turn where their sizes differ by one part in so many at most


@dataclass(slots=True)
class Block:
    """An array: how many elements it has, the last statement that reads what is in there, who writes it in turn."""

    size: int
    dtype: Any
    until: float
    shapes: dict[str, tuple[int, ...]]  # by their names


class Memory:
    """All arrays that a program keeps, and the lines that make them."""

    def __init__(self, large: int) -> None:
        self.large = large  # elements
        self.lines: list[str | tuple[str, Block]] = []  # or whose memory is made
        self.blocks: list[Block] = []
        self.of: dict[int, Block] = {}  # of a value: the array that it is in
        self.strided: set[str] = set()  # names of views whose elements are not one after another
        self.ranks: dict[str, int] = {}  # of a name: how many dimensions that array, or view of one, has

    def take(self, name: str, shape: tuple[int, ...], dtype: Any, now: float, until: float) -> Block:
        """Give memory to what is written in a statement and read until another one."""
        self.ranks[name], size = len(shape), math.prod(shape)
        for block in self.blocks if size >= self.large else ():
            if block.until < now and block.dtype == dtype and abs(block.size - size) * near <= size:
                break
        else:
            block = Block(size, dtype, until, {})
            self.blocks.append(block)
        block.size, block.until, block.shapes[name] = max(block.size, size), until, shape
        self.lines.append((name, block))
        return block

    def text(self, free_name: Callable[[str], str]) -> Iterator[str]:
        """Yield the lines that make all arrays; one that has other sizes in turn has a name of its own."""
        names: dict[int, str] = {}
        for line in self.lines:
            if isinstance(line, str):
                yield line
                continue
            name, block = line
            first, shape = next(iter(block.shapes)), block.shapes[name]
            is_flat = len({*map(math.prod, block.shapes.values())}) > 1
            if name == first:
                names[id(block)] = free_name("memory") if is_flat else first
                yield f"{names[id(block)]} = xp.empty({block.size if is_flat else shape}, '{block.dtype}')"
            if is_flat:
                yield f"{name} = {names[id(block)]}[:{math.prod(shape)}].reshape({shape})"
            elif name != first:
                yield f"{name} = {first}" + (f".reshape({shape})" if shape != block.shapes[first] else "")

    def rank(self, text: str) -> int:
        """Return how many dimensions what is kept has, 0 for what is none of it."""
        return self.ranks.get(re.match(r"\w*", text)[0], 0)  # type: ignore[index]

    def is_indexed(self, text: str) -> bool:
        """Tell whether a part, `x[...][...]`, is one of an array itself, not of what is computed of it."""
        return re.fullmatch(r"\w+(\[[-\d:, ]*\])+", text) is not None

    def is_dense(self, text: str) -> bool:
        """Tell whether `x.reshape(...)`, or `x[a:b].reshape(...)`, is a view of an array that is kept."""
        found = re.fullmatch(r"(\w+)(\[\d*:\d*\])?\.reshape\([\d, ()]*\)", text)
        return found is not None and found[1] not in self.strided

    def view(self, name: str, text: str, equation: Equation) -> None:
        """Name a view of what is kept."""
        self.lines.append(f"{name} = {text}")
        self.ranks[name] = len(equation.shape)
        self.strided.update({name} if equation.function == "getitem" else ())

    def once(self, text: str, free_name: Callable[[str], str]) -> str:
        """Return the name of a list of views, which is made once."""
        name = free_name("steps")
        self.lines.append(f"{name} = {text}")
        return name
