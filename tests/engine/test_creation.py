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
