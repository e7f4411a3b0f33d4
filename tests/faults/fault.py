"""What a planted fault is."""

from typing import NamedTuple


class Fault(NamedTuple):
    """A text in a file of the package, what is planted there instead, and who should notice."""

    name: str
    file: str  # in tinygrad_seq
    text: str  # occurs in it exactly once
    planted: str
    tests: str  # what of tests/ should notice it: files, and -k with words of their names
