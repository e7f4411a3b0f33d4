"""Show results: as numbers at nodes for a drawing, or as a plot. Matplotlib is imported on first use."""

import importlib
from typing import Any

from tinygrad_seq.engine.graph import Node

INK, ACCENT = "#2e86ab", "#e4572e"


class NodeValues(dict[Node, float]):
    """Map nodes to numbers, to give to `draw(show=)`; `label` is the title of the scale in the picture."""

    def __init__(self, label: str, values: Any = ()) -> None:
        super().__init__(values)
        self.label = label


def axes_for(axes: Any, width: float = 6.0, height: float = 4.0) -> Any:
    """Return the given axes, or those of a new figure."""
    return new_figure(width, height).subplots() if axes is None else axes


def new_figure(width: float, height: float) -> Any:
    """Return a new Figure; raise RuntimeError if matplotlib is not installed."""
    try:
        figure = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise RuntimeError('plot needs matplotlib, which is not installed: pip install "tinygrad-seq[plot]"') from error
    return figure.Figure(figsize=(width, height), layout="constrained")


def finish(axes: Any, xlabel: str, ylabel: str, title: str, legend: bool = True) -> Any:
    """Label the axes, make the y axis logarithmic if any value is positive, and return the Figure."""
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if legend:
        axes.legend(frameon=False)
    if any(y > 0 for line in axes.lines for y in line.get_ydata()):
        axes.set_yscale("log", nonpositive="mask")
    return axes.figure
