"""`draw`: the picture of how a Tensor was made, and saving it.

The picture itself is text and needs nothing installed: DOT text for Graphviz, and an SVG of our own. An .svg file is
drawn by Graphviz where that is installed and answers in time, else by ourselves; pixels need Graphviz.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import index
from pathlib import Path
from typing import Any

from tinygrad_seq.drawing import graphviz_dot
from tinygrad_seq.drawing.build import build
from tinygrad_seq.drawing.details import details
from tinygrad_seq.drawing.dot import dot
from tinygrad_seq.drawing.fold import folded
from tinygrad_seq.drawing.listing import listing
from tinygrad_seq.drawing.numbers import delivered_to_nobody, given, gradients
from tinygrad_seq.drawing.page import page
from tinygrad_seq.drawing.svg import svg
from tinygrad_seq.drawing.view import View, within
from tinygrad_seq.engine.graph import Node, Value, ancestors
from tinygrad_seq.saving.archive import write

too_many = 4000  # nodes: an LSTM of 3,600 takes `dot` 17 s, larger graphs minutes or all memory


class Drawing:
    """A picture: `.svg` and `.dot` are its text, `.html` a page, `.json` a listing; `.save(path)` writes a file.

    `.view` is what it shows; a notebook shows it by itself. The page tells values and `.grad` as they are when `.html`
    is first asked for. So as long as it lives, a Drawing keeps the graph, its arrays and its parameters in memory;
    a file that was saved keeps nothing.
    """

    def __init__(self, view: View, roots: Sequence[Node] = (), outputs: Sequence[Value] = ()) -> None:
        self.view, self.roots, self.outputs = view, roots, outputs
        self.leaves = [node.owner for node in ancestors(roots, constants=False) if node.owner is not None]

    @cached_property
    def dot(self) -> str:
        """The picture as DOT text, the same in every process."""
        return dot(self.view)

    @cached_property
    def svg(self) -> str:
        """The picture as SVG text, drawn without Graphviz, the same in every process."""
        return svg(self.view)

    @cached_property
    def json(self) -> str:
        """What is in the picture as JSON text, one thing a line, the same in every process."""
        return listing(self.view)

    @cached_property
    def html(self) -> str:
        """The picture as one HTML page: zoom, search, what every node is, forward and backward played."""
        return page(self.view, self.svg, details(self.view, self.roots, self.outputs))

    def __repr__(self) -> str:
        return f"<Drawing of {self.count()} nodes>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows. Never raises: an object that cannot be shown would hide its own value."""
        try:
            found = {"text/plain": repr(self), "image/svg+xml": self.svg}
        except Exception as error:
            found = {"text/plain": f"<Drawing that cannot be shown: {type(error).__name__}>"}
        kinds = [kind for kind in found if (not include or kind in include) and kind not in (exclude or ())]
        return {kind: found[kind] for kind in kinds}

    def save(self, path: str | Path, timeout: float = 20) -> None:
        """Write the picture; the ending of the name says how: .svg, .html, .dot, .json, .png or .pdf.

        An .svg file is always written: by Graphviz, or where that is missing, fails or takes more than `timeout`
        seconds, as our own `.svg`, with a RuntimeWarning. A .png or .pdf file needs Graphviz: a RuntimeError says so.
        Raises ValueError for another ending. A file is written whole or not at all.
        """
        kind = Path(path).suffix.lower().removeprefix(".")
        kinds = ("svg", "html", "dot", "json", "png", "pdf")
        if kind not in kinds:
            raise ValueError(f"save: the name must end in .{', .'.join(kinds)}, got {Path(path).name!r:.80}")
        drawn = kind in ("svg", "png", "pdf")
        write(os.fsdecode(path), self.rendered(kind, timeout) if drawn else getattr(self, kind).encode())

    def count(self) -> int:
        """How many nodes are drawn."""
        return sum(len(cluster.items) for cluster in within(self.view.top))

    def rendered(self, kind: str, timeout: float) -> bytes:
        """The picture by Graphviz, unless it is known to be too large for it; as SVG else our own."""
        try:
            if self.count() > too_many:
                reason = f"{self.count()} nodes are too many for Graphviz"
                raise graphviz_dot.NoPictureError(f"{reason} ({graphviz_dot.install}; it draws up to {too_many})")
            return graphviz_dot.rendered(self.dot, kind, timeout)
        except graphviz_dot.NoPictureError as error:
            if kind != "svg":
                raise RuntimeError(
                    f"save: a .{kind} file needs Graphviz: {error}. Or show fewer steps (steps=(2, 1)), give a longer "
                    "timeout=, or save an .svg file and convert that, with rsvg-convert or cairosvg"
                ) from None
            reason = f"save: {error}. The built-in picture is written instead; to save it always, write Drawing.svg"
            warnings.warn(reason, RuntimeWarning, stacklevel=3)
            return self.svg.encode()


