"""Saving and loading: what comes back is what went in, bit for bit.

Whatever else is drawn among what can be saved is refused, or comes back.
"""

import os
import tracemalloc
from collections import Counter, OrderedDict, defaultdict, namedtuple
from enum import Enum, IntEnum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saved_states import Mine, assert_identical, bit_arrays, numbers, plain, structures

import tinygrad_seq as ts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("io")


@given(state=structures)
def test_what_is_saved_is_loaded_bit_for_bit(folder, state):
    path = folder / "state"
    ts.save(state, path)
    assert os.listdir(folder) == ["state"]
    assert_identical(ts.load(path), state)
    assert_identical(ts.load(str(path)), state)


Pair = namedtuple("Pair", "first second")
Colour = Enum("Colour", "RED")
Level = IntEnum("Level", "LOW")


class Alone(tuple):
    """A tuple that is equal to itself alone."""

    __eq__, __hash__ = object.__eq__, object.__hash__


def expected(state):
    """What should come back of a state that was accepted."""
    if isinstance(state, ts.Tensor):
        return state.numpy()
    if isinstance(state, dict):
        return {expected(key): expected(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return (tuple if isinstance(state, tuple) else list)(map(expected, state))
    return state


overlapping = np.dtype({"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 2]})
strange = st.sampled_from([
    b"bytes", 1j, frozenset({1}), range(3), Colour.RED, Level.LOW, Mine(), len, int, 2**8192, -(2**8192), 1 - 2**8192,
    np.str_("text"), np.bytes_(b"x\0"), np.void(b"abc"), np.array((1, 2), "i4,i4")[()], np.array([None]),
    np.zeros(2, overlapping), np.zeros(2, [(f"long name {i}", "i4") for i in range(1000)]), np.zeros(2, [("日", "?")]),
    np.ma.zeros(2), np.zeros(2).view(np.recarray), np.array(["a"], np.dtypes.StringDType()),
    np.zeros(2, "f4"), ts.ones(2), ts.nn.Parameter(1.0), float("nan"), float("nan"), Pair(1, 2.0), Pair(ts.ones(1), 2),
    Alone([1]), Alone([1]), OrderedDict(b=1, a=2), defaultdict(list, a=[1]), Counter("aab"),
])  # fmt: skip


def hashes(value):
    try:
        return hash(value) is not None
    except TypeError:
        return False


hashable = strange.filter(hashes)
odd_keys = st.recursive(plain | numbers | hashable, lambda inner: st.tuples(inner, inner), max_leaves=3)


@given(
    st.recursive(
        plain | strange,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_keys, inner, max_size=4)
        | st.lists(st.tuples(odd_keys, inner), max_size=3).map(OrderedDict) | st.tuples(inner, inner).map(Pair._make),
        max_leaves=4,
    )
)  # fmt: skip
def test_what_is_accepted_comes_back_and_all_else_is_refused(folder, state):
    path = folder / "state"
    ts.save("before", path)
    try:
        ts.save(state, path)
    except (TypeError, ValueError) as error:
        assert str(error).startswith(("save: state", "save: a key of "))
        assert ts.load(path) == "before"
    else:
        assert_identical(ts.load(path), expected(state))


@pytest.mark.parametrize("state", [
    {np.int64(3): 1}, {(np.int64(3), "a"): 1}, {(1, (np.float32(0.1), np.bool_(True))): [np.float64(2.0)]},
    {float("nan"): 1, np.float64("nan"): 2, (float("nan"),): 3}, dict.fromkeys(map(float, ["nan"] * 3), 0),
    {True: 1, 0: 2, 2.5: 3, None: 4}, {"\ud83d\ude00": 1, "😀": 2}, (np.float16(1), np.datetime64("NaT", "s")),
], ids=repr)  # fmt: skip
def test_keys_and_numbers_of_numpy_come_back(folder, state):
    ts.save(state, folder / "state")
    assert_identical(ts.load(folder / "state"), state)


@pytest.mark.parametrize("key", [ts.ones(2), (1, ts.ones(2)), np.str_("a"), Level.LOW, b"k", Mine()])
def test_a_key_that_would_not_come_back_is_refused(folder, key):
    with pytest.raises(TypeError, match=r"^save: a key of state\['a'\]"):
        ts.save({"a": {key: 1}}, folder / "state")


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,), lambda x: {"a": x}, lambda x: {(1,): [x]}])
def test_how_deep_a_state_may_be_does_not_depend_on_what_it_is_of(folder, wrap):
    """Nor on how deep the caller is: what is accepted is far from where Python's recursion ends."""
    state, depth = 1, 0
    with pytest.raises(ValueError, match=r"^save: .*nested too deeply"):
        while depth < 200:
            state, depth = wrap(state), depth + 1
            ts.save(state, folder / "state")
    assert depth == 101 if isinstance(wrap(0), list | tuple) or "a" in wrap(0) else depth == 51
    assert_identical(wrap(ts.load(folder / "state")), state)


