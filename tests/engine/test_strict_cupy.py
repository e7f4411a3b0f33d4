"""The strict double of CuPy refuses what CuPy refuses: the host unasked, and names and keywords that it lacks."""

import importlib
import sys

import numpy as np
import pytest
import strict_cupy
from strict_cupy import cupy as cp


@pytest.fixture
def x():
    return cp.asarray(np.arange(12.0).reshape(3, 4))


def test_install_is_what_import_finds_and_uninstall_restores():
    before = sys.modules.get("cupy")
    installed = strict_cupy.install()
    try:
        assert strict_cupy.install() is installed
        assert importlib.import_module("cupy") is installed
        assert importlib.import_module("cupy.cuda").is_available() is True
        assert {np.ndarray: np, installed.ndarray: installed}[type(installed.zeros(2))] is installed
    finally:
        strict_cupy.uninstall()
    assert sys.modules.get("cupy") is before


REFUSED = {
    "asarray": lambda x, a: np.asarray(x),
    "array of device arrays": lambda x, a: np.array([x, x]),
    "assert_allclose": lambda x, a: np.testing.assert_allclose(x, x),
    "NumPy ufunc": lambda x, a: np.add(a, x),
    "NumPy function": lambda x, a: np.concatenate([x, a]),
    "array on the left": lambda x, a: a * x,
    "array on the right": lambda x, a: x * a,
    "0-d array": lambda x, a: x + np.array(1.0),
    "in place": lambda x, a: x.__iadd__(a),
    "into a NumPy array": lambda x, a: cp.exp(x, out=a),
    "list": lambda x, a: x * [1.0, 2.0, 3.0, 4.0],
    "list compared": lambda x, a: x == [1.0],
    "text": lambda x, a: x == "text",
    "None ordered": lambda x, a: x < None,
    "matmul": lambda x, a: x @ a.T,
    "matmul reflected": lambda x, a: a.T @ x,
    "reduction of a NumPy array": lambda x, a: cp.sum(a),
    "reduction of a list": lambda x, a: cp.sum([1.0]),
    "concatenate": lambda x, a: cp.concatenate([x, a]),
    "stack of lists": lambda x, a: cp.stack([[1.0], [2.0]]),
    "dot with a list": lambda x, a: cp.dot(x, [1.0, 2.0, 3.0, 4.0]),
    "where on a bool": lambda x, a: cp.where(True, x, x),
    "where with a NumPy branch": lambda x, a: cp.where(x > 1, x, a),
    "ascontiguousarray": lambda x, a: cp.ascontiguousarray(a),
    "range": lambda x, a: range(cp.asarray(3)),
}


@pytest.mark.parametrize("mixed", REFUSED.values(), ids=REFUSED)
def test_mixing_with_the_host_is_a_type_error(x, mixed):
    with pytest.raises(TypeError):
        mixed(x, np.ones((3, 4)))


def test_an_array_is_foreign_to_numpy(x):
    assert not isinstance(x, np.ndarray) and not hasattr(x, "__array_interface__")
    assert type(x) is cp.ndarray and cp.get_array_module(x) is cp and cp.get_array_module(np.ones(2)) is np


def test_scalars_of_python_and_numpy_are_accepted_and_promote_as_numpy_two():
    single = cp.ones(2, dtype=np.float32)
    assert (single + 1.0).dtype == (2 * single).dtype == np.float32
    assert (np.float64(2) * single).dtype == (single + cp.asarray(1.0)).dtype == np.float64
    assert type(np.float64(2) * single) is cp.ndarray
    with pytest.raises(TypeError):
        single + np.longdouble(1)


def test_assigning_host_data_to_a_slice_is_refused_as_in_cupy(x):
    for values in (np.ones(4), [1.0, 2.0, 3.0, 4.0]):
        with pytest.raises(ValueError, match="cannot be used for fill"):
            x[0] = values
    x[0] = np.float32(7)
    x[1] = cp.ones(4)
    assert x.get()[:2].tolist() == [[7.0] * 4, [1.0] * 4]


@pytest.mark.parametrize("name", ["errstate", "insert", "unstack", "vecdot", "erf", "seterr", "block"])
def test_absent_names_are_attribute_errors(name):
    with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
        getattr(cp, name)


def test_a_name_only_the_double_lacks_says_so():
    with pytest.raises(AttributeError, match="here, but CuPy has it"):
        _ = cp.RawKernel


KEYWORDS = {
    "ufunc where": lambda x: cp.add(x, x, where=True),
    "ufunc order": lambda x: cp.exp(x, order="C"),
    "sum initial": lambda x: cp.sum(x, initial=0.0),
    "max where": lambda x: cp.max(x, where=True),
    "method initial": lambda x: x.max(initial=0.0),
    "clip by NumPy's new names": lambda x: cp.clip(x, min=0, max=1),
    "take mode": lambda x: cp.take(x, 0, mode="wrap"),
    "device": lambda x: cp.zeros(3, device=None),
    "like": lambda x: cp.zeros(3, like=x),
    "astype casting": lambda x: x.astype("f4", casting="unsafe"),
    "too many": lambda x: cp.swapaxes(x, 0, 1, 2),
}


@pytest.mark.parametrize("call", KEYWORDS.values(), ids=KEYWORDS)
def test_keywords_cupy_lacks_are_type_errors(x, call):
    with pytest.raises(TypeError):
        call(x)


def test_out_dtype_and_casting_are_accepted(x):
    out = cp.empty((3, 4), dtype=np.float32)
    assert cp.exp(x, out=out) is out and np.array_equal(out.get(), np.exp(x.get()).astype("f4"))
    assert cp.sum(x, axis=0, dtype=np.float32).dtype == np.float32
    with pytest.raises(TypeError):
        cp.add(x, x, out=cp.zeros((3, 4), dtype=np.int64))
    with pytest.raises(ValueError, match="Out shape"):
        cp.add(x, x, out=cp.zeros((2, 3, 4)))
