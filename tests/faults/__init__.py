"""The faults that are planted in the package, by where they are."""

from faults import around, drawing, engine, loops, nn, ops, programs, replay
from faults.fault import Fault

__all__ = ["FAULTS", "Fault"]
FAULTS = [
    *engine.FAULTS, *ops.FAULTS, *nn.FAULTS, *around.FAULTS, *drawing.FAULTS, *replay.FAULTS, *programs.FAULTS,
    *loops.FAULTS,
]  # fmt: skip
