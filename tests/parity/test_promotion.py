"""Which dtype comes out: PyTorch's, but where the two differ Tensors and integers promote as in NumPy.

NumPy's rule differs from PyTorch's in three things, and only in these: a wide integer beside float32 gives float64 (32
bits do not hold its digits), a Python float beside integers is a float64 (PyTorch: the default dtype), and a NumPy
scalar beside integers keeps its width (PyTorch: a number without dimensions never widens its own kind).
"""

import itertools
import operator

import numpy as np
import pytest

import tinygrad_seq as ts
from parity.oracle import torch

DTYPES = ["bool", "uint8", "int32", "int64", "float32", "float64"]
ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
NUMBERS = [
    2, 2.0, np.float64(2), np.float32(2), np.int64(2), np.int32(2), np.array(2.0), np.array(2, "float32"), np.array(2),
]  # fmt: skip
REFUSED = {operator.sub, operator.pow}  # PyTorch has no difference or power of truth values


def kind_of(found):
    return str(found.dtype).removeprefix("torch.")


def expected_beside(*dtypes):
    wide = {"int32", "int64"} & set(dtypes)
    return "float64" if wide and "float32" in dtypes else None


@pytest.mark.parametrize("left, right", list(itertools.product(DTYPES, DTYPES)))
def test_two_tensors(left, right):
    a, b = np.ones(2, left), np.ones(2, right)
    x, y, tx, ty = ts.tensor(a), ts.tensor(b), torch.tensor(a), torch.tensor(b)
    as_in_numpy = "float64" if {left, right} in ({"int32", "float32"}, {"int64", "float32"}) else None
    for of in ARITHMETIC:
        if not (of in REFUSED and "bool" in (left, right)):
            assert kind_of(of(x, y)) == (as_in_numpy or kind_of(of(tx, ty)))
    for name in ("maximum", "minimum"):
        assert kind_of(getattr(ts, name)(x, y)) == (as_in_numpy or kind_of(getattr(torch, name)(tx, ty)))
    assert kind_of(ts.where(x == x, x, y)) == (as_in_numpy or kind_of(torch.where(tx == tx, tx, ty)))
    for of in COMPARISONS:
        assert kind_of(of(x, y)) == kind_of(of(tx, ty)) == "bool"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", NUMBERS, ids=lambda n: f"{type(n).__name__} {n!r}")
def test_a_number_on_either_side(number, dtype):
    x, tx = ts.tensor(np.ones(2, dtype)), torch.tensor(np.ones(2, dtype))
    tnumber = number if type(number) in (int, float) else torch.tensor(number)
    for of in ARITHMETIC:
        if of in REFUSED and dtype == "bool":
            continue
        for ours, theirs in [(of(x, number), of(tx, tnumber)), (of(number, x), of(tnumber, tx))]:
            if x.dtype.kind == "f" or type(number) is int or of is operator.truediv and np.asarray(number).dtype.kind == "i":
                assert kind_of(ours) == kind_of(theirs)
            else:
                assert ours.dtype == np.result_type(x.dtype, np.asarray(number).dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_quotients_of_integers(dtype):
    a, b = np.array([7, 0, 1], dtype), np.array([2, 1, 1], dtype)
    ours, theirs = ts.tensor(a) / ts.tensor(b), torch.tensor(a) / torch.tensor(b)
    assert (kind_of(ours), ours.tolist()) == (kind_of(theirs), theirs.tolist())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name, twin", [("sum", "sum"), ("max", "amax"), ("min", "amin"), ("argmax", "argmax")])
def test_reductions_of_integers(name, twin, dtype):
    a = np.array([[1, 3, 3], [2, 0, 1]], dtype)
    for ours, theirs in [(getattr(ts, name)(ts.tensor(a)), getattr(torch, twin)(torch.tensor(a))),
                         (getattr(ts, name)(ts.tensor(a), axis=1), getattr(torch, twin)(torch.tensor(a), 1))]:
        if not (name == "argmax" and dtype == "bool"):  # PyTorch has no argmax of truth values
            assert (kind_of(ours), ours.tolist()) == (kind_of(theirs), theirs.tolist())
