"""The built-in picture: valid, whole, nothing on top of anything else, the same everywhere, and linear in its cost."""

import contextlib
import os
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import KINDS
from pictures import loops_in_steps

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.layout.routing import laid_out
from tinygrad_seq.drawing.layout.templates import Tree
from tinygrad_seq.drawing.layout.text_size import look_of, width
from tinygrad_seq.drawing.render import colours as palette
from tinygrad_seq.drawing.render import svg as render
from tinygrad_seq.drawing.view.model import Cluster, Edge, Item, LegendRow, Scale, View, leaves

root = Path(__file__).parents[2]
space = "{http://www.w3.org/2000/svg}"
everything = (10_000, 0)


def svg(view):
    return render.svg(laid_out(view))


def output(kind="lstm", steps=4, **options):
    return KINDS[kind].layer(2, 3, **KINDS[kind].options, **options)(ts.randn(steps, 2, 2))[0]


def items(view):
    stack, found = [view.top], []
    while stack:
        cluster = stack.pop()
        found += cluster.items
        stack += cluster.inner
    return found


class Picture:
    """An SVG as a reader sees it: groups by id, with their rectangles."""

    def __init__(self, view):
        self.view, self.text = view, svg(view)
        self.tree = ElementTree.fromstring(self.text)
        groups = [group for group in self.tree.iter(space + "g") if "id" in group.attrib]
        self.nodes = {g.get("id"): g for g in groups if g.get("class").startswith("node ")}
        self.clusters = {g.get("id"): g for g in groups if g.get("class").startswith("cluster")}
        self.edges = [g for g in self.tree.iter(space + "g") if g.get("class").startswith("edge ")]

    def box(self, name):
        rect = (self.nodes.get(name) if name in self.nodes else self.clusters[name]).find(space + "rect")
        x, y, w, h = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
        return x, y, x + w, y + h


def apart(a, b):
    return a[2] <= b[0] + 0.2 or b[2] <= a[0] + 0.2 or a[3] <= b[1] + 0.2 or b[3] <= a[1] + 0.2


def within(inner, outer):
    return all(i >= o - 0.2 for i, o in zip(inner[:2], outer[:2])) and all(
        i <= o + 0.2 for i, o in zip(inner[2:], outer[2:])
    )


def check(view):
    """What holds for every picture."""
    picture = Picture(view)
    shown = items(view)
    assert len(picture.nodes) == len(shown) and len(picture.edges) == len(view.edges)
    for item in shown:
        group = picture.nodes[item.id]
        role = item.role if item.colour < 0 else "weight"  # the share in the gradient of a weight looks like the weight
        assert role in group.get("class").split() and group.find(space + "title").text == (item.tooltip or None)
    ends = {(edge.source, edge.target, edge.role) for edge in view.edges}
    assert {(g.get("data-source"), g.get("data-target"), g.get("class")[5:]) for g in picture.edges} == ends
    boxes = {item.id: picture.box(item.id) for item in shown}
    ordered = sorted(boxes.values())
    for i, a in enumerate(ordered):
        for b in ordered[i + 1 :]:
            if b[0] > a[2]:
                break
            assert apart(a, b)
    stack = [(view.top, None)]
    while stack:
        cluster, frame = stack.pop()
        own = picture.box(cluster.id) if cluster is not view.top else frame
        around = [boxes[item.id] for item in cluster.items] + [picture.box(inner.id) for inner in cluster.inner]
        assert own is None or all(within(box, own) for box in around)
        frames = [picture.box(inner.id) for inner in cluster.inner]
        assert all(apart(a, b) for a, b in combinations(frames, 2))
        assert all(apart(boxes[item.id], box) for item in cluster.items for box in frames)
        stack += [(inner, own) for inner in cluster.inner]
    x, y, w, h = map(float, picture.tree.get("viewBox").split())
    for element in picture.tree.iter():
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", element.get("d", ""))]
        if element.tag in (space + "rect", space + "text"):
            numbers = [float(element.get("x")), float(element.get("y"))]
        assert all(x <= n <= x + w for n in numbers[::2]) and all(y <= n <= y + h for n in numbers[1::2])
    return picture


