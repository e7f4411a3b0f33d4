"""Where a plot goes: axes that the caller has, or a figure of its own. Matplotlib is imported when first asked for."""

import importlib
from typing import Any

INK, ACCENT = "#2e86ab", "#e4572e"


def axes_for(axes: Any, width: float = 6.0, height: float = 4.0) -> Any:
    """The axes given, or those of a new figure; RuntimeError where matplotlib is not installed."""
    if axes is not None:
        return axes
    try:
        figure = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise RuntimeError('plot needs matplotlib, which is not installed: pip install "tinygrad-seq[plot]"') from error
    return figure.Figure(figsize=(width, height), layout="constrained").subplots()


def logarithmic(axes: Any) -> None:
    """Powers of ten upward, where there is anything above zero to show."""
    if any(y > 0 for line in axes.lines for y in line.get_ydata()):
        axes.set_yscale("log", nonpositive="mask")
