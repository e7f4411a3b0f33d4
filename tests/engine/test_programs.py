"""Any program: random graphs in which values are shared, cut, joined and mixed in precision obey the same laws.

An op alone has one path to each argument. Here gradients meet: accumulation in place, merged indexing, parts of a
split that are never used, leaves that are used often or not at all.
"""

import numpy as np
import pytest
from draws import generators
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_same, leaves

import tinygrad_seq as ts
from tinygrad_seq.testing import seeds

LENGTH = 4
STEPS = {  # each takes two earlier values of one length and gives another
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b * 0.5,
    "subtract from itself": lambda a, b: a - a * 0.5,
    "tanh": lambda a, b: ts.tanh(a + b),
    "sin": lambda a, b: ts.sin(a),
    "first and last": lambda a, b: a[0] * b + a[-1],
    "reverse": lambda a, b: a[::-1],
    "repeats": lambda a, b: a[[0, 0, 2, 3]],
    "rotate": lambda a, b: ts.concatenate(ts.split(a, [1, LENGTH - 1])[::-1]),
    "one part": lambda a, b: ts.unstack(a)[1] * b,
    "restack": lambda a, b: ts.stack([row.sum() for row in ts.stack([a, b, a, b])]),
    "mean": lambda a, b: a - ts.mean(a, keepdims=True),
    "softmax": lambda a, b: ts.softmax(a) * b,
    "product": lambda a, b: (a.reshape(2, 2) @ b.reshape(2, 2)).reshape(LENGTH) * 0.5,
    "outer": lambda a, b: (a[:, None] * b).sum(axis=0) * 0.3,
}
steps = st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 99), st.integers(0, 99))
programs = st.lists(steps, min_size=1, max_size=15)


dtypes = st.lists(st.sampled_from(["float32", "float64"]), min_size=3, max_size=3)


def computed(program, inputs):
    values = list(inputs)
    for name, first, second in program:
        values.append(STEPS[name](values[first % len(values)], values[second % len(values)]))
    return values


def run(program, inputs):
    values = computed(program, inputs)
    return ts.tanh(values[-1] + 0.1 * values[len(values) // 2])


def inputs(rng):
    return leaves([rng.normal(size=LENGTH) for _ in range(3)])


@given(programs, generators, seeds)
def test_the_gradient_of_a_program_is_its_slope(program, rng, seed):
    ts.gradcheck(lambda *x: run(program, x), inputs(rng), eps=1e-5, rtol=1e-5, seed=seed)


@given(programs, generators, dtypes)
def test_raw_and_recorded_walks_of_a_program_agree_bit_for_bit(program, rng, dtypes):
    tensors = leaves([rng.normal(size=LENGTH).astype(dtype) for dtype in dtypes])
    output = run(program, tensors).sum()
    recorded = ts.grad(output, tensors, create_graph=True, allow_unused=True)
    raw = ts.grad(output, tensors, allow_unused=True)
    used = [i for i, gradient in enumerate(raw) if gradient is not None]
    assert used == [i for i, gradient in enumerate(recorded) if gradient is not None]
    assert_same([raw[i].numpy() for i in used], [recorded[i].numpy() for i in used])


@given(programs, generators, seeds)
def test_a_program_is_twice_differentiable(program, rng, seed):
    ts.gradgradcheck(lambda *x: run(program, x), inputs(rng), eps=1e-5, atol=1e-5, rtol=1e-5, seed=seed)


@pytest.mark.parametrize("recorded", [False, True])
@given(programs, generators, dtypes)
def test_a_gradient_has_the_dtype_of_its_tensor(recorded, program, rng, dtypes):
    """At every Tensor, as its hooks see it: one float64 array widens what is made of it, and nothing behind it."""
    tensors, seen = leaves([rng.normal(size=LENGTH).astype(dtype) for dtype in dtypes]), []
    values = computed(program, tensors)
    for value in values:
        value.register_hook(lambda g, value=value: seen.append((g.dtype, value.dtype)))
    (values[-1] * ts.tensor(np.ones(LENGTH))).sum().backward(create_graph=recorded)
    assert seen and all(found == expected for found, expected in seen)
