"""Place what stands around a picture: a title above it; parameters, roles and the colour bar below it.

Plain data, which every renderer draws in its own way. Only what the view knows is said.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress
from math import ceil, floor, fsum, isfinite, log10, prod

from tinygrad_seq.drawing.layout.model import Rectangle
from tinygrad_seq.drawing.layout.text_size import width
from tinygrad_seq.drawing.render.colours import card, odd, of_role, tint, weights
from tinygrad_seq.drawing.view.labels import shortened
from tinygrad_seq.drawing.view.model import Cluster, LegendRow, Scale, View, within

Sequences = Sequence[Sequence[str]]  # as in a layout
rim = 30.0  # of paper around everything
roles = {
    "weight": "weight", "gate": "gate", "state": "state", "initial": "first state", "input": "input",
    "constant": "constant", "output": "output", "gradient": "gradient", "saved": "saved by the forward",
    "cut": "detached: no gradient goes back", "passing": "of another step",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Text:
    """Words on a base line; `anchor` says whether `x` is their "start", "middle" or "end"."""

    x: float
    y: float
    text: str
    size: float
    kind: str = "quiet"
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Sample:
    """A coloured shape around its centre: a pill 20 high with a word on it, or without a kind a part of the bar."""

    x: float
    y: float
    width: float
    colour: str
    kind: str = ""  # a role; of a weight also which colour
    text: str = ""


Part = Text | Sample


def surroundings(view: View, box: Rectangle, sequences: Sequences) -> tuple[list[Part], list[Part], Rectangle]:
    """Place a title above a picture that fills a box and a legend below it; return these and the box around all."""
    start, top, right, bottom = box
    limit = max(right - start, 560.0)
    for _ in range(2):  # the second time, a small picture stands in the middle of it all
        title = list(place_title(titles(view, sequences), start, top - 26, limit))
        legend = list(place_legend(view, start, bottom + 34, limit - (0 if view.scale is None else 260)))
        if view.scale is not None:
            legend += place_colour_bar(view, view.scale, start + limit, bottom + 34)
        start -= max([0.0, *(x - right for _, (_, _, x, _) in title + legend)]) / 2
    lefts, tops, rights, bottoms = zip(box, *(around for _, around in title + legend))
    corners = min(lefts), min(tops), max(rights), max(bottoms)
    return [part for part, _ in title], [part for part, _ in legend], corners


def place_title(lines: tuple[str, str], x: float, y: float, limit: float) -> Iterator[tuple[Part, Rectangle]]:
    """Place the title and the line below it, the lower one first; yield each with the box around it."""
    for words, size, kind in zip(lines[::-1], (12.5, 20.0), ("quiet", "title")):
        if words:
            words = shortened(words, max(20, int(limit / size / 0.55)))
            yield Text(x, y, words, size, kind), (x, y - size, x + width(words, size), y)
            y -= 24


def titles(view: View, sequences: Sequences) -> tuple[str, str]:
    """Return a title and a line below it; empty where nothing is known."""
    places = view.top.inner if all(cluster.key not in ("step", "gap") for cluster in view.top.inner) else []
    layers = {cluster.label.split(" · ")[0] for cluster in within(view.top) if cluster.key == "layer"}
    roles_of_edges = {edge.role for edge in view.edges}
    rolled = "delay" in roles_of_edges
    cards = {cluster.id for loop in view.loops for cluster in loop}
    inner = [loop for loop in view.loops if any(path in cards for path in paths_around(loop))]
    outer = [loop for loop in view.loops if loop not in inner]
    steps, *shorter = counts(outer, sequences, ("step", "gap")) or [[]]
    hidden = sum(next(iter(counts(outer, sequences, ("gap",))), []))
    others = sorted({sum(each) for each in shorter} - {sum(steps)})
    also = " and " * bool(others) + " to ".join(map(str, [*others[:1], *others[1:][-1:]]))
    count = f"{' + '.join(map(str, steps))}{also} step{'s' * (sum(steps) > 1)}"
    if inner:
        each = sorted({length(loop) for loop in inner})
        count += f" of {' to '.join(map(str, dict.fromkeys((each[0], each[-1]))))} each"
    if len(steps) > 1 and (len(steps) > 4 or "cut" in roles_of_edges):
        count = f"{sum(steps)} steps in {len(steps)} windows"
    shares = any(item.role == "output" and item.colour >= 0 for place in within(view.top) for item in place.items)
    words = [
        shortened(" → ".join(dict.fromkeys(
            re.sub(r"( \(\d+\))?( · .*)?$", "", place.label, count=1) for place in places if place.key == "module"
        )), 60),
        f"{count}, {'rolled' if rolled else 'unrolled'}" if steps else "",
    ]
    below = [
        words[1] if view.title else "",
        "t begins anew in each window" if "windows" in count else "",
        "one step, and what it hands to the next" if rolled else "",
        f"{len(layers)} layers" if len(layers) > 1 else "",
        f"{hidden} steps left out" if hidden else "",
        f"colour and width: {view.scale.label}" if view.scale is not None and view.scale.low is not None else "",
        "brown: the recorded backward, right to left" if steps and "gradient" in roles_of_edges else "",
        "∂ of a weight: a step's share of the sum" if shares else "",
    ]
    return view.title or ", ".join(filter(None, words)), " · ".join(filter(None, below))


def paths_around(loop: Sequence[Cluster]) -> list[str]:
    """Return the ids of the places around a loop, the outermost first."""
    return list(accumulate(loop[0].id.split("/"), lambda path, name: f"{path}/{name}"))[:-1]


def length(loop: Sequence[Cluster], keys: tuple[str, ...] = ("step", "gap")) -> int:
    """Count the steps of a loop in clusters of these keys."""
    return sum(max(len(cluster.steps), 1) for cluster in loop if cluster.key in keys)


def counts(loops: Sequence[Sequence[Cluster]], sequences: Sequences, keys: tuple[str, ...]) -> list[list[int]]:
    """Count the steps of every loop, or of each loop of a sequence, in clusters of these keys; the longest first."""
    place_of = {id: (ids[0], number) for ids in sequences for number, id in enumerate(ids)}
    found: dict[str, Counter[tuple[int, str]]] = {}  # by sequence, the longest loop of each of its units
    for loop in loops:
        paths = [*paths_around(loop), loop[0].id]
        unit = next((path for path in paths if path in place_of), paths[-2])
        sequence, number = place_of.get(unit, (unit, 0))
        counts = found.setdefault(sequence, Counter())
        counts[number, unit] = max(counts[number, unit], length(loop, keys))
    counted = ([count for _, count in sorted(counts.items())] for counts in found.values())
    return sorted(counted, key=sum, reverse=True)


def place_legend(view: View, left: float, y: float, limit: float) -> Iterator[tuple[Part, Rectangle]]:
    """Place a pill for every parameter and role, in lines, and what there is to say about a parameter beside it. Where
    one line is too short, roles begin a new one.
    """
    overlaid = view.scale is not None and view.scale.low is not None  # its colours are the only ones
    shown = {edge.role for edge in view.edges} & {"gradient", "cut", "" if overlaid else "state"}
    items = [item for cluster in within(view.top) for item in cluster.items if not overlaid]
    coloured = {item.colour for item in items}
    parameters = [
        (*look(row, row.colour in coloured), row.label, about(row, view.scale))
        for row in view.legend
        if row.shape or row.uses > 1 or row.gradient is not None
    ]
    shown |= {item.role for item in items}
    others = [
        ("weight w0", weights[0], words, "") if role == "weight" else (role, of_role(role)[0], words, "")
        for role, words in roles.items()
        if role in shown and not (role == "weight" and parameters)
    ]
    x = left
    pills = [max(40.0, width(label, 10) + 18) for *_, label, _ in parameters + others]
    wholes = [pill + (width(words, 11) + 8) * bool(words) for pill, (*_, words) in zip(pills, parameters + others)]
    ends = {len(parameters)} if fsum(wholes) + 14 * (len(wholes) - 1) > limit else set()
    for number, (kind, colour, label, beside) in enumerate(parameters + others):
        pill, whole = pills[number], wholes[number]
        if x > left and (x - left + whole > limit or number in ends):
            x, y = left, y + 28
        around = (x, y - 11, x + whole, y + 11)
        yield Sample(x + pill / 2, y, pill, colour, kind, label), around
        if beside:
            yield Text(x + pill + 8, y + 4, beside, 11), around
        x += whole + 14


def look(row: LegendRow, coloured: bool) -> tuple[str, str]:
    """Return the kind of a parameter's pill, and its colour, if it has that in the picture."""
    kind = f"weight w{row.colour % len(weights)}" if coloured else "pale"
    return kind, of_role("weight", row.colour)[0] if coloured else card


