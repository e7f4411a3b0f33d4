"""The memory of a program: arrays that are made once, and written anew at every call.

The system takes longer to give new memory than NumPy to fill it. A value has memory of its own, or that of a value of
the same size which nobody reads any more.
"""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Block:
    """An array: what it was called first, its shape and dtype, and the last statement that reads what is in there."""

    name: str
    shape: tuple[int, ...]
    dtype: Any
    until: float


class Memory:
    """All arrays that a program keeps, and the lines that make them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.blocks: list[Block] = []
        self.of: dict[int, Block] = {}  # of a value: the array that it is in

    def take(self, name: str, shape: tuple[int, ...], dtype: Any, now: float, until: float) -> Block:
        """Give memory to what is written in a statement and read until another one."""
        for block in self.blocks:
            if block.until < now and (math.prod(block.shape), block.dtype) == (math.prod(shape), dtype):
                view = block.name if block.shape == shape else f"{block.name}.reshape({shape})"
                self.lines.append(f"{name} = {view}")
                block.until = until
                return block
        self.lines.append(f"{name} = xp.empty({shape}, '{dtype}')")
        self.blocks.append(Block(name, shape, dtype, until))
        return self.blocks[-1]
