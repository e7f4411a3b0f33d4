"""`draw`: the picture of how a Tensor was made, and saving it.

The picture itself is text and needs nothing installed: DOT text for Graphviz, and an SVG of our own. An .svg file is
drawn by Graphviz where that is installed and answers in time, else by ourselves; pixels need Graphviz.
"""

import os
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from operator import index
from pathlib import Path
from typing import Any

from tinygrad_seq.drawing import graphviz_dot
from tinygrad_seq.drawing.build import build
from tinygrad_seq.drawing.dot import dot
from tinygrad_seq.drawing.svg import svg
from tinygrad_seq.drawing.view import View
from tinygrad_seq.graph import Value

too_many = 4000  # nodes: an LSTM of 3,600 takes `dot` 17 s, larger graphs minutes or all memory


class Drawing:
    """A picture: `.svg` and `.dot` are its text, `.save(path)` writes a file, `.view` is what it shows.

    A notebook shows it by itself.
    """

    def __init__(self, view: View) -> None:
        self.view = view

    @cached_property
    def dot(self) -> str:
        """The picture as DOT text, the same in every process."""
        return dot(self.view)

    @cached_property
    def svg(self) -> str:
        """The picture as SVG text, drawn without Graphviz, the same in every process."""
        return svg(self.view)

    def __repr__(self) -> str:
        return f"<Drawing of {self.count()} nodes>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows. Never raises: an object that cannot be shown would hide its own value."""
        try:
            found = {"text/plain": repr(self), "image/svg+xml": self.svg}
        except Exception as error:
            found = {"text/plain": f"<Drawing that cannot be shown: {type(error).__name__}>"}
        return {
            kind: text
            for kind, text in found.items()
            if (not include or kind in include) and kind not in (exclude or ())
        }

    def save(self, path: str | Path, timeout: float = 20) -> None:
        """Write the picture; the ending of the name says how: .svg, .dot, .png or .pdf.

        An .svg file is always written: by Graphviz, or where that is missing, fails or takes more than `timeout`
        seconds, as our own `.svg`, with a RuntimeWarning. A .png or .pdf file needs Graphviz: a RuntimeError says so.
        Raises ValueError for another ending. A file is written whole or not at all.
        """
        path = Path(path)
        kind = path.suffix.lower().removeprefix(".")
        writers: dict[str, Callable[[], bytes]] = {
            "svg": lambda: self.vectors(timeout),
            "dot": lambda: self.dot.encode(),
            "png": lambda: self.pixels("png", timeout),
            "pdf": lambda: self.pixels("pdf", timeout),
        }
        if kind not in writers:
            raise ValueError(f"save: the name must end in .{', .'.join(writers)}, got {path.name!r:.80}")
        write(path, writers[kind]())

    def count(self) -> int:
        """How many nodes are drawn."""
        clusters = [self.view.top]
        for cluster in clusters:
            clusters += cluster.inner
        return sum(len(cluster.items) for cluster in clusters)

    def rendered(self, kind: str, timeout: float) -> bytes:
        """The picture by Graphviz, unless it is known to be too large for it."""
        if self.count() > too_many:
            raise graphviz_dot.NoPictureError(
                f"{self.count()} nodes are too many for Graphviz ({graphviz_dot.install}; it draws up to {too_many})"
            )
        return graphviz_dot.rendered(self.dot, kind, timeout)

    def vectors(self, timeout: float) -> bytes:
        try:
            return self.rendered("svg", timeout)
        except graphviz_dot.NoPictureError as error:
            reason = f"save: {error}. The built-in picture is written instead; to save it always, write Drawing.svg"
            warnings.warn(reason, RuntimeWarning, stacklevel=4)
            return self.svg.encode()

    def pixels(self, kind: str, timeout: float) -> bytes:
        try:
            return self.rendered(kind, timeout)
        except graphviz_dot.NoPictureError as error:
            raise RuntimeError(
                f"save: a .{kind} file needs Graphviz: {error}. Or show fewer steps (steps=(2, 1)), give a longer "
                "timeout=, or save an .svg file and convert that, with rsvg-convert or cairosvg"
            ) from None


def write(path: Path, content: bytes) -> None:
    """A file with this content, or what was there before."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def draw(output: Value | Sequence[Value], *, steps: tuple[int, int] = (3, 1)) -> Drawing:
    """The picture of how a Tensor, or several, was made: time from left to right, ops from the bottom up.

    Every op stands in the cluster of its scope. Parameters, inputs and constants are drawn beside each use; a legend
    counts the uses of each Parameter. `steps=(a, b)`: of a long loop over time, the first a and the last b steps in
    full, and one box for the steps between where they were checked to be the same step again; a step that differs is
    drawn. Only steps that a scope names are left out. Works before and after `backward`, and changes nothing.

    Raises RuntimeError for a Tensor that nothing was recorded for.

    >>> import tinygrad_seq as ts
    >>> from tinygrad_seq.drawing import draw
    >>> x = ts.tensor([1.0, 2.0], requires_grad=True)
    >>> draw((x * x).sum()).dot.splitlines()[0]
    'digraph computation {'
    """
    outputs = [output] if isinstance(output, Value) else list(output) if isinstance(output, Sequence) else [output]
    nodes = []
    for value in outputs:
        if not isinstance(value, Value):
            raise TypeError(f"draw: expected a Tensor or several, got {type(value).__name__}")
        if value.node is None:
            raise RuntimeError(
                "draw: nothing was recorded for this Tensor: it was not made from anything that requires a gradient, "
                "or was made under no_grad"
            )
        nodes.append(value.node)
    if not nodes:
        raise ValueError("draw: expected at least one Tensor, got none")
    try:
        first, last = map(index, steps)
    except (TypeError, ValueError):
        raise TypeError(f"draw: steps must be two ints (first, last), got {steps!r:.60}") from None
    if first < 0 or last < 0:
        raise ValueError(f"draw: steps must not be negative, got {steps}")
    return Drawing(build(nodes, first, last))
