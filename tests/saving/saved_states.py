"""States to save: drawn with any keys and every dtype, and compared by type and by bits.

So NaN payloads, -0.0 and denormal numbers count.
"""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

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


class Mine:
    """Nothing that can be saved."""


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
