"""Operands keep their order: the left one comes in on the left, or both arrows say which is which."""

import operator
import re
from collections import defaultdict
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from networks import KINDS
from pictures import items, needs_graphviz, numbers

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.layout.text_size import width
from tinygrad_seq.drawing.view.conventions import in_order
from tinygrad_seq.engine.graph import ancestors

ops = {"−": operator.sub, "÷": operator.truediv, "^": operator.pow, "@": operator.matmul}


def check(output, exact=False, **options):
    """Of every drawn op that has an order, a reader finds both operands; return how many ops there are."""
    drawing = draw(output, **options)
    nodes, items = ancestors(drawing.roots), {at.item.id: at.item for at in drawing.placed.items}
    middle = {at.item.id: at.x for at in drawing.placed.items}
    into = defaultdict(list)
    for edge in drawing.placed.edges:
        if edge.edge.operand:
            into[edge.edge.target].append(edge)
    for id, edges in into.items():
        node = nodes[items[id].ordinal]
        numbers = {edge.edge.operand for edge in edges}
        assert node.op.name in in_order and numbers == set(range(1, len(node.parents) + 1))
        if exact:
            assert all(nodes[items[e.edge.source].ordinal] is node.parents[e.edge.operand - 1] for e in edges)
        told = {(edge.edge.operand, edge.operand) for edge in edges}
        formula, symbol = items[id].formula, items[id].symbol
        if formula.startswith("concat of"):
            below_their_names(formula.partition("\n")[2], middle[id], edges, items)
            continue
        if formula:  # says both by name
            words = re.sub(r"concat \[(.*)]", r"\1", formula).split(", " if symbol == "concat" else f" {symbol} ")
            said = [name.removeprefix("old ") for name in words]
            assert told == {(1, 0), (2, 0)} and len(set(said)) == 2
            for number, name in enumerate(said, 1):
                read = (items[edge.edge.source] for edge in edges if edge.edge.operand == number)
                assert name == "…" or any(
                    name in (re.split(" · |, ", item.label)[0].removeprefix("old "), item.symbol) for item in read
                )
            continue
        weights = {edge.edge.operand for edge in edges if edge.edge.role == "weight"}
        if symbol == "@" and weights == {2}:  # x @ W
            assert told == {(1, 0), (2, 0)}
            continue
        if len(numbers) > 2:  # arrows into a concat are too close for words
            continue
        first, second = ([edge.points[-1][0] for edge in edges if edge.edge.operand == i] for i in (1, 2))
        assert told == {(1, 1), (2, 2)} or (told == {(1, 0), (2, 0)} and max(first) < min(second))
    return len(into)


def below_their_names(names, middle, edges, items):
    """What is said to be joined comes in below its name, so in this order."""
    spans = [match.span() for match in re.finditer("[^ ,]+", names)]
    for edge in edges:
        start, end = spans[edge.edge.operand - 1]
        share = (edge.points[-1][0] - middle) / (0.77 * width(names, 10)) + 0.5
        assert edge.operand == 0 and start <= share * len(names) <= end
        assert items[edge.edge.source].label in ("", f"∂ {names[start:end]}")


kinds = st.sampled_from(["number", "constant", "weight", "input", "result", "earlier"])


def operands(step):
    some = abs(numbers(2, 2)) + 1.0
    with ts.scope(step=step):
        earlier = nn.Parameter(some).exp().named("h")
    return {
        "number": 2.0, "constant": ts.tensor(some), "weight": nn.Parameter(some).named("w"),
        "input": ts.tensor(some, requires_grad=True).named("sentence"), "earlier": earlier,
        "result": ts.tensor(some, requires_grad=True).exp(),
    }  # fmt: skip


@given(sign=st.sampled_from(list(ops)), left=kinds, right=kinds, same=st.booleans())
@settings(max_examples=60)
def test_a_reader_finds_the_left_operand(sign, left, right, same):
    made = operands(0)
    a, b = made[left], made[left if same else right]
    if sign == "@":
        a, b = (made["weight"] if isinstance(x, float) else x for x in (a, b))
    with ts.scope(step=1):
        y, z = ops[sign](a, b), ops[sign](b, a)
    if {left, left if same else right} <= {"number", "constant"}:
        return  # nothing is recorded
    assert check(y, exact=True) == 1 and check([y, z], exact=True) == 2
    assert a is b or ts.diff(draw(y.named("y")), draw(z.named("y")))


