"""The recorded backward beside its forward: every op of both once, a step's gradient in the step, named by its leaf."""

import importlib.util
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from pictures import clusters, items, needs_graphviz, numbers, steps_shown

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.view.model import within
from tinygrad_seq.engine.graph import ancestors

demo = Path(__file__).parents[2] / "demos" / "derivatives.py"


def recorded(kind, steps):
    layer = kind(3, 4)
    loss = layer(ts.tensor(numbers(steps, 2, 3)))[0].sum().named("loss")
    loss.backward(create_graph=True)
    return layer, loss


def gradients(view):
    return {item.id for c in clusters(view) if c.key == "grad" for inner in within(c) for item in inner.items}


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_steps_gradient_is_in_the_step(kind):
    layer, loss = recorded(kind, 3)
    view = draw(loss, backward=True).view
    assert steps_shown(view) == [["t = 0", "t = 1", "t = 2"]]
    for step in view.loops[0]:
        assert [inner.label for inner in step.inner] == ["gradient"] and step.inner[0].items
    inside, shown = gradients(view), items(view)
    ordinals = [item.ordinal for item in shown if item.role not in ("weight", "input", "initial", "constant")]
    assert len(set(ordinals)) == len(ordinals)
    nodes = ancestors([loss.node, *(p.grad.node for p in layer.parameters())])
    for item in shown:
        if "#leaf" not in item.id and item.ordinal >= 0:
            assert (item.id in inside) == ("grad" in dict(nodes[item.ordinal].scope.path()))


def test_edges_say_what_is_gradient_and_what_was_saved():
    _, loss = recorded(nn.LSTM, 3)
    view = draw(loss, backward=True).view
    inside = gradients(view)
    for edge in view.edges:
        if edge.role == "gradient":
            assert edge.source in inside and edge.target in inside
        elif edge.role in ("data", "state"):
            assert edge.source not in inside
    assert any(edge.role == "data" and edge.target in inside for edge in view.edges)


def test_the_gradients_of_the_leaves_are_its_outputs_and_bear_their_names():
    _, loss = recorded(nn.LSTM, 3)
    names = {item.label for item in items(draw(loss, backward=True).view) if item.role == "output"}
    assert names == {"loss", "∂ weight_ih_l0", "∂ weight_hh_l0", "∂ bias_ih_l0, bias_hh_l0"}


def test_the_forward_is_the_same_picture_and_its_uses_are_counted_alone():
    _, loss = recorded(nn.GRU, 3)
    plain, both = draw(loss).view, draw(loss, backward=True).view
    shown = {item.id: item.symbol for item in items(both)}
    for item in items(plain):
        if "#leaf" not in item.id:
            assert shown[item.id] == item.symbol
    assert [row.uses for row in plain.legend] == [row.uses for row in both.legend]


@pytest.mark.parametrize("options", [{}, {"view": "rolled"}, {"params": "shared"}, {"depth": 2}])
def test_a_long_backward_is_elided_like_its_forward(options):
    runs = [recorded(nn.RNN, steps) for steps in (12, 60)]
    short, long = (draw(loss, backward=True, **options).view for _, loss in runs)
    assert len(items(short)) == len(items(long)) and len(short.edges) == len(long.edges)


def test_without_a_recorded_backward_it_says_how_to_get_one():
    layer = nn.RNN(3, 4)
    loss = layer(ts.tensor(numbers(3, 2, 3)))[0].sum()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="create_graph=True"):
            draw(loss, backward=True)
        loss.backward(retain_graph=True)


def test_gradients_that_went_with_their_parameters_are_said_to_be_gone():
    loss = recorded(nn.RNN, 3)[1]
    with pytest.raises(RuntimeError, match="hold the layer"):
        draw(loss, backward=True)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_the_backward_stands_above_the_forward_of_its_step(kind):
    """As its mirror image: gradients flow to the left as the state flows to the right."""
    _layer, loss = recorded(kind, 3)
    drawing = draw(loss, backward=True)
    boxes, middle = {}, {}
    for group in ElementTree.fromstring(drawing.svg).iter("{http://www.w3.org/2000/svg}g"):
        if "id" in group.attrib:
            rect = group.find("{http://www.w3.org/2000/svg}rect")
            x, y, wide, high = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
            boxes[group.get("id")], middle[group.get("id")] = (y, y + high), x + wide / 2
    for step in drawing.view.loops[0]:
        below = boxes[step.inner[0].id][1]
        assert all(boxes[item.id][0] >= below for item in step.items)
    for edge in drawing.view.edges:
        if edge.role == "gradient" and edge.through_time:
            assert middle[edge.source] > middle[edge.target]


@needs_graphviz
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM])
def test_graphviz_draws_it(kind, tmp_path):
    run = recorded(kind, 3)
    draw(run[1], backward=True).save(tmp_path / "x.pdf")
    assert (tmp_path / "x.pdf").stat().st_size > 1000


@pytest.fixture(scope="module")
def derivatives():
    spec = importlib.util.spec_from_file_location("derivatives", demo)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.derivatives


def test_the_demos_derivatives_are_those_of_tanh(derivatives):
    _, found = derivatives(4, 0.3)
    y = np.tanh(0.3)
    slope = 1 - y * y
    expected = [y, slope, -2 * y * slope, slope * (6 * y * y - 2), slope * y * (16 - 24 * y * y)]
    np.testing.assert_allclose([value.item() for value in found], expected, rtol=1e-5)


def test_each_derivative_is_drawn_inside_the_last(derivatives):
    _, found = derivatives(3)
    for n, value in enumerate(found):
        nested = [len(c.id.split("grad-")) - 1 for c in clusters(draw(value).view)]
        assert max(nested) == n
