"""The table is honest: every registered primitive has a row, and every row goes through the primitive it names.

A primitive added to the package without a row fails here, so no op escapes the laws.
"""

import numpy as np
import pytest
from laws import as_list, leaves, over
from op_table import PRIMITIVES, ROWS, SMOOTH

import tinygrad_seq as ts
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.engine.primitive import registry


def test_every_primitive_has_a_row():
    assert set(PRIMITIVES) - {row.op for row in ROWS} == set()


def test_every_differentiable_primitive_has_a_smooth_row():
    assert {name for name, op in PRIMITIVES.items() if op.differentiable} - {row.op for row in SMOOTH} == set()


def test_names_are_different_and_known():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert {row.op for row in ROWS} - {None} <= set(PRIMITIVES)


@over([row for row in SMOOTH if row.op], share=3)
def test_a_row_records_its_primitive(row, data):
    case = data.draw(row.cases)
    outputs = as_list(row.function(*leaves(case.arrays), **case.static))
    recorded = {node.op.name for node in ancestors([output.node for output in outputs]) if node.op}
    assert row.op in recorded


@pytest.mark.parametrize("alias, name", [
    ("sub", "subtract"), ("mul", "multiply"), ("div", "divide"), ("pow", "power"), ("neg", "negative"),
    ("cat", "concatenate"), ("unbind", "unstack"), ("permute", "transpose"), ("view", "reshape"),
])
def test_familiar_spellings_are_aliases(alias, name):
    assert getattr(ts, alias) is getattr(ts, name)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_joint_rule_serves_an_op_of_any_number_of_arguments(count):
    @ts.primitive
    def summed(xp, *pieces):
        return sum(pieces)

    one, two, three = (lambda xp, x: x + 0.0), (lambda xp, x, y: x + y), (lambda xp, x, y, z: x + y + z)
    for op in (summed, ts.primitive((one, two, three)[count - 1])):
        op.joint_vjp(lambda g, _y, *pieces: [g * float(i + 1) for i in range(len(pieces))])
        xs = leaves([np.ones(2)] * count)
        assert [g.tolist() for g in ts.grad(op(*xs).sum(), xs)] == [[i + 1.0] * 2 for i in range(count)]
        del registry[op.op.name]


def test_a_rule_declared_again_replaces_the_first_and_what_it_saved():
    @ts.primitive
    def twice(xp, x):
        return x + x

    try:
        x = ts.tensor([3.0], requires_grad=True)
        twice.vjps(lambda g, _y, _x: g * 7.0)
        twice.vjps(lambda g, _y, x: (g + g) * x / x)  # needs x, which the first did not keep
        assert ts.grad(twice(x).sum(), x).tolist() == [2.0]
    finally:
        del registry["twice"]
