"""Data for recurrent networks: text as ids, series as windows, batches, padding; small real data.

Numbers are given as lists, NumPy arrays or Tensors and come back as NumPy arrays on the host;
`ts.tensor(array, device=...)` makes Tensors of them.
"""

from typing import TYPE_CHECKING

from tinygrad_seq.data.batches import Batches, batches
from tinygrad_seq.data.bptt_batches import bptt_batches
from tinygrad_seq.data.datasets import cities, python_manual, sunspots
from tinygrad_seq.data.pad_sequences import pad_sequences
from tinygrad_seq.data.vocabulary import Vocabulary
from tinygrad_seq.data.windows import windows
from tinygrad_seq.engine.hints import refusing as _refusing

__all__ = [
    "Batches",
    "Vocabulary",
    "batches",
    "bptt_batches",
    "cities",
    "pad_sequences",
    "python_manual",
    "sunspots",
    "windows",
]

if not TYPE_CHECKING:  # a type checker would take it that every name exists
    __getattr__ = _refusing(__name__)
