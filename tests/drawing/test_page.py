"""The page without a browser: one safe text, what it says about every node, and the order of play."""

import json
import re
import weakref
from dataclasses import replace
from types import CodeType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pictures import clusters, items, picture

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.layout.routing import laid_out
from tinygrad_seq.drawing.page.details import details
from tinygrad_seq.drawing.page.numbers import freed, no_gradients, rounded, strip_length, summary
from tinygrad_seq.drawing.page.page import data, forward_frames, inlined, page
from tinygrad_seq.drawing.page.page import summary as summary_of
from tinygrad_seq.drawing.page.rule_source import rules_of
from tinygrad_seq.drawing.render.svg import svg
from tinygrad_seq.drawing.view.model import Scale, leaves
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.engine.primitive import registry

hostile = "</script><b>&\"'\\\n<!-- ]]> \u2028 :: " + "x" * 10_000


def lstm(steps, device="cpu", **options):
    ts.manual_seed(0)
    x = ts.tensor(np.random.default_rng(0).standard_normal((steps, 2, 3)).astype("float32"), device=device)
    return (ts.nn.LSTM(3, 8, **options).to(device)(x)[0] * 1.0).sum().named("loss")


def told(loss, **options):
    """The view of a loss, and what there is to say about it."""
    view = draw(loss, **options).view
    return view, details(view, [loss.node], [loss])


def written(loss, **options):
    view, about = told(loss, **options)
    layout = laid_out(view)
    return page(layout, svg(layout), about)


def within(text):
    """The data inside a page."""
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)[1])


# ---------------------------------------------------------------------------------------------------------- one text


def test_a_page_is_one_text_that_loads_nothing():
    text = written(lstm(3))
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", text)
    assert not re.search(r"@import|url\(|<link|@@", text)
    assert len(text) < 170_000  # 61 nodes; the page itself takes 60 kB
    assert len(within(text)["items"]) == text.count('<g class="node')


def test_what_people_named_is_text_and_never_markup():
    x = ts.tensor([1.0, 2.0], requires_grad=True).named(hostile)
    with ts.scope(module=hostile, step=hostile):
        loss = (x * x).named(hostile).sum().named(hostile)
    text = written(loss)
    assert text.count("<script") == text.count("</script>") == 2
    assert "<b>" not in text and "<!-- ]]>" not in text and "\u2028" not in within(text)["items"][0]["id"]
    assert [item["name"] for item in within(text)["items"] if "name" in item] == [hostile] * 3


