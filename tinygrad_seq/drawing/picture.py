"""Draw how a Tensor was made, show that in a notebook, and save it.

There is one layout, ours. SVG and DOT text need nothing installed; Graphviz turns the DOT text into pixels and PDF.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from operator import index
from pathlib import Path
from typing import Any

from tinygrad_seq.drawing.layout.model import Layout
from tinygrad_seq.drawing.layout.routing import laid_out
from tinygrad_seq.drawing.page.details import details
from tinygrad_seq.drawing.page.page import page
from tinygrad_seq.drawing.render.dot import dot, size
from tinygrad_seq.drawing.render.graphviz_process import check_size, rendered
from tinygrad_seq.drawing.render.json_text import listing
from tinygrad_seq.drawing.render.svg import svg
from tinygrad_seq.drawing.view.build import build
from tinygrad_seq.drawing.view.fold import folded
from tinygrad_seq.drawing.view.model import View, within
from tinygrad_seq.drawing.view.printed import is_small, printed
from tinygrad_seq.drawing.view.rules import with_rules
from tinygrad_seq.drawing.view.values import given, gradients
from tinygrad_seq.engine.arguments import as_number, flag, one_of
from tinygrad_seq.engine.graph import Node, Value, ancestors
from tinygrad_seq.engine.notebook import mimebundle
from tinygrad_seq.saving.archive import path_of
from tinygrad_seq.saving.atomic_file import write_file

WIDEST = 2600  # points, where no steps are asked for: on a screen of 1,600 pixels its words are 7 high
LARGEST_FRAME = 2_000_000  # characters of a page in a notebook, which keeps every output


class Drawing:
    """A picture: `.svg` and `.dot` are its text, `.html` a page, `.json` a listing; `.save(path)` writes a file.

    `.view` is what it shows; a notebook shows the page by itself. The page tells values and `.grad` as they are when
    `.html` is first asked for. So as long as it lives, a Drawing keeps the graph, its arrays and its parameters in
    memory; a file that was saved keeps nothing.

    >>> import tinygrad_seq as ts
    >>> x = ts.tensor([1.0, 2.0], requires_grad=True)
    >>> drawing = ts.draw((x * x).sum().named("loss"))
    >>> drawing
    <Drawing of 3 nodes>
    >>> drawing.svg[:4], drawing.html[:15], drawing.dot[:7]
    ('<svg', '<!doctype html>', 'digraph')
    """

    def __init__(
        self, view: View, roots: Sequence[Node] = (), outputs: Sequence[Value] = (), layout: str = "time"
    ) -> None:
        self.view, self.roots, self.outputs, self.layout = view, roots, outputs, layout
        self.leaves = [node.owner for node in ancestors(roots, constants=False) if node.owner is not None]

    @cached_property
    def placed(self) -> Layout:
        """Where everything stands."""
        return laid_out(self.view)

    @property
    def width(self) -> float:
        """How wide the picture is."""
        return size(self.placed)[0]

    @cached_property
    def dot(self) -> str:
        """The picture as DOT text, the same in every process; without positions where `layout="dot"` was asked for."""
        return dot(self.placed, positions=self.layout == "time")

    @cached_property
    def svg(self) -> str:
        """The picture as SVG text, the same in every process."""
        return svg(self.placed)

    @cached_property
    def json(self) -> str:
        """What is in the picture as JSON text, one thing a line, the same in every process."""
        return listing(self.view)

    @cached_property
    def html(self) -> str:
        """The picture as one HTML page: zoom, search, what every node is, forward and backward played."""
        return page(self.placed, self.svg, details(self.view, self.roots, self.outputs))

    def __repr__(self) -> str:
        return f"<Drawing of {self.count()} node{'s' * (self.count() != 1)}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return what a notebook shows: the page in a frame as wide as the cell, else the picture, else the text."""
        kinds = {"text/html": self.frame, "image/svg+xml": lambda: self.svg}
        return mimebundle(self, kinds, include, exclude)

    def frame(self) -> str:
        """Return the page as an element of another page, high enough for the picture there."""
        if len(self.html) > LARGEST_FRAME:
            raise RuntimeError("frame: the page is too large for a notebook")
        width, height = size(self.placed)
        shown = min(max(height * min(1.0, max(900 / width, 0.7)), 200), 520)  # a cell is about 900 pixels wide
        return (
            f'<iframe title="{escape(repr(self))}" style="width: 100%; height: {shown + 140:.0f}px; border: 0" '
            f'srcdoc="{self.html.replace("&", "&amp;").replace(chr(34), "&quot;")}">'
            "Trust this notebook to see the page, or look at .svg</iframe>"
        )

    def save(self, path: str | Path, timeout: float = 20) -> None:
        """Write the picture; the ending of the name says how: .svg, .html, .dot, .json, .png or .pdf.

        A .png or .pdf file is what Graphviz makes of `.dot`. Raises RuntimeError where Graphviz is missing, fails or
        takes more than `timeout` seconds, and for a .png larger than Graphviz can draw; ValueError for another ending,
        TypeError for what is no path, OSError as `open` does. A file is written whole or not at all.

        >>> import tempfile, os, tinygrad_seq as ts
        >>> path = os.path.join(tempfile.mkdtemp(), "page.html")
        >>> ts.draw(ts.ones(2, requires_grad=True).sum()).save(path)
        """
        file = Path(path_of("save", path))
        kind = file.suffix.lower().removeprefix(".")
        if kind in ("png", "pdf"):
            if kind == "png" and self.layout == "time":
                check_size(*size(self.placed))
            content = rendered(self.dot, kind, as_number("save", "timeout", timeout))
        elif kind in ("svg", "html", "dot", "json"):
            content = getattr(self, kind).encode()
        else:
            raise ValueError(f"save: the name must end in .svg, .html, .dot, .json, .png, .pdf, got {file.name!r:.80}")
        write_file(str(file), content)

    def count(self) -> int:
        """Return how many nodes are drawn."""
        return sum(len(cluster.items) for cluster in within(self.view.top))


