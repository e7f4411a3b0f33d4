"""The page without a browser: one safe text, and what it says about every node."""

import json
import re
import weakref
from dataclasses import replace

import numpy as np
import pytest
from drawn_pages import hostile, lstm, told, within, written
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pictures import clusters, items

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.page.numbers import freed, no_gradients, strip_length, summary
from tinygrad_seq.drawing.page.page import data, inlined
from tinygrad_seq.drawing.view.model import Scale
from tinygrad_seq.engine.primitive import registry

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


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.filterwarnings("ignore:backward. the loss is")
def test_shares_of_what_is_not_finite_are_not_told(number):
    w = ts.nn.Parameter([1.0, number]).named("w")
    loss = (w * w).sum() + w.sum()
    loss.backward(retain_graph=True)
    (weight, *_) = (item for item in within(draw(loss).html)["items"] if item["title"] == "w")
    assert not weight.get("uses")


def test_gradients_are_those_of_a_backward_that_ran():
    w = ts.nn.Parameter([3.0, 4.0]).named("w")
    inner = (w * w).sum()
    loss, other = inner * 2.0, inner * 3.0
    loss.backward(retain_graph=True)
    for output, notice in ((loss, ""), (other, no_gradients), (inner, no_gradients)):
        found = told(output)[1]
        known = [about["op"] for about in found.items.values() if about["gradient"] is not None]
        assert found.notice == notice and (len(known) > 2 if not notice else known == ["parameter"])


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
