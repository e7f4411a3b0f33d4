"""The built-in picture: valid, whole, and nothing on top of anything else, whatever is drawn."""

import contextlib
import re
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import KINDS
from pictures import items, loops_in_steps
from svg_picture import Picture, check, everything, output, space, svg

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.view.model import Cluster, View, leaves


@given(
    kind=st.sampled_from(list(KINDS)), steps=st.integers(1, 12), layers=st.integers(1, 2), both=st.booleans(),
    bias=st.booleans(), summed=st.booleans(), first=st.integers(0, 3), last=st.integers(0, 2),
)  # fmt: skip
def test_any_network(kind, steps, layers, both, bias, summed, first, last):
    out = output(kind, steps, num_layers=layers, bidirectional=both, bias=bias)
    view = draw(out.sum().named("loss") if summed else out, steps=(first, last)).view
    picture = check(view)
    places = defaultdict(set)  # of each op, in every step, from the corner of the step
    for number, loop in enumerate(view.loops):
        for step in (step for step in loop if step.key == "step"):
            for op in (item for item in step.items if item.role not in leaves):
                item, card = picture.box(op.id), picture.box(step.id)
                same_op = number, op.id.removeprefix(step.id)
                places[same_op].add((round(item[0] - card[0]), round(item[1] - card[1])))
    assert view.twins.keys() == {item.id for item in items(view) if item.role == "passing"}
    for name, twin in view.twins.items():  # what passes through a gap is as high as in the steps
        middle, other = (sum(picture.box(id)[1::2]) / 2 for id in (name, twin))
        above = name.endswith("+") and name[:-1] in view.twins  # what the next step does not read, if it reads one
        assert 27 <= other - middle <= 41 if above else abs(middle - other) <= 1
    for found in places.values():
        xs, ys = zip(*found)
        assert max(xs) - min(xs) <= 1 and max(ys) - min(ys) <= 1  # but for rounding


@given(
    links=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=30),
    steps=st.lists(st.sampled_from([None, 0, 1, 2, "a"]), min_size=30, max_size=30), named=st.booleans(),
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_any_graph(links, steps, named):
    values = [ts.tensor([1.0, 2.0], requires_grad=True), ts.nn.Parameter(np.ones(2, "float32")).named("w")]
    for (a, b), step in zip(links, steps):
        with ts.scope(**({} if step is None else {"step": step})):
            y = values[-1 - a % len(values)] + values[-1 - b % len(values)]
            values.append(y.named("h") if named else y.tanh())
    check(draw(values[-3:] if len(values) > 4 else values[-1]).view)


def test_time_runs_to_the_right_and_the_reverse_direction_flows_to_the_left():
    view = draw(output("rnn", 6, bidirectional=True)).view
    picture = Picture(view)
    for loop in view.loops:
        lefts = [picture.box(cluster.id)[0] for cluster in loop]
        assert lefts == sorted(lefts)
    (forward, reverse) = view.loops
    assert [picture.box(c.id)[0] for c in forward] == [picture.box(c.id)[0] for c in reverse]
    sign = {name: [] for name in ("forward", "reverse")}
    for edge in view.edges:
        if edge.role == "state":
            name = "forward" if "forward" in edge.source else "reverse"
            sign[name].append(picture.box(edge.target)[0] > picture.box(edge.source)[0])
    assert all(sign["forward"]) and not any(sign["reverse"])
    for edge in view.edges:  # the first state stands where a state would come from
        if edge.role == "initial":
            assert (picture.box(edge.source)[0] < picture.box(edge.target)[0]) == ("forward" in edge.source)


def test_what_is_folded_runs_to_the_right_too():
    view = draw(output("rnn", 6, num_layers=2), depth=2).view
    picture = check(view)
    for edge in view.edges:
        if edge.role == "state":
            assert picture.box(edge.source)[2] < picture.box(edge.target)[0]
            assert picture.box(edge.source)[1] == picture.box(edge.target)[1]


def test_layers_stand_above_each_other():
    view = draw(output("gru", 3, num_layers=3)).view
    picture = Picture(view)
    heights = [picture.box(loop[0].id)[1] for loop in view.loops]
    assert heights == sorted(heights, reverse=True)


def test_the_cell_state_is_a_straight_lane_along_the_top():
    view = draw(output("lstm", 3)).view
    picture = Picture(view)
    middles = {item.id: sum(picture.box(item.id)[1::2]) / 2 for item in items(view)}
    (lane,) = {round(middles[item.id]) for item in items(view) if item.label == "c"}
    card = view.loops[0][1]
    assert min(middles[item.id] for item in card.items) > lane - 1
    entering = [edge.target for edge in view.edges if edge.role == "state" and edge.source.endswith("#15")]
    assert entering and all(round(middles[name]) == lane for name in entering)


