"""The numbers of a page: values, gradients and shares are those of the engine, also in the steps that are left out, and
the mathematics says what the code computes.
"""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from pictures import items

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.page.details import details
from tinygrad_seq.drawing.page.mathematics import elementwise, mathematics
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.engine.primitive import registry

options = [{}, {"num_layers": 2}, {"bidirectional": True}]
kinds = {"RNN": ts.nn.RNN, "LSTM": ts.nn.LSTM, "GRU": ts.nn.GRU}


def network(kind, steps, device="cpu", **options):
    ts.manual_seed(0)
    layer = kinds[kind](3, 4, **options).to(device)
    x = ts.tensor(np.random.default_rng(0).standard_normal((steps, 2, 3)).astype("float32"), device=device)
    loss = (layer(x)[0] ** 2).sum().named("loss")
    loss.backward(retain_graph=True)
    return loss, layer


def by_hand(steps):
    """A loop without scopes, whose weight is transposed anew in every step."""
    ts.manual_seed(1)
    w, u, h = (
        ts.nn.Parameter(ts.randn(5, 3)).named("w"),
        ts.nn.Parameter(ts.randn(5, 5) * 0.3).named("u"),
        ts.zeros(2, 5),
    )
    for _ in range(steps):
        h = (ts.randn(2, 3) @ w.T + h @ u).tanh()
    loss = (h * h).sum()
    loss.backward(retain_graph=True)
    return loss, [w, u]


def told(loss, **options):
    drawing = draw(loss, **options)
    return drawing, details(drawing.view, drawing.roots, drawing.outputs)


def meant(formula):
    """The formula as Python."""
    signs = {
        "·": "*",
        "−": "-",
        "²": "**2",
        "^": "**",
        "√": "math.sqrt",
        "ln": "math.log",
        "½": "0.5",
        "[": "(",
        "]": ")",
        "mod": "%",
        "⌊": "math.floor(",
        "⌋": ")",
    }
    for sign, said in signs.items():
        formula = formula.replace(sign, said)
    return re.sub(r"\b(exp|tanh|sin|cos)\b", r"math.\1", formula.replace(" = ", " == "))


# --------------------------------------------------------------------------------------------------- the mathematics


def test_every_op_with_a_gradient_has_mathematics_and_a_rule_for_each_argument():
    own = [
        op
        for op in registry.values()
        if op.differentiable and op.forward.__module__.startswith("tinygrad_seq.engine.ops")
    ]
    for op in own:
        formula, rules = mathematics[op.name]
        assert " = " in formula and len(rules) == max(op.arity, 1), op.name
        assert [bool(rule) for rule in op.rules] in ([], [bool(rule) for rule in rules]), op.name


@pytest.mark.parametrize("name", sorted(set(elementwise) - {"cast", "transfer"}))
@settings(max_examples=5)
@given(st.floats(0.1, 3.0), st.floats(0.1, 3.0), st.floats(-2.0, 2.0), st.booleans())
def test_an_elementwise_formula_is_what_the_op_computes_and_what_its_rules_give(name, x, other, g, below):
    op, (formula, rules) = registry[name], elementwise[name]
    if below and name not in ("log", "sqrt", "power"):
        x = -x
    args = [np.float64(x), np.float64(other)][: op.arity]
    named = dict(zip(op.names, map(float, args), strict=True))
    left, right = formula.split(" = ")
    value = op.forward(np, *args)
    assert eval(meant(right), {"math": math}, named) == pytest.approx(value, rel=1e-9)
    for rule, said in zip(op.rules, rules, strict=True):
        expected = rule(np.float64(g), value, *args)
        assert eval(meant(said), {"math": math}, named | {left: float(value), "g": g}) == pytest.approx(
            expected, rel=1e-9
        )


def test_the_numbers_put_into_formulas_fit():
    """Also those that no rule keeps, which are computed again."""
    loss, _ = network("GRU", 3)
    _, about = told(loss)
    fits = 0
    for item in about.items.values():
        if item.get("op") in elementwise and all(isinstance(number, float) for number in item["first"]):
            right = elementwise[item["op"]][0].partition(" = ")[2]
            result, *args = item["first"]
            assert eval(meant(right), {"math": math}, dict(zip(item["arguments"], args))) == pytest.approx(
                result, abs=2e-3
            )
            fits += 1
        elif item.get("op") in ("matmul", "sum"):
            assert 0 < len(item["terms"]) <= 5 and len(item["first"]) == 1
            if len(item["terms"]) < 5:  # all of them
                assert sum(map(math.prod, item["terms"])) == pytest.approx(item["first"][0], abs=2e-3)
                fits += 1
    assert fits > 20


@given(array_shapes(min_dims=1, max_dims=3, max_side=4), st.data())
def test_the_terms_of_a_sum_are_what_it_sums(shape, data):
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    x = ts.tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True)
    total = x.sum(axis)
    said = next(said for said in told(total.sum() if total.ndim else total)[1].items.values() if said["op"] == "sum")
    along = x.numpy().reshape(-1) if axis is None else np.moveaxis(x.numpy(), axis, -1).reshape(-1, shape[axis])[0]
    assert [term for (term,) in said["terms"]] == pytest.approx(along[:5].tolist(), rel=1e-3)


