"""Where everything stands: steps are columns, what reads them stands above. Numbers only, from the view alone.

The tree of clusters becomes a tree of moulds: all steps of a loop share one, so each distinct step is laid out once
and stands at the same height and in the same place in every card. A loop is a row of cards. An edge that leaves a
cluster goes through a port in its upper border, one that comes in through a port in its lower border; between cards
of a row it goes sideways. Loops that are not inside a step share their columns across the whole picture.
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from math import inf, sqrt
from typing import Any
from unicodedata import east_asian_width

from tinygrad_seq.drawing.layers import Box, Link, arrange, lift, rank
from tinygrad_seq.drawing.view import Cluster, Edge, Item, View

gutter = 46.0  # between cards
margin = 16.0
header = 30.0  # room for the label of a card
elementwise = {"+", "−", "×", "÷"}
leaves = {"input", "initial", "constant", "weight"}
beside = {"weight", "constant", "initial"}  # leaves that stand beside their use

Point = tuple[float, float, str]  # x, y, and whether a curve goes through it "v"ertically or "h"orizontally
Key = Hashable
End = tuple[Any, ...]


def width(text: str, size: float) -> float:
    """A generous guess of how wide a text is."""
    wide = sum(1.1 if east_asian_width(c) in "WF" else 0.84 if c.isupper() or c in "mwMW@%…⋯" else 0.62 for c in text)
    return wide * size


def extent(item: Item) -> tuple[float, float]:
    """Width and height of an item's shape."""
    if item.role == "middle":
        return max(width(line, 11) for line in item.label.split("\n")), 64.0
    if not item.label and len(item.symbol) <= 2:
        return 22.0, 22.0
    if item.role in ("weight", "constant", "initial", "passing"):
        lines = item.label.split("\n")
        return max(24.0, max(width(line, 9) for line in lines) + 14), 8.0 + 11 * len(lines)
    if item.role == "gate":
        return max(46.0, width(item.label, 11) + 18), 32.0
    if not item.label:
        return width(item.symbol, 10) + 16, 20.0
    inside = width(item.label, 12) + (width(item.symbol, 9) + 5 if item.symbol else 0)
    return max(40.0, inside + 20), 24.0


@dataclass(slots=True, eq=False)
class Mould:
    """A distinct cluster, or a row of cards, and where things stand in it, relative to its origin.

    Ends of links: ("item", slot), ("out" or "in", key of an inner mould, port), ("top" or "bottom", own port).
    """

    kind: str  # frame, card, row, gap
    inside: bool  # a step, or in one: used several times
    label: str = ""
    items: dict[Key, Item] = field(default_factory=dict)
    inner: dict[Key, "Mould"] = field(default_factory=dict)
    links: dict[tuple[End, End], list[Box]] = field(default_factory=dict)
    columns: dict[Key, Key] = field(default_factory=dict)  # of a row: place in it to mould
    enters: dict[Key, None] = field(default_factory=dict)  # items that read another step
    leaves: dict[Key, None] = field(default_factory=dict)  # items that another step reads
    first: float = inf  # the oldest op in it
    backward: int = 0  # edges from right to left, less those from left to right
    delays: int = 0
    at: dict[Key, tuple[float, float]] = field(default_factory=dict)  # of items, inner moulds and ports
    left: float = 0.0
    right: float = 0.0
    top: float = 0.0
    bottom: float = 0.0
    gutters: list[float] = field(default_factory=list)
    spread: dict[tuple[End, End], float] = field(default_factory=dict)  # of links that meet in an item


@dataclass(slots=True, eq=False)
class Place:
    """A mould where it is used."""

    mould: Mould
    outer: "Place | None"
    key: Key
    cluster: Cluster | None
    column: int = -1
    x: float = 0.0
    y: float = 0.0

    def chain(self) -> list["Place"]:
        """This place and those around it, outermost first."""
        links: list[Place] = [self]
        while links[-1].outer is not None:
            links.append(links[-1].outer)
        return links[::-1]