# --------------------------------------------------------------------------------------------------------------- laws


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


# ---------------------------------------------------------------------------------------------------- text and numbers

awkward = [
    'say "hi"', "back\\slash", "two\nlines", "<b>bold</b>", "]]>", "--", "日本 ĥ₀ 🎈", "", "x" * 10_000, "&amp;",
    "a\x00b\x1b\ud800\ufffe", "a::b", "' onload='alert(1)", "</title><script>",
]  # fmt: skip


@pytest.mark.parametrize("name", awkward)
def test_names_are_text(name):
    x = ts.tensor([1.0, 2.0], requires_grad=True).named(name)
    with ts.scope(module=name), ts.scope(step=name):
        y = (x * x).named(name)
    text = svg(draw(y.sum().named(name)).view)
    tree = ElementTree.fromstring(text)
    assert {element.tag.removeprefix(space) for element in tree.iter()} <= {
        "svg", "style", "rect", "g", "title", "text", "tspan", "path",
    }  # fmt: skip
    whole = re.sub("[\x00-\x08\x1b\ud800\ufffe]", "\ufffd", name)
    titles = [title.text or "" for title in tree.iter(space + "title")]
    assert any(whole in title for title in titles)
    label = " ".join(whole.split())
    label = label if len(label) < 25 else label[:23] + "…"
    assert any(label in "".join(words.itertext()) for words in tree.iter(space + "text"))
    assert max(len("".join(words.itertext())) for words in tree.iter(space + "text")) < 70


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=8))
def test_a_chinese_character_is_as_wide_as_it_is_high(name):
    """Twice a small letter, in every font; a box holds the name that stands in it."""
    assert len(name) * 12 <= width(name, 12) <= 1.2 * len(name) * 12
    assert look_of("state", "tanh", name)[0] >= len(name) * 12


@pytest.mark.parametrize("name", awkward)
def test_whatever_a_view_holds_is_text(name):
    a, b = Item(f"{name}#0", "op", name, "", name, 0), Item(f"{name}#1", "gate", name, name, name, 1)
    inner = Cluster(f"{name}/", name, name, [a])
    edge, row = Edge(a.id, b.id, "data", label=name), LegendRow(name, (2,), 1, 0)
    tree = ElementTree.fromstring(svg(View(Cluster("", "", "", [b], [inner]), [edge], [], [row], Scale(name))))
    assert len([g for g in tree.iter(space + "g") if "id" in g.attrib]) == 3


def test_the_label_of_many_parameters_stays_small():
    item = Item("#0", "weight", "", "\n+ ".join(f"w{i}" for i in range(50)), "all", 0, 0)
    text = svg(View(Cluster("", "", "", [item]), [], [], []))
    assert "+ 47 more" in text and "w49" not in text


def coloured(value, scale):
    a, b = Item("#0", "op", "+", "", "a", 0, value=value), Item("#1", "op", "×", "", "b", 1, value=value)
    edge = Edge("#0", "#1", "data", value=value)
    return svg(View(Cluster("", "", "", [a, b]), [edge], [], [LegendRow("w", (2, 3), 2, 0)], scale))


def test_numbers_are_shown_on_a_log_scale():
    scale = Scale("|grad|", 1e-6, 1.0)
    low, middle, high = (coloured(value, scale) for value in (1e-6, 1e-3, 1.0))
    for text, at in ((low, 0.0), (middle, 0.5), (high, 1.0)):
        ElementTree.fromstring(text)
        assert text.count(f"stroke:{palette.tint(at)}") == 3
    assert all(f">{tick}</text>" in low for tick in ("1e-6", "1e-4", "0.01", "1"))
    assert "not computed" not in low
    widths = [palette.heat(value, scale)[1] for value in (0.0, 1e-9, 1e-6, 1e-4, 1e-2, 1.0, 50.0)]
    assert widths == sorted(widths)


