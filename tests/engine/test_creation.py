"""Tensors from nothing and from chance: NumPy's numbers in the library's dtypes, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from laws import assert_same, host
from networks import seeds

import tinygrad_seq as ts

shapes = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
dtypes = st.sampled_from(["float32", "float64"])
DTYPES = ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "bool"]
DRAWS = {"rand": np.random.Generator.random, "randn": np.random.Generator.standard_normal}


@given(shape=shapes, dtype=st.sampled_from(["float32", "float64", "int64", "bool"]), value=st.integers(-3, 3))
def test_constants_are_numpys(shape, dtype, value):
    made = [ts.zeros(shape, dtype=dtype), ts.ones(*shape, dtype=dtype), ts.full(shape, value, dtype=dtype)]
    assert_same(host(made), [np.zeros(shape, dtype), np.ones(shape, dtype), np.full(shape, value, dtype)])
    assert_same(host([ts.zeros(shape), ts.eye(3)]), [np.zeros(shape, "float32"), np.eye(3, dtype="float32")])
    assert [ts.full(shape, fill).dtype for fill in (value, float(value), True)] == ["int64", "float32", "bool"]


@given(limits=st.lists(st.integers(-5, 5).filter(bool), min_size=1, max_size=3))
def test_ranges_are_numpys(limits):
    whole, floating = ts.arange(*limits), ts.arange(*map(float, limits))
    assert_same(host([whole, floating]), [np.arange(*limits), np.arange(*limits).astype("float32")])


@given(start=st.integers(-9, 9), step=st.sampled_from([0.1, 0.25, 0.5, 1.5, -0.3]), n=st.integers(0, 9),
       dtype=st.sampled_from(["int64", "int8", "float16", "float32"]))  # fmt: skip
def test_a_range_is_counted_in_double_precision_and_then_rounded(start, step, n, dtype):
    """NumPy counts in the dtype itself: a step of 0.5 is 1 there where the first two numbers are 1 apart."""
    assert_same(host([ts.arange(start, start + (n - 0.5) * step, step, dtype=dtype)]),
                [np.arange(start, start + (n - 0.5) * step, step).astype(dtype)])  # fmt: skip


@given(dtype=st.sampled_from(["int8", "uint8", "int16", "int32", "int64"]), data=st.data())
def test_no_whole_number_wraps_around(dtype, data):
    """Whether in data that are floats, in a range or filled in: the nearest numbers outside the dtype are refused."""
    limits = np.iinfo(dtype)
    inside = data.draw(st.sampled_from([limits.min, limits.max, 0, 1]))
    assert ts.tensor(inside, dtype).item() == ts.full((), inside, dtype).item() == inside
    for beyond in (limits.max + 1, limits.min - 1 if limits.bits < 64 else -(2.0**65)):
        for call in (lambda n=beyond: ts.tensor([float(n)], dtype), lambda n=beyond: ts.full((), n, dtype),
                     lambda n=beyond: ts.arange(n, n + 2**14, 2**14, dtype=dtype)):  # fmt: skip
            with pytest.raises(ValueError, match=r"beyond|cannot fill|cannot count"):
                call()


large = st.integers(2**63, 2**80) | st.integers(-(2**80), -(2**63) - 1)


@given(n=large, others=st.lists(st.integers(-3, 3), max_size=2), data=st.data())
def test_an_int_beyond_int64_is_refused_and_never_another_kind_of_number(n, others, data):
    numbers, mask, whole = data.draw(st.permutations([n, *others])), ts.tensor([True]), ts.tensor([1])
    calls = [lambda: ts.tensor(n), lambda: ts.tensor(numbers), lambda: ts.tensor([numbers]), lambda: mask + n,
             lambda: n * whole, lambda: ts.where(mask, n, 0), lambda: ts.where(mask, 0, n), lambda: mask * numbers,
             lambda: whole + numbers, lambda: ts.nn.Parameter(numbers), lambda: ts.zeros_like(numbers),
             lambda: ts.arange(n, n + 2)]  # fmt: skip
    for call in calls:
        with pytest.raises(ValueError, match=rf"{n}.* int64"):
            call()


def test_large_ints_are_floats_where_that_is_said():
    floats = ts.tensor([2**63, 1.0]), ts.tensor([2**63, -1], "float32"), [2**63, -1] * ts.zeros(2)
    assert {str(x.dtype) for x in (*floats, ts.tensor([ts.tensor(1.0), 2**63]))} == {"float32"}
    assert ts.tensor([2**63], "uint64").tolist() == ts.tensor(np.array([2**63], "uint64")).tolist() == [2**63]


@given(dtype=st.sampled_from(["int8", "uint8", "int16", "uint64", "int64"]), value=st.integers(-(2**63), 2**63 - 1))
def test_a_border_is_what_it_was_asked_to_be(dtype, value):
    x, limits = ts.tensor([1], dtype), np.iinfo(dtype)
    if limits.min <= value <= limits.max:
        assert ts.pad(x, 1, value).tolist() == [value, 1, value]
    else:
        with pytest.raises(ValueError, match=f"pad: {value} does not fit into {dtype}"):
            ts.pad(x, 1, value)


def test_without_a_dtype_floats_are_single():
    made = (ts.zeros(2, dtype=None), ts.ones(2, dtype=None), ts.eye(2, dtype=None), ts.rand(2, dtype=None))
    assert {str(x.dtype) for x in (*made, ts.randn(2, dtype=None))} == {"float32"}


@given(shape=shapes, dtype=st.sampled_from(DTYPES))
def test_what_is_printed_tells_dtype_and_shape(shape, dtype):
    """The dtypes that Python's numbers give are not named; brackets do not tell all of a shape without elements."""
    text = repr(ts.zeros(shape, dtype=dtype, device="cpu"))
    assert (f"dtype={dtype}" in text) != (dtype in ("float32", "int64", "bool"))
    assert (f"shape={shape}" in text) == (0 in shape and len(shape) > 1)


