"""The ops: forward and gradient side by side, grouped by what they do to shapes."""