def draw(
    output: Value | Sequence[Value],
    *,
    view: str = "unrolled",
    steps: tuple[int, int] | None = None,
    depth: int | None = None,
    params: str = "proxies",
    show: str | Mapping[Any, float] | None = "auto",
    backward: bool = False,
    layout: str = "time",
    find: bool = True,
    title: str = "",
) -> Drawing:
    """Draw how a Tensor, or several, was made: time from left to right, ops from the bottom up.

    Every op stands in the cluster of its scope. `view="unrolled"`: of a long loop over time, the first a and the last b
    steps (`steps=(a, b)`) in full, and one box for the steps between where they were checked to be the same step again.
    None: (3, 1), or (1, 1) if that picture would be too wide to be read.
    `view="rolled"`: one step for all that are the same, whose state leads back to it, "h, t−1". In both a step that
    differs is drawn. Steps are those that a scope names (`ts.scope(step=t)`), and those that are found: the same block
    of ops at least three times, each reading the one before; `find=False` takes named ones only. `depth=n`: what lies
    deeper than n scopes is folded into one item. `params`: "proxies" beside each use, counted in a legend, or "shared",
    each one node.

    `show="values"`: on tensors of at most 8 numbers, the value (of a Parameter the one that it has now; of results as
    long as no backward freed the graph), and the gradient after a backward, of results too if that kept its graph.
    Graphs of at most 40 such tensors that no layer made show them by themselves; `show=None` shows none.
    `show="gradient"`: colour and width by the norm of the gradient, after `loss.backward(retain_graph=True)`, from one
    more walk (which calls hooks, too); before a backward it says "not computed". `show` can also map Nodes or Tensors
    to numbers. `backward=True`: the recorded backward, after `loss.backward(create_graph=True)`, beside its forward.

    Drawing works before and after `backward`, and changes nothing. `layout="dot"`: `.dot` holds the same clusters and
    nodes without their positions and the legend, so that .png and .pdf files show Graphviz's own layout; `.svg` and
    `.html` stay as they are. `title`: what stands above the picture, and on its page.

    Raises RuntimeError for a Tensor that nothing was recorded for, TypeError or ValueError for another option.

    >>> import tinygrad_seq as ts
    >>> from tinygrad_seq.drawing import draw
    >>> x = ts.tensor([1.0, 2.0], requires_grad=True)
    >>> draw((x * x).sum()).dot.splitlines()[0]
    'digraph computation {'
    """
    outputs = [output] if isinstance(output, Value) else list(output) if isinstance(output, Sequence) else [output]
    for value in outputs:
        if not isinstance(value, Value):
            among = " among them: give all in one list, as in [out, h, c]" if isinstance(value, list | tuple) else ""
            raise TypeError(f"draw: expected a Tensor or several, got {type(value).__name__}{among}")
        if value.node is None:
            raise RuntimeError(
                "draw: nothing was recorded for this Tensor: it was not made from anything that requires a gradient, "
                "or was made under no_grad"
            )
    if not outputs:
        raise ValueError("draw: expected at least one Tensor, got none")
    try:
        first, last = map(index, (3, 1) if steps is None else steps)
        depth = None if depth is None else index(depth)
    except (TypeError, ValueError):
        raise TypeError(
            f"draw: steps must be two ints (first, last) and depth an int, got {steps!r:.60} and {depth!r:.60}"
        ) from None
    if first < 0 or last < 0 or (depth or 0) < 0:
        raise ValueError(f"draw: steps and depth must not be negative, got {steps} and {depth}")
    flag("draw", backward=backward, find=find)
    if not isinstance(title, str):
        raise TypeError(f"draw: title must be a str, got {title!r:.60}")
    one_of("draw", "view", view, ("unrolled", "rolled"))
    one_of("draw", "params", params, ("proxies", "shared"))
    one_of("draw", "layout", layout, ("time", "dot"))
    if isinstance(show, str):
        one_of("draw", "show", show, ("auto", "values", "gradient"))
    elif show is not None and not isinstance(show, Mapping):
        raise TypeError(f'draw: show must be "values", "gradient" or map Nodes or Tensors to numbers, got {show!r:.60}')
    numbers = gradients(outputs) if show == "gradient" else given(show) if isinstance(show, Mapping) else None
    nodes = [value.node for value in outputs if value.node is not None]
    roots, names = with_rules(nodes) if backward else (nodes, {})
    asked = show == "values" or (show == "auto" and is_small(roots))
    said = printed(roots, outputs) if asked else {}

    def drawn(counts: tuple[int, int]) -> Drawing:
        seen = build(
            roots, counts, rolled=view == "rolled", shared=params == "shared", numbers=numbers, names=names, find=find,
            printed=said, title=title,
        )
        return Drawing(seen if depth is None else folded(seen, depth), roots, outputs, layout)

    drawing = drawn((first, last))
    side_by_side = max(map(len, drawing.view.loops), default=0) > 2 and len(drawing.view.loops) > 1
    return drawn((1, 1)) if steps is None and side_by_side and drawing.width > WIDEST else drawing
