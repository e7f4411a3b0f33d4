"""The judge judged: gradcheck lets right rules pass, at any size, and catches wrong ones, each kind of wrong.

The wrong rules are ops made here and taken out of the registry again. A rule that is right at first order and wrong at
second passes gradcheck and fails gradgradcheck. What finite differences cannot judge (float32, nothing to
differentiate) is refused.
"""

import ast
import math
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from networks import leaf, seeds

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.primitive import registry

shapes = npst.array_shapes(min_dims=0, max_dims=3, max_side=4)
CHECKS = pytest.mark.parametrize("check", [ts.gradcheck, ts.gradgradcheck])


@pytest.fixture
def op():
    """op(rule, ...): a primitive of these rules, 2 x**3 for one array or x**2 y for two, known until the test ends."""
    before = dict(registry)

    def make(*rules):
        if len(rules) == 1:

            def made_for_a_test(xp, x):
                return x * x * x * 2.0
        else:

            def made_for_a_test(xp, x, y):
                return x * x * y

        made = ts.primitive(made_for_a_test)
        made.vjps(*rules)
        return made

    yield make
    registry.clear()
    registry.update(before)


@CHECKS
@given(seed=seeds, shape=shapes)
def test_right_rules_pass(check, seed, shape):
    rng = np.random.default_rng(seed)
    x, y = leaf(rng.normal(size=shape)), leaf(rng.normal(size=shape))
    assert check(lambda x, y: ts.tanh(x) * y * y, [x, y])
    assert check(lambda x, y: [x * x * y, (y * y * y).sum()], [x, y])  # several outputs
    assert check(lambda x: (x * x).sum(), x)  # one input, not in a list
    assert check(lambda x: [x, x * x], x)  # a result that is an input
    assert x.grad is None and y.grad is None


@CHECKS
def test_parameters_are_checked_where_a_layer_reads_them(op, check):
    """PyTorch's idiom: the function takes them, and leaves them to its layer."""
    layer, x = nn.Linear(2, 3).to("float64"), leaf([[0.5, -1.0]])
    inputs = [x, *layer.parameters()]
    assert check(lambda x, *_: layer(x).tanh(), inputs)
    wrong = op(lambda g, _y, x: g * x * 5.0)
    if check is ts.gradcheck:
        with pytest.raises(AssertionError, match="finite differences"):
            check(lambda x, *_: layer(x) + wrong(layer.bias), inputs)


@CHECKS
@pytest.mark.parametrize("fails_at", [None, 2, 3])
def test_what_was_moved_is_put_back(check, fails_at):
    inputs, calls = [leaf([0.5, -1.0]), nn.Parameter(np.array([2.0, 3.0]), dtype="float64")], []
    before = [(x.array, x.numpy().copy(), x.node) for x in inputs]

    def function(x, y):
        calls.append(x.numpy().copy())
        if len(calls) == fails_at:
            raise ZeroDivisionError
        return x * x * y

    with pytest.raises(ZeroDivisionError) if fails_at else nullcontext():
        check(function, inputs)
    assert not np.array_equal(calls[-1], before[0][1]) or check is ts.gradgradcheck
    for x, (array, values, node) in zip(inputs, before):
        assert x.array is array and x.node is node and x.grad is None
        np.testing.assert_array_equal(x.numpy(), values)


@CHECKS
def test_a_right_rule_of_ones_own_passes(op, check):
    cube = op(lambda g, _y, x: g * x * x * 6.0)
    product = op(lambda g, _z, x, y: g * x * y * 2.0, lambda g, _z, x, _y: g * x * x)
    x, y = leaf([0.5, -1.0, 2.0]), leaf([1.5, 0.3, -0.7])
    assert check(cube, x)
    assert check(product, [x, y])


