"""Colours that can be read and told apart, in light and in dark; and a legend that says which is which."""

import re
from itertools import combinations
from math import dist, inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import KINDS
from pictures import items, numbers

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.render import colours as palette
from tinygrad_seq.drawing.render.css import sheet
from tinygrad_seq.drawing.render.title_and_legend import Sample, Text, surroundings
from tinygrad_seq.drawing.view.model import Scale

light, night = "", ":root[data-theme=dark] "


def linear(colour):
    """Red, green and blue as amounts of light (sRGB)."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]


def contrast(one, other):
    """The contrast of two colours (WCAG 2), from 1 to 21."""
    dark, bright = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in map(linear, (one, other)))
    return (bright + 0.05) / (dark + 0.05)


def oklab(colour):
    """Lightness and two opponent colours, in which distances are what an eye sees (Ottosson, 2020)."""
    r, g, b = linear(colour)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    middle = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def said(selector, what, mode):
    """The colour that the style sheet gives something: in the dark what it says for that, else what it says at all."""
    for root in (mode, light):
        found = re.findall(rf"[{{}}>,]{re.escape(root + selector)}[^{{}}]*{{[^}}]*?{what}:(#\w+)", ">" + sheet())
        if found:
            return found[0]
    return None


@pytest.mark.parametrize("mode", [light, night])
def test_texts_have_a_contrast_of_four_and_a_half(mode):
    plain = said("text", "fill", mode)
    grounds = [said(place, "fill", mode) for place in (".paper", ".cluster rect", ".cluster.step rect")]
    assert all(contrast(text, ground) >= 4.5 for text in (plain, said(".quiet", "fill", mode)) for ground in grounds)
    for role in palette.fills:
        fill, text = said(f".node.{role} rect", "fill", mode), said(f".node.{role} text", "fill", mode) or plain
        assert contrast(fill, text) >= 4.5, role
    words = said(".node.weight text", "fill", mode)
    assert all(contrast(said(f".w{i} rect", "fill", mode), words) >= 4.5 for i in range(len(palette.weights)))
    assert contrast(palette.gradient, said(".pill.gradient text", "fill", mode)) >= 4.5


@pytest.mark.parametrize("mode", [light, night])
@pytest.mark.parametrize("role", palette.texts)
def test_what_is_pale_is_written_in_the_colour_of_what_is_pale(mode, role):
    """Two classes at one element: the later rule holds."""
    rules = sheet()
    assert rules.find(f"{mode}.node.{role} text") <= rules.index(f"{mode}.node.pale text")


@pytest.mark.parametrize("mode", [light, night])
def test_lines_have_a_contrast_of_three(mode):
    grounds = [said(place, "fill", mode) for place in (".paper", ".cluster rect", ".cluster.step rect")]
    roles = [said(f".edge.{role} .line", "stroke", mode) for role in palette.edges]
    heats = [palette.tint(i / 20) for i in range(21)] + [palette.nothing, palette.broken]
    borders = [said(".node.op rect", "stroke", mode), said(".mark", "stroke", mode)]
    for colour in [said(".line", "stroke", mode), said(".head", "fill", mode), *roles, *heats, *borders]:
        assert all(contrast(colour, ground) >= 3 for ground in grounds), colour


@pytest.mark.parametrize("mode", [light, night])
def test_a_state_of_another_step_is_told_from_a_first_state(mode):
    """It has a border of dashes, which the ground around it does not hide, and a number's colour does not need."""
    first, other = (said(f".node.{role} rect", "stroke", mode) for role in ("initial", "passing"))
    grounds = (said(f"{place} rect", "fill", mode) for place in (".node.initial", ".node.passing", ".cluster.step"))
    assert first != other and all(contrast(other, ground) >= 3 for ground in grounds)
    dashes = re.findall(r"\.node\.(\w+) rect[^{}]*{[^}]*dasharray:(\w+)", sheet())
    assert dashes == [("passing", "4"), ("shown", "none")]


def test_zero_is_not_the_brightest_in_the_dark():
    paper, scale = said(".paper", "fill", night), Scale("g", 1e-6, 1.0)
    zero, *others = (contrast(palette.heat(value, scale)[0], paper) for value in (0.0, 1e-6, 1e-4, 1e-2, 1.0))
    assert zero < max(others)


