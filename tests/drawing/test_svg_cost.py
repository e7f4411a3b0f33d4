"""The built-in picture: the same text in every process, at a cost that is linear in its size."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pictures import items
from svg_picture import everything, output, svg

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.layout.templates import Tree

root = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_same_text_in_every_process():
    code = (
        "from networks import KINDS; from svg_picture import output; from tinygrad_seq.drawing import draw;"
        "print([draw(output(kind, 9, num_layers=2, bidirectional=True)).svg for kind in KINDS])"
    )
    texts, folders = set(), [str(root), str(root / "tests")]
    for seed in ("0", "1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(folders)}
        done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, check=True)
        texts.add(done.stdout)
    assert len(texts) == 1 and b"<svg" in texts.pop()


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
