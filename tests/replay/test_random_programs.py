"""Programs drawn at random, with loops of every kind, give the same bits replayed as they give with a graph."""

import numpy as np
import pytest
from agreement import assert_all_agree
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq import nn

SIZE = 3
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # what they compute may well overflow
    pytest.mark.parametrize("passes", ["as_written", "together", "over elements"], indirect=True),
]
ts.manual_seed(0)  # the same in every process: numbers that grow to 1e49 or not depend on it
layers = nn.Sequential(nn.RNNCell(SIZE, SIZE), nn.GRUCell(SIZE, SIZE), nn.Linear(SIZE, SIZE)).to("float64")
weights = [nn.Parameter(np.random.default_rng(i).normal(size=(SIZE, SIZE)) * 0.4) for i in range(3)]
learned = [*weights, *layers.parameters()]


def operation(k, values, x, i, j):
    """The k-th way to make a value: of values i and j places back, and of an input."""
    a, b = values[-1 - i % len(values)], values[-1 - j % len(values)]
    return [
        lambda: a.tanh(),
        lambda: a + b,
        lambda: a * b,
        lambda: a @ weights[j % 3],
        lambda: x @ weights[j % 3] + a,
        lambda: ts.concatenate([a, b])[:SIZE],
        lambda: layers[0](x, a),
        lambda: layers[1](a, b),
        lambda: layers[2](a),
        lambda: a.detach() * b,
        lambda: a.split(1)[j % SIZE] + a,
        lambda: ts.stack([a, b]).mean(0),
        lambda: a.sigmoid().named("h"),
        lambda: a[i % SIZE] + b,
        lambda: a.softmax(j % 2),
        lambda: a - b,
        lambda: a.clip(-1.0, 1.0) * 0.5,
        lambda: ts.where(x > 0.0, a, b),
        lambda: (a @ weights[j % 3]).named("a") + (b @ weights[i % 3]).named("b"),
    ][k]()


recipes = st.lists(st.tuples(st.integers(0, 18), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=6)
sections = st.lists(st.tuples(recipes, st.sampled_from([1, 2, 3, 5, 9]), st.booleans()), min_size=1, max_size=3)


def program(plan, xs):
    values, t = [xs[0] @ weights[0]], 0
    for recipe, times, scoped in plan:
        for k in range(times):
            with ts.scope(**({"step": k} if scoped else {})):
                for op in recipe:
                    values.append(operation(op[0], values, xs[t % len(xs)], *op[1:]))
            t += 1
    loss = values[-1].sum() + values[len(values) // 2].sum()
    for parameter in learned:
        parameter.grad = None
    loss.backward()
    return loss, [parameter.grad for parameter in learned]


@given(sections, st.integers(0, 100))
def test_random_programs(plan, seed):
    xs = ts.tensor(np.random.default_rng(seed).normal(size=(4, SIZE, SIZE)))
    fast = ts.replay(lambda xs: program(plan, xs.unstack()))
    for scale in (1.0, -0.5):
        with np.errstate(all="ignore"):
            loss, gradients = program(plan, (xs * scale).unstack())
            again, replayed = fast(xs * scale)
        assert_all_agree([loss, *gradients], [again, *replayed], least=0.01)  # h - h is 0, or a last bit of h


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_long_random_programs(seed, passes):
    rng = np.random.default_rng(seed)
    plan = []
    for _ in range(4):
        recipe = [tuple(map(int, rng.integers(0, (19, 6, 6)))) for _ in range(rng.integers(1, 9))]
        plan.append((recipe, int(rng.integers(1, 30)), False))
    xs = ts.tensor(rng.normal(size=(7, SIZE, SIZE)))
    with np.errstate(all="ignore"):
        loss, gradients = program(plan, xs.unstack())
        again, replayed = ts.replay(lambda xs: program(plan, xs.unstack()))(xs)
        if passes != "as_written":
            near, others = program(plan, (xs * (1 + 2e-16)).unstack())
            try:
                assert_all_agree([loss, *gradients], [near, *others])
            except AssertionError:
                pytest.skip("the graph's own gradients are others where the last bit of the inputs is")
    assert_all_agree([loss, *gradients], [again, *replayed])
