"""DOT text: names are text whatever they hold, colours are what Graphviz reads, and it is the same in every process."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pictures import by_hand, clusters, figures, items, loops_in_steps, lstm, needs_graphviz, reading

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw

root = Path(__file__).parents[2]
svg = "{http://www.w3.org/2000/svg}"


def graphviz(kind, *drawings):
    """What Graphviz makes of DOT text, without a word of complaint (as of a label larger than its node)."""
    text = "".join(drawing.dot for drawing in drawings).encode()
    done = subprocess.run(["dot", f"-T{kind}"], input=text, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout.decode()


# ------------------------------------------------------------------------------------------------------ one layout


@pytest.fixture(scope="module", params=["graphs", "figures"])
def pictures(request):
    """Every kind of picture of the suite, and the figures of the docs, by name."""
    if request.param == "figures":
        return figures().drawings()
    out = lstm(5)
    loss = (out * out).sum().named("loss")
    before = draw(loss, show="gradient")
    loss.backward(retain_graph=True)
    gru = ts.nn.GRU(3, 4)(ts.randn(10, 2, 3))[0]
    return {
        "before": before, "heat": draw(loss, show="gradient"), "by hand": draw(by_hand(4)),
        "heat, rolled": draw(loss, show="gradient", view="rolled"), "rolled": draw(gru, view="rolled"),
        "reading": draw(reading(9)), "shared": draw(reading(9), params="shared"), "folded": draw(reading(9), depth=2),
        "one item": draw(lstm(10), depth=0), "nested": draw(loops_in_steps(3, 3)),
        "nested, rolled": draw(loops_in_steps(5, 5), view="rolled"),
        "cut": draw(by_hand(4, lambda t, h: h.detach() if t == 1 else h)),
        "both ways": draw(lstm(10, num_layers=2, bidirectional=True), view="rolled"),
    }  # fmt: skip


@needs_graphviz
def test_graphviz_draws_the_nodes_that_we_wrote_where_we_put_them(pictures):
    rest = graphviz("json", *pictures.values())
    for name, drawing in pictures.items():
        found, end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].lstrip()
        assert not any(":" in item.id for item in [*items(drawing.view), *clusters(drawing.view)]), name
        nodes = {thing["name"]: thing for thing in found["objects"] if not {"nodes", "subgraphs"} & thing.keys()}
        assert nodes.keys() == {item.id for item in items(drawing.view)}, name
        assert len(found.get("edges", ())) == len(drawing.view.edges), name
        first = drawing.placed.items[0]
        for place in drawing.placed.items:
            (x, y), (left, top) = (map(float, nodes[at.item.id]["pos"].split(",")) for at in (place, first))
            assert (x - left, top - y) == pytest.approx((place.x - first.x, place.y - first.y), abs=0.2), name
            assert float(nodes[place.item.id]["width"]) * 72 == pytest.approx(place.width, abs=1), name


@needs_graphviz
def test_graphviz_says_what_our_own_picture_says(pictures):
    """Title, legend, colour bar, labels, marks: word by word."""
    texts = graphviz("svg", *pictures.values()).split("<?xml")[1:]
    for (name, drawing), text in zip(pictures.items(), texts, strict=True):
        theirs, ours = words("<?xml" + text), words(drawing.svg)
        cuts = sum(edge.role == "cut" for edge in drawing.view.edges)
        assert theirs == ours + Counter({"//": cuts}), name


def words(text):
    texts = ElementTree.fromstring(text.encode()).iter(f"{svg}text")
    return Counter(word for element in texts for word in " ".join(element.itertext()).split())


@needs_graphviz
def test_graphviz_may_find_a_layout_of_its_own():
    output = lstm(4)
    ours, theirs = draw(output), draw(output, layout="dot")
    assert theirs.svg == ours.svg and "layout=nop2" in ours.dot
    assert not re.search(r"nop2|_background| (pos|bb|x?lp)=", theirs.dot)
    one, other = (json.loads(graphviz("json", drawing)) for drawing in (ours, theirs))
    names = ("name", "label", "fillcolor")
    assert [[x.get(name) for name in names] for x in one["objects"]] == [
        [x.get(name) for name in names] for x in other["objects"]
    ]
    with pytest.raises(ValueError, match="layout must be 'time' or 'dot'"):
        draw(output, layout="neato")


# ---------------------------------------------------------------------------------------------------- names are text


awkward = [
    'say "hi"', "back\\slash \\N \\", "two\nlines", "<b>bold</b>", "<>", "日本 ĥ₀ 🎈", "", "x" * 10_000, "&amp;",
    "a\x00b", "{|}", "a::b", "::", "\"", "\\", "a -> b; c", "node", "%d {0}", "\u202e", "</table>>",
]  # fmt: skip


@needs_graphviz
@pytest.mark.parametrize("name", awkward)
def test_names_are_text(name):
    x = ts.tensor([1.0, 2.0], requires_grad=True).named(name)
    with ts.scope(module=name), ts.scope(step=name):
        y = (x * x).named(name)
    tree = ElementTree.fromstring(graphviz("svg", draw(y.sum().named(name))))
    texts = "\n".join(t.text or "" for t in tree.iter(f"{svg}text")).replace("\xa0", " ")
    label = re.sub(r"\s+", " ", name.replace("\x00", "\ufffd"))
    assert (label if len(label) < 25 else label[:23] + "…") in texts
    titles = "\n".join(a.get("{http://www.w3.org/1999/xlink}title", "") for a in tree.iter())
    assert re.sub(r"\s+", " ", name.replace("\x00", "\ufffd")) in re.sub(r"\s+", " ", titles)


@needs_graphviz
@pytest.mark.parametrize("name", awkward)
@pytest.mark.parametrize("style", [{}, {"view": "rolled"}, {"params": "shared"}, {"show": "gradient"}, {"depth": 0}])
def test_names_are_text_wherever_they_are_shown(name, style):
    w = ts.nn.Parameter([[2.0]]).named(name)
    h = ts.tensor([[1.0]]).named(name)
    with ts.scope(module=name):
        for t in range(3):
            with ts.scope(step=f"{name}{t}"):
                h = (h @ w).tanh().named(name)
            h = h.detach() if t == 1 else h
    loss = h.sum()
    loss.backward(retain_graph=True)
    drawing = draw(loss, **style)
    ElementTree.fromstring(graphviz("svg", drawing))
    assert json.loads(drawing.json)["items"]
    assert str(ts.diff(drawing, drawing)) == "no difference"


def test_colours_have_six_digits():
    colours = re.findall(r'color="?(#[^\s"]*)', draw(lstm(3)).dot)
    assert colours and all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in colours)


def test_tooltips_say_op_shape_dtype_and_scope():
    gate = next(item for item in items(draw(lstm(3)).view) if item.label == "forget")
    assert gate.tooltip == "forget\nsigmoid\n(2, 4) float32\nLSTM / layer 0 / forward / t = 0"


def test_the_same_text_in_every_process():
    code = (
        "import tinygrad_seq as ts, pictures as t; from tinygrad_seq.drawing import draw;"
        "ts.manual_seed(0);"
        "outputs = [t.lstm(8, num_layers=2, bidirectional=True), t.by_hand(4), t.reading(9)];"
        "styles = [{}, dict(view='rolled'), dict(params='shared'), dict(depth=2), dict(show='gradient')];"
        "drawings = [draw(outputs, **style) for style in styles];"
        "w = ts.nn.Parameter(t.numbers(7, 16)).named('w'); loss = t.by_hand(5, weight=w).sum();"
        "loss.backward(create_graph=True); log = ts.flow.record(loss);"
        "pages = [draw(loss, show='gradient'), draw(loss, backward=True, view='rolled'), draw(loss, show=log)];"
        "print(*(d.dot + d.json for d in drawings + pages), *(page.svg + page.html for page in pages));"
        "print(ts.diff(drawings[0], pages[0]), log, ts.flow.itemize(loss, w), ts.flow.states(loss))"
    )
    texts = set()
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"}
        done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, check=True)
        texts.add(done.stdout)
    assert len(texts) == 1 and all(part in next(iter(texts)) for part in (b"digraph", b"<svg", b"<html", b"+= "))


def test_the_figures_in_docs_are_what_is_drawn():
    """If this picture is meant to be another: python docs/figures/make.py."""
    make = figures()
    with_numbers = {"vanishing.svg", "healthy.svg", "backward.svg"}  # whose last digits are the machine's
    assert set(make.stale()) <= with_numbers
    gates = ["input", "forget", "cell", "output"]
    text = make.figures()["lstm.dot"].decode()
    order = [text.index(f">{gate}<") for gate in gates]
    assert sorted(order) in (order, order[::-1])


def test_the_same_text_twice_in_one_process():
    assert draw(lstm(20)).dot == draw(lstm(20)).dot