@pytest.mark.parametrize("value", [0.0, float("inf"), float("nan"), 1e300, 5e-324])
@pytest.mark.parametrize("low, high", [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1e-300, 1e300), (0.5, 0.7)])
def test_odd_numbers_have_a_colour_too(value, low, high):
    ElementTree.fromstring(coloured(value, Scale("g", low, high)))


def test_what_was_not_computed_says_so():
    text = coloured(None, Scale("|∂loss/∂h|"))
    assert "|∂loss/∂h|: not computed" in text and "6 · 2 uses" not in text
    assert "2 × 3 · 2 uses · |grad| not computed" in text
    assert "not computed" not in coloured(None, None)


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


def test_what_is_folded_runs_to_the_right_too():
    view = draw(output("rnn", 6, num_layers=2), depth=2).view
    picture = check(view)
    for edge in view.edges:
        if edge.role == "state":
            assert picture.box(edge.source)[2] < picture.box(edge.target)[0]
            assert picture.box(edge.source)[1] == picture.box(edge.target)[1]


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


def test_the_title_says_what_is_known_and_no_more():
    assert ">LSTM, 100 steps, unrolled<" in svg(draw(output("lstm", 100)).view)
    assert "96 steps left out" in svg(draw(output("lstm", 100, bidirectional=True)).view)
    x = ts.tensor([1.0, 2.0], requires_grad=True)
    assert 'class="title"' not in svg(draw((x * x).sum()).view)


# ------------------------------------------------------------------------------------------------- the same everywhere


@pytest.mark.slow
def test_the_same_text_in_every_process():
    code = (
        "import test_svg as t; from tinygrad_seq.drawing import draw;"
        "print([draw(t.output(kind, 9, num_layers=2, bidirectional=True)).svg for kind in t.KINDS])"
    )
    texts, folders = set(), [str(root), str(root / "tests"), str(root / "tests" / "drawing")]
    for seed in ("0", "1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(folders)}
        done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, check=True)
        texts.add(done.stdout)
    assert len(texts) == 1 and b"<svg" in texts.pop()


@pytest.mark.parametrize("role", ["state", "delay", "gradient"])
def test_an_arrowhead_is_of_the_colour_of_its_line_in_the_dark_too(role):
    """What is said of all lines and heads in the dark comes later, and would hold for these."""
    text = Picture(draw(output()).view).text
    for part, style in (("line", "stroke"), ("head", "fill")):
        found = re.findall(rf":root\[data-theme=dark\] \.edge\.{role} \.{part}{{{style}:(#\w+)", text)
        assert found == [palette.dark_edges[role]]


def test_light_and_dark():
    text = svg(draw(output()).view)
    assert "@media (prefers-color-scheme:dark)" in text and ":root[data-theme=dark] .paper" in text
    colours = re.findall(r":(#[^;}]*)", text)
    assert len(colours) > 50 and all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in colours)


# ---------------------------------------------------------------------------------------------------------------- cost


def calls(view):
    """How many functions are called to draw a view."""
    count = 0

    def profile(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        svg(view)
    finally:
        sys.setprofile(None)
    return count


def chain(length):
    x = y = ts.tensor([1.0], requires_grad=True)
    for _ in range(length):
        y = y.tanh() * x
    return y


@pytest.mark.parametrize(
    "make",
    [
        lambda n: draw(output("lstm", n), steps=everything),
        lambda n: draw(output("rnn", n, bidirectional=True), steps=everything),
        lambda n: draw(chain(5 * n)),
    ],
)
def test_the_cost_is_linear(make):
    short, long = calls(make(30).view), calls(make(120).view)
    assert long < 4.8 * short


def test_each_distinct_step_is_laid_out_once():
    views = [draw(output("lstm", n), steps=everything).view for n in (4, 20, 60)]
    assert len({len(Tree(view).templates) for view in views}) == 1


@pytest.mark.slow
def test_ten_thousand_nodes():
    view = draw(output("lstm", 560), steps=everything).view
    assert len(items(view)) > 10_000
    assert ElementTree.fromstring(svg(view)) is not None
