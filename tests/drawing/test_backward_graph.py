"""The recorded backward beside its forward: every op of both once, a step's gradient in the step, named by its leaf."""

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import clusters, items, needs_graphviz, numbers, steps_shown

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.view.model import leaves, within
from tinygrad_seq.drawing.view.rules import Rule, with_rules
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.engine.ops.elementwise import add

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
    _layer, loss = recorded(kind, 3)
    view = draw(loss, backward=True).view
    assert steps_shown(view) == [["t = 0", "t = 1", "t = 2"]]
    for step in view.loops[0]:
        assert [inner.label for inner in step.inner] == ["gradient"] and step.inner[0].items
        states = {f"∂ {item.label}" for item in step.items if item.role == "state"}
        assert states and states <= {item.label for item in step.inner[0].items}
    ordinals = [item.ordinal for item in items(view) if item.role not in leaves]
    assert len(set(ordinals)) == len(ordinals)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_one_gradient_is_no_sum(kind):
    _layer, loss = recorded(kind, 3)
    placed = draw(loss, backward=True).placed
    inside, read = gradients(placed.view), Counter(edge.target for edge in placed.view.edges)
    sums = [at for at in placed.items if at.item.id in inside and at.item.label and at.item.symbol == "+"]
    says = {at.item.id: "+" in [word for word, _, _ in at.words] for at in sums}
    assert set(says.values()) == {True, False} and says == {id: read[id] > 1 for id in says}


def test_a_gradient_reads_gradients_and_named_values_that_the_forward_saved():
    _, loss = recorded(nn.LSTM, 3)
    view = draw(loss, backward=True).view
    inside, named = gradients(view), {item.id: item for item in items(view)}
    for edge in view.edges:
        if edge.role == "gradient":
            assert edge.source in inside and edge.target in inside
        else:
            assert (edge.source in inside) == (edge.target in inside)
            assert edge.role != "saved" or edge.target in inside
    saved = {named[edge.source].label for edge in view.edges if edge.role == "saved"}
    assert saved >= {"forget", "input", "cell", "output", "tanh c", "h, t−1", "c, t−1"}


@pytest.mark.parametrize("bias", [False, True])
def test_a_part_that_was_saved_says_of_which_split_it_is(bias):
    """A GRU splits two products; what is split may be a sum of several, or have a name."""
    w, u, b = (nn.Parameter(numbers(*shape)).named(name) for name, shape in (("W", (3, 6)), ("U", (3, 6)), ("b", (6,))))
    x, h = (ts.tensor(numbers(2, 3)).named(name) for name in "xh")
    made, other = x @ w, h @ u
    for product, says in (
        (made + b if bias else made, "x @ W"), (b + other if bias else other, "h @ U"), (made + other, "split"),
        ((made + other).named("sum"), "sum"),
    ):  # fmt: skip
        new, reset = product.split(3, 1)
        loss = (new.tanh() * reset).named("y").sum()
        loss.backward(create_graph=True)
        saved = {item.label for item in items(draw(loss, backward=True).view) if item.role == "saved"}
        assert f"y of {says}" in saved


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_the_backward_is_the_mirror_of_its_forward(kind):
    """Every named result of a step has a gradient there, once; rules read the gradients of what read their results."""
    _layer, loss = recorded(kind, 3)
    view = draw(loss, backward=True).view
    for step in view.loops[0]:
        names = [item.label for item in step.items if item.role in ("gate", "state", "named")]
        made = Counter(item.label for item in step.inner[0].items if item.label[:1] == "∂" and item.role != "output")
        assert set(made) <= {f"∂ {name}" for name in names} and set(made.values()) == {1}
        goes_back = ("h",) * (step is not view.loops[0][-1])  # in the last step an addition may just hand it on
        assert {f"∂ {name}" for name in names if name in ("forget", "update", "cell", "reset", *goes_back)} <= set(made)
    back = [edge for edge in view.edges if edge.role == "gradient" and edge.through_time]
    states = [edge for edge in view.edges if edge.role == "state" and edge.through_time]
    steps = lambda edge: tuple(int(id.split("step-")[1][0]) for id in (edge.source, edge.target))
    assert {steps(edge)[::-1] for edge in back} == {steps(edge) for edge in states}


def recorded_by_hand(steps, seed):
    rng = np.random.default_rng(seed)
    w, u = (nn.Parameter(rng.normal(size=(3, 3))).named(name) for name in "wu")
    h = ts.tensor(rng.normal(size=(2, 3)))
    for t in range(steps):
        with ts.scope(step=t):
            x = ts.tensor(rng.normal(size=(2, 3)))
            a, b = x @ w, h @ u
            h = [(a + b).tanh(), a.sigmoid() * b, b.sin() / (2.0 + a.tanh())][rng.integers(3)]
            h = h.named("h") if rng.integers(2) else h
    return [w, u], (h * h).sum()