WRONG = {
    "sign": lambda g, _y, x: -g * x * x * 6.0,
    "a factor": lambda g, _y, x: g * x * x * 2.0,
    "a power": lambda g, _y, x: g * x * 6.0,
    "one part in a hundred": lambda g, _y, x: g * x * x * 6.06,
    "without what comes from above": lambda g, _y, x: x * x * 6.0,
    "zero": lambda g, _y, x: g * x * 0.0,
    "not a number": lambda g, _y, x: g * x * np.nan,
    "one element": lambda g, _y, x: g * x * x * ts.tensor([6.0, 6.0, 5.0], dtype="float64").array,
    "mixed up elements": lambda g, _y, x: (g * x * x * 6.0)[::-1],
    "none": None,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_rule_is_caught(op, wrong):
    cube = op(WRONG[wrong])
    x = leaf([0.5, -1.0, 2.0])
    with pytest.raises(AssertionError, match="finite differences"):
        ts.gradcheck(lambda x: cube(x) + x * 0.0, x)


@given(seed=seeds, shape=npst.array_shapes(max_dims=3, max_side=4), data=st.data())
def test_one_wrong_element_is_caught_at_any_size(seed, shape, data):
    rng = np.random.default_rng(seed)
    at = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    error = np.zeros(shape)
    error[at] = 1000.0
    error = ts.tensor(error)
    with pytest.raises(AssertionError, match="finite differences"):  # the value is right, one gradient is not
        ts.gradcheck(lambda x: ts.sin(x) + (x - x.detach()) * error, leaf(rng.normal(size=shape)))


def test_rules_of_two_arguments_taken_for_each_other_are_caught(op):
    swapped = op(lambda g, _z, x, _y: g * x * x, lambda g, _z, x, y: g * x * y * 2.0)
    with pytest.raises(AssertionError, match="finite differences"):
        ts.gradcheck(swapped, [leaf([0.5, -1.0]), leaf([1.5, 0.3])])


def test_a_rule_right_at_first_order_only_is_caught_at_second(op):
    square = op(lambda g, _y, x: g * x * 5.0)  # its value is 2 x**3, its slope is wrong

    def slope(x):
        """6 x**2, in an op whose own rule is wrong."""
        return square(x) / x * 3.0

    cube = op(lambda g, _y, x: g * slope(x))
    x = leaf([0.5, -1.0, 2.0])
    assert ts.gradcheck(cube, x)
    with pytest.raises(AssertionError, match="finite differences"):
        ts.gradgradcheck(cube, x)


def test_a_rule_that_computes_with_bare_arrays_is_caught_at_second_order(op):
    def rule(g, _y, x):
        return g * (x.array if isinstance(x, ts.Tensor) else x) ** 2 * 6.0

    cube = op(rule)
    x = leaf([0.5, -1.0, 2.0])
    assert ts.gradcheck(cube, x)
    with pytest.raises(AssertionError, match="finite differences"):
        ts.gradgradcheck(cube, x)


@pytest.mark.parametrize("lost", [lambda x: x.detach() * 2.0, lambda x: ts.tensor(x.numpy() ** 2)])
def test_a_gradient_that_is_lost_altogether_is_caught(lost):
    x = leaf([0.5, -1.0])
    with pytest.raises(AssertionError, match="finite differences"):
        ts.gradcheck(lambda x: lost(x) + x, x)
    with pytest.raises((AssertionError, RuntimeError, ValueError), match="gradcheck"):
        ts.gradcheck(lost, x)


@CHECKS
def test_constant_outputs_and_inputs_are_no_obstacle(check):
    x, ids, number = leaf([0.5, -1.0]), ts.tensor([1, 0, 1]), ts.tensor(np.array([2.0, 3.0]))
    assert check(lambda x, ids, number: x[ids].sum() * number, [x, ids, number])
    assert check(lambda x: [x * x, ts.tensor([1])], x)
    assert check(lambda x: [x * x, ts.ones(2)], x)


@CHECKS
def test_what_cannot_be_judged_is_refused(check):
    single = ts.tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match=rf"^{check.__name__}: input 1 .*float32.*float64"):
        check(lambda x, y: x * y, [leaf([1.0]), single])
    with pytest.raises(ValueError, match=f"^{check.__name__}: no input requires a gradient"):
        check(lambda x: x * 2.0, ts.tensor(np.ones(2)))
    with pytest.raises(ValueError, match=f"^{check.__name__}: no output requires a gradient"):
        check(lambda x: x.detach(), leaf([1.0]))
    with pytest.raises(TypeError, match=f"^{check.__name__}: the function must give a Tensor, .* NoneType"):
        check(lambda x: None, leaf([1.0]))


