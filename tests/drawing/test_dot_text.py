"""DOT text: names are text whatever they hold, colours are what Graphviz reads, and it is the same in every process."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import which
from xml.etree import ElementTree

import pytest
from pictures import items, lstm

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw

root = Path(__file__).parents[2]
needs_graphviz = pytest.mark.skipif(which("dot") is None, reason="Graphviz is not installed")


awkward = [
    'say "hi"', "back\\slash \\N \\", "two\nlines", "<b>bold</b>", "<>", "日本 ĥ₀ 🎈", "", "x" * 10_000, "&amp;",
    "a\x00b", "{|}", "a::b", "::", "\"", "\\", "a -> b; c", "node", "%d {0}", "\u202e", "</table>>",
]  # fmt: skip


@needs_graphviz
@pytest.mark.parametrize("name", awkward)
def test_names_are_text(name, tmp_path):
    x = ts.tensor([1.0, 2.0], requires_grad=True).named(name)
    with ts.scope(module=name), ts.scope(step=name):
        y = (x * x).named(name)
    draw(y.sum().named(name)).save(tmp_path / "x.svg")
    tree = ElementTree.parse(tmp_path / "x.svg")
    texts = "\n".join(t.text or "" for t in tree.iter("{http://www.w3.org/2000/svg}text")).replace("\xa0", " ")
    label = re.sub(r"\s+", " ", name.replace("\x00", "\ufffd"))
    assert (label if len(label) < 25 else label[:23] + "…") in texts
    titles = "\n".join(a.get("{http://www.w3.org/1999/xlink}title", "") for a in tree.iter())
    assert re.sub(r"\s+", " ", name.replace("\x00", "\ufffd")) in re.sub(r"\s+", " ", titles)


@needs_graphviz
@pytest.mark.parametrize("name", awkward)
@pytest.mark.parametrize("style", [{}, {"view": "rolled"}, {"params": "shared"}, {"show": "gradient"}, {"depth": 0}])
def test_names_are_text_wherever_they_are_shown(name, style, tmp_path):
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
    drawing.save(tmp_path / "x.svg")
    ElementTree.parse(tmp_path / "x.svg")
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
        "outputs = [t.lstm(20, num_layers=2, bidirectional=True), t.by_hand(4), t.reading(9)];"
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
    spec = importlib.util.spec_from_file_location("make", root / "docs" / "figures" / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    with_numbers = {"vanishing.svg", "healthy.svg", "backward.svg"}  # whose last digits are the machine's
    assert set(make.stale()) <= with_numbers
    gates = ["input", "forget", "cell", "output"]
    text = make.figures()["lstm.dot"].decode()
    order = [text.index(f">&#160;{gate}") if f">&#160;{gate}" in text else text.index(gate) for gate in gates]
    assert sorted(order) in (order, order[::-1])


def test_the_same_text_twice_in_one_process():
    assert draw(lstm(20)).dot == draw(lstm(20)).dot
