"""Numbers in a picture: gradients that are right, on a scale that tells vanishing from healthy, and nothing changed."""

import math
import re
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import items

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.render import colours as palette
from tinygrad_seq.drawing.view.values import scale
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.engine.norms import norm


class Run:
    """A layer that is still there, and the loss of its last step."""

    def __init__(self, layer, steps=4, **weights):
        self.layer = layer
        for name, parameter in layer.named_parameters():
            if "weight_hh" in name and "hh" in weights:
                parameter.assign(weights["hh"] * parameter.numpy())
            if "bias_ih" in name and "forget" in weights:
                value = parameter.numpy().copy()
                value[layer.hidden_size : 2 * layer.hidden_size] = weights["forget"]
                parameter.assign(value)
        self.x = ts.tensor(np.random.default_rng(0).standard_normal((steps, 2, 3)).astype("float32"))
        self.loss = self.layer(self.x)[0][steps - 1].sum().named("loss")


def edges_of(view, role):
    return [edge for edge in view.edges if edge.role == role]


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_before_backward_it_says_not_computed(kind):
    run = Run(kind(3, 4))
    drawing = draw(run.loss, show="gradient")
    assert drawing.view.scale.low is None and "not computed" in drawing.dot
    assert all(item.value is None for item in items(drawing.view)) and all(e.value is None for e in drawing.view.edges)
    assert all(row.gradient is None for row in drawing.view.legend)
    assert "not computed" not in draw(run.loss).dot


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_every_number_is_the_norm_of_the_gradient_that_grad_gives(kind):
    run = Run(kind(3, 4))
    run.loss.backward(retain_graph=True)
    view = draw(run.loss, show="gradient").view
    nodes = ancestors([run.loss.node])
    shown = {item.ordinal: item.value for item in items(view) if item.role in ("op", "gate", "state", "output")}
    handles = {node: ts.Tensor() for node in nodes if node.op is not None and all(map(np.isscalar, node.shape))}
    for node, handle in handles.items():
        handle.array, handle.node = ts.zeros(node.shape, dtype=node.dtype).array, node
    wanted = [node for node in handles if nodes.index(node) in shown]
    gradients = ts.grad(run.loss, [handles[node] for node in wanted], retain_graph=True)
    for node, gradient in zip(wanted, gradients, strict=True):
        np.testing.assert_allclose(shown[nodes.index(node)], np.linalg.norm(gradient.numpy()), rtol=1e-5)


def test_contributions_at_the_uses_of_a_weight_are_what_its_gradient_is_made_of():
    w = nn.Parameter(np.float64([[2.0]])).named("w")
    h = ts.tensor(np.float64([[1.0]]))
    for t in range(3):
        with ts.scope(step=t):
            h = (h @ w).named("h")
    loss = h.sum()
    loss.backward(retain_graph=True)
    view = draw(loss, show="gradient").view
    assert [edge.value for edge in edges_of(view, "weight")] == [4.0, 4.0, 4.0]  # of w³ each use gives w²
    assert [edge.value for edge in edges_of(view, "state")] == [4.0, 2.0]
    assert view.legend[0].gradient == w.grad.item() == 12.0


def test_drawing_changes_nothing():
    run = Run(nn.LSTM(3, 4))
    run.loss.backward(retain_graph=True)
    before = [p.grad.numpy().copy() for p in run.layer.parameters()]
    saved = [node.saved for node in ancestors([run.loss.node])]
    draw(run.loss, show="gradient")
    for old, parameter in zip(before, run.layer.parameters(), strict=True):
        np.testing.assert_array_equal(old, parameter.grad.numpy())
    assert all(a is b for a, b in zip(saved, (n.saved for n in ancestors([run.loss.node])), strict=True))


def test_of_a_freed_graph_only_what_has_a_grad_has_a_number_and_it_says_why():
    run = Run(nn.LSTM(3, 4))
    run.loss.backward()
    drawing = draw(run.loss, show="gradient")
    assert "retain_graph=True" in drawing.view.scale.label and "retain_graph=True" in drawing.dot
    assert {item.role for item in items(drawing.view) if item.value is not None} == {"weight"}
    assert all(row.gradient == norm(p.grad.array) for row, p in zip(drawing.view.legend, run.layer.parameters()))
    assert "|grad| " in draw(run.loss).dot