def test_no_edge_runs_through_a_node():
    stacked, both = {"num_layers": 2}, {"bidirectional": True}
    for kind, options in (("rnn", {}), ("lstm", {}), ("gru", {}), ("lstm", stacked), ("gru", both), ("rnn", both)):
        picture = Picture(draw(output(kind, 6, **options)).view)
        boxes = {item.id: picture.box(item.id) for item in items(picture.view)}
        for group in picture.edges:
            ends = (group.get("data-source"), group.get("data-target"))
            for x, y in points(group.find(space + "path").get("d")):
                for name, (left, top, right, bottom) in boxes.items():
                    through = left + 1 < x < right - 1 and top + 1 < y < bottom - 1
                    assert name in ends or not through, (kind, name, ends)


def points(path):
    """Places along a path of lines and curves."""
    at = (0.0, 0.0)
    for letter, numbers in re.findall("([MLCQ])([^MLCQ]*)", path):
        values = [float(n) for n in numbers.split(",")]
        knots = [at, *zip(values[::2], values[1::2])]
        for t in np.linspace(0, 1, 12) if letter != "M" else ():
            curve = knots
            while len(curve) > 1:
                curve = [(a + (c - a) * t, b + (d - b) * t) for (a, b), (c, d) in pairwise(curve)]
            yield curve[0]
        at = knots[-1]


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("both", [False, True])
def test_rolled_shared_folded_and_backward_views(kind, both):
    out = output(kind, 6, num_layers=2, bidirectional=both)
    rolled = check(draw(out, view="rolled").view).text
    delays = ({"lstm": 2}.get(kind, 1)) * 2 * (1 + both)
    assert rolled.count('class="edge delay"') == delays and len(re.findall(">[hc], t[−+]1<", rolled)) == delays
    assert "6 steps, rolled<" in rolled
    check(draw(out, params="shared").view)
    for depth in range(6):
        check(draw(out, depth=depth).view)
    layer = KINDS[kind].layer(2, 3, **KINDS[kind].options, bidirectional=both)
    loss = layer(ts.randn(2, 2, 2))[0].sum()
    loss.backward(create_graph=True)
    assert 'class="edge gradient"' in check(draw(loss, backward=True).view).text


def test_a_cut_is_marked():
    lstm, states, total = nn.LSTM(2, 3), None, 0.0
    for _ in range(3):
        out, states = lstm(ts.randn(2, 2, 2), states)
        total = total + out.mean()
        states = tuple(state.detach() for state in states)
    assert check(draw(total).view).text.count(">detach<") == 4
    view = draw(output("lstm", 3)).view
    cut = replace(view, edges=[replace(e, role="cut") if e.role == "state" else e for e in view.edges])
    assert check(cut).text.count(">detach<") == 4


# -------------------------------------------------------------------------------------------------------- odd graphs


def test_graphs_without_loops():
    x = ts.tensor([1.0, 2.0], requires_grad=True)
    check(draw((x * x).sum()).view)
    check(draw(x).view)
    check(draw([x, x.sum()]).view)
    check(draw(ts.stack([(x * float(i)).named(f"p{i}") for i in range(50)]).sum()).view)


def test_ops_between_steps_and_loops_in_steps():
    h = loops_in_steps(12, 3)
    check(draw(h).view)
    check(draw(h, steps=everything).view)


def test_steps_that_read_far_back_and_steps_that_differ():
    x = ts.tensor([1.0, 2.0], requires_grad=True)
    values = [x, x * 2.0, x * 3.0]
    for t in range(8):
        with ts.scope(step=t):
            y = values[-1] * values[-3] + values[0]
            values.append(y.tanh() if t % 3 else y.exp().sigmoid().named("odd"))
    check(draw(values[-1]).view)


def test_an_encoder_and_a_decoder():
    encoder, decoder = nn.GRU(2, 3), nn.GRU(2, 3)
    _, h = encoder(ts.randn(4, 2, 2))
    out, _ = decoder(ts.randn(6, 2, 2), h)
    check(draw(out).view)


def test_an_empty_view():
    ElementTree.fromstring(svg(View(Cluster("", "", ""), [], [], [])))


def test_scopes_as_deep_as_you_like():
    y = ts.tensor([1.0], requires_grad=True)
    scopes = [ts.scope(part=i) for i in range(1200)]
    for scope in scopes:
        scope.__enter__()
        y = y.tanh()
    for scope in reversed(scopes):
        scope.__exit__()
    ElementTree.fromstring(svg(draw(y).view))


def test_scopes_as_deep_as_you_like_where_time_runs_to_the_left():
    w, y = nn.Parameter([0.5]), ts.tensor([1.0])
    for t in (1, 0):
        with contextlib.ExitStack() as around:
            around.enter_context(ts.scope(step=t))
            y = (y * w).named("h")
            for i in range(500):
                around.enter_context(ts.scope(part=i))
                y = y.tanh()
    ElementTree.fromstring(svg(draw(y).view))
