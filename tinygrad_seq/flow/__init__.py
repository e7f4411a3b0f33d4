"""Insight over time, read off the recorded graph: which steps taught a weight, and how far back a loss can see."""

from typing import TYPE_CHECKING

from tinygrad_seq.engine.hints import refusing as _refusing
from tinygrad_seq.flow.backward_log import Frame, Record, record
from tinygrad_seq.flow.derivation import Derivation, derivation
from tinygrad_seq.flow.gradient_by_step import Items, itemize
from tinygrad_seq.flow.influence import Influence, influence
from tinygrad_seq.flow.monitor import Monitor
from tinygrad_seq.flow.states import states

__all__ = [
    "Derivation",
    "Frame",
    "Influence",
    "Items",
    "Monitor",
    "Record",
    "derivation",
    "influence",
    "itemize",
    "record",
    "states",
]

if not TYPE_CHECKING:  # a type checker would take it that every name exists
    __getattr__ = _refusing(__name__)