@given(seed=seeds)
def test_the_same_seed_gives_the_same_judgement(seed):
    said = []
    for _ in range(2):
        with pytest.raises(AssertionError) as caught:
            ts.gradcheck(lambda x: x * x + (x - x.detach()) * 7.0, leaf([0.5, -1.0]), seed=seed)
        said.append(str(caught.value))
    assert said[0] == said[1]


@CHECKS
@pytest.mark.parametrize("says, options", [
    ("directions must be at least 1, got 0", {"directions": 0}),
    ("directions must be at least 1, got -2", {"directions": -2}),
    ("directions must be an int, got 1.5", {"directions": 1.5}),
    *((f"eps must be positive and finite, got {eps}", {"eps": eps}) for eps in (0, 0.0, -1e-6, math.nan, math.inf)),
    ("eps must be a number, got str", {"eps": "a"}),
    (r"pass the inputs as a list: \w+\(function, \[x, y\]\)", {"eps": leaf([1.0, 2.0])}),
    ("seed must be an int, got 'a'", {"seed": "a"}),
    ("seed must be at least 0, got -1", {"seed": -1}),
    *((f"{name} must be at least 0 and finite, got {value}", {name: value})
      for name in ("atol", "rtol") for value in (-1.0, math.nan, math.inf)),
])  # fmt: skip
def test_a_check_that_could_not_fail_or_pass_is_refused(check, says, options):
    for function in (lambda x: x * x, lambda x: x * x + (x - x.detach())):  # a right and a wrong gradient
        with pytest.raises((TypeError, ValueError), match=f"^{check.__name__}: {says}"):
            check(function, leaf([0.5, -1.0]), **options)


RANDOM = {
    "dropout": lambda x: nn.dropout(x, 0.5),
    "noise": lambda x: x * x + ts.randn(2, dtype="float64"),
    "a factor": lambda x: x * x * ts.rand(2, dtype="float64"),
    "any shape": lambda x: x * ts.ones(int(np.random.default_rng().integers(1000)), 2, dtype="float64"),
}


@CHECKS
@pytest.mark.parametrize("name", RANDOM)
@given(seed=seeds)
def test_what_is_random_is_told_so(check, name, seed):
    if check is ts.gradgradcheck and name in ("noise", "any shape"):
        return  # their gradients are not random, or have no counterpart
    ts.manual_seed(seed)
    with pytest.raises(AssertionError, match=f"^{check.__name__}: the function is not deterministic"):
        check(RANDOM[name], leaf([0.5, -1.0]))


@CHECKS
def test_chance_with_a_seed_of_its_own_passes(check):
    assert check(lambda x: nn.dropout(x * x, 0.5, generator=np.random.default_rng(0)), leaf([0.5, -1.0, 2.0]))


@CHECKS
def test_one_tensor_as_two_inputs_is_refused(check):
    x = leaf([0.5, -1.0])
    with pytest.raises(ValueError, match=f"^{check.__name__}: one Tensor is there as two inputs"):
        check(lambda x, y: x * y, [x, x])


def test_no_check_is_an_assert_statement():
    """`python -O` leaves those out."""
    package = Path(ts.__file__).parent
    found = {path.name for path in package.rglob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))
             if isinstance(node, ast.Assert)}  # fmt: skip
    assert not found


OPTIMISED = """
import tinygrad_seq as ts

@ts.primitive
def wrong(xp, x):
    return xp.sin(x)

wrong.vjps(lambda g, _y, x: g * ts.cos(x) * 1.01)
x = ts.tensor([0.5, 2.0], dtype="float64", requires_grad=True)
for check, function in ((ts.gradcheck, wrong), (ts.gradgradcheck, lambda x: x * x + (x - x.detach()) * x.detach())):
    try:
        check(function, x)
    except AssertionError as error:
        print(__debug__, error)
"""


def test_a_wrong_rule_is_caught_without_assertions():
    command = [sys.executable, "-O", "-c", OPTIMISED]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 2 and all(
        line.startswith(f"False {check}: along a random direction")
        for check, line in zip(("gradcheck", "gradgradcheck"), said)
    )