@given(
    kind=st.sampled_from(list(KINDS)), both=st.booleans(), steps=st.integers(1, 6), recorded=st.booleans(),
    view=st.sampled_from(["rolled", "unrolled"]),
)  # fmt: skip
@settings(max_examples=12, deadline=None)
@example(kind="lstm", both=True, steps=2, recorded=True, view="unrolled")
def test_in_networks_and_their_backward(kind, both, steps, recorded, view):
    layer = KINDS[kind].layer(2, 3, bidirectional=both, **KINDS[kind].options)
    out, _ = layer(ts.tensor(numbers(steps, 2, 2)))
    loss = (out * out).mean()
    if recorded:
        loss.backward(create_graph=True)
    assert check(loss, backward=recorded, view=view)


@given(
    order=st.permutations(["input", "forget", "cell"]), twice=st.booleans(), in_steps=st.booleans(),
    view=st.sampled_from(["rolled", "unrolled"]),
)  # fmt: skip
@settings(max_examples=20, deadline=None)
def test_gradients_of_parts_come_in_below_their_names(order, twice, in_steps, view):
    """In whichever order the parts are used."""
    w, u = (nn.Parameter(numbers(3, 9, seed=seed)).named(name) for seed, name in enumerate("WU"))
    h = ts.zeros(2, 3)
    for t in range(3):
        with ts.scope(step=t) if in_steps else nullcontext():
            products = ts.tensor(numbers(2, 3)) @ w, h @ u
            split = [product.split(3, 1) for product in (products if twice else [products[0] + products[1]])]
            gates = {name: sum(parts[1:], parts[0]).sigmoid().named(name) for name, *parts in zip(order, *split)}
            h = (gates["forget"] * h + gates["input"] * gates["cell"]).named("h")
    loss = h.sum()
    loss.backward(create_graph=True)
    assert check(loss, backward=True, view=view)
    seen = draw(loss, backward=True, view=view).view
    joined = {item.id for item in items(seen) if item.formula.startswith("concat of")}
    assert joined and joined <= {edge.target for edge in seen.edges if edge.operand}


def test_a_concat_says_its_order_where_a_state_comes_in_from_the_side():
    x = ts.ones(1, 2, requires_grad=True).named("x")
    h = {True: ts.zeros(1, 3), False: ts.zeros(1, 3)}
    for t in range(3):
        with ts.scope(step=t):
            for first in h:
                pair = x, h[first]
                made = ts.concatenate(pair if first else pair[::-1], 1) @ nn.Parameter(numbers(5, 3)).named("w")
                h[first] = made.tanh().named("h" if first else "g")
    said = {item.formula for item in items(draw(list(h.values())).view) if item.symbol == "concat"}
    assert said == {"concat [x, h0]", "concat [x, old h]", "concat [g0, x]", "concat [old g, x]"}


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2)])
def test_a_split_says_what_its_parts_become(order):
    """The gates stand where their lines are short."""
    parts = list((ts.ones(1, 2) @ nn.Parameter(numbers(2, 8)).named("w")).split(2, 1))
    made = [parts[part].sigmoid().named(name) for part, name in zip(order, "ifgo")]
    (said,) = (item.formula for item in items(draw(made).view) if item.symbol == "split")
    assert said == "split into\n" + ", ".join(name for _, name in sorted(zip(order, "ifgo")))
    made[3] = parts[order[3]].exp()  # which has no name
    assert [item.formula for item in items(draw(made).view) if item.symbol == "split"] == [""]


