"""The ops: forward and gradient side by side, grouped by what they do to shapes.

An op takes complete arguments. Where users may leave some out or get them wrong, a function of the same name in
`engine/functions` checks and completes them first: the split of JAX's lax and numpy.
"""
