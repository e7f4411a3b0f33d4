"""Show results: as numbers at nodes for a drawing, or as a plot. Matplotlib is imported on first use.

Lengths of gradients are plotted on a log scale where they differ by more than a factor of ten. A length that has no
place on it is marked on an edge: one that is exactly zero with a cross below, one that is not finite above.
"""

import importlib
from collections.abc import Sequence
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.notebook import mimebundle

INK, ACCENT, QUIET = "#2e86ab", "#e4572e", "#8a949e"


class NodeValues(dict[Node, float]):
    """Map nodes to numbers, to give to `draw(show=)`; `label` is the title of the scale in the picture. Where each is
    that of an argument, `argument` is the leaf that it is made of: there it is shown.
    """

    def __init__(self, label: str, values: Any = (), argument: Node | None = None) -> None:
        super().__init__(values)
        self.label, self.argument = label, argument


class Plotted:
    """Show the plot of a result in a notebook; where matplotlib is not installed, its text alone."""

    def plot(self) -> Any:
        """Return the Figure; a subclass defines it."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return mimebundle(self, {"image/svg+xml": lambda: self.plot().svg()}, include, exclude)


def axes_for(axes: Any, width: float = 6.0, height: float = 4.0) -> Any:
    """Return the given axes, or those of a new figure."""
    return new_figure(width, height).subplots() if axes is None else axes


def new_figure(width: float, height: float) -> Any:
    """Return a new Figure, which a notebook shows; raise RuntimeError if matplotlib is not installed."""
    try:
        module = importlib.import_module("tinygrad_seq.flow.figure")
    except ImportError as error:
        raise RuntimeError('plot needs matplotlib, which is not installed: pip install "tinygrad-seq[plot]"') from error
    return module.ShownFigure(figsize=(width, height), layout="constrained")


def plot_lengths(axes: Any, x: Sequence[Any], lengths: Any, style: str = "o-", **options: Any) -> None:
    """Plot lengths that are positive over x, and those that are zero or not finite as marks on an edge."""
    y, at = host.asarray(lengths, dtype="float64"), host.asarray(x)
    usual = host.isfinite(y) & (y > 0)
    options = {"color": INK, "markersize": 4.5, "clip_on": False, "rasterized": len(y) > 1000} | options
    axes.plot(at, host.where(usual, y, host.nan), style, **options)
    known = axes.get_legend_handles_labels()[1]
    for label, edge, mark, odd in (("exactly 0", 0, "x", y == 0), ("inf or NaN", 1, "^", ~host.isfinite(y))):
        if odd.any():
            marks = {"label": "_" if label in known else label, "markersize": 6, "zorder": 3}
            place = axes.get_xaxis_transform()
            axes.plot(at[odd], host.full(odd.sum(), edge), mark, transform=place, **options | marks)


def label_axes(axes: Any, xlabel: str, ylabel: str, title: str) -> None:
    """Label the axes, take the frame away, and count steps in whole numbers."""
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)


def finish(axes: Any, xlabel: str, ylabel: str, title: str) -> Any:
    """Label the axes, choose the scale of the lengths, and return the Figure."""
    label_axes(axes, xlabel, ylabel, title)
    left, right = axes.get_xlim()
    if right - left < 1.0:  # a single step
        axes.set_xlim(left - 0.5, right + 0.5)
    lengths = [line.get_ydata() for line in axes.lines if line.get_transform() == axes.transData]
    found = host.concatenate([host.zeros(0), *lengths])
    found = found[found > 0]
    if not len(found):
        axes.set_yticks([0.0])
    elif found.max() > 10 * found.min():
        axes.set_yscale("log")
    axes.set_ylim(bottom=None if axes.get_yscale() == "log" else 0.0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    return axes.figure
