"""Formulas as MathML, written into the page when it is built: a browser shows them without any script."""

import re

from docutils import nodes
from latex2mathml.converter import convert

SLASH = re.compile(r"<mo>(&#x0002F;)</mo>")
SIGN = re.compile(r"(<mo[^>]*>[^<]+</mo>)<mo>(&#x02212;)</mo>")  # a minus after an operator or a bracket


def mathml(formula: str, display: str = "inline") -> str:
    """Return a formula as MathML, without space around a slash and after a sign."""
    made = convert(formula, display=display)
    return SIGN.sub(r'\1<mo form="prefix">\2</mo>', SLASH.sub(r'<mo lspace="0.1em" rspace="0.1em">\1</mo>', made))


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
