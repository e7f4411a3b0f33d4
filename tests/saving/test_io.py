"""Saving and loading: what comes back is what went in, bit for bit; failed saves leave the old file.

Structures are drawn with any keys and every dtype, and compared by type and by bits, so that NaN payloads, -0.0 and
denormal numbers count. Whatever else is drawn among them is refused, or comes back.
"""

import os
import stat
import tracemalloc
from collections import Counter, OrderedDict, defaultdict, namedtuple
from enum import Enum, IntEnum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import tinygrad_seq as ts

KINDS = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", ">f8", ">i4"]
OTHER = ["g", "G", "M8[ns]", "m8[25s]", ">M8[D]", "S3", "U1", "V3", "S0", "i4,(2,)>f4", [("é", "?"), ("b", "i4,f8")],
         {"names": ["a"], "formats": ["i2"], "offsets": [3]}, np.dtype("i1,f8", align=True), []]  # fmt: skip


@st.composite
def bit_arrays(draw, kinds=KINDS):
    """An array of any dtype and shape whose bits are drawn, not its values: any NaN, -0.0, any denormal."""
    dtype, shape = np.dtype(draw(st.sampled_from(kinds))), draw(npst.array_shapes(min_dims=0, min_side=0, max_side=3))
    if dtype.kind == "b":
        return np.array(np.random.default_rng(draw(st.integers(0, 99))).random(shape) < 0.5)
    count = int(np.prod(shape))
    bits = draw(st.binary(min_size=count * dtype.itemsize, max_size=count * dtype.itemsize))
    array = np.ndarray(shape, dtype, bytearray(bits) or None)
    layout = draw(st.sampled_from(["C", "Fortran", "strided", "read-only"]))
    if layout == "Fortran":
        return np.asfortranarray(array) if array.ndim else array
    if layout == "strided" and array.ndim:
        return np.repeat(array, 2, axis=0)[::2]
    array.flags.writeable = layout != "read-only"
    return array


def scalars(kinds):
    return bit_arrays(kinds).filter(np.size).map(lambda array: array.reshape(-1)[0])


names = ["", "file", "../up", "/root", "a.npy", "0.npy", "tree.json", "array", "dict", "tuple", "ü\n\0", "\ud800",
         "\ud83d\ude00", "😀"]  # fmt: skip
plain = st.none() | st.booleans() | st.integers() | st.integers(2**62, 2**200) | st.floats() | st.text()
numbers = scalars([*KINDS, "g", "G", "M8[ns]", "m8[25s]"])
keys = st.recursive(plain | st.sampled_from(names) | numbers, lambda inner: st.tuples(inner, inner), max_leaves=3)
structures = st.recursive(
    plain | numbers | bit_arrays([*KINDS, *OTHER]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)
    | st.tuples() | st.tuples(inner) | st.tuples(inner, inner),
    max_leaves=12,
)  # fmt: skip


def bits(array):
    """The bytes of an array that mean something: not what lies between fields, or fills up a long double."""
    if array.dtype.names is not None:
        return [bits(array[name]) for name in array.dtype.names]
    if array.dtype.char in "gG":
        return np.frombuffer(array.tobytes(), "u1").reshape(-1, np.dtype("g").itemsize)[:, :10].tobytes()
    return array.tobytes()