def test_a_checkpoint_of_version_0_1_0_is_read_and_goes_on():
    """Written by that version: parameters, Adam and a schedule after three steps, and all kinds of values."""
    saved = ts.load(Path(__file__).parent / "files" / "checkpoint_0_1_0")
    model = ts.nn.Sequential(ts.nn.Embedding(4, 2), ts.nn.Linear(2, 3))
    optimiser = ts.optim.Adam(model.parameters(), lr=1.0)
    schedule = ts.optim.StepLR(optimiser, 2, 0.5)
    model.load_state_dict(saved["model"])
    optimiser.load_state_dict(saved["optimiser"])
    schedule.load_state_dict(saved["schedule"])
    ts.nn.cross_entropy(model(np.array([0, 1, 3])), np.array([0, 1, 2])).backward()
    optimiser.step()
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(value, saved["next"][name], rtol=1e-5)
    infinite = float("inf")
    assert_identical(saved["plain"], [None, True, 3, -(2**70), 1e300, infinite, "ü\n", (), [], {}, ((1, ("a", None)),)])
    assert_identical(saved["a key", 7], {None: 1, False: 2, 5: 3, "5": 4})
    for kind, array in saved["arrays"].items():
        assert_identical(array, np.arange(6).astype(kind).reshape(2, 3))
    assert_identical(saved["record"], np.array([(1, 2.5)], [("a", "<i4"), ("b", "<f8")]))
    assert_identical([saved["words"], saved["when"]], [np.array(["ü", "word"]), np.array("2024-02-29", "M8[D]")])
    assert_identical([saved["number"], saved["empty"]], [np.array(-0.0), np.zeros((0, 3))])
    assert saved["fortran"].flags.f_contiguous and saved["fortran"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    before = ts.get_rng_state()
    ts.set_rng_state(saved["chance"])
    ts.set_rng_state(before)


@pytest.mark.parametrize("ending", ["", ".safetensors"])
@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_saving_and_loading_take_little_more_than_the_array(folder, ending, order):
    """1.3 times the array at the peak, itself included."""
    if ending:
        pytest.importorskip("safetensors")
        order = "C"  # all else is copied for that package
    array, path = np.ones((1024, 1024, 2), "f4", order="C" if order == "strided" else order), folder / f"large{ending}"
    array = array.transpose(1, 2, 0) if order == "strided" else array
    peaks = []
    for use in (lambda: ts.save({"a": array}, path), lambda: ts.load(path)):
        use()  # what is made once and kept
        tracemalloc.start()
        use()
        peaks.append(tracemalloc.get_traced_memory()[1] / array.nbytes)
        tracemalloc.stop()
    path.unlink()
    assert peaks[0] < 0.3 and peaks[1] < 1.3


@given(array=bit_arrays())
def test_the_layout_in_memory_is_kept_and_the_result_is_ones_own(folder, array):
    ts.save(array, folder / "state")
    found = ts.load(folder / "state")
    assert found.flags.f_contiguous or not array.flags.f_contiguous
    assert found.flags.c_contiguous or not array.flags.c_contiguous
    assert found.flags.writeable and not np.shares_memory(found, array)


@given(array=bit_arrays().filter(lambda array: array.dtype.kind in "fiub" and array.dtype.byteorder != ">"))
def test_tensors_and_parameters_are_saved_as_arrays(folder, array):
    tensor = ts.tensor(array)
    ts.save([tensor, {"w": tensor}], folder / "state")
    assert_identical(ts.load(folder / "state"), [tensor.numpy(), {"w": tensor.numpy()}])
    layer = ts.nn.LSTM(2, 3)
    ts.save(dict(layer.named_parameters()), folder / "state")
    assert_identical(ts.load(folder / "state"), layer.state_dict())