def test_a_split_says_which_gates_its_parts_lead_to_and_its_gradient_says_them_again():
    gru = nn.GRU(2, 3)
    loss = gru(ts.tensor(numbers(2, 1, 2)))[0].sum()
    loss.backward(create_graph=True)
    drawn = items(draw(loss, backward=True).view)
    for op, says in (("split", "split into\nreset, update, new"), ("concat", "concat of\nreset, update, new")):
        assert [item.formula for item in drawn if item.symbol == op] == [says] * 4
    assert [(row.uses, row.uses_back) for row in draw(loss, backward=True).view.legend][1] == (2, 1)
    assert {item.symbol for item in drawn if "tanh′" in item.symbol} == {"sum × tanh′"}  # two gradients come to it


def test_both_directions_come_in_in_their_order():
    """The forward on the left, though it passes the reverse, which stands above it."""
    placed = draw(nn.GRU(2, 3, bidirectional=True)(ts.tensor(numbers(6, 2, 2)))[0]).placed
    (out,) = (at.item.id for at in placed.items if at.item.symbol == "concat")
    into = sorted((at.edge.operand, at.points[-1][0], at.operand) for at in placed.edges if at.edge.target == out)
    assert [(number, told) for number, _, told in into] == [(1, 0), (2, 0)] and into[0][1] < into[1][1]


def test_the_order_is_in_every_text():
    f = ts.tensor(numbers(3), requires_grad=True).named("f").exp()
    for one, other in ((f / 2.0, 2.0 / f), (1.0 - f, f - 1.0), (f**2.0, 2.0**f), (f - f.tanh(), f.tanh() - f)):
        a, b = draw(one.named("y")), draw(other.named("y"))
        assert a.svg != b.svg and a.dot != b.dot and a.json != b.json and len(ts.diff(a, b)) == 1
    g = f.tanh()
    assert repr(ts.diff(draw(f / g), draw(g / f))) == "~ ÷: operands tanh, exp instead of exp, tanh"


@pytest.mark.parametrize("make", [lambda x: x * x, lambda x: x.exp() - x.exp(), lambda x: x / x])
def test_an_operand_that_is_read_twice_has_two_arrows(make):
    x = ts.tensor(numbers(3), requires_grad=True).named("x")
    into = [edge.points for edge in draw(make(x)).placed.edges]
    assert len({tuple(points) for points in into}) == len(into) >= 2


@needs_graphviz
def test_graphviz_draws_the_numbers(tmp_path):
    x = ts.tensor(numbers(3), requires_grad=True).named("x")
    a, b = x.tanh(), x.exp()
    drawing = draw([(b - a).named("y"), (a - b).named("z")])
    assert drawing.dot.count("headlabel=") == 2 == drawing.dot.count("head_lp=")
    assert draw([b - a, a - b], layout="dot").dot.count("head_lp") == 0
    drawing.save(tmp_path / "x.png")


picks = {
    "0": 0, "−1": -1, "1:3": slice(1, 3), "::2": slice(None, None, 2), "…, 0": (..., 0), "None": None,
    ":, 1": (slice(None), 1), "ids": [0, 2], "mask": np.array([True, False, True]),
    "target of each row": ([0, 1], [1, 0]),
}  # fmt: skip


@pytest.mark.parametrize("said", picks)
@pytest.mark.parametrize("view", ["unrolled", "rolled"])
def test_an_index_says_what_it_picks(said, view):
    """On the op and in its tooltip; one step that stands for many has none."""
    x = ts.tensor(numbers(3, 3), requires_grad=True)
    (item,) = (item for item in items(draw(x[picks[said]].sum()).view) if item.symbol.startswith("["))
    assert item.symbol == f"[{said}]" and f"getitem [{said}]" in item.tooltip
    h = ts.zeros(3)
    for t in range(3):
        with ts.scope(step=t):
            h = (h + x[t]).tanh()
    symbols = [item.symbol for item in items(draw(h, view=view).view) if item.symbol.startswith("[")]
    assert symbols == (["[ ]"] if view == "rolled" else ["[0]", "[1]", "[2]"])
    placed = draw(h).placed
    cards = sorted(at.left for at in placed.clusters)
    found = sorted((at.x, at.y) for at in placed.items if at.item.symbol.startswith("["))
    assert len({(round(x - left), y) for left, (x, y) in zip(cards, found, strict=True)}) == 1  # the same place in each
