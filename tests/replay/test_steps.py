"""What is done on every x[t] at once, and what it must not do: results, dtypes and memory are those of the function."""

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.backend import to_host


def divided(n):
    h, found = n[0], []
    for n_t in n:
        h = ts.where(n_t > 0, h + 1, h - n_t)
        found.append(h / 3)
    return ts.stack(found) * 2.0


def wide(n):
    one, other = ts.ones(3, dtype="int64"), (n[0] > 0).to("int32")
    return ts.stack([(n_t + one) + other for n_t in n])


CASES = {
    "sum of bools": lambda x: (x > 0)[0] + (x > 0)[1] + (x > 0)[2],
    "sum of ints": lambda x: sum((x > 0).to("int32")[t] for t in range(3)),
    "sum of a float and more": lambda x: x[0] + x[1] + x[2] + x.sum(0) * 2.0,
    "sum and zero": lambda x: sum(x[t].sum(0) for t in range(3)) + 0.0,
    "rows": lambda x: ts.stack([x[t].sum(1) + x[t].max(-1) for t in range(3)], 1),
    "all of a step": lambda x: ts.stack([x[t].sum() * x[t] for t in range(3)]),
    "kept axes": lambda x: ts.stack([x[t] - x[t].mean(0, keepdims=True) for t in range(3)], -1),
    "from the second on": lambda x: ts.stack([(x[t] * x[t].sum()).tanh() for t in range(1, 5)]) + x[0],
    "backwards": lambda x: ts.concatenate([x[2 - t] for t in range(3)], 1),
    "twice the same": lambda x: ts.stack([x[1]] * 3) + x[:3],
    "two arrays side by side": lambda x: ts.concatenate([*(x * 2.0).unstack(), *x.unstack(), *x[:, 1:].unstack()]),
    "two arrays stacked": lambda x: ts.stack([*(x * 2.0).unstack(), *x.unstack()]),
    "parts along another axis": lambda x: ts.stack([x[1:, t] * t - x[:4, -t] for t in range(3)]),
    "steps that differ": lambda x: sum(x[t] * x[t + 1 + t % 2] for t in range(3)) + sum(x[:4] * x[1:]),
    "steps beside each other": lambda x: ts.stack([ts.concatenate([x[t], x[t + 2], x[t + 1]], -1) for t in range(3)]),
    "joined rows": lambda x: ts.stack([ts.concatenate([x[t], x[4 - t]]) for t in range(5)]),
    "windows side by side": lambda x: ts.stack([x.reshape(9, 5)[k : k + 3].sum(0) for k in range(0, 9, 3)]),
    "windows that overlap": lambda x: ts.stack([x[k : k + 3].sum(0) for k in range(3)]) + x[1:3].sum(0) + x[3:5].sum(0),
    "numbers in another order": lambda x: sum(x[t] * [1.0, 2.0, 3.0, 4.0, 5.0][t] for t in range(5))
    + sum(x[t] * [2.0, 1.0, 4.0, 3.0, 5.0][t] for t in range(5)),
    "numbers of other dtypes": lambda x: sum(x[t].to("float32") * [0.1, 0.2, 0.3, 0.4, 0.5][t] for t in range(5))
    + sum((x[t] > 0).to("int32") * (t + 1) for t in range(5)),
    "ints that are divided": lambda x: divided((x * 3.0).to("int64")),
    "arrays of two shapes": lambda x: sum((x[t] * ts.tensor(np.eye(3)[t // 4 * 2 :] + t)).tanh() for t in range(5)),
    "arrays, then steps": lambda x: sum((ts.tensor(np.eye(3) + t) if t < 3 else x[t]) * x[0] for t in range(5)),
    "an array every other step": lambda x: sum((ts.tensor(np.eye(3) * t) if t % 2 else x[t]) * x[0] for t in range(5)),
    "sums in the dtypes that they have": lambda x: wide((x > -9).to("int32") * (2**31 - 1)),
    "zeros with and without a sign": lambda x: ts.stack([1.0 / ((x > 0) * zero) for zero in (0.0, -0.0)]),
    "windows": lambda x: ts.stack([x[:, :, t : t + 2].sum(-1) for t in range(2)], 1),
}


@pytest.mark.parametrize("name", CASES)
def test_a_program_of_steps_computes_the_same(name):
    rng, step = np.random.default_rng(0), CASES[name]
    fast = ts.replay(step)
    for _ in range(3):
        x = ts.tensor(rng.normal(size=(5, 3, 3)), dtype="float64")
        with np.errstate(divide="ignore"):
            expected, found = step(x), fast(x)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype), fast.source
        np.testing.assert_allclose(to_host(found.array), to_host(expected.array), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("step", [
    lambda x: x[0] + 0,
    lambda x: x.reshape(-1) + 0.0,
    lambda x: ts.stack([x[t] for t in range(3)]),
    lambda x: ts.stack([x[t] for t in range(3)], 1),
    lambda x: ts.concatenate([x[t] for t in range(1, 3)]).reshape(2, 2).T,
])  # fmt: skip
def test_a_copy_is_no_view_of_an_argument(step):
    x = ts.zeros(3, 2)
    made = ts.replay(step)(x)
    x.array[...] = 7.0
    assert not to_host(made.array).any()


def test_ids_of_steps_that_nobody_uses_are_not_looked_up():
    rng = np.random.default_rng(0)
    table = nn.Parameter(rng.normal(size=(6, 3)))
    step = lambda ids: sum((table[ids[t]] ** 2).sum() for t in range(1, 5))
    fast = ts.replay(step)
    for wrong in (99, -100):
        ids = rng.integers(0, 6, (5, 2))
        ids[0] = wrong
        ids = ts.tensor(ids)
        np.testing.assert_allclose(fast(ids).item(), step(ids).item())
    with pytest.raises(IndexError):
        fast(ts.tensor(np.full((5, 2), 6)))


def test_an_index_out_of_range_is_the_same_error():
    for step in (lambda x: x[-4], lambda x: x[3], lambda x: x.sum()[-1]):
        with pytest.raises(IndexError):
            ts.replay(step)(ts.ones(3, 2))


def test_an_int_tensor_in_an_index_is_data():
    rng = np.random.default_rng(0)
    x = nn.Parameter(rng.normal(size=(4, 3)))
    step = lambda i, j: x[i, j] + x[:, j].sum() * x[1:, i - 1].max()
    fast = ts.replay(step)
    for i in range(3):
        for j in range(3):
            found, expected = (each(ts.tensor(i + 1), ts.tensor(j)) for each in (fast, step))
            np.testing.assert_allclose(found.item(), expected.item(), rtol=1e-12)
    assert fast.traces == 1


def test_what_a_primitive_asks_for_by_name_is_kept():
    rng = np.random.default_rng(0)

    @ts.primitive
    def joined(xp, x):
        parts = tuple(xp.add(x[t], 1.0, dtype="float64") for t in range(3))
        rows = [x[t].sum(1, None, None, True) for t in range(3)]
        return xp.concatenate((*parts, xp.concatenate((x[0], x[1], x[2]), axis=1), *rows), axis=-1)

    x = ts.tensor(rng.normal(size=(3, 3, 3)), dtype="float32")
    fast, expected = ts.replay(lambda x: joined(x)), joined(x)
    found = fast(x)
    assert fast.traces == 1
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(to_host(found.array), to_host(expected.array))


def test_a_primitive_may_join_without_an_axis():
    flat = ts.primitive(lambda xp, x: xp.concatenate((x[0], x[1], x[2]), None))
    x = ts.tensor(np.arange(9.0).reshape(3, 3))
    np.testing.assert_array_equal(to_host(ts.replay(lambda x: flat(x))(x).array), np.arange(9.0))


def test_the_gradient_of_few_steps_is_no_stack_of_all():
    w = nn.Parameter(np.zeros(100_000, "float32"))

    def step():
        w.grad = None
        (w[0] + w[3] * w[7]).backward()
        return w.grad

    step()
    fast = ts.replay(step)
    fast()
    assert len(fast.source) < 2000
