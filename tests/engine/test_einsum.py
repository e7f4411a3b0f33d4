"""`einsum` gives what NumPy's gives, with gradients, and says it in few ops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq.engine.graph import ancestors

EQUATIONS = [
    "bij,bjk->bik", "ij,jk", "ij,jk->ki", "i,j->ij", "ij,ij->ij", "ij,ij", "ij->ji", "ij", "ii->i", "ii", "ij->",
    "ij->j", "i,i", "i,i,i->i", "->", ",->", "...ij,...jk->...ik", "...i->...", "...i,i", "i...,i->i...",
    "...,...->...", "bqhd,bkhd->bhqk", "ij,jk,kl->il", "iij,jk->ik", "ij,ik->", "ab,cd->dbca", "bi,oi,bo->b",
    "ijk,k->ij", "iji->j",
]  # fmt: skip


def shapes_for(draw, equation):
    """Lengths for the letters; an ellipsis is up to two axes, which broadcast."""
    terms = equation.partition("->")[0].split(",")
    lengths = {letter: draw(st.sampled_from([2, 3, 1])) for letter in sorted(set(equation) - set(",->."))}
    outer = draw(st.sampled_from([[()] * 3, [(2,), (), (2,)], [(2, 3), (1, 3), (3,)]]))
    shapes = []
    for term, more in zip(terms, outer):
        before, dots, after = term.partition("...")
        shapes.append((*[lengths[n] for n in before], *(more if dots else ()), *[lengths[n] for n in after]))
    return shapes


@pytest.mark.parametrize("equation", EQUATIONS)
@settings(max_examples=settings.default.max_examples // 3)
@given(seed=st.integers(0, 99), data=st.data())
def test_values_and_gradients(equation, seed, data):
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in shapes_for(data.draw, equation)]
    expected = np.einsum(equation, *arrays)
    xs = [ts.tensor(array, requires_grad=True) for array in arrays]
    found = ts.einsum(equation, *xs)
    assert found.shape == expected.shape and np.allclose(found.detach().numpy(), expected)
    assert np.allclose(ts.einsum(equation, *arrays), expected)  # raw arrays stay raw
    assert np.allclose(ts.einsum(equation, arrays), expected)  # operands in a list, as PyTorch takes them
    assert ts.gradcheck(lambda *ys: ts.einsum(equation, *ys), xs)


@given(st.sampled_from(["ij,jk->ik", "ij,kj->ik"]), st.integers(0, 9))
def test_a_length_of_one_is_repeated(equation, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 1)), rng.normal(size=(3, 3))
    assert np.allclose(ts.einsum(equation, x, y), np.einsum(equation, x, y))


def test_nothing_to_sum():
    assert ts.einsum("ij,jk->ik", ts.ones(2, 0), ts.ones(0, 3)).tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize("equation, shapes, ops", [
    ("ij,jk->ik", [(2, 3), (3, 4)], {"matmul"}),
    ("bij,bjk->bik", [(5, 2, 3), (5, 3, 4)], {"matmul"}),
    ("ij,ij->ij", [(2, 3), (2, 3)], {"multiply"}),
    ("ij->i", [(2, 3)], {"sum"}),
    ("bqd,bkd->bqk", [(2, 3, 4), (2, 5, 4)], {"transpose", "matmul"}),
])  # fmt: skip
def test_it_opens_up_in_few_ops(equation, shapes, ops):
    found = ts.einsum(equation, *[ts.ones(shape, requires_grad=True) for shape in shapes])
    assert {node.op.name for node in ancestors([found.node]) if node.op is not None} == ops


@pytest.mark.parametrize("equation, operands, error", [
    (None, [ts.ones(2)], TypeError), (3, [ts.ones(2)], TypeError), ("i", [], TypeError), ("i", ["x"], ValueError),
    ("ij,jk", [ts.ones(2, 2)], ValueError), ("ij", [ts.ones(2)], ValueError), ("i", [ts.ones(2, 2)], ValueError),
    ("ij->k", [ts.ones(2, 2)], ValueError), ("ij->ii", [ts.ones(2, 2)], ValueError),
    ("i1", [ts.ones(2, 2)], ValueError),
    ("ij,jk", [ts.ones(2, 3), ts.ones(2, 3)], ValueError), ("ii", [ts.ones(2, 3)], ValueError),
    ("i...j...", [ts.ones(2, 3)], ValueError), ("...ij", [ts.ones(2)], ValueError),
])  # fmt: skip
def test_refusals(equation, operands, error):
    with pytest.raises(error, match=r"^einsum: "):
        ts.einsum(equation, *operands)
