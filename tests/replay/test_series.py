"""Values of all steps: read forwards, backwards, in parts, in another shape, with other shapes and dtypes at first."""

import re

import numpy as np
import pytest
from agreement import assert_agree, assert_all_agree

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.replay import replay

pytestmark = pytest.mark.parametrize("passes", ["as_written", "together", "over elements"], indirect=True)
T, B, I, H = 5, 3, 4, 6  # noqa: E741


def test_series_are_read_in_both_directions():
    def step(h, xs, ys, zs):
        for x, y, z in zip(xs.unstack(), ys.unstack()[::-1], zs.unstack()[::-1]):
            h = (h * x + (h * y + z).sin()).tanh()
        return h

    fast = replay(step)
    for k in range(2):
        args = ts.full((B, I), 0.1), *(ts.randn(7, B, I) * (1.0 + k) for _ in range(3))
        assert_agree(step(*args), fast(*args))


@pytest.mark.parametrize("second", [lambda h: (h * 0.5).named("b"), lambda h: h], ids=["named", "inside"])
def test_one_product_at_a_time_is_where_the_state_will_be(second):
    weights = [ts.tensor(np.random.default_rng(k).normal(size=(I, I))) for k in range(2)]

    def step(h, xs):
        c, states = h, []
        for x in xs:
            a = (h @ weights[0]).named("a")
            h, c = a - second(c @ weights[1]), h.tanh() + c * 0.5 + x
            states.append(h)
        return ts.stack(states).tanh(), c

    fast = replay(step)
    for k in range(2):
        args = ts.full((B, I), 0.1 + k, dtype="float64"), [ts.full((B, I), 0.1 * k + t) for t in range(T + 2)]
        for one, other in zip(step(*args), fast(*args)):
            assert_agree(one, other)


def test_a_part_of_what_is_made_of_an_array_that_is_kept():
    def step(x):
        y, h = x * 2.0, ts.zeros(B, I)
        for y_t in y.unstack():
            h = (h + y_t).tanh()
        parts = y.sum(0)[:, 1:], y.max(0)[:1, :2], y[:, :, 1:].reshape(T * B, I - 1)[:, 1:]
        return h, *(part * part.tanh() for part in parts)

    fast = replay(step)
    for _ in range(3):
        x = ts.randn(T, B, I)
        for one, other in zip(step(x), fast(x)):
            assert_agree(one, other)


def test_a_part_of_all_states_in_another_shape():
    layer = nn.RNN(I, H)

    def step(x):
        layer.zero_grad()
        part = layer(x)[0][:, :, 1:3]
        rows = part.reshape(7 * B * 2)
        ((part * part).sum() + (rows.sin() * rows.cos()).sum()).backward()
        return part.sum(), layer.weight_hh_l0.grad

    fast = replay(step)
    for _ in range(3):
        x = ts.randn(7, B, I)
        for one, other in zip(step(x), fast(x)):
            assert_agree(one, other)


def test_a_row_is_added_to_one_row_and_to_many():
    bias = nn.Parameter(np.linspace(-1.0, 1.0, I)[None])

    def step(xs):
        bias.grad = None
        ((bias * 2.0).tanh().sum() + sum((bias + x).tanh().sum() for x in xs)).backward()
        return bias.grad

    fast = replay(step)
    for k in range(2):
        xs = [ts.full((B, I), 0.1 * k + t) for t in range(T)]
        assert_agree(step(xs), fast(xs))


def test_a_state_may_have_another_shape_at_first():
    def step(h, xs):
        states = [h]
        for x in xs:
            h = (h.sum(0, keepdims=True) * 0.5 + x).tanh()
            states.append(h)
        return [(state * state).sum() for state in states]

    fast = replay(step)
    for k in range(2):
        xs = [ts.full((1, I), 0.1 * k + t) for t in range(T)]
        for one, other in zip(step(ts.ones(B, I), xs), fast(ts.ones(B, I), xs), strict=True):
            assert_agree(one, other)


