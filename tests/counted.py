"""An op that notes every run of its rule: for laws about which rules run, and how often."""

import tinygrad_seq as ts

runs: list[int] = []


@ts.primitive
def counted(xp, x):
    """x, noting every run of its rule."""
    return x + 0.0


counted.vjps(lambda g, _y, _x: runs.append(1) or g)
