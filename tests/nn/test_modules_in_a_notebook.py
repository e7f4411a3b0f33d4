"""A notebook shows a module as its summary, a table, and is never stopped by one."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from networks import KINDS

import tinygrad_seq as ts
from tinygrad_seq import nn


def cells(html):
    """The rows of a table, without what is around them."""
    table = ET.fromstring(html)
    assert table.tag == "table"
    return [[cell.text or "" for cell in row] for row in table.iter("tr")], table.find("caption").text


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_says_what_the_text_says(kind):
    model = nn.Sequential(KINDS[kind].layer(3, 4, **KINDS[kind].options), nn.Linear(4, 2))
    model[1].bias.requires_grad = False
    shown = model._repr_mimebundle_()
    assert shown["text/plain"] == repr(model)
    assert model._repr_mimebundle_(exclude=["text/html"]) == {"text/plain": repr(model)}
    rows, total = cells(shown["text/html"])
    words = " ".join(" ".join(row) for row in rows) + " " + total
    assert words.split() == str(model.summary()).split() and "frozen" in total
    assert model.summary()._repr_html_() == shown["text/html"]


@example(text="<b>&amp;</b>")
@given(text=st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")))
def test_no_text_is_taken_for_markup(text):
    class Odd(nn.Module):
        def describe(self):
            return text

    rows, _ = cells(Odd()._repr_mimebundle_()["text/html"])
    assert rows[1][0] == f"Odd({text})"


def test_a_module_that_cannot_be_shown_stops_no_notebook():
    class Broken(nn.Module):
        def describe(self):
            return self.nowhere

    assert Broken()._repr_mimebundle_() == {"text/plain": "<Broken that cannot be shown: AttributeError>"}


def test_a_tensor_says_its_name():
    x = ts.tensor([1.0, 2.0], requires_grad=True, device="cpu")
    assert repr(x.named("x")) == "tensor([1., 2.], requires_grad=True, name='x')"
    assert repr((x * x).named("it's")) == 'tensor([1., 4.], op=multiply, name="it\'s")'
    assert repr(nn.Linear(1, 1).bias).endswith(", name='bias')")
    assert "name" not in repr(x * x)