def test_a_sum_of_rows_goes_back_to_many_rows():
    def step(x, ys):
        x = x.detach()
        x.requires_grad = True
        ((x * x).mean() + sum((x.sum(0) * y).tanh().sum() for y in ys)).backward()
        return x.grad

    fast = replay(step)
    for k in range(2):
        x, ys = ts.full((B, I), 0.1 + k), [ts.full((I,), 0.1 * k + t) for t in range(T)]
        assert_agree(step(x, ys), fast(x, ys))


@pytest.mark.parametrize("at", [0, 3])
def test_inputs_of_several_shapes_and_dtypes(at):
    def step(h, xs, ys):
        states = []
        for x, y in zip(xs, ys):
            h = (h * 0.5 + (x * y).sin()).tanh()
            states.append(h)
        return ts.stack(states) * 2.0

    fast = replay(step)
    for k in range(2):
        xs = [ts.full((B, I), 0.1 * k + t, dtype="float64") for t in range(T)]
        others = {at: xs[at][:1], at + 1: xs[at + 1].to("float32")}
        args = xs[0], [others.get(t, x) for t, x in enumerate(xs)], xs[::-1]
        assert_agree(step(*args), fast(*args))


def test_products_of_several_dtypes():
    matrix = ts.tensor(np.random.default_rng(0).normal(size=(I, I)))
    step = lambda xs: ts.stack([((x * 1.5) @ matrix).sin() for x in xs])
    xs = [ts.full((B, I), 0.1 + t, dtype="float32" if t < 2 else "float64") for t in range(T + 1)]
    assert_agree(step(xs), replay(step)(xs))


@pytest.mark.parametrize("steps", [4, 70])
def test_neighbours_in_a_series_are_joined_at_once(steps):
    w = ts.tensor(np.random.default_rng(0).normal(size=(I, I)) * 0.5)

    def step(h, x):
        states = [h]
        for x_t in x:
            states.append(h := (x_t + h @ w).tanh())
        parts = [*states[3:], h * 2.0, *states[:4], *states[2::-1]]
        return (ts.stack(parts) + 1.0).exp(), ts.concatenate(parts) + 1.0, ts.concatenate(states[1:4], 1) + 1.0

    fast = replay(step)
    for k in range(2):
        args = ts.full((B, I), 0.1, dtype="float64"), ts.randn(steps, B, I, dtype="float64") * (1.0 + k)
        assert_all_agree(step(*args), fast(*args))
    assert "not compiled" not in fast.source


@pytest.mark.parametrize("layer", [nn.RNN(I, H), nn.LSTM(I, H, bidirectional=True)], ids=["rnn", "lstm"])
def test_a_batch_of_many_lengths(layer):
    def step(x):
        layer.zero_grad()
        out, last = layer(x, lengths=[66, 0, 20])
        loss = (out**2).mean()
        loss.backward()
        return loss.detach(), (last[0] if isinstance(last, tuple) else last).detach(), layer.weight_hh_l0.grad

    fast, x = replay(step), ts.randn(66, B, I)
    for k in range(2):
        assert_all_agree(step(x * (1.0 + k)), fast(x * (1.0 + k)))
    assert "not compiled" not in fast.source


def test_a_long_program_is_several_functions(passes):
    layer = nn.LSTM(I, H, num_layers=2, bidirectional=True).to("float64")

    def step(x):
        layer.zero_grad()
        loss = (layer(x)[0] ** 2).mean()
        loss.backward()
        return loss.detach(), layer.weight_hh_l0_reverse.grad

    fast, x = replay(step), ts.randn(T, B, I, dtype="float64")
    for k in range(2):
        assert_all_agree(step(x * (1.0 + k)), fast(x * (1.0 + k)))
    functions = re.split("^def part", fast.source, flags=re.MULTILINE)[1:]
    assert passes != "over elements" or (len(functions) > 1 and max(text.count("\n") for text in functions) < 600)
