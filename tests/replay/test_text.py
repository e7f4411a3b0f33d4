"""The text of a program is short, says things by their names, and is the code that runs."""

import operator
import re

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.backend import modules, on_device_of, to_host
from tinygrad_seq.replay.text.expressions import HELPERS

LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def source_of(kind, steps, size=3, device="cpu"):
    layer = LAYERS[kind](size, 4).to(device)

    def step(x):
        out, _ = layer(x)
        loss = (out * out).mean()
        layer.zero_grad()
        loss.backward()
        return loss.item()

    fast = ts.replay(step)
    fast(ts.zeros(steps, 2, size, device=device))
    return fast.source


def lines_of(fast, *args):
    fast(*args)
    return [line.strip() for line in fast.source.splitlines()]


@pytest.mark.parametrize("kind", LAYERS)
def test_the_text_is_as_long_for_many_steps_as_for_few(kind):
    few, many = source_of(kind, 8).splitlines(), source_of(kind, 60).splitlines()
    assert len(few) == len(many) < {"rnn": 40, "lstm": 90, "gru": 110}[kind]
    assert sum(line.strip().startswith("for ") for line in many) == 2


@pytest.mark.parametrize("kind", LAYERS)
def test_sequences_of_different_lengths_are_one_loop(kind):
    layer = LAYERS[kind](3, 4)

    def step(x, lengths):
        layer.zero_grad()
        loss = (layer(x, lengths=lengths)[0] ** 2).mean()
        loss.backward()
        return loss

    few, many = (lines_of(ts.replay(step), ts.zeros(n, 2, 3), [n, n - 5]) for n in (9, 40))
    assert len(few) == len(many) and sum(line.startswith("for ") for line in many) == 2
    assert all("mask_t" in line for line in many if line.startswith("for "))
    assert "h_kept" in "".join(many)
    text = "\n".join(lines_of(ts.replay(step), ts.zeros(9, 2, 3), ts.tensor([9, 4])))
    assert re.search(r"^mask\w* = \(v\d < lengths\)\[:, :, None\]$", text, re.MULTILINE)
    assert kind == "gru" or "a_x_t" in text  # what is made of x, which a mask chooses from


@pytest.mark.parametrize(("first", "second"), [(20, 9), (9, 20)])
def test_what_begins_as_another_loop_ends_is_a_loop_of_its_own(first, second):
    w = ts.randn(4, 4) * 0.5

    def run(h, x):
        for t in range(first + second):
            h = (x[t] + h @ w).tanh()
            h = h if t < first else h.exp() - 1.0
        return h

    fast, args = ts.replay(run), (ts.zeros(2, 4), ts.randn(first + second, 2, 4))
    lines = lines_of(fast, *args)
    assert sum(line.startswith("for ") for line in lines) == 2 and len(lines) < 30
    assert abs(fast(*args).numpy() - run(*args).numpy()).max() < 1e-5


def test_values_have_the_names_of_the_graph():
    text = source_of("lstm", 8)
    for name in ("weight_ih_l0", "bias_hh_l0", "h0", "c0", "forget", "d_h", "d_c", "d_weight_hh_l0"):
        assert f"{name} " in text or f"{name}," in text or f"{name}." in text, name
    assert "c = add(forget * c, input * cell, c_t)" in text
    assert "output_all = gates_all[:, :, 12:16]" in text and "tanh_c = tanh(c, tanh_c_t)" in text
    backward = text.rpartition("for ")[2].partition(" in steps")[0].split(", ")
    assert {"d_input", "d_forget", "d_cell", "d_output", "d_gates_t"} <= set(backward)
    assert "d_h = d_h_out_t + d_gates.dot(weight_hh_l0)" in text and "d_c_2 = d_c_next + d_c" in text
    assert "a = a_x_t + h.dot(weight_hh_l0_T)" in text and "d_weight_ih_l0 = d_gates_rows_T.dot(x_rows)" in text
    chain_rule = {"d_c = d_h * dh_dc_t", *(f"multiply(d_c_2, dc_d{gate}_t, d_{gate})" for gate in ("input", "forget"))}
    assert chain_rule <= {line.strip() for line in text.splitlines()}
    assert "c_all = xp.empty((9, 2, 4), 'float32')" in text
    lists = [line for line in text.splitlines() if line.startswith("steps")]  # what the two loops go along
    assert [line.endswith("))[::-1]") for line in lists] == [False, True], text  # from the last step to the first


def test_what_is_the_same_at_every_call_is_above_the_function():
    once, _, text = source_of("rnn", 8).partition("def step")
    assert "h0 = xp.zeros((2, 4), 'float32')" in once and "ones = xp.full((16,), 1.0, 'float32')" in once
    assert "d_bias_hh_l0 = ones.dot(" in text and "xp.full" not in text and "xp.zeros" not in text


def test_a_name_is_not_given_again_while_what_was_made_of_it_waits():
    def step(x):
        h = x.tanh().named("h")
        twice = h * 2.0  # stands in the text where it is read
        other = x.exp().named("h")
        return (other + 1.0) * twice - other

    x = ts.tensor([1.0, 2.0])
    fast = ts.replay(step)
    for _ in range(2):
        assert fast(x).tolist() == step(x).tolist()


def test_a_square_and_its_gradient_are_said_shortly():
    x = ts.tensor([1.0, -2.0, 0.0], requires_grad=True)
    fast = ts.replay(lambda: ts.grad((x**2).sum() + (x**1).sum() + ts.power(x, 3).sum(), [x])[0])
    assert fast().tolist() == [6.0, 9.0, 1.0]
    assert "where" not in fast.source and "** 1.0" not in fast.source and "float(1.0))" not in fast.source