def test_twenty_four_weights_have_colours_that_can_be_told_apart():
    assert len(palette.weights) >= 24
    assert min(dist(oklab(a), oklab(b)) for a, b in combinations(palette.weights, 2)) > 0.05
    named = [nn.Parameter([float(i)]).named(f"w{i}") for i in range(24)]
    colours = {palette.of_role("weight", row.colour)[0] for row in draw(ts.concatenate(named)).view.legend}
    assert len(colours) == 24


def legend(view):
    """The words of the legend, and the colours of its samples."""
    _, parts, _ = surroundings(view, (0.0, 0.0, 900.0, 300.0), [])
    words = [part.text for part in parts]
    return words, {part.colour for part in parts if isinstance(part, Sample)}, [p for p in parts if isinstance(p, Text)]


@pytest.mark.parametrize("value", [0.0, nan, inf, 1.0])
def test_zero_and_nan_are_in_the_legend_where_they_are_shown(value):
    y = ts.tensor([1.0], requires_grad=True).tanh()
    drawing = draw(y, show={y: value})
    words, colours, _ = legend(drawing.view)
    assert ("0" in words, palette.nothing in colours) == (value == 0, value == 0)
    assert ("NaN or ∞" in words, palette.broken in colours) == (not isfinite(value), not isfinite(value))
    assert "NaN or ∞" in drawing.html and ("NaN" in drawing.svg) == (not isfinite(value))
    assert palette.broken not in legend(draw(y).view)[1]


def test_a_weight_of_one_number_is_in_the_legend():
    """A single number that is used once is not: all of these look alike."""
    assert {"weight", "bias"} <= set(legend(draw(nn.Linear(4, 1)(ts.ones(3, 4)).mean()).view)[0])
    assert "b" not in legend(draw(nn.Parameter(1.0).named("b") * 2.0).view)[0]


class Half(nn.Module):
    def __init__(self):
        self.rnn = nn.GRU(2, 3)

    def forward(self, x, h=None):
        return self.rnn(x, h)


class Translator(nn.Module):
    def __init__(self):
        self.encoder, self.decoder = Half(), Half()

    def forward(self, x):
        return self.decoder(x, self.encoder(x)[1])[0]


@given(kind=st.sampled_from(list(KINDS)), same=st.booleans(), params=st.sampled_from(["proxies", "shared"]))
def test_two_modules_of_one_class_have_two_names(kind, same, params):
    first, second = (KINDS[kind].layer(2, 2, **KINDS[kind].options) for _ in range(2))
    x = ts.tensor(numbers(3, 2, 2))
    view = draw((first if same else second)(first(x)[0])[0], params=params).view
    name = type(first).__name__
    titles = [cluster.label.partition(" · ")[0] for cluster in view.top.inner if cluster.key == "module"]
    assert titles == ([name, name] if same else [f"{name} (1)", f"{name} (2)"])
    labels = [row.label for row in view.legend]
    assert len(labels) == len(set(labels)) == 4 * (2 - same)
    assert same or {label.partition(".")[0] for label in labels} == set(titles)


@pytest.mark.parametrize("params", ["proxies", "shared"])
def test_parameters_are_named_by_the_module_that_tells_them_apart(params):
    view = draw(Translator()(ts.tensor(numbers(3, 2, 2))), params=params).view
    assert {row.label.rpartition(".")[0] for row in view.legend} == {"encoder.rnn", "decoder.rnn"}


def test_shared_parameters_keep_their_colours_and_their_legend():
    out = nn.LSTM(2, 3)(ts.tensor(numbers(3, 2, 2)))[0]
    beside, shared = (draw(out, params=params).view for params in ("proxies", "shared"))
    weights = [{(i.label, i.colour, i.shape) for i in items(view) if i.role == "weight"} for view in (beside, shared)]
    assert [(row.label, row.shape, row.uses) for row in beside.legend] == [
        (row.label, row.shape, row.uses) for row in shared.legend
    ]
    assert {i.colour for i in items(shared) if i.role == "weight"} <= {row.colour for row in shared.legend}
    assert all(shape for _, _, shape in weights[1]) and len(shared.legend) == 4