def about(row: LegendRow, scale: Scale | None) -> str:
    """Say the shape of a parameter, how often it is used if more than once, and its gradient."""
    grad = "grad" if prod(row.shape) == 1 else "|grad|"
    unknown = "" if scale is None or scale.low is not None else "not computed"
    size = unknown if row.gradient is None else f"{row.gradient:.2g}".replace("-", "−")
    words = [
        " × ".join(map(str, row.shape)),
        f"{row.uses} uses" if row.uses != 1 else "",
        f"{row.uses_back} more in the backward" if row.uses_back else "",
        f"{grad} {size}" if size else "",
    ]
    return " · ".join(filter(None, words))


def place_colour_bar(view: View, scale: Scale, right: float, y: float) -> Iterator[tuple[Part, Rectangle]]:
    """Place the colours and what they mean, up to the right; or say that there is nothing to show yet."""
    if scale.low is None:
        text = f"{scale.label}: not computed"
        yield Text(right, y + 4, text, 11, anchor="end"), (right - width(text, 11), y - 11, right, y + 11)
        return
    count, wide = 40, 200.0
    around = (right - wide, y - 8, right + 20, y + 24)
    yield Text(right, y - 14, shortened(scale.label, 40), 11, anchor="end"), around
    for i in range(count):
        rest = wide * (1 - i / count)  # each lies over the one before, so that no seam shows
        yield Sample(right - rest / 2, y, rest, tint(i / (count - 1))), around
    shown = [item.value for cluster in within(view.top) for item in cluster.items if item.value is not None]
    said = [any(value == 0 for value in shown), not all(map(isfinite, shown))]
    for x, (colour, text) in compress(zip((right - 110, right - 70), odd), said):
        below = (x - 6, y + 32, x + 10 + width(text, 10), y + 48)
        yield Sample(x, y + 40, 12, colour), below
        yield Text(x + 10, y + 43.5, text, 10), below
    less = "≤ " * any(0 < abs(value) < scale.low for value in shown)
    for share, text in ticks(scale):
        yield Text(right - wide + share * wide, y + 20, less * (not share) + text, 10, anchor="middle"), around


def ticks(scale: Scale) -> list[tuple[float, str]]:
    """Return where on the colour bar which numbers stand: powers of ten where there are two, else its ends."""
    low, high = scale.low or 0.0, scale.high or 0.0
    powers = range(ceil(log10(low) - 1e-9), floor(log10(high) + 1e-9) + 1) if 0 < low < high else range(0)
    if len(powers) < 2:
        return [(0.0, f"{low:.2g}"), (1.0, f"{high:.2g}")]
    reach, last = log10(high) - log10(low), len(powers) - 1
    by = next(by for by in range(1, last + 1) if last % by == 0 and last <= 4 * by)  # so that both ends are among them
    return [((power - log10(low)) / reach, tenfold(power)) for power in powers[::by]]


def tenfold(power: int) -> str:
    """Write a power of ten."""
    return f"{10.0**power:g}" if -3 < power < 4 else f"1e{power}"
