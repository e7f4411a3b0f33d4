"""Formulas as MathML, written into the page when it is built: a browser shows them without any script."""

import re

from docutils import nodes
from latex2mathml.converter import convert

SLASH = re.compile(r"<mo>(&#x0002F;)</mo>")
SIGN = re.compile(r"(<mo[^>]*>(?!&#x00029;)[^<]+</mo>)<mo>(&#x02212;)</mo>")  # a minus after an operator or (
BARS = re.compile(r'<mo(?: stretchy="false")?>(&#x02016;|&#x0007C;)</mo>(.*?)<mo(?: stretchy="false")?>\1</mo>')
NAME = "<mi>(?:tanh|log|exp|sin|cos|max|min)</mi>"
FUNCTION = re.compile(rf"((?<!<msu[bp]>){NAME}|<msup>{NAME}<mn>.</mn></msup>)(?=<m(?:i|n|sub|row|frac)>)")  # no bracket


def mathml(formula: str, display: str = "inline") -> str:
    """Return a formula as MathML, with the space that it wants around a slash, a sign and the name of a function."""
    made = SLASH.sub(r'<mo lspace="0.1em" rspace="0.1em">\1</mo>', convert(formula, display=display))
    made = made.replace("<mo>&#x02202;</mo>", "<mi>&#x02202;</mi>")  # a partial derivative is a letter
    made = BARS.sub(r'<mo stretchy="false" form="prefix">\1</mo>\2<mo stretchy="false" form="postfix">\1</mo>', made)
    made = SIGN.sub(r'\1<mo form="prefix">\2</mo>', made)
    return FUNCTION.sub(r'\1<mo rspace="0.17em">&#x2061;</mo>', made)


def visit_math(writer, node: nodes.math) -> None:
    """Write a formula in a line of text."""
    writer.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def visit_math_block(writer, node: nodes.math_block) -> None:
    """Write a formula on a line of its own."""
    writer.body.append(f'<div class="math">{mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", inline_renderers=(visit_math, None), block_renderers=(visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