def assert_identical(a, b):
    """Equal in type and in every bit."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray | np.generic):
        assert (a.dtype, a.shape, bits(a)) == (b.dtype, b.shape, bits(b))
    elif isinstance(a, dict):
        assert_identical([*a.items()], [*b.items()])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_identical(one, other)
    elif isinstance(a, float):
        assert np.isnan(a) == np.isnan(b) and (np.isnan(a) or a.hex() == b.hex())
    else:
        assert a == b


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


class Mine:
    """Nothing that can be saved."""


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


@pytest.mark.parametrize("name", ["state", "state.npz", "state.pt", ".hidden", "spaces and ü", "a.b.c"])
def test_the_file_is_exactly_the_path(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    ts.save({"x": 1}, name)
    assert os.listdir(tmp_path) == [name]
    ts.save({"x": 2}, name)
    assert os.listdir(tmp_path) == [name]
    assert ts.load(tmp_path / name) == {"x": 2}


# ----------------------------------------------------------------------------------------------- what a file system has

endings = pytest.mark.parametrize("ending", ["", ".safetensors"])


def put(path, value):
    if path.suffix:
        pytest.importorskip("safetensors")
    ts.save({"x": np.full(3, value)}, path)


def taken(path):
    return ts.load(path)["x"][0]


@endings
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_permissions_stay_and_a_new_file_has_the_usual_ones(tmp_path, ending, mode):
    path, before = tmp_path / f"state{ending}", os.umask(0o027)
    try:
        put(path, 1)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(mode)
        if os.access(path, os.W_OK):
            put(path, 2)
        assert stat.S_IMODE(path.stat().st_mode) == mode and taken(path) in (1, 2)
    finally:
        os.umask(before)


def test_what_is_not_finished_is_read_by_nobody_else(tmp_path, monkeypatch):
    path, seen = tmp_path / "state", []
    put(path, 1)
    path.chmod(0o604)
    look = lambda: [stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()]
    chmod, nditer = os.chmod, np.nditer
    monkeypatch.setattr("numpy.nditer", lambda *args, **options: (seen.append(look()), nditer(*args, **options))[1])
    monkeypatch.setattr("os.chmod", lambda path, mode: (seen.append(look()), chmod(path, mode))[1])
    put(path, 2)
    assert [sorted(modes) for modes in seen] == [[0o600, 0o604]] * 2 and look() == [0o604]


@endings
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path, ending):
    for name in ("x" * (255 - len(ending)) + ending, "ü" * 120 + ending):
        put(tmp_path / name, 1)
        put(tmp_path / name, 2)
        assert taken(tmp_path / name) == 2
        (tmp_path / name).unlink()
    assert os.listdir(tmp_path) == []


@endings
def test_a_symbolic_link_stays_one(tmp_path, ending):
    (tmp_path / "folder").mkdir()
    path, link = tmp_path / "folder" / f"state{ending}", tmp_path / f"link{ending}"
    link.symlink_to(path)
    for value in (1, 2):
        put(link, value)
        assert link.is_symlink() and taken(path) == taken(link) == value
    assert os.listdir(tmp_path / "folder") == [path.name]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_what_is_no_file_is_left_alone(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull)):
        kind = stat.S_IFMT(path.stat().st_mode)
        with pytest.raises(OSError):
            ts.save({"x": 1}, path)
        assert stat.S_IFMT(path.stat().st_mode) == kind
    assert os.listdir(tmp_path) == ["pipe"]


def test_the_same_state_is_the_same_file(tmp_path):
    for name in ("a", "b"):
        put(tmp_path / name, 1)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# ------------------------------------------------------------------------------------------------------- failed saves


@pytest.mark.parametrize("place, bad", [
    (r"state\['a'\]\[1\]", {"a": [1, Mine()]}),
    (r"state\[0\]\['b'\] is an array of object", ({"b": np.array([1, Mine()], dtype=object)},)),
    (r"state\['f'\]", {"f": len}),
    (r"state\['s'\]", {"s": {1, 2}}),
    (r"state\['c'\]", {"c": 1j}),
    (r"state\['b'\]", {"b": b"bytes"}),
    (r"a key of state", {Mine(): 1}),
    (r"state\['i'\]", {"i": 10**5000}),
    (r"a key of state", {10**5000: 1}),
])  # fmt: skip
def test_what_cannot_be_saved_is_said_and_the_old_file_stays(tmp_path, place, bad):
    path = tmp_path / "state"
    ts.save({"old": np.arange(3)}, path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match=f"^save: {place}"):
        ts.save(bad, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["state"]


def test_a_state_without_end_is_said(tmp_path):
    inside, deep = {}, []
    inside["again"] = inside
    for _ in range(10**5):
        deep = [deep]
    for bad in (inside, deep):
        with pytest.raises(ValueError, match=r"^save: .*itself.*deeply"):
            ts.save(bad, tmp_path / "state")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("where, error", [
    ("numpy.nditer", OSError("No space left on device")),
    ("zipfile.ZipFile.writestr", KeyboardInterrupt()),
    ("zipfile.ZipFile.close", OSError("No space left on device")),
    ("os.replace", PermissionError("no")),
])  # fmt: skip
def test_a_save_that_breaks_off_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, where, error):
    path = tmp_path / "state"
    ts.save({"old": np.arange(3)}, path)
    before = path.read_bytes()

    def fails(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(where, fails)
        with pytest.raises(type(error)):
            ts.save({"new": np.arange(4), "more": np.arange(5)}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["state"]


def test_a_place_that_cannot_be_written_is_an_error_and_no_litter(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing/state'$"):  # the path that was given, not the one beside it
        ts.save({"x": 1}, tmp_path / "missing" / "state")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        ts.save({"x": 1}, tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == []
