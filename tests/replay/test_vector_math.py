"""exp, log and tanh of compiled loops: as accurate as they say over all floats, exact at the edges, and vectorised.

They are called as a generated program calls them: from a loop that LLVM may reorder, which must not change what they
are. mpmath says what is right.
"""

import re
import subprocess
import sys

import numpy as np
import pytest
from draws import generators
from hypothesis import given

numba = pytest.importorskip("numba", reason="Numba is not installed: pip install '.[compile]'")
mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed: pip install '.[test]'")
NAMES, ULPS = ("exp", "log", "tanh", "sigmoid"), (2, 2, 3, 4)
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
mpmath.mp.prec = 120
loops = {}


def loop_of(dtype):
    """Return a loop that fills the rows of y with these functions of x; compiled once."""
    if dtype not in loops:
        from tinygrad_seq.replay.compiled.vector_math import functions

        of, one, ceiling = functions(dtype), np.dtype(dtype).type(1), np.dtype(dtype).type(80)
        exp, log, tanh = of.exp, of.log, of.tanh

        @numba.njit(error_model="numpy", fastmath={"contract", "reassoc", "arcp", "nsz"})
        def loop(x, y):
            for j in range(len(x)):
                y[0, j] = exp(x[j])
                y[1, j] = log(x[j])
                y[2, j] = tanh(x[j])
                e = exp(min(x[j], ceiling))
                y[3, j] = e / (e + one)

        loops[dtype] = loop
    return loops[dtype]


def computed(x):
    y = np.empty((len(NAMES), len(x)), x.dtype)
    loop_of(x.dtype.name)(x, y)
    return y


def exact(name, x):
    """Return the value in the reals, as an mpmath number; far out, one that rounds to the same."""
    x = mpmath.mpf(float(x))
    if name == "log":
        return mpmath.log(x)
    x = min(max(x, -2000), 2000)
    return 1 / (1 + mpmath.exp(-x)) if name == "sigmoid" else getattr(mpmath, name)(x)


def far_off(name, ulps, x, y):
    """Tell whether y is more than so many units in the last place from the exact value."""
    if np.isnan(x) or (name == "log" and x <= 0):
        return not (np.isnan(y) if np.isnan(x) or x < 0 else y == -np.inf)
    if name == "log" and np.isinf(x):
        return y != np.inf
    right = exact(name, x)
    with np.errstate(over="ignore", under="ignore"):
        nearest = x.dtype.type(float(right))
    if np.isinf(nearest) or np.isinf(y):
        return y != nearest
    return abs(mpmath.mpf(float(y)) - right) > ulps * mpmath.mpf(float(np.spacing(abs(nearest))))


def assert_right(x):
    for name, ulps, ys in zip(NAMES, ULPS, computed(x)):
        with np.errstate(invalid="ignore"):
            wrong = [(name, a, b) for a, b in zip(x, ys) if far_off(name, ulps, a, b)]
        assert not wrong


@DTYPES
@given(rng=generators)
def test_accuracy_over_all_floats(dtype, rng):
    whole = dtype.replace("float", "uint")
    anything = rng.integers(0, np.iinfo(whole).max, 30, whole, endpoint=True).view(dtype)
    usual, near_one = rng.normal(size=30) * rng.choice([0.3, 3.0, 30.0, 300.0], 30), 1 + rng.normal(size=10) / 10
    assert_right(np.concatenate([anything, usual, near_one], dtype=dtype, casting="same_kind"))


@DTYPES
def test_edges(dtype):
    info = np.finfo(dtype)
    top, bottom, least = np.log(info.max), np.log(info.smallest_normal), np.log(info.smallest_subnormal)
    places, sides = (top, bottom, least, info.dtype.type(1)), (-np.inf, np.inf)
    around = [np.nextafter(place, side) for place in places for side in sides]
    sizes = [info.smallest_subnormal, 3 * info.smallest_subnormal, info.smallest_normal, info.eps, 1.0, info.max]
    x = np.array([0.0, *sizes, np.inf, top, bottom, least, *around, 3 * least, np.nan], dtype)
    assert_right(np.concatenate([x, -x]))


@DTYPES
def test_exact_values_and_signs(dtype):
    info = np.finfo(dtype)
    zeros = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    exp, log, tanh, _ = computed(zeros)
    np.testing.assert_array_equal(exp, [1, 1, np.inf, 0, np.nan])
    np.testing.assert_array_equal(log, [-np.inf, -np.inf, np.inf, np.nan, np.nan])
    np.testing.assert_array_equal(tanh, [0, 0, 1, -1, np.nan])
    assert list(np.signbit(tanh[:4])) == [False, True, False, True]
    assert computed(np.ones(1, dtype))[1] == 0.0
    tiny = np.geomspace(info.smallest_normal, info.eps / 4, 50).astype(dtype)
    tiny = np.concatenate([tiny, info.smallest_subnormal * np.arange(5, dtype=dtype)])
    np.testing.assert_array_equal(computed(tiny)[2], tiny)
    x = np.geomspace(1e-30, 100, 300).astype(dtype)
    np.testing.assert_array_equal(computed(-x)[2], -computed(x)[2])


@DTYPES
def test_the_loop_is_vectorised(dtype):
    computed(np.zeros(1, dtype))
    (text,) = loop_of(dtype).inspect_llvm().values()
    kind = {"float32": "float", "float64": "double"}[dtype]
    assert len(re.findall(rf"fmul contract <\d+ x {kind}>", text)) > 40
    assert len(re.findall(rf"fdiv .*<\d+ x {kind}>", text)) >= 3


def test_numba_is_imported_when_something_is_compiled():
    code = "import sys, tinygrad_seq, tinygrad_seq.replay; print('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
