"""`ts.diff`: exactly what is different, one line each; and JSON, the same in every process."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import by_hand, items, lstm, numbers, reading

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw


def picture(kind, length, layers=1, both=False, size=4, **options):
    x = ts.tensor(numbers(length, 2, 3), requires_grad=True)
    return draw(kind(3, size, num_layers=layers, bidirectional=both)(x)[0], **options)


kinds = st.sampled_from([nn.RNN, nn.LSTM, nn.GRU])
styles = st.sampled_from([{}, {"view": "rolled"}, {"params": "shared"}, {"steps": (1, 1)}, {"depth": 2}])


@given(kinds, st.integers(1, 8), st.integers(1, 2), st.booleans(), styles)
def test_no_difference_to_itself(kind, steps, layers, both, style):
    one, other = (picture(kind, steps, layers, both, **style) for _ in range(2))
    found = ts.diff(one, other)
    assert str(found) == "no difference" and len(found) == 0
    assert one.json == other.json


@pytest.mark.parametrize("make", [lstm, by_hand, reading])
def test_three_steps_and_four_differ_by_one_step(make):
    found = ts.diff(draw(make(3)), draw(make(4)))
    steps = [line for line in found if "step" in line]
    assert steps and all(line.startswith("+ step t = 3") for line in steps)
    assert len(steps) == (2 if make is reading else 1)


@given(kinds, st.integers(3, 10), st.integers(1, 2), st.booleans(), st.sampled_from([{}, {"steps": (1, 1)}]))
def test_one_more_step_is_one_line_for_each_loop_however_it_is_drawn(kind, steps, layers, both, style):
    one, other = picture(kind, steps, layers, both, **style), picture(kind, steps + 1, layers, both)
    lines = list(ts.diff(one, other))
    assert len(lines) == layers * (1 + both)
    if not both:
        assert all(line.startswith(f"+ step t = {steps} in {kind.__name__} / layer ") for line in lines)
    assert [line.replace("+", "-", 1) for line in lines] == list(ts.diff(other, one))


def test_many_more_steps_are_one_line():
    (line,) = ts.diff(picture(nn.LSTM, 10), picture(nn.LSTM, 200))
    assert line == "+ 190 steps, t = 10 … 199, in LSTM / layer 0: 14 ops each"


def test_an_lstm_is_an_rnn_with_gates():
    lines = list(ts.diff(picture(nn.RNN, 3), picture(nn.LSTM, 3)))
    where = "in LSTM / layer 0, t = 0 … 2"
    for gate in ("σ input", "σ forget", "tanh cell", "σ output"):
        assert f"+ {gate} {where}" in lines
    assert "~ module RNN is LSTM" in lines and f"- tanh h {where.replace('LSTM', 'RNN')}" in lines
    assert "~ weight_hh_l0: (4, 4) is (16, 4)" in lines


def test_a_shape_alone_is_a_difference():
    lines = list(ts.diff(picture(nn.RNN, 3), picture(nn.RNN, 3, size=5)))
    assert "~ tanh h in RNN / layer 0, t = 0 … 2: (2, 4) float32 is (2, 5) float32" in lines
    assert not any(line[0] in "+-" for line in lines)


def test_more_steps_do_not_hide_another_shape():
    lines = list(ts.diff(picture(nn.RNN, 3), picture(nn.RNN, 4, size=5)))
    assert "~ stack in RNN: (3, 2, 4) float32 is (4, 2, 5) float32" in lines
    assert any(line.startswith("+ step t = 3") for line in lines)


def test_parameters_are_told_by_their_shapes():
    w, v = ts.nn.Parameter(2.0).named("w"), ts.nn.Parameter([2.0]).named("v")
    one, both = (draw(y) for y in (w * w, w * w * v))
    assert "+ v: (1,)" in list(ts.diff(one, both)) and "- w: ()" in list(ts.diff(one, draw(v * v)))


def test_wiring_alone_is_a_difference():
    x, y = (ts.tensor(numbers(3), requires_grad=True).named(name) for name in "xy")
    a, b = x.exp(), y.tanh()
    assert list(ts.diff(draw(a * b - a), draw(a * b - b))) == ["~ −: reads tanh instead of exp"]


def test_a_step_that_differs_is_found_where_it_is():
    odd = by_hand(30, lambda t, h: h.tanh().named("h") if t == 11 else h)
    assert list(ts.diff(draw(by_hand(30)), draw(odd))) == ["+ tanh h in t = 11"] or any(
        "t = 11" in line for line in ts.diff(draw(by_hand(30)), draw(odd))
    )


def test_another_layer_is_one_line_and_its_parameters():
    lines = list(ts.diff(picture(nn.GRU, 3), picture(nn.GRU, 3, 2)))
    assert lines[0] == "+ layer 1 in GRU: 48 ops" and len(lines) == 5


def test_only_drawings_are_compared():
    with pytest.raises(TypeError, match="two Drawings"):
        ts.diff(draw(lstm(2)), lstm(2))


def test_json_says_all_that_is_in_the_view_one_thing_a_line(tmp_path):
    drawing = draw(lstm(12))
    drawing.save(tmp_path / "x.json")
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert text == drawing.json
    read = json.loads(text)
    assert {item["id"] for item in read["items"]} == {item.id for item in items(drawing.view)}
    assert len(read["edges"]) == len(drawing.view.edges) and read["scale"] is None
    assert sum(line.startswith('{"cluster"') for line in text.splitlines()) == len(read["items"])
    assert all(list(item) == sorted(item) for part in ("items", "edges", "clusters") for item in read[part])


@pytest.mark.parametrize("value", [math.inf, math.nan, -math.inf])
def test_json_is_json_whatever_the_numbers(value):
    x = ts.tensor(np.float32([1.0]), requires_grad=True).named('"\\\n<b>')
    y = x * 2.0
    read = json.loads(draw(y, show={y: value}).json, parse_constant=lambda name: pytest.fail(name))
    assert str(value) in [item["value"] for item in read["items"]]
