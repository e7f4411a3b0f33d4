"""Write two pictures side by side as one HTML page, and mark in both what is different."""

from collections.abc import Sequence
from html import escape

from tinygrad_seq.drawing.page.page import asset, colours, dressed, filled, inlined

kinds = {"-": "gone", "+": "come", "~": "changed"}


def side_by_side(svgs: Sequence[str], lines: Sequence[str], places: Sequence[tuple[list[str], list[str]]]) -> str:
    """Return the HTML text: for each line, which says what differs, the ids of what it is about in either picture."""
    rows = (f'<li><button class="{kinds[line[0]]}">{escape(line)}</button></li>' for line in lines)
    pictures = (f'<section class="side">{dressed(svg, name)}</section>' for svg, name in zip(svgs, ("before", "after")))
    parts = {
        "palette": colours(),
        "style": asset("side_by_side.css"),
        "lines": "".join(rows) or "<li>no difference</li>",
        "pictures": "".join(pictures),
        "data": inlined([list(pair) for pair in places]),
        "script": asset("script/side_by_side.js"),
    }
    return filled("side_by_side.html", parts)
