"""`draw`: the picture of how a Tensor was made, and saving it.

The picture itself is text and needs nothing installed. Pixels come from a renderer, for now the system's `dot`: called
with an argument list, never through a shell, and with a time limit, because some graphs keep it busy for hours.
"""

import subprocess
from collections.abc import Sequence
from functools import cached_property
from operator import index
from pathlib import Path
from shutil import which

from tinygrad_seq.drawing.build import build
from tinygrad_seq.drawing.dot import dot
from tinygrad_seq.drawing.svg import svg
from tinygrad_seq.drawing.view import View
from tinygrad_seq.graph import Value

formats = ("svg", "png", "pdf")


class Drawing:
    """A picture: `.dot` is its DOT text, `.save(path)` writes a file, `.view` is what it shows."""

    def __init__(self, view: View) -> None:
        self.view = view

    @cached_property
    def dot(self) -> str:
        """The picture as DOT text, the same in every process."""
        return dot(self.view)

    @cached_property
    def svg(self) -> str:
        """The picture as SVG text, made without Graphviz, the same in every process."""
        return svg(self.view)

    def save(self, path: str | Path, timeout: float = 20) -> None:
        """Write the picture; the ending of the name says how: .dot, .svg, .png or .pdf.

        All but .dot need Graphviz. Raises ValueError for another ending, RuntimeError where Graphviz is missing, fails,
        or takes more than `timeout` seconds; then no file is written.
        """
        path = Path(path)
        kind = path.suffix.lower().removeprefix(".")
        if kind == "dot":
            path.write_bytes(self.dot.encode())
        elif kind in formats:
            path.write_bytes(rendered(self.dot, kind, timeout))
        else:
            raise ValueError(f"save: the name must end in .dot, .{', .'.join(formats)}, got {path.name!r:.80}")


def rendered(text: str, kind: str, timeout: float) -> bytes:
    """DOT text as pixels or vectors, by Graphviz."""
    program = which("dot")
    if program is None:
        raise RuntimeError(
            f"save: a .{kind} file needs Graphviz, and its program `dot` was not found: install it with "
            "`apt install graphviz` (macOS: `brew install graphviz`), or save a .dot file"
        )
    try:
        done = subprocess.run([program, f"-T{kind}"], input=text.encode(), capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise RuntimeError(
            f"save: Graphviz did not finish within {timeout:g} seconds: draw fewer steps (steps=(2, 1)), "
            "give a longer timeout=, or save a .dot file"
        ) from None
    if done.returncode or not done.stdout:
        reason = done.stderr.decode(errors="replace").strip()[-300:]
        raise RuntimeError(f"save: Graphviz failed (exit status {done.returncode}): {reason}")
    return done.stdout


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
