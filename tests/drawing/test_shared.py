"""Shared parameters: exactly one node for each, and one edge for each use."""

from collections import Counter

import pytest
from pictures import by_hand, items, lstm, reading

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw


def uses(view):
    weights = {item.id: item.label for item in items(view) if item.role == "weight"}
    return Counter(weights[edge.source] for edge in view.edges if edge.source in weights)


@pytest.mark.parametrize("make, steps", [(lstm, 1), (lstm, 3), (lstm, 20), (by_hand, 20), (reading, 5)])
def test_one_node_for_each_parameter_and_one_edge_for_each_use(make, steps):
    output = make(steps)
    counted = Counter()
    for row in draw(output).view.legend:
        counted[row.label.rpartition(".")[2]] += row.uses
    view = draw(output, params="shared", steps=(steps, 0)).view
    weights = [item for item in items(view) if item.role == "weight"]
    assert len(weights) == len(draw(output).view.legend)
    assert uses(view) == counted
    legend = {(row.label, row.shape, row.uses) for row in draw(output).view.legend}
    assert {(row.label, row.shape, row.uses) for row in view.legend} == legend


def test_where_steps_are_left_out_their_uses_are_one_edge_to_the_gap():
    drawing = draw(lstm(1000), params="shared")
    assert set(uses(drawing.view).values()) == {5}
    assert drawing.dot.count("1000 uses") == 4


def test_rolled_each_use_is_one_edge():
    assert set(uses(draw(lstm(1000), params="shared", view="rolled").view).values()) == {1}


def test_a_gradient_is_shown_once_for_all_uses():
    layer = ts.nn.RNN(3, 4)
    loss = layer(ts.ones(5, 2, 3))[0].sum()
    loss.backward(retain_graph=True)
    view = draw(loss, params="shared", show="gradient").view
    value = {item.label: item.value for item in items(view) if item.role == "weight"}
    for name, parameter in layer.named_parameters():
        assert value[name] == pytest.approx(float((parameter.grad.numpy() ** 2).sum() ** 0.5), rel=1e-5)


def test_a_weight_that_is_made_with_an_input_stands_at_the_top_with_it_where_steps_are_left_out():
    by_hand, b, h = ts.tensor([1.0, 2.0], requires_grad=True), ts.nn.Parameter([1.0, 2.0]).named("b"), ts.zeros(2)
    sums = b + by_hand  # once for all steps; read in one place by hand, the second is no weight to a reader
    for t in range(10):
        with ts.scope(step=t):
            h = (h + sums).tanh().named("h")
    view = draw(h, params="shared").view
    assert {"b", "x"} <= {item.label for item in view.top.items}
    assert uses(view) == {"b": 5}


def test_params_must_be_known():
    with pytest.raises(ValueError, match="params must be 'proxies' or 'shared'"):
        draw(lstm(2), params="share")
