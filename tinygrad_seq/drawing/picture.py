"""`draw`: the picture of how a Tensor was made, and saving it.

The picture itself is text and needs nothing installed. Pixels come from a renderer, for now the system's `dot`: called
with an argument list, never through a shell, and with a time limit, because some graphs keep it busy for hours.
"""

import subprocess
from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import index
from pathlib import Path
from shutil import which
from typing import Any

from tinygrad_seq.drawing.build import build
from tinygrad_seq.drawing.dot import dot
from tinygrad_seq.drawing.fold import folded
from tinygrad_seq.drawing.listing import listing
from tinygrad_seq.drawing.numbers import given, gradients
from tinygrad_seq.drawing.view import View
from tinygrad_seq.graph import Node, Value, ancestors

formats = ("svg", "png", "pdf")


class Drawing:
    """A picture: `.dot` is its DOT text, `.json` a listing, `.save(path)` writes a file, `.view` is what it shows."""

    def __init__(self, view: View) -> None:
        self.view = view

    @cached_property
    def dot(self) -> str:
        """The picture as DOT text, the same in every process."""
        return dot(self.view)

    @cached_property
    def json(self) -> str:
        """What is in the picture as JSON text, one thing a line, the same in every process."""
        return listing(self.view)

    def save(self, path: str | Path, timeout: float = 20) -> None:
        """Write the picture; the ending of the name says how: .dot, .json, .svg, .png or .pdf.

        All but the first two need Graphviz. Raises ValueError for another ending, RuntimeError where Graphviz is
        missing, fails, or takes more than `timeout` seconds; then no file is written.
        """
        path = Path(path)
        kind = path.suffix.lower().removeprefix(".")
        if kind == "dot":
            path.write_bytes(self.dot.encode())
        elif kind == "json":
            path.write_bytes(self.json.encode())
        elif kind in formats:
            path.write_bytes(rendered(self.dot, kind, timeout))
        else:
            raise ValueError(f"save: the name must end in .dot, .json, .{', .'.join(formats)}, got {path.name!r:.80}")


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
    return Drawing(seen if depth is None else folded(seen, depth))


def one_of(name: str, given: Any, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ValueError(f"draw: {name} must be {' or '.join(map(repr, known))}, got {given!r:.60}")


def recorded_gradients(nodes: list[Node]) -> dict[Node, str]:
    """The nodes of the gradients that a recorded backward left in the leaves, and what to call them."""
    found: dict[Node, str] = {}
    for node in ancestors(nodes, constants=False):
        grad = getattr(node.owner() if node.owner is not None else None, "stored_grad", None)
        if grad is not None and grad.node is not None and grad.node.op is not None:
            name = node.name or "x"  # a bias may have the gradient of another
            found[grad.node] = f"{found[grad.node]}, {name}" if grad.node in found else f"∂ {name}"
    if not found:
        raise RuntimeError(
            "draw: backward=True draws a recorded backward, and there is none: call "
            "loss.backward(create_graph=True) first"
        )
    return found
