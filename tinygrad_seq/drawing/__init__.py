"""Pictures of a recorded graph: `view` decides what there is to see, `layout` where it stands, `render` writes it as
text and `page` as a page; `picture` is their face.
"""

from tinygrad_seq.drawing.diff import Difference, diff
from tinygrad_seq.drawing.picture import Drawing, draw

__all__ = ["Difference", "Drawing", "diff", "draw"]
