"""The memory of a program: arrays that are made once, and written anew at every call.

The system takes longer to give new memory than NumPy to fill it. A value has memory of its own; a large one that of a
value of the same size, if nobody reads that any more.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinygrad_seq.replay.tape import Equation


@dataclass(slots=True)
class Block:
    """An array: what it was called first, its shape and dtype, and the last statement that reads what is in there."""

    name: str
    shape: tuple[int, ...]
    dtype: Any
    until: float


class Memory:
    """All arrays that a program keeps, and the lines that make them."""

    def __init__(self, large: int) -> None:
        self.large = large  # elements
        self.lines: list[str] = []
        self.blocks: list[Block] = []
        self.of: dict[int, Block] = {}  # of a value: the array that it is in
        self.strided: set[str] = set()  # names of views whose elements are not one after another
        self.ranks: dict[str, int] = {}  # of a name: how many dimensions that array, or view of one, has

    def take(self, name: str, shape: tuple[int, ...], dtype: Any, now: float, until: float) -> Block:
        """Give memory to what is written in a statement and read until another one."""
        self.ranks[name] = len(shape)
        for block in self.blocks if math.prod(shape) >= self.large else ():
            if block.until < now and (math.prod(block.shape), block.dtype) == (math.prod(shape), dtype):
                view = block.name if block.shape == shape else f"{block.name}.reshape({shape})"
                self.lines.append(f"{name} = {view}")
                block.until = until
                return block
        self.lines.append(f"{name} = xp.empty({shape}, '{dtype}')")
        self.blocks.append(Block(name, shape, dtype, until))
        return self.blocks[-1]

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
