"""Which dtype comes out: PyTorch's, but where the two differ Tensors and integers promote as in NumPy.

NumPy's rule differs from PyTorch's in three things, and only in these: a wide integer beside float32 gives float64 (32
bits do not hold its digits), a Python float beside integers is a float64 (PyTorch: the default dtype, as here beside
truth), and a NumPy scalar beside integers keeps its width (PyTorch: a number without dimensions never widens its own
kind).
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
    plain = type(number) in (int, float)
    tnumber = number if plain else torch.tensor(number)
    whole = np.asarray(number).dtype.kind == "i"
    for of in ARITHMETIC:
        if not (of in REFUSED and dtype == "bool"):
            as_in_torch = x.dtype.kind == "f" or (whole and (plain or of is operator.truediv))
            as_in_torch |= dtype == "bool" and type(number) is float
            as_in_numpy = np.result_type(x.dtype, np.asarray(number).dtype)
            for ours, theirs in [(of(x, number), of(tx, tnumber)), (of(number, x), of(tnumber, tx))]:
                assert kind_of(ours) == (kind_of(theirs) if as_in_torch else as_in_numpy)


@pytest.mark.parametrize("dtype", DTYPES)
def test_quotients_of_integers(dtype):
    a, b = np.array([7, 0, 1], dtype), np.array([2, 1, 1], dtype)
    ours, theirs = ts.tensor(a) / ts.tensor(b), torch.tensor(a) / torch.tensor(b)
    assert (kind_of(ours), ours.tolist()) == (kind_of(theirs), theirs.tolist())


@pytest.mark.parametrize("name, twin, dtypes", [
    ("sum", "sum", ["bool", "int32", "int64"]),  # NumPy sums uint8 in uint64
    ("max", "amax", DTYPES), ("min", "amin", DTYPES), ("argmax", "argmax", DTYPES[1:]),  # PyTorch has none of truths
])
def test_reductions_of_integers(name, twin, dtypes):
    for dtype in dtypes:
        a = np.array([[1, 3, 3], [2, 0, 1]], dtype)
        x, tx = ts.tensor(a), torch.tensor(a)
        for ours, theirs in [(getattr(ts, name)(x), getattr(torch, twin)(tx)),
                             (getattr(ts, name)(x, axis=1), getattr(torch, twin)(tx, 1))]:
            assert (kind_of(ours), ours.tolist()) == (kind_of(theirs), theirs.tolist())
