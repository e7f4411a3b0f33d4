"""Pictures of a recorded graph: `view` says what there is to see, `dot` says it to Graphviz, `picture` saves it."""

from tinygrad_seq.drawing.diff import Difference, diff
from tinygrad_seq.drawing.picture import Drawing, draw

__all__ = ["Difference", "Drawing", "diff", "draw"]