@given(st.recursive(st.text() | st.integers() | st.booleans(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_inlined_json_comes_back_and_holds_nothing_that_html_reads(value):
    text = inlined(value)
    assert text.isascii() and not set(text) & set("<>&")
    assert json.loads(text) == value


# ---------------------------------------------------------------------------------------------- what there is to say


@given(arrays(st.sampled_from(["float32", "float64", "int64", "bool"]), array_shapes(min_dims=0, max_side=9)))
def test_a_summary_says_what_numpy_says(array):
    found = summary(array)
    with np.errstate(all="ignore"):
        for key, expected in (("mean", array.mean()), ("min", array.min()), ("max", array.max())):
            assert float(found[key]) == pytest.approx(float(expected), rel=1e-3, nan_ok=True)
    assert found["size"] == array.size and len(found["strip"]) <= strip_length
    every = -(-array.size // strip_length)
    strip = array.reshape(-1)[::every].astype("float64")
    assert [float(number) for number in found["strip"]] == pytest.approx(strip.tolist(), rel=1e-3, nan_ok=True)
    json.dumps(found, allow_nan=False)


def test_what_is_not_finite_and_what_is_empty_is_said_in_words():
    found = summary(np.array([np.nan, np.inf, -np.inf, 1.0]))
    assert found["strip"] == ["nan", "inf", "-inf", 1.0] and found["max"] == "nan"
    assert summary(np.zeros((0, 3))) == "empty"


def test_every_item_of_a_network_is_told():
    layer = ts.nn.LSTM(3, 8)
    loss = layer(ts.tensor(np.ones((3, 2, 3), "float32")))[0].sum().named("loss")
    loss.backward(retain_graph=True)
    view, about = told(loss)
    about = about.items
    by_name = {item.label: about[item.id] for item in items(view) if item.id in about}
    forget, weight, biases = by_name["forget"], by_name["weight_hh_l0"], by_name["bias_ih_l0\n+ bias_hh_l0"]
    assert forget["op"] == "sigmoid" and forget["shape"] == "(2, 8)" and forget["dtype"] == "float32"
    assert forget["about"].startswith("Return 1 / (1 + e**-x)")
    assert 0 < forget["values"]["min"] < forget["values"]["max"] < 1
    assert forget["rules"] == [("x", "sigmoid.vjps(lambda g, y, _x: g * (y - y * y))")]
    assert weight["op"] == "parameter" and weight["shape"] == "(32, 8)" and weight["gradient"]["norm"] > 0
    assert [part["name"] for part in biases["of"]] == ["bias_ih_l0", "bias_hh_l0"]
    assert by_name["loss"]["values"]["mean"] == pytest.approx(loss.item(), rel=1e-3)
    assert by_name["h"]["op"] == "multiply" and [about["op"] for about in about.values()].count("sigmoid") == 9


def test_what_a_backward_freed_is_said_once():
    w = ts.nn.Parameter([3.0, 4.0]).named("w")
    loss = (w * w).tanh().named("read").sum()
    found = told(loss)[1]
    assert found.notice == no_gradients and all(about["gradient"] is None for about in found.items.values())
    loss.backward(retain_graph=True)
    found = told(loss)[1]
    about = {about["name"] or about["op"]: about for about in found.items.values()}
    assert not found.notice and about["w"]["gradient"]["norm"] == pytest.approx(w.grad.norm().item(), rel=1e-3)
    assert about["multiply"]["values"]["max"] == 16.0 and about["sum"]["gradient"]["mean"] == 1.0
    loss.backward()
    found = told(loss)[1]
    about = {about["name"] or about["op"]: about for about in found.items.values()}
    assert found.notice == freed and about["multiply"]["values"] == "" and about["w"]["values"]["mean"] == 3.5
    assert freed in draw(loss).html and freed not in str(about)


def test_values_are_not_computed_from_parameters_that_were_changed():
    w = ts.nn.Parameter([3.0, 4.0]).named("w")
    loss = (w * w + 1.0).sum()
    loss.backward(retain_graph=True)
    ts.optim.SGD([w], lr=0.1).step()
    about = {about["op"]: about for about in told(loss)[1].items.values()}
    assert about["multiply"]["values"] == "not kept: no gradient rule reads it"


def test_a_page_runs_no_code_of_others():
    """Not a hook, not what a checkpoint would run again, not the forward of an op that somebody else has written."""
    ran = []

    @ts.primitive
    def twice(xp, x):
        ran.append("forward")
        return x * 2

    registry.pop("twice")
    twice.vjps(lambda g, _y, _x: g * 2.0)
    w = ts.nn.Parameter([3.0, 4.0])
    hooked = w * w
    hooked.register_hook(ran.append)
    for loss in (twice(w * w).sum(), hooked.sum(), ts.checkpoint(lambda x: ran.append("again") or x * x, w).sum()):
        loss.backward(retain_graph=True)
        ran.clear()
        found = told(loss, show=None)[1].items.values()
        known = any(about["gradient"] is not None for about in found if about["op"] != "parameter")
        assert not ran and known == (loss.node.parents[0].op is twice.op)  # elsewhere others might change it


def test_nothing_is_kept_alive():
    x = ts.tensor(np.ones(1000, "float32"), requires_grad=True)
    loss = (x * x).tanh().sum()
    array = weakref.ref(loss.node.parents[0].output)
    about = told(loss)[1]
    del x, loss
    assert array() is None and len(about.items) == 4


def test_values_on_a_device_are_told_too(gpu):
    view, about = told(lstm(2, device="cuda"))
    assert {item.id for item in items(view)} == set(about.items)
    assert about.items[next(item.id for item in items(view) if item.label == "cell")]["values"]["size"] == 16


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("style", [{}, {"view": "rolled"}, {"params": "shared"}, {"depth": 0}, {"depth": 2}])
@pytest.mark.filterwarnings("ignore:backward. the loss is nan")
def test_whatever_a_graph_holds_and_however_it_is_folded_the_page_tells(gpu, device, style):
    """Ids, masks, nothing at all, single numbers, what is not finite; and after the graph was freed."""

    def leaf(*values, shape=(-1,)):
        return ts.tensor(np.array(values).reshape(shape), device=device, requires_grad=True)

    odd, empty, one, mask = leaf(1.0, np.nan, np.inf), leaf(shape=(0, 3)), leaf(2.0, shape=()), np.array([1, 0, 1]) > 0
    table, layer = ts.nn.Embedding(9, 3).to(device), ts.nn.GRU(3, 4, num_layers=2).to(device)
    ids = ts.tensor(np.arange(8).reshape(4, 2), device=device)
    loss = (layer(table(ids))[0].sum() * one).named("loss")
    given = ts.tensor(mask, device=device)
    outputs = [loss, odd[given].sum(), ts.where(given, odd, odd * 1e300), (empty * 2.0).sum(), odd.max(), *odd.split(1)]
    for before in (True, False):
        drawing = draw(outputs, show="gradient", **style)
        told = within(drawing.html)["items"]
        assert len(told) == len(items(drawing.view))
        if before:
            with np.errstate(all="ignore"):
                sum(y.sum() for y in outputs).backward()


def test_a_drawing_keeps_what_its_page_tells_and_a_page_keeps_nothing():
    def drawn():
        layer = ts.nn.LSTM(3, 8)
        loss = layer(ts.tensor(np.ones((3, 2, 3), "float32")))[0].sum()
        loss.backward()
        return draw(loss), weakref.ref(layer.weight_hh_l0)

    drawing, weight = drawn()
    found = within(drawing.html)
    about = next(item for item in found["items"] if item["title"] == "weight_hh_l0")
    assert found["texts"][about["gradient"]]["norm"] > 0 and found["texts"][about["values"]]["size"] == 256
    text = drawing.html
    del drawing
    assert weight() is None and text


def valued(view, value):
    """The view with this number on everything."""
    for cluster in clusters(view):
        cluster.items = [replace(item, value=value) for item in cluster.items]
    return replace(view, scale=Scale("|gradient| (of leaves)", 1e-6, 1.0))


@pytest.mark.parametrize(("value", "said"), [(0.0312345, 0.03123), (float("inf"), "inf"), (0.0, 0.0)])
def test_numbers_shown_in_the_picture_are_told_too(value, said):
    view, about = told(lstm(2))
    found = data(valued(view, value), about)
    assert found["scale"] == "|gradient|" and {item["value"] for item in found["items"]} == {said}


# ---------------------------------------------------------------------------------------------------------- the rules


own = [op for op in registry.values() if op.differentiable and op.forward.__module__.startswith("tinygrad_seq.")]


@pytest.mark.parametrize("op", own, ids=lambda op: op.name)
def test_a_rule_is_shown_as_it_is_written(op):
    """Compiled again, the statement holds the code of every rule; no statement is shown twice."""
    rules = [rule for rule in (*op.rules, op.joint, op.merge) if rule is not None]
    texts = [text for _, text in rules_of(op)]
    assert len(set(texts)) == len(texts) <= len(rules)
    codes = [compile(text, "rule", "exec") for text in texts]
    found = [within for code in codes for within in code.co_consts if isinstance(within, CodeType)]
    assert sorted(map(seen, found)) == sorted(seen(rule.__code__) for rule in rules)


def seen(code):
    return code.co_name, code.co_names, code.co_varnames, len(code.co_code)


def test_rules_in_one_statement_are_shown_once_and_one_without_source_is_no_error():
    @ts.primitive
    def blend(xp, x, y):
        return x * 2 + y * 3

    registry.pop("blend")
    blend.vjps(lambda g, _z, _x, _y: g * 2.0, lambda g, _z, _x, _y: g * 3.0)
    statement = "blend.vjps(lambda g, _z, _x, _y: g * 2.0, lambda g, _z, _x, _y: g * 3.0)"
    assert rules_of(blend.op) == [("x, y", statement)]
    blend.vjps(eval("lambda g, _z, _x, _y: g"), None)
    assert rules_of(blend.op) == [("x", "(its source is not at hand)")]


# ---------------------------------------------------------------------------------------------------------- the play


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
    (title, few), (_, all_of_them) = (summary_of(laid_out(draw(y, steps=steps).view)) for steps in ((1, 1), (9, 9)))
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
