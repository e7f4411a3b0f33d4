"""The order in which a page plays the forward and the backward, and how many ops it counts."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_pages import lstm, told, within
from pictures import items, picture

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.layout.routing import laid_out
from tinygrad_seq.drawing.page.numbers import rounded
from tinygrad_seq.drawing.page.page import data, forward_frames, summary
from tinygrad_seq.drawing.view.model import leaves
from tinygrad_seq.engine.graph import ancestors


@pytest.mark.parametrize("steps", [(3, 1), (2, 0), (0, 0), (9, 9)])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}])
def test_the_forward_shows_every_item_once_and_after_what_it_is_made_from(steps, options):
    view = draw(lstm(7, **options), steps=steps).view
    frames = forward_frames(view)
    shown = [item for frame in frames for item in frame]
    assert sorted(shown) == sorted(item.id for item in items(view))
    frame_of = {item: i for i, frame in enumerate(frames) for item in frame}
    assert all(frame_of[edge.source] <= frame_of[edge.target] for edge in view.edges)


@pytest.mark.parametrize("name", ["attention_over_steps", "words_of_characters", "cross_entropy"])
def test_what_is_only_read_comes_with_the_first_op_that_reads_it(name):
    view = picture(name).view
    ops = {item.id for item in items(view) if item.ordinal >= 0 and item.role not in leaves}
    first_of = {id: frame[0] for frame in forward_frames(view) for id in frame}
    assert all(first_of[edge.source] in ops for edge in view.edges)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_how_many_ops_are_left_out_is_said(kind):
    ts.manual_seed(0)
    y = getattr(ts.nn, kind)(3, 4, num_layers=2)(ts.zeros(9, 1, 3))[0]
    (title, few), (_, all_of_them) = (summary(laid_out(draw(y, steps=steps).view)) for steps in ((1, 1), (9, 9)))
    shown, _, total = few.partition(" of ")
    assert title == f"{kind}, 9 steps, unrolled" and total == all_of_them and int(shown) < int(total.split()[0])


def test_the_backward_is_the_walk_where_it_is_known_and_else_the_forward_reversed():
    view, about = told(lstm(2))
    found = data(replace(view, backward=[]), about)
    assert found["backward"] == found["forward"][::-1]
    order = [item.id for item in items(view)][5:0:-1]
    found = data(replace(view, backward=[*order, order[0], "gone"]), about)
    assert [found["items"][frame[0]]["id"] for frame in found["backward"]] == order


def test_what_is_played_is_the_log_and_every_node_has_its_number():
    loss = lstm(3)
    log = ts.flow.record(loss)
    drawing = draw(loss, show=log)
    found = within(drawing.html)
    played = [found["items"][i] for (i,) in found["backward"]]
    assert found["second"] == "backward" and found["scale"] == "|gradient|" and played[0]["title"] == "sum loss"
    ordinal = {item.id: item.ordinal for item in items(drawing.view)}
    place = {node: i for i, node in enumerate(log)}
    nodes = ancestors([loss.node])
    walk = [nodes[ordinal[item["id"]]] for item in played if item["role"] not in leaves]
    assert [place[node] for node in walk] == sorted(place[node] for node in walk)
    assert [item["value"] for item in played if item["role"] not in leaves] == [rounded(log[node]) for node in walk]
    assert all("value" in item for item in found["items"] if item["role"] not in ("initial", "constant", "input"))


def test_a_path_is_played_as_one_and_no_gradient_is_spoken_of():
    x = ts.tensor([0.0, 1.0], requires_grad=True).named("x")
    with pytest.raises(RuntimeError) as caught, ts.detect_anomaly():
        (x / x).sum()
    found = within(draw(caught.value.output, show=caught.value.path).html)
    assert found["second"] == found["scale"] == "the way to the first NaN or inf"
    assert [found["items"][i]["value"] for (i,) in found["backward"]] == [1, 2]


def test_a_recorded_backward_is_played_as_it_was_made():
    layer = ts.nn.RNN(3, 4)
    loss = layer(ts.tensor(np.ones((2, 2, 3), "float32")))[0].sum().named("loss")
    loss.backward(create_graph=True)
    drawing = draw(loss, backward=True)
    found = within(drawing.html)
    ordinal = {item.id: item.ordinal for item in items(drawing.view)}
    forward, backward = (
        [ordinal[found["items"][i]["id"]] for i, *_ in found[name]] for name in ("forward", "backward")
    )
    assert found["second"] == "recorded backward" and found["items"][found["forward"][-1][0]]["title"] == "sum loss"
    assert forward + backward == sorted(forward + backward) and backward
