"""What stands around the built-in picture: a title above it; parameters, roles and the colour bar below it.

Only what the view knows is said.
"""

from collections import Counter
from collections.abc import Iterator
from math import ceil, floor, log10

from tinygrad_seq.drawing import palette
from tinygrad_seq.drawing.caption import shortened
from tinygrad_seq.drawing.sizes import width
from tinygrad_seq.drawing.view import LegendRow, Scale, View, within

roles = {
    "gate": "gate", "state": "state", "initial": "first state", "input": "input", "constant": "constant",
    "output": "output", "gradient": "gradient",
}  # fmt: skip


def times(view: View, gaps: bool = False) -> int:
    """How many steps the longest loop has, or its gaps; loops one after the other in one place are one."""
    found: Counter[str] = Counter()
    for loop in view.loops:
        for cluster in loop:
            if not gaps or cluster.key == "gap":
                found[loop[0].id.rpartition("/")[0]] += max(len(cluster.steps), 1)
    return max(found.values(), default=0)


def titles(view: View) -> tuple[str, str]:
    """A title and a line below it; empty where nothing is known."""
    modules = dict.fromkeys(cluster.label for cluster in view.top.inner if cluster.key == "module")
    title = [shortened(" → ".join(modules), 60)] if modules else []
    rolled = any(edge.role == "delay" for edge in view.edges)
    below = ["one step, and what it hands to the next"] if rolled else []
    count, hidden = times(view), times(view, gaps=True)
    if count:
        title += [f"{count} step{'s' * (count > 1)}", "rolled" if rolled else "unrolled"]
    layers = {cluster.label.split(" · ")[0] for cluster in within(view.top) if cluster.key == "layer"}
    if len(layers) > 1:
        below.append(f"{len(layers)} layers")
    if hidden:
        below.append(f"{hidden} identical steps left out")
    if view.scale is not None and view.scale.low is not None:
        below.append(f"colour and width: {view.scale.label}")
    return ", ".join(title), " · ".join(below)


def entries(view: View) -> Iterator[tuple[str, str, str]]:
    """The legend: class of a pill, what it says, what is said beside it."""
    for row in view.legend:
        yield f"weight w{row.colour % len(palette.weights)}", row.label, about(row, view.scale)
    shown = {item.role for cluster in within(view.top) for item in cluster.items}
    shown |= {edge.role for edge in view.edges if edge.role == "gradient"}
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
