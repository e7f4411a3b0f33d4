"""The graph as a program: trace a training step once, then run array code without a tape."""

from tinygrad_seq.replay.replay import Replay, replay
from tinygrad_seq.replay.trace.tape import TraceError

__all__ = ["Replay", "TraceError", "replay"]
