"""One long text or series for truncated backpropagation through time.

It is cut into `batch` streams of equal length, which are read side by side, a window of some steps at a time. Row b of
a window continues row b of the window before, so the state at the end of a window is the first state of the next one:
detached, since the gradient is cut there.
"""

from typing import Any

from tinygrad_seq.data.arrays import as_array
from tinygrad_seq.engine.arguments import at_least
from tinygrad_seq.engine.callers import known_arguments


@known_arguments
def bptt_batches(sequence: Any, batch: int, steps: int) -> list[tuple[Any, Any]]:
    """Return windows of inputs and targets, in reading order; a target is the element one step after its input.

    With streams[:, b] the b-th part of the sequence, window i is

        inputs = streams[i * steps : (i + 1) * steps],   targets = the same, one step on.

    sequence (N,) or (N, F) -> a list of pairs of NumPy arrays (steps, batch) or (steps, batch, F), read-only; the last
    window may have fewer steps, and the N % batch last elements are left out. Raises ValueError where a stream has
    fewer than two elements.

    >>> import tinygrad_seq as ts
    >>> for inputs, targets in ts.data.bptt_batches(range(8), batch=2, steps=2):
    ...     print(inputs.tolist(), targets.tolist())
    [[0, 4], [1, 5]] [[1, 5], [2, 6]]
    [[2, 6]] [[3, 7]]
    """
    batch, steps = at_least(1, "bptt_batches", batch=batch, steps=steps)
    array = as_array("bptt_batches", "sequence", sequence)
    length = len(array) // batch
    if length < 2:
        raise ValueError(f"bptt_batches: {batch} streams need at least {2 * batch} elements, got {len(array)}")
    streams = array[: length * batch].reshape(batch, length, *array.shape[1:]).swapaxes(0, 1)
    streams.flags.writeable = False  # views of the caller's array
    starts = range(0, length - 1, steps)
    return [(streams[:-1][start : start + steps], streams[1:][start : start + steps]) for start in starts]
