"""Insight over time, read off the recorded graph: who taught the weights what."""

from tinygrad_seq.flow.itemize import Items, itemize

__all__ = ["Items", "itemize"]
