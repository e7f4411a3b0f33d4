"""Padded sequences: any value that the dtype holds, on either side, and long ones cut."""

import numpy as np
import pytest

import tinygrad_seq as ts


def test_empty_lists_say_nothing_of_dtype_or_shape():
    padded, lengths = ts.data.pad_sequences([[], [[1, 2]], []])
    assert padded.dtype == np.int64 and padded.shape == (1, 3, 2) and lengths.tolist() == [0, 1, 0]
    assert ts.data.pad_sequences([[1.5], [2, 3]])[0].dtype == np.float64  # int64 and float32, as NumPy promotes
    assert ts.data.pad_sequences([[1.5], []])[0].dtype == np.float32


def test_any_value_that_the_dtype_holds():
    assert np.isnan(ts.data.pad_sequences([[1.0, 2.0], [3.0]], np.nan)[0][1, 1])
    assert ts.data.pad_sequences([[1.0, 2.0], [3.0]], 0.1)[0][1, 1] == np.float32(0.1)
    assert ts.data.pad_sequences([[True, True], [True]])[0].dtype == bool


@pytest.mark.parametrize("length", range(1, 6))
@pytest.mark.parametrize("maxlen", range(1, 6))
def test_a_long_sequence_is_cut_on_the_side_of_the_padding(length, maxlen):
    numbers, room = list(range(1, length + 1)), [0] * max(maxlen - length, 0)
    for side, wanted in (("right", numbers[:maxlen] + room), ("left", room + numbers[-maxlen:])):
        padded, lengths = ts.data.pad_sequences([numbers], batch_first=True, maxlen=maxlen, side=side)
        assert padded.tolist() == [wanted] and lengths.tolist() == [min(length, maxlen)]