@given(st.integers(1, 5), st.integers(0, 10_000))
def test_what_is_drawn_for_a_rule_reads_all_that_its_ops_read(steps, seed):
    """No path from a result of the forward or a leaf to a gradient gets lost, and none is new."""
    parameters, loss = recorded_by_hand(steps, seed)
    loss.backward(create_graph=True)
    grads = {p.grad.node: f"∂ {p.node.name}" for p in parameters if p.grad.node.op is not None}
    roots, called = with_rules([loss.node])
    assert set(called.values()) == set(grads.values())
    nodes = ancestors(roots)
    place = {node: i for i, node in enumerate(nodes)}
    rules = [node for node in nodes if isinstance(node, Rule)]
    assert all(place[parent] < place[node] for node in nodes for parent in node.parents)
    assert len({(rule.of, tuple(rule.ops)) for rule in rules}) == len(rules)
    whole = {node for node in ancestors([loss.node, *grads]) if node.op is not None and node.scope.key == "grad"}
    sums = {node for node in whole if node.op is add.op}  # of shares in the gradient of a parameter
    assert whole - sums <= {op for rule in rules for op in rule.ops}
    assert all(len(rule.parents) == 1 and rule.name for rule in rules if not rule.ops)  # a gradient, and whose it is
    for rule in [rule for rule in rules if rule.ops]:
        read = {parent for op in rule.ops for parent in op.parents if parent.op is not None} - set(rule.ops)
        begun = [parent if not isinstance(parent, Rule) or parent.ops else parent.parents[0] for parent in rule.parents]
        assert len([parent for parent in begun if isinstance(parent, Rule)]) == len(
            {next(r for r in rules if parent in r.ops) for parent in read & whole}
        )


def test_the_gradients_of_the_leaves_are_its_outputs_and_bear_their_names():
    _, loss = recorded(nn.LSTM, 3)
    view = draw(loss, backward=True).view
    names = {item.label for item in items(view) if item.role == "output"}
    assert names == {"loss", "∂ weight_ih_l0", "∂ weight_hh_l0", "∂ bias_ih_l0, bias_hh_l0"}
    assert not [c for c in clusters(view) if c.key == "grad" and "step" not in c.id]  # a transposed weight has no own
    colours = {item.label: item.colour for item in items(view) if item.role == "weight"}
    for step in view.loops[0]:  # each has its share, in the colour of the weight
        shares = {item.label: item.colour for item in step.inner[0].items if item.role == "output"}
        assert set(shares) == names - {"loss"}
        assert all(shares[f"∂ {name}"] == colours[name] for name in ("weight_ih_l0", "weight_hh_l0"))


def test_shares_that_have_names_of_their_own_are_added_up_in_the_picture():
    w = nn.Parameter([0.5]).named("w")
    loss = (w.tanh().named("a") * w.sin().named("b")).sum().named("loss")
    loss.backward(create_graph=True)
    labels = {item.label: item.role for item in items(draw(loss, backward=True).view)}
    assert labels["∂ w"] == "output" and labels["∂ a"] == labels["∂ b"] == "named"


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


def test_the_page_says_which_ops_were_recorded_for_a_rule():
    _layer, loss = recorded(nn.RNN, 2)
    page = draw(loss, backward=True).html
    assert "The gradient rule of tanh, for which these ops were recorded: " in page
    assert "A backward has freed this graph" not in page and "whose ops are folded" in page


@needs_graphviz
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM])
def test_graphviz_draws_it(kind, tmp_path):
    run = recorded(kind, 3)
    draw(run[1], backward=True).save(tmp_path / "x.pdf")
    assert (tmp_path / "x.pdf").stat().st_size > 1000


@pytest.fixture(scope="module")
def derivatives():
    sys.path.insert(0, str(demo.parent))
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


def test_gradients_of_gradients_stand_in_one_frame_and_every_line_in_it_rises(derivatives):
    _, found = derivatives(4)
    for n, value in enumerate(found):
        drawing = draw(value)
        assert [c.key for c in clusters(drawing.view)[1:]] == ["grad"] * (n > 0)
        at = {placed.item.id: placed.y for placed in drawing.placed.items}
        beside, inside = ("saved", "constant"), gradients(drawing.view)
        assert all((edge.source in inside) == (edge.target in inside) for edge in drawing.view.edges)
        assert all(at[edge.source] >= at[edge.target] for edge in drawing.view.edges if edge.role not in beside)


def test_a_weight_that_is_doubled_again_and_again_costs_a_step_each_time():
    """Every doubling has two ways down: 2**60 of them, if each were gone."""
    w = doubled = nn.Parameter([[1.0, 2.0]]).named("w")
    for _ in range(60):
        doubled = doubled + doubled
    loss = (doubled.T @ doubled).sum()
    loss.backward(create_graph=True)
    labels = [item.label for item in items(draw(loss, backward=True).view) if item.role == "output"]
    assert sorted(labels) == ["", "∂ w"] and w.grad is not None
