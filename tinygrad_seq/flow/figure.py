"""A Figure that a notebook shows by itself, without `%matplotlib inline`. The only module that needs matplotlib."""

from io import StringIO
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from tinygrad_seq.engine.notebook import mimebundle


class ShownFigure(Figure):
    """Show a matplotlib Figure in a notebook, as SVG."""

    def svg(self) -> str:
        """Return the figure as SVG text, the same for the same figure."""
        text = StringIO()
        with matplotlib.rc_context({"svg.hashsalt": "tinygrad_seq"}):
            self.savefig(text, format="svg", metadata={"Date": None})
        return text.getvalue()[text.getvalue().index("<svg") :]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return mimebundle(self, {"image/svg+xml": self.svg}, include, exclude)