@pytest.mark.parametrize("name", DRAWS)
@given(seed=seeds, shape=shapes, dtype=dtypes)
def test_a_seed_gives_the_numbers_of_numpys_generator(name, seed, shape, dtype):
    make, draw = getattr(ts, name), DRAWS[name]
    numpys = np.random.default_rng(seed)
    expected = [np.asarray(draw(numpys, shape), dtype) for _ in range(2)]  # the second goes on after the first
    if name == "rand":
        expected = [np.minimum(drawn, np.nextafter(np.ones((), dtype), 0, dtype=dtype)) for drawn in expected]
    ts.manual_seed(seed)
    first = make(*shape, dtype=dtype)
    own = make(shape, dtype=dtype, generator=np.random.default_rng(seed))  # leaves the default one where it was
    assert_same(host([first, make(shape, dtype=dtype), own]), [*expected, expected[0]])


class Last(np.random.Generator):
    """Always draws the largest number below 1."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def random(self, size=None):
        return np.full(size, 1 - 2.0**-53)


@given(shape=shapes, dtype=st.sampled_from(["float16", "float32", "float64"]), seed=seeds, ends=st.tuples(
    *[st.floats(-1000, 1000)] * 2).map(sorted))  # fmt: skip
def test_a_uniform_draw_is_below_its_upper_end_in_every_dtype(shape, dtype, seed, ends):
    below = np.nextafter(np.ones((), dtype), 0, dtype=dtype)
    assert np.all(ts.rand(shape, dtype=dtype, generator=Last()).numpy() == below)
    low, high = np.array(ends, dtype)
    for random in (Last(), np.random.default_rng(seed)):
        drawn = ts.nn.init.uniform_(ts.nn.Parameter(np.zeros(shape, dtype)), *ends, generator=random).numpy()
        assert drawn.dtype == dtype and drawn.shape == shape
        assert np.all((low <= drawn) & (drawn < high)) if low < high else np.all(drawn == low)
    plain = np.random.default_rng(seed).random(shape).astype(dtype)
    assert_same(host([ts.rand(shape, dtype=dtype, generator=np.random.default_rng(seed))]),
                [np.where(plain < 1, plain, below).astype(dtype)])  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_draws_are_not_cut_to_whole_numbers(name, dtype):
    with pytest.raises(TypeError, match=f"^{name}: dtype must be floating, got {dtype}"):
        getattr(ts, name)(2, dtype=dtype)


def test_ints_beyond_int64():
    for made in (ts.tensor([2**64, 1], dtype="float64"), ts.tensor([2**64, 1.0]), ts.ones(2) * [2**64, 1]):
        assert made.tolist() == [2.0**64, 1.0] and made.dtype.kind == "f"
    assert ts.arange(2**63, 2**63 + 2, dtype="uint64").tolist() == [2**63, 2**63 + 1]
    for limits in ((0, 2**64, 2**62), (2**63,), (-5, 2**63), (0, -(2**64), -(2**62))):
        with pytest.raises(ValueError, match="arange: cannot count"):
            ts.arange(*limits)
    with pytest.raises(ValueError, match="does not fit into int64"):
        ts.tensor([2**64], dtype="int64")
