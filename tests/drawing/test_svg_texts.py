"""The built-in picture: names are text, numbers are colours, in light and dark, and a title says what is known."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from svg_picture import Picture, output, space, svg

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.layout.text_size import look_of, width
from tinygrad_seq.drawing.render import colours as palette
from tinygrad_seq.drawing.view.model import Cluster, Edge, Item, LegendRow, Scale, View

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


def test_the_title_says_what_is_known_and_no_more():
    assert ">LSTM, 100 steps, unrolled<" in svg(draw(output("lstm", 100)).view)
    assert "96 steps left out" in svg(draw(output("lstm", 100, bidirectional=True)).view)
    twins = ts.nn.GRU(3, 4)
    ends = [twins(ts.ones(steps, 2, 3))[0][-1] for steps in (4, 3, 4, 2)]
    assert ">GRU, 4 and 3 steps, unrolled<" in svg(draw((ends[0] - ends[1]).sum()).view)
    assert ">GRU, 4 and 2 to 3 steps, unrolled<" in svg(draw(ts.stack(ends)).view)
    x = ts.tensor([1.0, 2.0], requires_grad=True)
    assert 'class="title"' not in svg(draw((x * x).sum()).view)


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