def test_a_constant_has_no_rule():
    x = ts.tensor([-0.5], requires_grad=True)
    (power,) = (said for said in told(x ** ts.tensor(2.0))[1].items.values() if said["op"] == "power")
    assert power["mathematics"] == ["z = x ^ p", (elementwise["power"][1][0], "")]


@pytest.mark.parametrize("make", [lambda x: x.reshape(2), lambda x: x.T, lambda x: x.clip(0.0, 1.0), lambda x: x.max()])
def test_numbers_are_not_put_where_they_do_not_belong(make):
    said = told(make(ts.tensor([[0.5, 0.25]], requires_grad=True)))[1].items.values()
    assert all(not item["first"] for item in said if item["op"] not in elementwise)


# ------------------------------------------------------------------------------------------------------- the numbers


@settings(max_examples=10)
@given(st.sampled_from(sorted(kinds)), st.integers(1, 3), st.sampled_from(options))
def test_every_node_has_its_value_and_its_gradient(kind, steps, options):
    loss, layer = network(kind, steps, **options)
    drawing, about = told(loss)
    nodes, gradients = ancestors(drawing.roots), ts.flow.record(loss)
    ordinal = {item.id: item.ordinal for item in items(drawing.view)}
    for id, said in about.items.items():
        assert "of" in said or said["op"] == "split" or said["values"]["size"] >= 1, id
        node = nodes[ordinal[id]]
        if node.op is not None and "parameters" not in said and node in gradients:
            assert said["gradient"]["norm"] == pytest.approx(gradients[node], rel=1e-3)
    for parameter in layer.parameters():
        said = next(said["gradient"] for said in every(about) if said["name"] == parameter.node.name)
        grad = parameter.grad.numpy()
        assert said["norm"] == pytest.approx(np.linalg.norm(grad), rel=1e-3)
        assert said["strip"] == pytest.approx(grad.reshape(-1)[:: -(-grad.size // 64)].tolist(), rel=1e-3)


def every(about):
    return [part for said in about.items.values() for part in said.get("of", [said])]


@settings(max_examples=6)
@given(
    st.sampled_from([*sorted(kinds), "by hand"]),
    st.integers(4, 7),
    st.sampled_from([{}, {"num_layers": 2}]),
    st.sampled_from(["proxies", "shared"]),
)
def test_the_shares_of_a_weight_are_those_of_its_items(kind, steps, options, params):
    """<share, gradient> / |gradient|²: they sum to 1, over drawn and hidden steps."""
    loss, parameters = by_hand(steps) if kind == "by hand" else network(kind, steps, **options)
    parameters = parameters if kind == "by hand" else list(parameters.parameters())
    _, about = told(loss, params=params)
    for parameter in parameters[1:3]:
        shares = ts.flow.itemize(loss, parameter)
        total = shares.items.sum(0)
        expected = (shares.items * total).reshape(len(shares), -1).sum(1) / (total**2).sum()
        name = parameter.node.name
        mine = {
            id
            for id, said in about.items.items()
            if "uses" in said and name in [p["name"] for p in said.get("of", [said])]
        }
        found = [share for id in mine for share in about.items[id]["uses"].values()]
        found += [
            share
            for gap in about.gaps
            for id, row in gap["items"].items()
            if id in mine
            for share in row.get("uses", [])
        ]
        assert sum(found) == pytest.approx(1.0, abs=1e-4)
        if params == "proxies":
            assert sorted(found) == pytest.approx(sorted(expected.tolist()), abs=1e-4)


@pytest.mark.parametrize("kind", [*kinds, "by hand"])
def test_a_step_that_is_left_out_has_the_numbers_of_the_picture_in_full(kind):
    loss, _ = by_hand(12) if kind == "by hand" else network(kind, 12, num_layers=2)
    _, about = told(loss)
    _, whole = told(loss, steps=(12, 0))
    assert about.gaps
    for gap in about.gaps:
        numbers = [[int(re.findall(r"\d+", name)[-1]) for name in gap[names]] for names in ("steps", "ids")]
        assert numbers == [list(range(3, 11))] * 2
        for id in [id for id in about.items if id.startswith((gap["before"] + "#", gap["before"] + "/"))]:
            row = gap["items"].get(id, {})
            for k, step in enumerate(gap["ids"]):
                said = whole.items[step + id.removeprefix(gap["before"])]
                if "uses" in row:
                    assert list(said["uses"].values()) == [row["uses"][k]]
                if "first" in row:
                    assert row["first"][k] == said["first"]
                for what, names in (("values", ("mean", "min", "max")), ("gradient", ("norm", "min", "max"))):
                    if what not in row:  # it is the same in all steps
                        assert said.get(what) == about.items[id].get(what)
                    elif isinstance(said[what], dict):
                        known = {name: said[what][name] for name in names if name in said[what]}
                        assert {name: row[what][name][k] for name in names if name in row[what]} == known


def test_a_page_of_a_thousand_steps_is_small():
    few, more = (len(draw(network("LSTM", steps)[0], show="gradient").html) for steps in (20, 60))
    assert few + 980 * (more - few) / 40 < 3_000_000


def test_numbers_on_a_device_are_told_too(gpu):
    loss, _ = network("LSTM", 8, device="cuda")
    _, about = told(loss)
    assert about.gaps and all(said["values"]["size"] for said in every(about) if said["op"] != "split")