def test_what_is_made_of_a_product_is_computed_in_its_row():
    lines = [line.strip() for line in source_of("rnn", 8).splitlines()]
    start = next(k for k, line in enumerate(lines) if line.startswith("for a_x_t, h_t in steps:"))
    assert lines[start + 1 : start + 4] == ["h.dot(weight_hh_l0_T, h_t)", "add(a_x_t, h_t, h_t)", "h = tanh(h_t, h_t)"]


@pytest.mark.parametrize("names", ["ℌ H", "ﬁ fi", "slice zip", "list range", "xp t", "float bool"])
def test_a_name_that_python_has_or_takes_for_another_is_no_danger(names):
    one, other = names.split()
    w = nn.Parameter(np.random.default_rng(0).normal(size=(4, 4)))

    def step(x):
        w.grad, h = None, x[0]
        for t in range(6):
            h = ((h @ w).named(one) + x[t]).tanh().named(other)
        total = (h[:, :2] * h[:, :2].tanh() * h[:, 1:3]).sum() + ts.concatenate([h[:, 1:], h[:, :1]], 1).sum()
        total.backward()
        return total.detach(), w.grad

    fast, x = ts.replay(step), ts.randn(6, 2, 4, dtype="float64")
    for _ in range(3):
        for found, expected in zip(fast(x), step(x)):
            np.testing.assert_allclose(to_host(found.array), to_host(expected.array), rtol=1e-10, atol=1e-12)


def test_values_without_names_are_called_what_they_are_made_of():
    text = source_of("rnn", 8)
    for line in ("d_h = add(d_h_out_t, d_a_t, d_a_t)", "d_a = multiply(d_h, dh_da_t, d_a_t)", "d_a = zeros",
                 "xp.subtract(1.0, h_squared, out=dh_da)", "d_bias_hh_l0 = ones.dot(d_a_rows)"):  # fmt: skip
        assert line in text, text
    assert "result = h_squared.sum(axis=(0, 1, 2)) / " in text and "return (result, d_weight_ih_l0" in text


def test_a_program_of_a_gpu_says_them_too(gpu):
    few, many = (source_of("lstm", steps, device="cuda") for steps in (8, 60))
    assert len(few.splitlines()) == len(many.splitlines())
    assert "input, forget, cell, output, c" in few and few.count("\n    for ") == 2
    for line in ("c_ = v13 + v14;", "forget_ = v5 / v6;", "const float d_h_ = x0 + x1;", "const float d_c_ = x3 + v1;"):
        assert line in few, few


def test_the_text_is_what_runs():
    w, u = (nn.Parameter(np.eye(3, dtype="float32") * k).named(name) for k, name in ((0.5, "w"), (0.1, "u")))

    def last(x):
        h = ts.zeros(2, 3)
        for x_t in x:
            h = (x_t @ w + h @ u).tanh()
        return h

    x = ts.randn(12, 2, 3)
    fast = ts.replay(last)
    expected = fast(x).array
    space = HELPERS | {"xp": modules[type(expected)]}
    with on_device_of(expected):
        exec(fast.source, space)
        (found,) = space["step"](modules[type(expected)], w=w.array, u=u.array, x=x.array)
        assert (found == expected).all()
    assert len(fast.source[fast.source.index("def step") :].splitlines()) <= 6, fast.source


def test_a_source_before_the_first_call_is_an_error():
    with pytest.raises(RuntimeError, match="has not been called yet"):
        _ = ts.replay(lambda: 0).source


OPERATORS = [getattr(operator, name) for name in
             ("pow", "mul", "truediv", "add", "sub", "and_", "or_", "lt", "le", "gt", "ge", "eq", "ne")]  # fmt: skip


def grouped(f, g, left):
    return (lambda a, b, c: g(f(a, b), c)) if left else (lambda a, b, c: f(a, g(b, c)))


def possible(way, values):
    try:
        return repr(way(*values))
    except (TypeError, ValueError, RuntimeError):  # of booleans, or by zero
        return None


@pytest.mark.parametrize("dtype", ["bool", "int64"])
@pytest.mark.parametrize("passes", ["together", "over elements"], indirect=True)
def test_operators_are_bracketed_as_they_were_applied(passes, dtype):
    values = [ts.tensor([(i >> k & 1) + (dtype != "bool") for i in range(8)], dtype=dtype) for k in range(3)]
    ways = [grouped(f, g, left) for f in OPERATORS for g in OPERATORS for left in (True, False)]
    wanted = [possible(way, values) for way in ways]
    ways = [way for way, one in zip(ways, wanted) if one is not None]
    assert len(ways) > 150
    own = [ts.tensor(value) for _ in ways for value in values]  # so that no part of a way is another's, with a name
    found = ts.replay(lambda *own: [way(*own[3 * i : 3 * i + 3]) for i, way in enumerate(ways)])(*own)
    assert list(map(repr, found)) == [one for one in wanted if one is not None]


@pytest.mark.parametrize("index", [slice(0, None, -1), slice(1, 0, -1), (slice(0, 2), slice(0, None, -2)), slice(0, 2)])
def test_a_slice_that_goes_back_from_the_first_is_not_one_that_begins_at_the_end(index):
    x = ts.tensor(np.arange(12.0).reshape(3, 4))
    assert ts.replay(lambda x: x[index] * 2.0)(x).tolist() == (x[index] * 2.0).tolist()
