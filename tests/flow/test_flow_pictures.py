"""What was found has a place in the picture: a mapping from node to number, which `draw` shows and names."""

import numpy as np
import pytest
from networks import leaf

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing.view.model import within


def valued(drawing):
    """What has a number in a picture: (symbol, number), in the picture's order."""
    return [(item.symbol, item.value) for c in within(drawing.view.top) for item in c.items if item.value is not None]


@pytest.fixture
def network():
    ts.manual_seed(0)
    rnn, x = nn.RNN(2, 3).to("float64"), leaf(np.random.default_rng(0).normal(size=(4, 1, 2)))
    out, _ = rnn(x)
    return rnn, x, ts.flow.states(out), (out[-1] * out[-1]).sum()


def test_shares_are_shown_where_the_weight_is_used(network):
    rnn, _, _, loss = network
    shares = ts.flow.itemize(loss, rnn.weight_hh_l0)
    drawing = ts.draw(loss, show=shares.nodes, steps=(4, 0))
    assert drawing.view.scale.label == "|share of weight_hh_l0|"
    items = {item.id: item for cluster in within(drawing.view.top) for item in cluster.items}
    assert valued(drawing) == [("", number) for number in shares.norms]
    lines = [edge for edge in drawing.view.edges if edge.value is not None]
    assert [edge.value for edge in lines] == shares.norms.tolist()
    for edge in lines:
        said = items[edge.source].label, items[edge.source].numbers, items[edge.target].symbol
        assert said == ("weight_hh_l0", f"{edge.value:.3g}", "@")
    for step, node in zip(shares.steps, shares.nodes, strict=True):
        assert dict(node.scope.path())["step"] == step
    assert "|share of weight_hh_l0| 0" in drawing.html


def test_shares_of_one_size_have_a_scale_of_their_size():
    w, loss = nn.Parameter([1.0]).named("w"), 0.0
    for t, number in enumerate((0.2, 0.7)):
        with ts.scope(step=t):
            loss = loss + (w * number).sum()
    scale = ts.draw(loss, show=ts.flow.itemize(loss, w).nodes).view.scale
    assert (scale.low, scale.high) == (0.01, 1.0)
    loss.backward(retain_graph=True)
    assert ts.draw(loss, show="gradient").view.scale.low < 1e-5


def test_influence_is_shown_at_the_states(network):
    _, x, h, loss = network
    found = ts.flow.influence([h[0].sum(), loss], h)
    drawing = ts.draw(loss, show=found.nodes, steps=(4, 0))
    assert drawing.view.scale.label == "|influence|"
    assert [number for _, number in valued(drawing)] == found.map[-1].tolist()
    by_input = ts.flow.influence(loss, x)
    np.testing.assert_array_equal(list(by_input.nodes.values()), by_input.map[-1])
    assert "|influence|" in ts.draw(loss, show=by_input.nodes, steps=(4, 0)).dot


def test_a_gap_shows_the_influence_of_the_step_that_leaves_it():
    out, _ = nn.RNN(2, 3)(ts.ones(12, 1, 2))
    h = ts.flow.states(out)
    found = ts.flow.influence(out[-1].sum(), h)
    view = ts.draw(out[-1].sum(), show=found.nodes).view
    (item,) = (item for c in within(view.top) for item in c.items if item.role == "passing" and item.value is not None)
    assert item.label == "h, t = 10" and item.value == found.map[-1][10]


def test_a_record_is_shown_as_the_gradient_it_is(network):
    *_, loss = network
    log = ts.flow.record(loss)
    drawing = ts.draw(loss, show=log)
    assert drawing.view.scale.label == "|gradient|"
    loss.backward(retain_graph=True)
    both = [dict(valued(other)) for other in (drawing, ts.draw(loss, show="gradient"))]
    assert both[0].keys() == both[1].keys()


def test_the_way_to_the_first_bad_value_is_painted():
    x = np.ones((9, 1, 2))
    x[7] = 1e300
    lstm = nn.LSTM(2, 3).to("float64")
    lstm.weight_ih_l0.assign(lstm.weight_ih_l0 * 1e10)
    with pytest.raises(RuntimeError) as caught, ts.detect_anomaly():
        lstm(ts.tensor(x))
    assert valued(ts.draw(caught.value.output, show=caught.value.path))[-1][0] == "@"
