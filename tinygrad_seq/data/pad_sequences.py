"""Sequences of different lengths as one array, padded on one side, and their lengths."""

from collections.abc import Iterable
from typing import Any

from tinygrad_seq.data.arrays import as_array, listed
from tinygrad_seq.engine.arguments import at_least, flag, one_of
from tinygrad_seq.engine.backend import host, quiet
from tinygrad_seq.engine.hints import public


def in_dtype(value: Any, dtype: Any) -> Any:
    """Return the value that pads as an array without axes; raise TypeError if the dtype cannot hold it."""
    try:
        with quiet(invalid="ignore", over="ignore"):
            padding = host.array(value, dtype=dtype)
        if padding.dtype.kind == "f" and host.isinf(padding) and abs(value) != host.inf:
            raise OverflowError  # a number that became inf is compared below as inf, too
        if not padding.shape and (padding == value or (padding != padding and value != value)):  # NaN is held as NaN
            return padding
    except (OverflowError, TypeError, ValueError):
        pass
    raise TypeError(f"pad_sequences: the sequences are of {dtype}, which cannot hold the value {value!r}")


@public
def pad_sequences(
    sequences: Iterable[Any],
    value: float = 0,
    batch_first: bool = False,
    maxlen: int | None = None,
    side: str = "right",
) -> tuple[Any, Any]:
    """Return sequences of any lengths, each padded with `value` to the length of the longest, and the lengths.

    B sequences (T_b, ...) -> NumPy arrays: padded (T, B, ...), or (B, T, ...) with batch_first, where T is the largest
    T_b, and lengths (B,) of int64, which recurrent layers take as `lengths=`. The dtype is the one that holds all
    sequences. `batches` takes examples along the first axis: pad with batch_first for it.

    With `maxlen` T is just that, and a longer sequence is cut on the `side` where a shorter one is padded: "right"
    keeps its beginning, "left" its end, which is what Keras does unless told otherwise. The lengths are those after
    the cut. Layers expect the padding at the right where they are given `lengths=`: with "left" leave these out, and
    the layer reads the padding first.

    Raises TypeError for a value that the dtype cannot hold; ValueError if there are no sequences, or if they differ in
    more than their length, naming the first that does.

    >>> import tinygrad_seq as ts
    >>> padded, lengths = ts.data.pad_sequences([[1, 2, 3], [4], [5, 6]], batch_first=True)
    >>> padded.tolist(), lengths.tolist()
    ([[1, 2, 3], [4, 0, 0], [5, 6, 0]], [3, 1, 2])
    >>> ts.data.pad_sequences([[1, 2, 3], [4]], batch_first=True, maxlen=2, side="left")[0].tolist()
    [[2, 3], [0, 4]]
    """
    flag("pad_sequences", batch_first=batch_first)
    one_of("pad_sequences", "side", side, ("right", "left"))
    arrays = [
        as_array("pad_sequences", f"sequence {number}", one)
        for number, one in enumerate(listed("pad_sequences", "sequences", sequences))
    ]
    if not arrays:
        raise ValueError("pad_sequences: there are no sequences")
    solid = [array for array in arrays if len(array)] or arrays  # an empty list has no dtype or shape of its own
    for number, array in enumerate(arrays):
        if len(array) and array.shape[1:] != solid[0].shape[1:]:
            raise ValueError(
                f"pad_sequences: sequence {number} has steps of shape {array.shape[1:]}, others {solid[0].shape[1:]}"
            )
    dtype = host.result_type(*solid)
    padding = in_dtype(value, dtype)
    longest = max(len(array) for array in arrays)
    (steps,) = (longest,) if maxlen is None else at_least(1, "pad_sequences", maxlen=maxlen)
    lengths = host.array([min(len(array), steps) for array in arrays], dtype="int64")
    shape = (len(arrays), steps, *solid[0].shape[1:])
    try:
        padded = host.full(shape, padding)
    except (MemoryError, OverflowError, ValueError) as error:
        raise ValueError(f"pad_sequences: there is no room for an array of {shape}: {error}") from None
    for row, array, length in zip(padded, arrays, lengths.tolist()):
        if length:
            part = slice(length) if side == "right" else slice(-length, None)
            row[part] = array[part]
    return padded if batch_first else host.ascontiguousarray(padded.swapaxes(0, 1)), lengths
