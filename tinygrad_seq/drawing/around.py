"""What stands around the built-in picture: a title above it; parameters, roles and the colour bar below it.

Only what the view knows is said.
"""

from collections.abc import Iterator
from math import ceil, floor, log10

from tinygrad_seq.drawing import palette
from tinygrad_seq.drawing.caption import shortened
from tinygrad_seq.drawing.sizes import width
from tinygrad_seq.drawing.view import Cluster, LegendRow, Scale, View

roles = {
    "gate": "gate", "state": "state", "initial": "first state", "input": "input", "constant": "constant",
    "output": "output",
}  # fmt: skip


def clusters(view: View) -> list[Cluster]:
    """All clusters, outer ones first."""
    found = [view.top]
    for cluster in found:
        found += cluster.inner
    return found


def steps(loop: list[Cluster]) -> int:
    """How many steps a loop has, those in gaps included."""
    return sum(int(cluster.label.split()[0]) if cluster.key == "gap" else 1 for cluster in loop)


def titles(view: View) -> tuple[str, str]:
    """A title and a line below it; empty where nothing is known."""
    modules = dict.fromkeys(cluster.label for cluster in view.top.inner if cluster.key == "module")
    words = [shortened(" → ".join(modules), 60)] if modules else []
    rolled = any(edge.role == "delay" for edge in view.edges)
    count = max(map(steps, view.loops), default=0)
    if rolled:
        words.append("rolled")
    elif count:
        words.append(f"{count} step{'s' * (count > 1)}, unrolled")
    below = ["one step, and what it hands to the next"] if rolled else []
    layers = {cluster.label.split(" · ")[0] for cluster in clusters(view) if cluster.key == "layer"}
    if len(layers) > 1:
        below.append(f"{len(layers)} layers")
    hidden = max((steps([cluster for cluster in loop if cluster.key == "gap"]) for loop in view.loops), default=0)
    if hidden:
        below.append(f"{hidden} identical steps left out")
    if view.scale is not None and view.scale.low is not None:
        below.append(f"colour and width: {view.scale.label}")
    return ", ".join(words), " · ".join(below)


def entries(view: View) -> Iterator[tuple[str, str, str]]:
    """The legend: class of a pill, what it says, what is said beside it."""
    for row in view.legend:
        yield f"weight w{row.colour % len(palette.weights)}", row.label, about(row, view.scale)
    shown = {item.role for cluster in clusters(view) for item in cluster.items}
    yield from ((role, words, "") for role, words in roles.items() if role in shown)


def about(row: LegendRow, scale: Scale | None) -> str:
    words = [" × ".join(map(str, row.shape)), f"{row.uses} use{'s' * (row.uses != 1)}"]
    if row.gradient is not None:
        words.append(f"|grad| {row.gradient:.2g}")
    elif scale is not None:
        words.append("|grad| not computed")
    return " · ".join(word for word in words if word)


def ticks(scale: Scale) -> list[tuple[float, str]]:
    """Where on the colour bar which numbers stand: powers of ten where there are two, else its ends."""
    low, high = scale.low or 0.0, scale.high or 0.0
    if not 0 < low < high:
        return [(0.0, f"{low:.2g}"), (1.0, f"{high:.2g}")]
    powers = range(ceil(log10(low) - 1e-9), floor(log10(high) + 1e-9) + 1)
    if len(powers) < 2:
        return [(0.0, f"{low:.2g}"), (1.0, f"{high:.2g}")]
    reach = log10(high) - log10(low)
    return [((power - log10(low)) / reach, tenfold(power)) for power in powers[:: ceil(len(powers) / 4)]]


def tenfold(power: int) -> str:
    return f"{10.0**power:g}" if -3 < power < 4 else f"1e{power}"


def flow(view: View, limit: float) -> Iterator[tuple[float, float, float, str, str, str]]:
    """The entries of the legend in lines: x, y and width of each pill, its class, its text and what is beside it."""
    x, y = 0.0, 0.0
    for kind, label, beside in entries(view):
        wide = max(40.0, width(label, 10) + 18)
        whole = wide + (width(beside, 11) + 8 if beside else 0) + 22
        if x and x + whole > limit:
            x, y = 0.0, y + 28
        yield x, y, wide, kind, label, beside
        x += whole
