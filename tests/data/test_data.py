"""Data for recurrent networks, by laws: what is cut apart is put together again, each element exactly once.

Hypothesis draws texts in any script, sizes and seeds; every law is said with plain loops and slices. The small data
sets are the ones that DATA.md names, and the whole chain ends in the two exercises that learners begin with.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.data import Vocabulary

sizes = st.integers(1, 6)
seeds = st.integers(0, 2**32 - 1)
features = st.sampled_from([(), (1,), (3,), (2, 2)])
dtypes = st.sampled_from(["int64", "uint8", "float32", "float64"])


def numbers(count, shape=(), dtype="int64"):
    """Different numbers in reading order, as far as the dtype reaches."""
    return np.arange(count * int(np.prod(shape))).reshape(count, *shape).astype(dtype)


# ------------------------------------------------------------------------------------------------------------- windows


@given(count=st.integers(2, 20), length=sizes, horizon=sizes, stride=sizes, shape=features, dtype=dtypes)
def test_a_window_is_a_slice_and_a_target_the_next(count, length, horizon, stride, shape, dtype):
    series = numbers(count, shape, dtype)
    if count < length + horizon:
        with pytest.raises(ValueError, match=rf"windows: .* need {length + horizon} values, the series has {count}"):
            ts.data.windows(series, length, horizon, stride)
        return
    inputs, targets = ts.data.windows(series, length, horizon, stride)
    starts = range(0, count - length - horizon + 1, stride)
    assert len(inputs) == len(targets) == len(starts)
    for i, seen, next_ in zip(starts, inputs, targets):
        np.testing.assert_array_equal(seen, series[i : i + length], strict=True)
        np.testing.assert_array_equal(next_, series[i + length : i + length + horizon], strict=True)
    assert np.shares_memory(inputs, series) and not inputs.flags.writeable and not targets.flags.writeable


# ------------------------------------------------------------------------------------------------------------- batches


@given(count=st.integers(0, 20), size=sizes, shuffle=st.booleans(), drop=st.booleans(), shape=features, seed=seeds)
def test_every_element_once_a_pass_and_its_partners_with_it(count, size, shuffle, drop, shape, seed):
    x, y = numbers(count, shape), numbers(count)
    batches = ts.data.batches(x, y, size=size, shuffle=shuffle, drop_last=drop, generator=np.random.default_rng(seed))
    for _ in range(2):
        found = list(batches)
        assert len(found) == len(batches)
        assert all(len(part) == size for _, part in found[:-1])
        order = np.concatenate([part for _, part in found]) if found else y[:0]
        assert len(order) == (count // size * size if drop else count)
        assert len(set(order.tolist())) == len(order)
        if not shuffle:
            np.testing.assert_array_equal(order, y[: len(order)])
        for part, partner in found:
            np.testing.assert_array_equal(part, x[partner], strict=True)
            assert not np.shares_memory(part, x)


@given(seed=seeds, own=st.booleans())
def test_the_same_seed_is_the_same_passes_and_each_pass_another_order(seed, own):
    def passes():
        generator = np.random.default_rng(seed) if own else ts.manual_seed(seed)
        batches = ts.data.batches(np.arange(40), size=7, shuffle=True, generator=generator)
        return [np.concatenate([part for (part,) in batches]).tolist() for _ in range(3)]

    first, again = passes(), passes()
    assert first == again
    assert all(one != other for one, other in pairwise([list(range(40)), *first]))


def test_two_passes_at_once_do_not_disturb_each_other():
    batches = ts.data.batches(np.arange(10), size=1, shuffle=True)
    found = [(int(a), int(b)) for ((a,),), ((b,),) in zip(batches, batches)]
    assert sorted(a for a, _ in found) == sorted(b for _, b in found) == list(range(10))


# ------------------------------------------------------------------------------------------------------------- padding


@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5),
    shape=features, dtype=dtypes, value=st.integers(0, 9), first=st.booleans(), tensors=st.booleans(),
    maxlen=st.none() | st.integers(1, 8), side=st.sampled_from(["right", "left"]),
)  # fmt: skip
def test_a_padded_sequence_is_itself_and_the_value(lengths, shape, dtype, value, first, tensors, maxlen, side):
    sequences = [numbers(length, shape, dtype) + np.asarray(b, dtype) for b, length in enumerate(lengths)]
    given_ = [ts.tensor(one) for one in sequences] if tensors else sequences
    padded, found = ts.data.pad_sequences(iter(given_), value, batch_first=first, maxlen=maxlen, side=side)
    steps = maxlen or max(lengths)
    assert found.dtype == np.int64 and found.tolist() == [min(length, steps) for length in lengths]
    assert padded.dtype == dtype and padded.flags.c_contiguous
    rows = padded if first else padded.swapaxes(0, 1)
    assert rows.shape == (len(lengths), steps, *shape)
    for row, sequence in zip(rows, sequences):
        filler = np.full((max(steps - len(sequence), 0), *shape), value, dtype)
        wanted = [sequence[:steps], filler] if side == "right" else [filler, sequence[max(len(sequence) - steps, 0) :]]
        np.testing.assert_array_equal(row, np.concatenate(wanted), strict=True)


# ------------------------------------------------------------------------------------------------------------- streams

@given(count=st.integers(0, 40), batch=sizes, steps=sizes, shape=features)
def test_a_stream_goes_on_in_the_next_window(count, batch, steps, shape):
    sequence, length = numbers(count, shape), count // batch
    if length < 2:
        with pytest.raises(ValueError, match=rf"{batch} streams need at least {2 * batch} elements, got {count}"):
            ts.data.bptt_batches(sequence, batch, steps)
        return
    found = ts.data.bptt_batches(sequence, batch, steps)
    assert len(found) == -(-(length - 1) // steps)
    assert [len(x) for x, _ in found[:-1]] == [steps] * (len(found) - 1) and 1 <= len(found[-1][0]) <= steps
    inputs, targets = (np.concatenate(parts) for parts in zip(*found))
    for b in range(batch):
        stream = sequence[b * length : (b + 1) * length]
        np.testing.assert_array_equal(inputs[:, b], stream[:-1], strict=True)
        np.testing.assert_array_equal(targets[:, b], stream[1:], strict=True)
    assert all(x.shape == y.shape and not x.flags.writeable and not y.flags.writeable for x, y in found)


@given(batch=st.integers(1, 3), steps=sizes, seed=seeds)
def test_a_state_that_is_carried_over_windows_reads_the_stream_whole(batch, steps, seed):
    ts.manual_seed(seed)
    rnn = nn.GRU(2, 3).to("float64")
    series = np.random.default_rng(seed).normal(size=(14, 2))
    state, outs = None, []
    for x, _ in ts.data.bptt_batches(series, batch, steps):
        out, state = rnn(ts.tensor(x), state)
        outs.append(out)
    length = len(series) // batch
    for b in range(batch):
        alone, _ = rnn(ts.tensor(series[b * length : (b + 1) * length - 1]))
        np.testing.assert_allclose(ts.concatenate(outs)[:, b].numpy(), alone.numpy(), rtol=1e-12, atol=1e-14)


# -------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("error, says, call", [
    (ValueError, r"windows: length must be at least 1, got 0", lambda: ts.data.windows([1, 2], 0)),
    (ValueError, r"windows: horizon must be at least 1, got -1", lambda: ts.data.windows([1, 2], 1, -1)),
    (TypeError, r"windows: length must be an int, got 2\.0", lambda: ts.data.windows([1, 2], 2.0)),
    (ValueError, r"windows: series must have at least one axis", lambda: ts.data.windows(3, 1)),
    (ValueError, r"windows: series has no regular shape.*pad_sequences", lambda: ts.data.windows([[1], [1, 2]], 1)),
    (TypeError, r"^batches: array 0 mixes text and numbers: .*batches\(xs, ys\)",
     lambda: ts.data.batches([("anna", 0), ("bob", 1)], size=2)),
    (TypeError, r"^windows: series mixes text and numbers", lambda: ts.data.windows(["a", True, 2.5], 1)),
    (ValueError, r"batches: size must be at least 1", lambda: ts.data.batches([1], size=0)),
    (ValueError, r"batches: there are no arrays", lambda: ts.data.batches(size=1)),
    (ValueError, r"batches: .* different lengths: 2, 1", lambda: ts.data.batches([1, 2], [1], size=1)),
    (ValueError, r"batches: array 1 must have at least one axis", lambda: ts.data.batches([1], 2, size=1)),
    (TypeError, r"batches: a tuple of arrays.* one by one", lambda: ts.data.batches((np.ones(2), np.ones(2)), size=1)),
    (TypeError, r"batches: a tuple of arrays.* one by one", lambda: ts.data.batches(ts.data.cities(), size=1)),
    (ValueError, r"bptt_batches: batch must be at least 1", lambda: ts.data.bptt_batches([1, 2], 0, 1)),
    (ValueError, r"bptt_batches: steps must be at least 1", lambda: ts.data.bptt_batches([1, 2], 1, 0)),
    (ValueError, r"pad_sequences: there are no sequences", lambda: ts.data.pad_sequences([])),
    (ValueError, r"pad_sequences: sequence 1 must have at least one axis", lambda: ts.data.pad_sequences([[1], 2])),
    (ValueError, r"sequence 1 has steps of shape \(2,\), others \(\)", lambda: ts.data.pad_sequences([[1], [[1, 2]]])),
    (TypeError, r"int64, which cannot hold the value 0\.5", lambda: ts.data.pad_sequences([[1]], 0.5)),
    (TypeError, r"int64, which cannot hold the value nan", lambda: ts.data.pad_sequences([[1]], np.nan)),
    (TypeError, r"uint8, which cannot hold the value -1", lambda: ts.data.pad_sequences([np.ones(1, "u1")], -1)),
    (TypeError, r"bool, which cannot hold the value 2", lambda: ts.data.pad_sequences([[True]], 2)),
    (TypeError, r"<U1, which cannot hold the value 0", lambda: ts.data.pad_sequences([["a"]])),
    (TypeError, r"float32, which cannot hold the value -1e\+39", lambda: ts.data.pad_sequences([[1.0]], -1e39)),
    (TypeError, r"float16, .*100000", lambda: ts.data.pad_sequences([np.ones(1, "float16")], np.float64(100000))),
    (ValueError, r"sequence 1 has no regular shape.*; its steps must have one shape",
     lambda: ts.data.pad_sequences([[1], [[1], [2, 3]]])),
    (TypeError, r"float32, which cannot hold the value None", lambda: ts.data.pad_sequences([[1.0]], None)),
    (TypeError, r"float32, which cannot hold the value \[0\]", lambda: ts.data.pad_sequences([[1.0]], [0])),
    (ValueError, r"as a list or an array, got 'text'", lambda: ts.data.bptt_batches("text", 1, 1)),
    (TypeError, r"^pad_sequences: sequences must be in a list, got None", lambda: ts.data.pad_sequences(None)),
    (TypeError, r"^pad_sequences: batch_first must be True or False", lambda: ts.data.pad_sequences([[1]], 0, "no")),
    (ValueError, r"^pad_sequences: side must be 'right' or 'left', got 'pre'",
     lambda: ts.data.pad_sequences([[1]], side="pre")),
    (ValueError, r"^pad_sequences: maxlen must be at least 1, got 0", lambda: ts.data.pad_sequences([[1]], maxlen=0)),
    (ValueError, r"^pad_sequences: maxlen must be at most 2,147,483,647, got 10{30}",
     lambda: ts.data.pad_sequences([[1]], maxlen=10**30)),
    (TypeError, r"^windows: stride must be an int, got True", lambda: ts.data.windows([1, 2], 1, stride=True)),
    (ValueError, r"^windows: stride must be at least 1, got 0", lambda: ts.data.windows([1, 2], 1, stride=0)),
    (TypeError, r"^bptt_batches: batch must be an int, got True", lambda: ts.data.bptt_batches([1, 2], True, 1)),
    (TypeError, r"^batches: shuffle must be True or False, got 'no'",
     lambda: ts.data.batches([1], size=1, shuffle="no")),
    (TypeError, r"^batches: drop_last must be True or False", lambda: ts.data.batches([1], size=1, drop_last=None)),
])  # fmt: skip
def test_what_cannot_be_cut_or_padded_is_said(error, says, call):
    with pytest.raises(error, match=says):
        call()


def test_sizes_in_numpys_narrow_numbers():
    """255 is more than enough, and -255 is no uint8."""
    assert len(ts.data.batches(np.arange(5), size=np.uint8(255))) == 1
    assert len(ts.data.windows(np.arange(300), np.uint8(255), stride=np.uint8(1))[0]) == 45


def test_tensors_of_a_gpu_are_fetched(gpu):
    series = ts.arange(6, device="cuda")
    inputs, targets = ts.data.windows(series, 2)
    assert type(inputs) is np.ndarray and targets[:, 0].tolist() == [2, 3, 4, 5]
    assert type(ts.data.bptt_batches(series, 2, 2)[0][0]) is np.ndarray
    assert Vocabulary("abcdef").decode(series) == "abcdef"


# ------------------------------------------------------------------------------------------------------------ datasets


def test_sunspots():
    series = ts.data.sunspots()
    assert series.shape == (309,) and series.dtype == np.float32
    assert (series >= 0).all() and series.argmax() == 1957 - 1700
    assert series[[0, 1957 - 1700, -1]].tolist() == np.float32([5, 190.2, 2.9]).tolist()
    years = [line.split(",")[0] for line in (Path(ts.data.__file__).parent / "sunspots.csv").read_text().split()[1:]]
    assert years == [str(year) for year in range(1700, 2009)]


def test_cities():
    names, areas = ts.data.cities()
    assert len(names) == len(set(names)) == len(areas) == 418
    assert dict(zip(names, areas))["Buenos Aires"] == "America"
    assert len(set(areas)) == 10 and areas.count("America") == 144 and areas.count("Arctic") == 1
    assert all(name.isascii() and name.strip() == name for name in names)


def test_the_manual():
    text = ts.data.python_manual()
    assert len(text) > 300_000 and "generator" in text and text == ts.data.python_manual()


def test_every_file_of_data_is_named_with_its_source_and_all_are_small():
    folder = Path(ts.data.__file__).parent
    told = (folder / "DATA.md").read_text(encoding="utf-8")
    files = list(folder.glob("*.csv"))
    assert {f"## {file.name}" for file in files} <= set(told.splitlines()) and len(files) == told.count("- Licence:")
    assert sum(file.stat().st_size for file in files) < 300_000


# ----------------------------------------------------------------------------------------------------------- exercises


def test_eight_years_of_sunspots_predict_the_ninth():
    ts.manual_seed(0)
    inputs, targets = ts.data.windows(ts.data.sunspots() / 100, 8)
    rnn, head = nn.RNN(1, 5, nonlinearity="relu", batch_first=True), nn.Linear(5, 1)
    optimizer = ts.optim.Adam([*rnn.parameters(), *head.parameters()], lr=0.01)
    passes = []
    for _ in range(20):
        losses = []
        for x, y in ts.data.batches(inputs[..., None], targets, size=30, shuffle=True):
            error = head(rnn(ts.tensor(x))[0][:, -1]) - ts.tensor(y)
            loss = (error * error).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        passes.append(np.mean(losses))
    assert passes[-1] < 0.5 * np.var(targets)  # better than the mean of all years, by half


def test_twenty_characters_predict_the_next():
    ts.manual_seed(0)
    text = "see how autograd handles recurrence, one step after the other. " * 4
    vocabulary = Vocabulary.of(text)
    inputs, targets = ts.data.windows(vocabulary.encode(text), 20)
    lstm, head = nn.LSTM(len(vocabulary), 20, batch_first=True), nn.Linear(20, len(vocabulary))
    optimizer = ts.optim.Adam([*lstm.parameters(), *head.parameters()], lr=0.03)
    for _ in range(8):
        for x, y in ts.data.batches(inputs, targets[:, 0], size=30, shuffle=True):
            loss = nn.cross_entropy(head(lstm(ts.one_hot(x, len(vocabulary)))[0][:, -1]), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert loss.item() < 0.5 * np.log(len(vocabulary))  # knowing nothing costs log n
