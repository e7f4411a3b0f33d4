"""A view with a position for everything: what the layout hands to every renderer, in pixels; y grows downward."""

from dataclasses import dataclass

from tinygrad_seq.drawing.view.model import Cluster, Edge, Item, View

Word = tuple[str, float, float]  # a line of text, its size, and how far its baseline is below the middle of the item
XY = tuple[float, float]
Rectangle = tuple[float, float, float, float]  # left, top, right, bottom
Point = tuple[float, float, str]  # x, y, and whether an edge passes it vertically ("v") or horizontally ("h")


@dataclass(frozen=True, slots=True)
class PlacedCluster:
    """A cluster and its rectangle."""

    cluster: Cluster
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class PlacedItem:
    """An item, the size of its shape, the words on it, and its centre, once that is known."""

    item: Item
    width: float
    height: float
    words: list[Word]
    x: float = 0.0
    y: float = 0.0

    @property
    def is_round(self) -> bool:
        """Whether it is a circle with a symbol in it."""
        return self.width == self.height

    @property
    def rectangle(self) -> Rectangle:
        """Left, top, right and bottom of its shape."""
        wide, high = self.width / 2, self.height / 2
        return self.x - wide, self.y - high, self.x + wide, self.y + high


@dataclass(frozen=True, slots=True)
class PlacedEdge:
    """An edge and the points it passes, from its source to its target."""

    edge: Edge
    points: list[Point]
    operand: int = 0  # which argument it is, where the way it comes in does not say so
    mark: tuple[float, float, bool] = (0.0, 0.0, False)  # where a delay or a cut is marked; whether a cut line is steep
    word: str = ""  # what it says there


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything in a view stands; clusters from the outermost to the innermost, without the top one."""

    view: View
    clusters: list[PlacedCluster]
    items: list[PlacedItem]
    edges: list[PlacedEdge]
    sequences: list[list[str]]  # loops, or clusters that hold one, that follow each other in time: ids as in the view

    @property
    def box(self) -> Rectangle:
        """Left, top, right and bottom of all of it."""
        frames = [(at.left, at.top, at.right, at.bottom) for at in self.clusters]
        points = [(x, y, x, y) for at in self.edges for x, y, _ in at.points]
        lefts, tops, rights, bottoms = zip(*[*frames, *points, *(at.rectangle for at in self.items)] or [(0.0,) * 4])
        return min(lefts), min(tops), max(rights), max(bottoms)