@dataclass(slots=True)
class Grid:
    """The picture in numbers: centres of items, lines of edges, left, top, width and height of clusters."""

    items: list[tuple[Item, float, float]] = field(default_factory=list)
    edges: list[tuple[Edge, list[Point]]] = field(default_factory=list)
    clusters: list[tuple[Cluster, float, float, float, float]] = field(default_factory=list)


def grid(view: View) -> Grid:
    """Lay out a view."""
    layout = Layout(view)
    inside = [mould for mould in reversed(layout.moulds) if mould.inside]
    outside = [mould for mould in reversed(layout.moulds) if not mould.inside]
    for mould in inside:
        layout.form(mould, 0.0)
    cards = [card for mould in outside if mould.kind == "row" for card in mould.inner.values()]
    share = max((card.right - card.left for card in cards), default=0.0)
    for mould in outside:
        layout.form(mould, share)
    return layout.grid()


class Layout:
    def __init__(self, view: View) -> None:
        self.view = view
        self.moulds: list[Mould] = []
        self.places: list[Place] = []
        self.home: dict[str, Place] = {}
        self.slot: dict[str, Key] = {}
        self.reads = {edge.source: edge.target for edge in reversed(view.edges)}
        self.plant()
        twins = {item: row for row in view.rows for item in row}
        self.twin = {
            item: next((other for other in row if self.home[other].mould.kind != "gap"), item)
            for item, row in twins.items()
        }
        self.connect()

    # ---------------------------------------------------------------------------------------------- moulds and places

    def plant(self) -> None:
        """The tree of places, and the moulds they share."""
        loop_of = {cluster.id: number for number, loop in enumerate(self.view.loops) for cluster in loop}
        shapes = shapes_of(self.view)
        stack = [self.place(None, "", "", "frame", self.view.top, False)]
        while stack:
            here = stack.pop()
            cluster = here.cluster
            assert cluster is not None
            self.seat(here, cluster)
            rows: dict[int, Place] = {}
            for inner in cluster.inner:
                number = loop_of.get(inner.id)
                if number is None:
                    key = ("in", inner.id.removeprefix(cluster.id))
                    stack.append(self.place(here, key, key, "frame", inner, here.mould.inside))
                elif number not in rows:
                    key = ("row", len(rows))
                    rows[number] = self.place(here, key, key, "row", None, here.mould.inside)
            for number, row in rows.items():
                for column, card in enumerate(self.view.loops[number]):
                    mould: Key = ("gap", column) if card.key == "gap" else ("step", shapes[card.id])
                    key = (column, mould)
                    row.mould.columns[key] = mould
                    stack.append(self.place(row, key, mould, "gap" if card.key == "gap" else "card", card, True))
                    stack[-1].column = column

    def place(
        self, outer: Place | None, key: Key, shape: Key, kind: str, cluster: Cluster | None, inside: bool
    ) -> Place:
        family = outer.mould.inner if outer is not None else {}
        if shape not in family:
            family[shape] = Mould(kind, inside)
            self.moulds.append(family[shape])
        found = Place(family[shape], outer, key, cluster)
        if cluster is not None:
            found.mould.label = max(found.mould.label, cluster.label, key=len)
        self.places.append(found)
        return found

    def seat(self, here: Place, cluster: Cluster) -> None:
        """Find every item its slot: ops by their number, leaves by their use."""
        counts: Counter[Key] = Counter()
        for item in sorted(cluster.items, key=lambda item: item.role in leaves):
            user = self.reads.get(item.id, "")
            key: Key = item.id.removeprefix(cluster.id)
            if item.role in leaves and self.home.get(user) is here:
                key = (item.role, item.label, self.slot[user])
            counts[key] += 1
            key = (key, counts[key])
            self.home[item.id], self.slot[item.id] = here, key
            known = here.mould.items.get(key)
            if known is None or extent(item) > extent(known):
                here.mould.items[key] = item
            if item.ordinal >= 0 and item.role not in leaves:
                here.mould.first = min(here.mould.first, item.ordinal)

    def port(self, place: Place, item: str) -> Key:
        """What an edge of this source goes through: one each, in steps one for each slot."""
        if not place.mould.inside:
            return item
        item = self.twin.get(item, item)
        return self.home[item].mould, self.slot[item]

    def connect(self) -> None:
        """Every edge as links of the moulds that it leads through."""
        for edge in self.view.edges:
            start, end = self.home[edge.source], self.home[edge.target]
            up, down = start.chain(), end.chain()
            depth = 0
            while depth < min(len(up), len(down)) and up[depth] is down[depth]:
                depth += 1
            common = up[depth - 1]
            sideways = common.mould.kind == "row"
            if sideways or edge.role == "delay":
                start.mould.leaves[self.slot[edge.source]] = None
                end.mould.enters[self.slot[edge.target]] = None
                if sideways:
                    common.mould.backward += 1 if up[depth].column > down[depth].column else -1
                else:
                    for place in reversed(up[:depth]):
                        if place.mould.kind == "row":
                            place.mould.delays += 1
                            break
                continue
            for link in self.links_of(edge, up, down, depth):
                link[0].links.setdefault(link[1:], [])

    def links_of(self, edge: Edge, up: list[Place], down: list[Place], depth: int) -> list[tuple[Mould, End, End]]:
        """The links of an edge, from its source to its target; `depth` places are around both."""
        found: list[tuple[Mould, End, End]] = []
        end: End = ("item", self.slot[edge.source])
        for i in range(len(up) - 1, depth - 1, -1):
            port = self.port(up[i], edge.source)
            port = (port, up[i + 1].key) if up[i].mould.kind == "row" else port
            found.append((up[i].mould, end, ("top", port)))
            end = ("out", up[i].key, port)
        ports: list[Key] = []
        for i in range(depth, len(down)):
            port = self.port(down[i], edge.source)
            ports.append((port, down[i + 1].key) if down[i].mould.kind == "row" else port)
        for i in range(depth - 1, len(down)):
            last = i + 1 == len(down)
            to: End = ("item", self.slot[edge.target]) if last else ("in", down[i + 1].key, ports[i + 1 - depth])
            found.append((down[i].mould, end, to))
            if not last:
                end = ("bottom", ports[i + 1 - depth])
        return found

    # ------------------------------------------------------------------------------------------------------ numbers

    def form(self, mould: Mould, share: float) -> None:
        if mould.kind == "row":
            self.form_row(mould, share)
        elif mould.kind != "gap":
            self.form_frame(mould)

    def form_frame(self, mould: Mould) -> None:
        attached: dict[Key, list[Key]] = {}
        for (kind, slot, *_), (to, op, *_) in mould.links:
            if kind == to == "item" and mould.items[slot].role in beside and mould.items[op].role not in leaves:
                attached.setdefault(op, []).append(slot)
        held = {}
        for op, slots in attached.items():
            attached[op] = [slot for slot in slots if held.setdefault(slot, op) == op]
        boxes: dict[Key, Box] = {}
        age: dict[Key, float] = {}
        for slot, item in mould.items.items():
            if slot in held:
                continue
            end: End = ("item", slot)
            wide, high = extent(item)
            box = boxes[end] = Box(wide / 2, wide / 2, high / 2, high / 2, leaf=item.role in leaves)
            age[end] = item.ordinal - (0.5 if item.role in leaves else 0)
            for other in attached.get(slot, ()):
                w, h = extent(mould.items[other])
                if mould.items[other].role == "initial":
                    box.left = max(box.left, wide / 2 + 12 + w)
                else:
                    box.right = max(box.right, wide / 2 + 12 + w)
            for initial in (True, False):
                total = sum(
                    extent(mould.items[o])[1] + 4
                    for o in attached.get(slot, ())
                    if (mould.items[o].role == "initial") == initial
                )
                box.above = box.below = max(box.above, total / 2 - 2)
            starts = slot in mould.enters or any(mould.items[o].role == "initial" for o in attached.get(slot, ()))
            box.group = -1 if starts else 1 if slot in mould.leaves else 0
        for key, inner in mould.inner.items():
            pinned = bool(inner.gutters) and not mould.inside
            shift = 0.0 if pinned else (inner.left + inner.right) / 2
            boxes["in", key] = Box(
                shift - inner.left,
                inner.right - shift,
                -inner.top,
                inner.bottom,
                gutters=inner.gutters if pinned else (),
            )
            age["in", key] = inner.first
        for pair in mould.links:
            for end in pair:
                if end[0] in ("top", "bottom") and end not in boxes:
                    boxes[end] = Box(2, 2, port=1 if end[0] == "top" else -1)
                    age[end] = inf if end[0] == "top" else -inf
        ordered = sorted(boxes, key=lambda end: age[end])
        links: list[Link] = []
        lines: list[tuple[tuple[End, End], Link]] = []
        for pair in mould.links:
            a, b = pair
            if a[0] == "item" and a[1] in held and b[1] == held[a[1]]:
                continue
            link = Link(
                boxes[self.box_of(a, held)], boxes[self.box_of(b, held)], self.offset(mould, a), self.offset(mould, b)
            )
            lines.append((pair, link))
            if link.source is not link.target:
                links.append(link)
        stack = [boxes[end] for end in ordered]
        rank(stack, links)
        lane = self.lane(mould, held)
        if len(lane):
            line = [boxes["item", slot] for slot in lane]
            lift(stack, links, line)
            for i, box in enumerate(line):
                box.group = 2 * i / (len(line) - 1) - 1 if len(line) > 1 else box.group
        arrange(stack, links)
        meet: dict[Key, list[tuple[float, tuple[End, End]]]] = {}
        for pair, link in lines:
            mould.links[pair] = link.between
            if pair[1][0] == "item" and link.source.rank < link.target.rank:
                near = link.between[-1].x if link.between else link.source.x + link.leaves
                meet.setdefault(pair[1][1], []).append((near, pair))
        for slot, found in meet.items():
            step = min(8.0, (extent(mould.items[slot])[0] - 6) / len(found))
            for i, (_, pair) in enumerate(sorted(found, key=lambda entry: entry[0])):
                mould.spread[pair] = (i - (len(found) - 1) / 2) * step
        for end, box in boxes.items():
            if end[0] == "in":
                pinned = bool(box.gutters)
                inner = mould.inner[end[1]]
                mould.at[end[1]] = (box.x - (0 if pinned else (inner.left + inner.right) / 2), box.y)
            else:
                mould.at[end[1] if end[0] == "item" else end] = (box.x, box.y)
        for op, slots in attached.items():
            x, y = mould.at[op]
            half = extent(mould.items[op])[0] / 2
            for initial in (True, False):
                side = [slot for slot in slots if (mould.items[slot].role == "initial") == initial]
                top = y - (sum(extent(mould.items[slot])[1] + 4 for slot in side) - 4) / 2
                for slot in side:
                    w, h = extent(mould.items[slot])
                    mould.at[slot] = (x - half - 12 - w / 2 if initial else x + half + 12 + w / 2, top + h / 2)
                    top += h + 4
        mould.first = min([mould.first, *(inner.first for inner in mould.inner.values())])
        solid = [box for box in stack if not box.port] or [Box()]
        frame = margin if mould is not self.moulds[0] else 0.0
        mould.left = min(box.x - box.left for box in solid) - frame
        mould.right = max(box.x + box.right for box in solid) + frame
        mould.right = max(mould.right, mould.left + width(mould.label, 12) + 2 * margin)
        mould.bottom = max(box.y + box.below for box in solid) + frame
        mould.top = min(box.y - box.above for box in solid) - (header if mould.label else frame)
        if not mould.inside:
            mould.gutters = max((box.gutters for box in solid), key=len, default=[])

    def box_of(self, end: End, held: dict[Key, Key]) -> End:
        if end[0] == "item":
            return "item", held.get(end[1], end[1])
        return ("in", end[1]) if end[0] in ("out", "in") else end

    def offset(self, mould: Mould, end: End) -> float:
        """How far from the anchor of its box a link meets it."""
        if end[0] not in ("out", "in"):
            return 0.0
        inner = mould.inner[self.shape(mould, end[1])]
        x: float = inner.at["top" if end[0] == "out" else "bottom", end[2]][0]
        return x if inner.gutters and not mould.inside else x - (inner.left + inner.right) / 2

    def shape(self, mould: Mould, key: Key) -> Key:
        return mould.columns[key] if mould.kind == "row" else key

    def lane(self, mould: Mould, held: dict[Key, Key]) -> list[Key]:
        """The way of a state through a step, where it meets elementwise ops alone: drawn as a straight line on top."""
        reads: dict[Key, list[Key]] = {}
        for a, b in mould.links:
            if a[0] == b[0] == "item":
                reads.setdefault(b[1], []).append(a[1])
        plain = {slot for slot, item in mould.items.items() if item.symbol in elementwise and item.role != "gate"}
        starts = set(mould.enters) | {
            held[slot] for slot, item in mould.items.items() if item.role == "initial" and slot in held
        }
        for slot, item in mould.items.items():
            if mould.kind == "card" and slot in plain and (slot in mould.leaves or item.role == "state"):
                ways = [[slot]]
                for _ in range(4):
                    for way in ways:
                        if way[0] in starts and len(mould.items) > 2:
                            return way
                    ways = [[other, *way] for way in ways for other in reads.get(way[0], ()) if other in plain][:50]
        return []

    def form_row(self, row: Mould, share: float) -> None:
        """Cards side by side, equally large."""
        cards = [row.inner[shape] for shape in dict.fromkeys(row.columns.values())]
        steps = [card for card in cards if card.kind != "gap"]
        if row.backward > 0:
            for card in steps:
                self.mirror(card)
        wide = max([share, *(card.right - card.left for card in steps)], default=0) or 150.0
        high = max((card.bottom - card.top for card in steps), default=120.0)
        for card in steps:
            slack = wide - (card.right - card.left)
            card.left -= slack / 2
            card.right += slack / 2
            card.top = card.bottom - high
        for card in cards:
            if card.kind == "gap":
                self.form_gap(card, steps, wide, high)
        below = 14.0 + 12 * row.delays if row.delays else 0.0
        for number, (key, shape) in enumerate(row.columns.items()):
            card = row.inner[shape]
            row.at[key] = (number * (wide + gutter) - card.left, -card.bottom)
        for a, b in row.links:
            end, own = (a, b) if b[0] == "top" else (b, a)
            card = row.inner[row.columns[end[1]]]
            side = "top" if own[0] == "top" else "bottom"
            row.at[own] = (row.at[end[1]][0] + card.at.get((side, end[2]), ((card.left + card.right) / 2, 0))[0], 0.0)
        row.first = min(card.first for card in cards)
        count = len(row.columns)
        side = 24.0 if row.delays else 0.0
        row.left, row.right, row.top, row.bottom = -side, count * (wide + gutter) - gutter + side, -high, below
        row.gutters = [number * (wide + gutter) - gutter / 2 for number in range(1, max(count, 2))]

    def form_gap(self, gap: Mould, steps: list[Mould], wide: float, high: float) -> None:
        gap.left, gap.right, gap.top, gap.bottom = -wide / 2, wide / 2, -high, 0.0
        taken = []
        rest: list[Key] = []
        for slot, item in gap.items.items():
            if item.role != "passing":
                continue
            twin = self.twin.get(item.id, item.id)
            if self.home[twin].mould.kind == "gap":
                rest.append(slot)
                continue
            y = 0.0
            place: Place | None = self.home[twin]
            x, y = place.mould.at[self.slot[twin]]
            while place is not None and place.mould not in steps:
                dx, dy = place.outer.mould.at[place.key]
                x, y = x + dx, y + dy
                place = place.outer
            card = place.mould
            gap.at[slot] = (x - (card.left + card.right) / 2, y - card.bottom)
            taken.append(y - card.bottom)
        for number, slot in enumerate(rest):
            gap.at[slot] = (0.0, -24.0 - 26 * number)
            taken.append(-24.0 - 26 * number)
        edges = sorted([-high, *taken, 0.0])
        low, top = max(zip(edges[1:], edges), key=lambda pair: pair[0] - pair[1])
        for slot, item in gap.items.items():
            if item.role != "passing":
                gap.at[slot] = (0.0, (low + top) / 2)
        for a, b in gap.links:
            for end in (a, b):
                if end[0] in ("top", "bottom"):
                    other = b if end is a else a
                    twin = next((card.at[end][0] - (card.left + card.right) / 2 for card in steps if end in card.at), None)
                    gap.at[end] = (gap.at[other[1]][0] if twin is None else twin, 0.0)

    def mirror(self, mould: Mould) -> None:
        """Time runs from right to left: what comes in, comes in on the right."""
        for key, (x, y) in mould.at.items():
            inner = mould.inner.get(key)
            mould.at[key] = (-x - (inner.left + inner.right if inner is not None else 0), y)
        mould.left, mould.right = -mould.right, -mould.left
        for boxes in mould.links.values():
            for box in boxes:
                box.x = -box.x
        mould.spread = {pair: -aside for pair, aside in mould.spread.items()}

    # -------------------------------------------------------------------------------------------------- the picture

    def grid(self) -> Grid:
        found = Grid()
        for place in self.places:
            if place.outer is not None:
                x, y = place.outer.mould.at[place.key]
                place.x, place.y = place.outer.x + x, place.outer.y + y
            mould = place.mould
            if place.cluster is not None:
                if place.outer is not None:
                    box = (
                        place.x + mould.left,
                        place.y + mould.top,
                        mould.right - mould.left,
                        mould.bottom - mould.top,
                    )
                    found.clusters.append((place.cluster, *box))
                for item in place.cluster.items:
                    x, y = mould.at[self.slot[item.id]]
                    found.items.append((item, place.x + x, place.y + y))
        self.where = {item.id: (item, x, y) for item, x, y in found.items}
        for edge in self.view.edges:
            found.edges.append((edge, self.line(edge)))
        return found

    def line(self, edge: Edge) -> list[Point]:
        """The way of an edge."""
        start, end = self.home[edge.source], self.home[edge.target]
        up, down = start.chain(), end.chain()
        depth = 0
        while depth < min(len(up), len(down)) and up[depth] is down[depth]:
            depth += 1
        if up[depth - 1].mould.kind == "row":
            return self.sideways(edge, up[depth - 1], up[depth], down[depth])
        if edge.role == "delay":
            row = next((i for i in range(depth - 1, -1, -1) if up[i].mould.kind == "row"), None)
            if row is not None and row + 1 < depth:
                return self.round(edge, up[row], up[row + 1])
        points: list[Point] = []
        places = [*reversed(up[depth:]), *down[depth - 1 :]]
        links = self.links_of(edge, up, down, depth)
        for place, (mould, a, b) in zip(places, links, strict=True):
            if mould.kind == "row":
                continue
            first, last = self.spot(place, a, b), self.spot(place, b, a)
            aside = mould.spread.get((a, b), 0.0)
            if aside and last[2] == "v":
                shown = mould.items[b[1]]
                round_by = 11 - sqrt(121 - aside * aside) if extent(shown) == (22.0, 22.0) else 0.0
                last = last[0] + aside, last[1] - round_by, "v"
            between = [
                (place.x + box.x, place.y + y, "v")
                for box in mould.links[a, b]
                for y in ((box.y + box.below, box.y - box.above) if box.above else (box.y,))
            ]
            points += [first, *(between if first[1] > last[1] else reversed(between)), last]
        return points

    def spot(self, place: Place, end: End, other: End) -> Point:
        """Where a link meets one of its ends."""
        mould = place.mould
        if end[0] in ("top", "bottom"):
            return place.x + mould.at[end][0], place.y + (mould.top if end[0] == "top" else mould.bottom), "v"
        if end[0] != "item":
            inner = mould.inner[end[1]]
            x, y = mould.at[end[1]]
            side = "top" if end[0] == "out" else "bottom"
            return (
                place.x + x + inner.at[side, end[2]][0],
                place.y + y + (inner.top if side == "top" else inner.bottom),
                "v",
            )
        (x, y), (wide, high) = mould.at[end[1]], extent(mould.items[end[1]])
        if other[0] == "item":
            ox, oy = mould.at[other[1]]
            beside_it = (
                abs(oy - y) < 60
                and abs(ox - x) > wide / 2
                and (mould.items[other[1]].role in beside or mould.items[end[1]].role in beside)
            )
            if abs(oy - y) < 1 or beside_it:
                return place.x + x + (wide / 2 if ox > x else -wide / 2), place.y + y, "h"
            above = oy < y
        else:
            above = other[0] in ("top", "in")
        return place.x + x, place.y + y + (-high / 2 if above else high / 2), "v"

    def sideways(self, edge: Edge, row: Place, a: Place, b: Place) -> list[Point]:
        """From card to card."""
        ahead = a.column < b.column
        out, into = self.exit(edge.source, a, ahead, True), self.exit(edge.target, b, not ahead, False)
        points = [*out]
        if abs(a.column - b.column) > 1:
            bus, sign = row.y + 14.0, 1 if ahead else -1
            points += [(out[-1][0] + sign * gutter, bus, "h"), (into[-1][0] - sign * gutter, bus, "h")]
        return [*points, *reversed(into)]

    def exit(self, item: str, card: Place, right: bool, source: bool) -> list[Point]:
        """From an item to the border of its card, at its height where nothing stands in the way."""
        shown, x, y = self.where[item]
        wide, high = extent(shown)
        border = card.x + (card.mould.right if right else card.mould.left)
        home = self.home[item]
        free = True
        for slot, (ox, oy) in home.mould.at.items():
            other = home.mould.items.get(slot)
            if other is not None and slot != self.slot[item] and other.role != "initial" and abs(oy + home.y - y) < 12:
                free = free and (ox + home.x < x) == right
        if free:
            return [(x + (wide / 2 if right else -wide / 2), y, "h"), (border, y, "h")]
        side = -1 if source else 1
        return [(x, y + side * high / 2, "v"), (border, y + side * (high / 2 + 10), "h")]

    def round(self, edge: Edge, row: Place, card: Place) -> list[Point]:
        """From a card out and below it back into it."""
        out, into = self.exit(edge.source, card, True, True), self.exit(edge.target, card, False, False)
        number = self.rounds = getattr(self, "rounds", 0) + 1
        bus = row.y + 8.0 + 12 * ((number - 1) % max(row.mould.delays, 1))
        right, left = out[-1][0] + 14 + 3 * number, into[-1][0] - 14 - 3 * number
        return [
            *out,
            (right, (out[-1][1] + bus) / 2, "v"),
            ((left + right) / 2, bus, "h"),
            (left, (into[-1][1] + bus) / 2, "v"),
            *reversed(into),
        ]


def shapes_of(view: View) -> dict[str, int]:
    """Which steps share a mould: all of a loop, unless what they hold is too different."""
    found: dict[str, int] = {}
    for loop in view.loops:
        steps = [cluster for cluster in loop if cluster.key != "gap"]
        kinds: dict[frozenset[str], int] = {}
        for cluster in steps:
            parts: list[str] = []
            stack = [cluster]
            while stack:
                inner = stack.pop()
                parts += [item.id.removeprefix(cluster.id) for item in inner.items if item.role not in leaves]
                stack += inner.inner
            found[cluster.id] = kinds.setdefault(frozenset(parts), len(kinds))
        together: frozenset[str] = frozenset().union(*kinds)
        if len(together) <= 1.5 * max(map(len, kinds), default=0) + 2:
            found.update((cluster.id, 0) for cluster in steps)
    return found