@pytest.mark.parametrize("option", ["retain_graph", "create_graph"])
@pytest.mark.parametrize("module", [True, False])
def test_after_backward_it_is_shown_though_the_parameters_are_gone(option, module):
    def loss(leave=True):
        weight = ts.tensor([[0.5, 2.0], [1.0, 1.0]], requires_grad=True)
        layer = nn.Linear(2, 2)
        if module:
            weight = layer.weight
        result = (ts.ones(2, 2) @ weight).tanh().sum()
        if not leave:
            result.backward(**{option: True})
        return result

    for died_before in (True, False):
        value = loss(died_before)
        if died_before:
            assert draw(value, show="gradient").view.scale.low is None
            value.backward(**{option: True})
        view = draw(value, show="gradient").view
        assert view.scale.low is not None
        assert all(item.value is not None for item in items(view) if item.role in ("op", "output", "weight"))


def test_an_output_of_many_elements_shows_what_has_a_grad():
    run = Run(nn.RNN(3, 4))
    out, _ = run.layer(run.x)
    out.sum().backward(retain_graph=True)
    assert "draw the loss" in draw(out, show="gradient").view.scale.label


def test_vanishing_and_healthy_are_told_apart_at_a_glance():
    """By the colour of the edges that carry the state: cold at the beginning of one, hot all along the other."""

    def colours(run):
        run.loss.backward(retain_graph=True)
        view = draw(run.loss, show="gradient", steps=(12, 0)).view
        values = [edge.value for edge in edges_of(view, "state")]
        assert len(values) >= 11
        return view, values, [palette.heat(value, view.scale) for value in values]

    _, values, heats = colours(Run(nn.RNN(3, 4), 12, hh=0.2))
    assert values == sorted(values) and values[0] < 1e-5 * values[-1]
    widths = [width for _, width in heats]
    assert widths[0] < 1.2 and widths[-1] > 3.5
    reds = [int(colour[1:3], 16) for colour, _ in heats]
    assert reds[0] < 0x70 and reds[-1] > 0xD0
    view, values, heats = colours(Run(nn.LSTM(3, 4), 12, forget=4.0))
    cell = [heat for heat, value in zip(heats, values) if value > 0.05 * max(values)]
    assert len(cell) >= 11 and all(width > 2.5 for _, width in cell)
    assert view.scale.high / view.scale.low >= 0.99e6


def test_at_a_gap_the_numbers_are_those_of_its_borders():
    run = Run(nn.RNN(3, 4), 30)
    run.loss.backward(retain_graph=True)
    whole = [e.value for e in edges_of(draw(run.loss, show="gradient", steps=(30, 0)).view, "state")]
    short = [e.value for e in edges_of(draw(run.loss, show="gradient").view, "state")]
    assert sorted(short) == sorted([*whole[:3], whole[-1]])


def test_in_a_rolled_view_they_are_the_norm_over_all_steps():
    run = Run(nn.RNN(3, 4), 6)
    run.loss.backward(retain_graph=True)
    whole = [e.value for e in edges_of(draw(run.loss, show="gradient", steps=(6, 0)).view, "state")]
    (delay,) = edges_of(draw(run.loss, show="gradient", view="rolled").view, "delay")
    assert delay.value == pytest.approx(math.hypot(*whole))


def test_the_walk_is_told_in_its_order():
    run = Run(nn.LSTM(3, 4))
    for options in ({}, {"show": "gradient"}):
        run.loss.backward(retain_graph=True)
        view = draw(run.loss, **options).view
        shown = {item.id: item for item in items(view)}
        assert len(set(view.backward)) == len(view.backward)
        ops = [shown[id].ordinal for id in view.backward if shown[id].role != "weight"]
        assert ops == sorted(ops, reverse=True) and shown[view.backward[0]].label == "loss"
        expected = {item.id for item in items(view) if item.role not in ("initial", "input", "constant")}
        assert set(view.backward) == expected


def test_any_mapping_from_nodes_or_tensors_is_shown_in_its_own_order():
    x = ts.tensor([1.0], requires_grad=True).named("x")
    y = x * 2.0
    z = y.tanh()
    view = draw(z, show={y: 3.0, z.node: 0.5, x: 0.01}).view
    values = {item.symbol or item.label: item.value for item in items(view)}
    assert (values["×"], values["tanh"], values["x"]) == (3.0, 0.5, 0.01)
    names = {item.id: item.symbol or item.label for item in items(view)}
    assert [names[id] for id in view.backward] == ["×", "x", "tanh"]
    assert [edge.value for edge in view.edges if names[edge.target] == "tanh"] == [3.0]


