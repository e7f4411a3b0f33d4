"""The laws of `tinygrad_seq.testing` hold for a reader's own op in three lines, and refuse it when it is wrong.

A law that cannot fail proves nothing: for each there are faults planted in an op that is otherwise right, and the law
that is there for that fault refuses it.
"""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given

import tinygrad_seq as ts
from tinygrad_seq import testing
from tinygrad_seq.engine.primitive import registry


@pytest.fixture(autouse=True, scope="module")
def none_of_ours_is_left():
    known = set(registry)
    yield
    for name in set(registry) - known:
        del registry[name]


@pytest.fixture(scope="module")
def hypot():
    @ts.primitive
    def hypot(xp, x, y):
        """sqrt(x**2 + y**2)."""
        return xp.hypot(x, y)

    hypot.vjps(lambda g, z, x, _y: g * x / z, lambda g, z, _x, y: g * y / z)
    return hypot


@given(case=testing.together(2, testing.nonzero))
def test_hypot(hypot, case):
    testing.check(hypot, case, reference=np.hypot)


@given(case=testing.one(testing.normal, exponent=testing.st.integers(1, 3)))
def test_a_function_of_ops_with_a_static_argument(case):
    testing.check(
        lambda x, exponent: ts.tanh(x) ** exponent, case, reference=lambda x, exponent: np.tanh(x) ** exponent
    )


def sine(rule=lambda g, _y, x: g * ts.cos(x), forward=lambda xp, x: xp.sin(x)):
    """sin, but for what is wrong with it."""

    def planted(xp, x):
        return forward(xp, x)

    op = ts.primitive(planted)
    op.vjps(rule)
    return op


def is_raw(x):
    return not isinstance(x, ts.Tensor)


def written(array, value):
    if is_raw(array):
        array[...] = value
    return array


def wider(x):
    return x.astype("float64") if is_raw(x) else x.to("float64")


def in_one_row(xp, x):
    """sin of the numbers as they lie in memory."""
    flat = x.ravel(order="K")
    return xp.sin(flat).reshape(x.shape)


FAULTS = {
    "a wrong value": (testing.values_match, {"forward": lambda xp, x: xp.sin(x) + 1e-9}),
    "a wrong shape": (testing.values_match, {"forward": lambda xp, x: xp.sin(x)[None]}),
    "a wider value": (testing.values_match, {"forward": lambda xp, x: xp.sin(x.astype("float64"))}),
    "a wrong rule": (testing.gradient_is_the_slope, {"rule": lambda g, y, _x: g * y}),
    "a missing factor": (testing.gradient_is_the_slope, {"rule": lambda g, _y, x: ts.cos(x)}),
    "a wrong sign": (testing.gradient_is_the_slope, {"rule": lambda g, _y, x: -g * ts.cos(x)}),
    "not linear": (testing.gradient_is_linear, {"rule": lambda g, _y, x: g * g * ts.cos(x)}),
    "a constant": (testing.gradient_is_linear, {"rule": lambda g, _y, x: g * ts.cos(x) + 1.0}),
    "another rule when recorded": (
        testing.recorded_is_raw, {"rule": lambda g, _y, x: g * ts.cos(x) * (1.0 if is_raw(g) else 2.0)}),
    "another rounding when recorded": (
        testing.recorded_is_raw, {"rule": lambda g, _y, x: g * ts.cos(x) * (1.0 if is_raw(g) else 1.0 + 1e-15)}),
    "no history": (
        testing.second_gradient_is_the_slope, {"rule": lambda g, _y, x: g * ts.cos(getattr(x, "array", x))}),
    "no history of what comes in": (
        testing.second_gradient_is_the_slope, {"rule": lambda g, _y, x: getattr(g, "array", g) * ts.cos(x)}),
    "a wider gradient": (testing.single_stays_single, {"rule": lambda g, _y, x: wider(g * ts.cos(x))}),
    "a wider output": (testing.single_stays_single, {"forward": lambda xp, x: xp.sin(x) * xp.ones((1,))}),
    "the order in memory": (testing.any_layout_will_do, {"forward": in_one_row}),
    "the order in memory, of what comes in": (testing.any_layout_will_do, {
        "rule": lambda g, _y, x: in_one_row(np, g).reshape(x.shape) * ts.cos(x) if is_raw(g) else g * ts.cos(x)}),
    "an argument written to": (testing.nothing_is_written, {"forward": lambda xp, x: xp.sin(x, out=x)}),
    "a gradient written to": (testing.nothing_is_written, {"rule": lambda g, _y, x: written(g, g * ts.cos(x))}),
    "a saved argument written to": (testing.nothing_is_written, {"rule": lambda g, _y, x: g * written(x, ts.cos(x))}),
    "a saved output written to": (
        testing.nothing_is_written, {"rule": lambda g, y, x: (written(y, ts.cos(x)), g * ts.cos(x))[1]}),
}  # fmt: skip


def some_case():
    return testing.Case((np.random.default_rng(0).normal(size=(3, 2)),))


def test_sine_is_right_where_nothing_is_planted():
    testing.check(sine(), some_case(), reference=np.sin)


@pytest.mark.parametrize("law, planted", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_refused(law, planted):
    arguments = [np.sin] if law is testing.values_match else []
    with pytest.raises(AssertionError):
        law(sine(**planted), some_case(), *arguments)
    with pytest.raises(AssertionError):
        testing.check(sine(**planted), some_case(), reference=np.sin)


def test_every_law_has_a_fault():
    assert {law for law, _ in FAULTS.values()} == {testing.values_match, *testing.LAWS}


def test_an_op_without_a_rule_is_refused():
    @ts.primitive
    def floor(xp, x):
        return xp.floor(x)

    floor.vjps(None)
    with pytest.raises(ValueError, match="no output requires a gradient"):
        testing.check(floor, some_case())


@given(case=testing.together(3))
def test_fills_are_normal_unless_said(case):
    assert [x.dtype for x in case.arrays] == [np.float64] * 3


def test_a_case_that_is_none_is_refused():
    with pytest.raises(TypeError, match=r"^Case: arrays must be a tuple, as in Case\(\(x,\)\), got ndarray"):
        testing.Case(np.ones(2))
    with pytest.raises(ValueError, match=r"^filled: 3 fills are too many for 2 arrays"):
        given(testing.together(2, *[testing.normal] * 3))(lambda case: None)()


def test_it_is_imported_only_when_asked_for_and_says_what_is_missing():
    program = """
import sys
import tinygrad_seq
assert "tinygrad_seq.testing" not in sys.modules and "hypothesis" not in sys.modules
sys.modules["hypothesis"] = None
try:
    from tinygrad_seq import testing
except ImportError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'pip install "tinygrad-seq[test]"' in said.stdout
