"""Small tensors print their value and their gradient, with its sign, and only what is known."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import items, needs_graphviz, numbers

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.view.printed import most_nodes, most_numbers


def printed(output, **options):
    """What is printed, by name: numbers, and those of the gradient."""
    found = {}
    for item in items(draw(output, **options).view):
        value, _, grad = item.numbers.partition("grad ")
        found[item.label or item.symbol] = tuple(
            [float(number.replace("−", "-")) for number in re.findall(r"[^\s,]+", part)] for part in (value, grad)
        )
    return found


def variable(data, name):
    return ts.tensor(data, requires_grad=True).named(name)


def tiny(a, b, c):
    a, b, c = (variable(x, name) for x, name in ((a, "a"), (b, "b"), (c, "c")))
    e = (a * b).named("e")
    return a, b, c, e, (e + c).tanh().named("y")


small = st.floats(-2, 2, width=32)


@given(a=small, b=small, c=small, kept=st.booleans(), times=st.integers(0, 2))
def test_a_scalar_graph_shows_its_numbers_without_being_asked(a, b, c, kept, times):
    *leaves, e, y = tiny(a, b, c)
    for _ in range(times):
        y.backward(retain_graph=kept)
        if not kept:
            break
    found = printed(y)
    for leaf in leaves:
        value, grad = found[leaf.name]
        assert value == pytest.approx([leaf.item()], rel=1e-3, abs=1e-30)
        assert grad == ([] if not times else pytest.approx([leaf.grad.item()], rel=1e-3, abs=1e-30))
    whole = kept or not times
    assert found["y"][0] == pytest.approx([y.item()], rel=1e-3, abs=1e-30)
    assert found["e"][0] == (pytest.approx([e.item()], rel=1e-3, abs=1e-30) if whole else [])
    slope = 1 - y.item() ** 2
    assert found["e"][1] == (pytest.approx([slope], rel=2e-3, abs=1e-6) if kept and times else [])


@given(shape=st.lists(st.integers(1, 4), max_size=3).map(tuple))
def test_tensors_of_a_few_numbers_are_printed_and_no_others(shape):
    x = variable(numbers(*shape), "v")
    y = (x * 2.0).sum().named("y")
    y.backward(retain_graph=True)
    value, grad = printed(y, show="values")["v"]
    few = x.size <= most_numbers
    assert value == pytest.approx(x.numpy().reshape(-1) if few else [], rel=1e-3)
    assert grad == [2.0] * x.size * few
    assert any(printed(y)["v"]) == few  # of a graph with a larger one nothing is printed by itself
    assert not any(map(any, printed(y, show=None).values()))


@given(a=small, b=small, c=small)
def test_what_no_rule_keeps_is_computed_again_as_long_as_nothing_was_changed(a, b, c):
    a, b, c, *_ = tiny(a, b, c)
    total = (a * b + c) * 2.0 - 1.0
    assert printed(total)["−"][0] == pytest.approx([total.item()], rel=1e-3, abs=1e-6)
    assert printed(total)["+"][0] == pytest.approx([(a * b + c).item()], rel=1e-3, abs=1e-6)
    w = nn.Parameter([3.0]).named("w")
    loss = (w * w + 1.0) * 2.0
    loss.backward(retain_graph=True)
    assert printed(loss)["+"][0] == [10.0]
    ts.optim.SGD([w], lr=0.1).step()
    assert printed(loss)["+"][0] == []


def test_layers_and_larger_graphs_print_when_asked():
    layer, x = nn.Linear(2, 1), variable(1.0, "a")
    y = layer(ts.tensor(numbers(1, 2)))
    assert not any(map(any, printed(y).values())) and any(printed(y, show="values")["bias"])
    for _ in range(most_nodes):
        x = x.tanh()
    assert not any(map(any, printed(x).values())) and any(map(any, printed(x, show="values").values()))
    assert not any(map(any, printed(x, show="gradient").values()))


def test_one_step_for_many_has_no_numbers_of_its_own():
    h = variable(0.5, "w")
    for t in range(3):
        with ts.scope(step=t):
            h = h.tanh().named("h")
    assert any(map(any, printed(h).values())) and not any(map(any, printed(h, view="rolled").values()))


def test_hooks_are_not_called():
    calls, x = [], variable(0.5, "a")
    y = x.tanh()
    y.register_hook(calls.append)
    z = (y * 3.0).named("z")
    z.backward(retain_graph=True)
    before, grad = len(calls), x.grad.item()
    assert printed(z)["a"][1] == pytest.approx([grad], rel=1e-3) and len(calls) == before and x.grad.item() == grad


def test_a_gradient_of_one_element_keeps_its_sign_in_the_legend():
    w, v = nn.Parameter([2.0]).named("w"), nn.Parameter([2.0, 1.0]).named("v")
    (w * v).sum().named("y").backward()
    loss = -(w * v).sum() * 1.0
    w.grad = v.grad = None
    loss.backward(retain_graph=True)
    drawing = draw(loss, show="gradient")
    assert "1 · grad −3<" in drawing.svg and "2 · |grad| 2.8<" in drawing.svg
    assert '"gradient": -3.0' in drawing.json


@needs_graphviz
def test_numbers_are_in_every_text(tmp_path):
    *_, y = tiny(1.0, -2.0, 0.5)
    y.backward(retain_graph=True)
    drawing = draw(y)
    ElementTree.fromstring(drawing.svg)
    value = f"{y.item():.4g}".replace("-", "−")
    assert all(f">{value}<" in text for text in (drawing.svg, drawing.dot)) and value in drawing.json
    drawing.save(tmp_path / "x.png")
    assert np.isfinite(drawing.placed.box).all()


def test_an_op_of_several_outputs_prints_none():
    x = variable([1.0, 2.0, 3.0], "x")
    first, second, third = x.split(1)
    y = (first * second + third).sum().named("y")
    y.backward(retain_graph=True)
    found = printed(y)
    assert found["y"] == ([5.0], [1.0]) and found["x"] == ([1.0, 2.0, 3.0], [2.0, 1.0, 1.0])
    assert found["split"] == ([], [])


def test_gradients_are_printed_where_nothing_holds_the_leaves():
    def build():
        y = (variable(0.5, "w") * 3.0).tanh().named("y")
        y.backward(retain_graph=True)
        return y

    y = build()
    found = printed(y)
    assert found["y"][1] == [1.0] and found["w"][1] == pytest.approx([3 * (1 - y.item() ** 2)], rel=1e-3)


@given(a=small, seed=st.sampled_from([None, 5.0]))
def test_gradients_of_results_are_those_of_a_backward_that_ran(a, seed):
    """Those of leaves are what `.grad` is, whichever backward that comes from."""
    x = variable(a, "x")
    e = (x * 0.5).named("e")
    ran, other = (e * e).named("y"), (e * 2.0).named("y")
    ran.backward(None if seed is None else ts.tensor(seed), retain_graph=True)
    for output in (ran, other):
        found = printed(output)
        known = output is ran and seed is None
        assert found["x"][1] == pytest.approx([x.grad.item()], rel=1e-3, abs=1e-30)
        assert found["e"][1] == (pytest.approx([2 * e.item()], rel=1e-3, abs=1e-30) if known else [])
        assert found["y"][1] == [1.0] * known