def test_a_state_without_a_number_steps_back_on_the_scale_of_others():
    """Its colour would be read as a number."""
    h = ts.randn(2, requires_grad=True)
    for t in range(3):
        with ts.scope(step=t):
            h = h.tanh().named("h")
    assert 'class="edge state"' in draw(h).svg and palette.state in draw(h).dot
    shown = draw(h, show={h: 3.0})
    assert 'class="edge state"' not in shown.svg and palette.state not in shown.dot


def test_on_a_device(gpu):
    layer = nn.LSTM(3, 4).to("cuda")
    loss = layer(ts.ones(5, 2, 3, device="cuda"))[0].sum()
    assert "not computed" in draw(loss, show="gradient").dot
    loss.backward(retain_graph=True)
    view = draw(loss, show="gradient").view
    assert all(item.value is not None for item in items(view) if item.role in ("op", "gate", "state", "weight"))
    assert all(row.gradient > 0 for row in view.legend)


def test_nothing_is_neither_cold_nor_wide():
    bar = scale("v", [1e-8, 1.0])
    assert palette.heat(0.0, bar) == (palette.nothing, 0.6) and palette.heat(1e-8, bar)[0] == palette.cold_to_hot[0]
    assert palette.heat(-1.0, bar) == palette.heat(1.0, bar)


def test_hostile_numbers():
    x = ts.tensor([1.0], requires_grad=True).named("x")
    y = x * 2.0
    for value in (0.0, math.inf, math.nan, 5e-324, 1e-300, 1e300, sys.float_info.max, -1.0):
        assert "digraph" in draw(y, show={y: value}).dot and 'id="key"' in draw(y, show={y: value}).html
    assert palette.heat(math.nan, scale("v", [1.0]))[0] == palette.heat(math.inf, scale("v", [1.0]))[0]


def test_a_negative_number_is_told_and_coloured_by_its_size():
    x = ts.tensor([1.0], requires_grad=True).named("x")
    y = (x * 2.0).named("y")
    below, above = draw(y, show={y: -2.0, x: 1.0}), draw(y, show={y: 2.0, x: 1.0})
    assert (below.view.scale.label, above.view.scale.label) == ("|value|", "value")
    (item,) = (item for item in items(below.view) if item.label == "y")
    assert item.numbers == "−2" and item.tooltip.endswith("value −2")


@given(st.integers(2, 30))
def test_numbers_that_count_reach_from_the_first_to_the_last_on_a_page(last):
    y = ts.tensor([1.0], requires_grad=True)
    made = [y := y * 2.0 for _ in range(last)]
    trail = type("Trail", (dict,), {"label": "way", "ordered": True})(zip(made, range(1, last + 1)))
    assert re.search(rf'id="key">way 1<i [^>]*></i>{last} ', draw(y, show=trail).html)


def test_what_cannot_be_shown_is_an_error():
    x = ts.tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match="show must be 'auto' or 'values' or 'gradient'"):
        draw(x, show="gradients")
    for wrong in (3, ["gradient"]):
        with pytest.raises(TypeError, match="show must be"):
            draw(x, show=wrong)
    with pytest.raises(TypeError, match="map Nodes or"):
        draw(x, show={"x": 1.0})
    with pytest.raises(TypeError, match="to numbers"):
        draw(x, show={x: "much"})
    with pytest.raises(TypeError, match="to numbers"):
        draw(x, show={x: 10**400})


@given(st.floats(1e-30, 1e30), st.floats(1.0001, 1e6))
def test_the_same_factor_is_the_same_step_in_width_and_never_a_step_back(low, factor):
    values = [low, low * factor, low * factor * factor]
    bar = scale("v", values)
    widths = [palette.heat(value, bar)[1] for value in values]
    assert widths == sorted(widths)
    assert bar.low <= max(values[0], bar.high * 1e-12) * 1.0001 and bar.high >= values[-1] * 0.9999
    if bar.low <= low:
        assert widths[2] - widths[1] == pytest.approx(widths[1] - widths[0], abs=0.021)


@given(st.integers(-300, 300))
def test_norms_do_not_underflow(exponent):
    array = np.array([3.0, 4.0]) * 10.0**exponent
    assert norm(array) == pytest.approx(5.0 * 10.0**exponent, rel=1e-12)


def test_tints_go_from_cold_to_hot():
    tints = [palette.tint(i / 100) for i in range(101)]
    assert tints[0] == palette.cold_to_hot[0] and tints[-1] == palette.cold_to_hot[-1]
    steps = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in tints]
    assert max(abs(a - b) for left, right in pairwise(steps) for a, b in zip(left, right)) < 12