def draw(
    output: Value | Sequence[Value],
    *,
    view: str = "unrolled",
    steps: tuple[int, int] = (3, 1),
    depth: int | None = None,
    params: str = "proxies",
    show: str | Mapping[Any, float] | None = None,
    backward: bool = False,
) -> Drawing:
    """The picture of how a Tensor, or several, was made: time from left to right, ops from the bottom up.

    Every op stands in the cluster of its scope. `view="unrolled"`: of a long loop over time, the first a and the last b
    steps (`steps=(a, b)`) in full, and one box for the steps between where they were checked to be the same step again.
    `view="rolled"`: one step for all that are the same, whose state leads back to it, "t−1". In both a step that
    differs is drawn, and only steps that a scope names are left out. `depth=n`: what lies deeper than n scopes is
    folded into one item. `params`: "proxies" beside each use, counted in a legend, or "shared", each one node.

    `show="gradient"`: colour and width by the norm of the gradient, after `loss.backward(retain_graph=True)`, from one
    more walk (which calls hooks, too); before a backward it says "not computed". `show` can also map Nodes or Tensors
    to numbers. `backward=True`: the recorded backward, after `loss.backward(create_graph=True)`, beside its forward.
    Drawing works before and after `backward`, and changes nothing.

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
            raise TypeError(f"draw: expected a Tensor or several, got {type(value).__name__}")
        if value.node is None:
            raise RuntimeError(
                "draw: nothing was recorded for this Tensor: it was not made from anything that requires a gradient, "
                "or was made under no_grad"
            )
    if not outputs:
        raise ValueError("draw: expected at least one Tensor, got none")
    try:
        first, last = map(index, steps)
        depth = None if depth is None else index(depth)
    except (TypeError, ValueError):
        raise TypeError(
            f"draw: steps must be two ints (first, last) and depth an int, got {steps!r:.60} and {depth!r:.60}"
        ) from None
    if first < 0 or last < 0 or (depth or 0) < 0:
        raise ValueError(f"draw: steps and depth must not be negative, got {steps} and {depth}")
    one_of("view", view, ("unrolled", "rolled"))
    one_of("params", params, ("proxies", "shared"))
    if isinstance(show, str):
        one_of("show", show, ("gradient",))
    elif show is not None and not isinstance(show, Mapping):
        raise TypeError(f'draw: show must be "gradient" or map Nodes or Tensors to numbers, got {show!r:.60}')
    numbers = None if show is None else gradients(outputs) if isinstance(show, str) else given(show)
    nodes = [value.node for value in outputs if value.node is not None]
    names = recorded_gradients(nodes) if backward else {}
    rolled, shared = view == "rolled", params == "shared"
    seen = build([*nodes, *names], (first, last), rolled=rolled, shared=shared, numbers=numbers, names=names)
    return Drawing(seen if depth is None else folded(seen, depth), [*nodes, *names], outputs)


def one_of(name: str, given: Any, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ValueError(f"draw: {name} must be {' or '.join(map(repr, known))}, got {given!r:.60}")


def recorded_gradients(nodes: list[Node]) -> dict[Node, str]:
    """The nodes of the gradients that a recorded backward left in the leaves, and what to call them."""
    found: dict[Node, str] = {}
    ancestry = ancestors(nodes, constants=False)
    for node in ancestry:
        grad = getattr(node.owner, "stored_grad", None)
        if grad is not None and grad.node is not None and grad.node.op is not None:
            name = node.name or "x"  # a bias may have the gradient of another
            found[grad.node] = f"{found[grad.node]}, {name}" if grad.node in found else f"∂ {name}"
    if not found:
        raise RuntimeError(
            "draw: backward=True draws a recorded backward, and its gradients are gone with the parameters that had "
            "them: hold the layer in a variable"
            if any(map(delivered_to_nobody, ancestry))
            else "draw: backward=True draws a recorded backward, and there is none: call "
            "loss.backward(create_graph=True) first"
        )
    return found
