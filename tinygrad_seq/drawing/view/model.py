"""What there is to see in a picture: a tree of clusters with items in it, edges between the items, a legend.

Pure data, the same in every process: ids come from scopes and positions, never from addresses. `build` makes it from a
graph; renderers turn it into text or pixels and decide how it looks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

leaves = ("input", "initial", "constant", "saved", "gradient", "weight")  # the roles of what no op has made
no_ops = (*leaves, "middle", "passing")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to see.

    Roles: op, gate, state, named and output are ops; input, initial (a state before the first step), constant,
    weight, saved (a result of the forward, where a rule reads it) and gradient (what a recorded backward begins with)
    are leaves beside their use; middle and passing stand in a gap.
    """

    id: str
    role: str
    symbol: str  # of the op
    label: str  # its name, shortened
    tooltip: str  # its name in full, and all else
    ordinal: int  # which node of the graph, in order of creation; -1 for none
    colour: int = -1  # of a weight: a number for the palette
    value: float | None = None  # the number shown by its colour, on the scale of the view
    shape: str = ""  # and dtype
    numbers: str = ""  # printed on it: a value, and a gradient
    formula: str = ""  # the op with the names of what it reads, where the order counts: "old h − new"; " ": none


@dataclass(frozen=True, slots=True)
class Edge:
    """An argument on its way into an op.

    Roles: data; state, from one step to another; the role of a leaf; delay, in a rolled view, to the step after this
    one; cut, where a value went on without its history (detach); gradient, in a recorded backward.
    """

    source: str
    target: str
    role: str
    through_time: bool = False  # leads to another step of a loop that its value comes from
    value: float | None = None  # the number shown by its colour and width, on the scale of the view
    label: str = ""  # "h, t−1" on a delay; which steps it is there for, where a rolled view has one for several
    operand: int = 0  # which argument it is, from 1, of an op for which that counts, such as 1 − z; else 0
    carries: str = ""  # of a delay that hands over no state, such as a running sum: its role if all steps were drawn


@dataclass(slots=True)
class Cluster:
    """A place: module, layer, direction, step (the keys of scopes); or a gap, where steps like another are left out."""

    id: str
    key: str
    label: str
    items: list[Item] = field(default_factory=list)
    inner: list["Cluster"] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)  # of a step or gap: all that it stands for, "t = 3"
    like: list[str] = field(default_factory=list)  # of a gap: for each of these, the drawn step that it is again
    ops: int = 0  # how many ops of these are not drawn


@dataclass(frozen=True, slots=True)
class LegendRow:
    """A Parameter and how often it is used."""

    label: str
    shape: tuple[int, ...]
    uses: int
    colour: int
    gradient: float | None = None  # its `.grad` of one element, or the norm of a longer one; None before a backward
    uses_back: int = 0  # by rules of a recorded backward


@dataclass(frozen=True, slots=True)
class Scale:
    """What the numbers of a picture are and how far they reach, for the colour bar; no bounds: not computed."""

    label: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """All there is to see."""

    top: Cluster
    edges: list[Edge]
    loops: list[list[Cluster]]  # steps and gaps in order of time
    legend: list[LegendRow]
    scale: Scale | None = None  # of the values shown; None where none were asked for
    twins: dict[str, str] = field(default_factory=dict)  # of what passes through a gap: the same op in a drawn step
    backward: list[str] = field(default_factory=list)  # items in the order in which the walk visits them
    title: str = ""  # instead of what the view says of itself


def within(cluster: Cluster) -> Iterator[Cluster]:
    """Yield a cluster and all clusters in it, outer ones first."""
    stack = [cluster]
    while stack:
        cluster = stack.pop()
        yield cluster
        stack += reversed(cluster.inner)
