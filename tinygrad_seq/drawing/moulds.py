"""The tree of clusters as a tree of moulds, and every edge as links of the moulds that it leads through.

All steps of a loop share one mould, so each distinct step is laid out once and stands in the same place in every card.
A loop is a row of cards. An edge leaves a cluster through a port in its upper border and comes in through a port in
its lower border (from what stands above it, in the upper one); from card to card of a row it goes sideways.
"""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any

from tinygrad_seq.drawing.layers import Box
from tinygrad_seq.drawing.sizes import extent
from tinygrad_seq.drawing.view import Cluster, Edge, Item, View, leaves, within

Key = Hashable
End = tuple[Any, ...]  # of a link: ("item", slot), ("part", key, side, port), or a port of its own: (side, port)


@dataclass(slots=True, eq=False)
class Mould:
    """A distinct cluster, or a row of cards, and where things stand in it."""

    kind: str  # frame, card, row, gap, grad (a recorded backward)
    inside: bool  # a step, or in one: used several times
    label: str = ""
    items: dict[Key, Item] = field(default_factory=dict)
    kinds: dict[Key, "Mould"] = field(default_factory=dict)
    parts: dict[Key, "Mould"] = field(default_factory=dict)  # what stands in it; in a row, from left to right
    links: dict[tuple[End, End], list[Box]] = field(default_factory=dict)  # and the thin boxes they go through
    enters: dict[Key, None] = field(default_factory=dict)  # items that read another step
    returns: dict[Key, None] = field(default_factory=dict)  # items that read this step, one time earlier
    later: dict[Key, list[Key]] = field(default_factory=dict)  # items that stand for steps: after which others
    exits: dict[Key, None] = field(default_factory=dict)  # items that another step reads
    age: dict[Key, float] = field(default_factory=dict)  # of items, counted from the start of the step
    first: float = -1.0  # the age of the oldest op in it
    backward: int = 0  # states that flow from right to left, less those from left to right
    delays: int = 0
    at: dict[Key, tuple[float, float]] = field(default_factory=dict)  # centres of items, origins of parts, ports
    aside: dict[tuple[End, End], float] = field(default_factory=dict)  # of links that meet in one item
    free: dict[tuple[Key, int], None] = field(default_factory=dict)  # items with nothing to the right (1), left (-1)
    left: float = 0.0
    right: float = 0.0
    top: float = 0.0
    bottom: float = 0.0
    gutters: list[float] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Place:
    """A mould where it is used."""

    mould: Mould
    outer: "Place | None"
    key: Key
    cluster: Cluster | None
    column: int = -1
    base: float = 0.0  # where the ages in it are counted from
    x: float = 0.0
    y: float = 0.0

    def chain(self) -> list["Place"]:
        """This place and those around it, outermost first."""
        found: list[Place] = [self]
        while found[-1].outer is not None:
            found.append(found[-1].outer)
        return found[::-1]


class Tree:
    """Places and moulds, outer ones before inner ones; `home` and `slot` of every item."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.moulds: list[Mould] = []
        self.places: list[Place] = []
        self.home: dict[str, Place] = {}
        self.slot: dict[str, Any] = {}
        self.plant()
        self.twin: dict[str, str] = {}  # of what passes through a gap: the same op in a step
        for row in view.rows:
            seen = [item for item in row if self.home[item].mould.kind != "gap"]
            for item in (item for item in row if seen and self.home[item].mould.kind == "gap"):
                alike = [other for other in seen if self.slot[other][0][1] == self.slot[item][0][1]]
                self.twin[item] = (alike or seen)[-1]
        for edge in view.edges:
            self.connect(edge)

    def plant(self) -> None:
        reads = {edge.source: edge.target for edge in reversed(self.view.edges)}
        loop_of = {cluster.id: number for number, loop in enumerate(self.view.loops) for cluster in loop}
        shapes, oldest = shapes_of(self.view), oldest_of(self.view)
        stack = [self.place(None, "", "", "frame", self.view.top)]
        while stack:
            here = stack.pop()
            cluster: Any = here.cluster  # an item is not on the stack
            self.seat(here, cluster, reads)
            rows: dict[int, Place] = {}
            for inner in cluster.inner:
                number = loop_of.get(inner.id)
                key: Key = ("in", inner.id.removeprefix(cluster.id)) if number is None else ("row", len(rows))
                if number is None:
                    kind = "grad" if inner.key == "grad" else "frame"
                    stack.append(self.place(here, key, key, kind, inner))
                    stack[-1].mould.first = max(stack[-1].mould.first, oldest[inner.id] - here.base)
                elif number not in rows:
                    row = rows[number] = self.place(here, key, key, "row", None)
                    first = min(oldest[card.id] for card in self.view.loops[number] if card.key != "gap")
                    row.mould.first = max(row.mould.first, first - here.base)
            for number, row in rows.items():
                for column, card in enumerate(self.view.loops[number]):
                    gap = card.key == "gap"
                    shape = ("gap", column) if gap else ("step", shapes[card.id])
                    stack.append(self.place(row, (column, shape), shape, "gap" if gap else "card", card))
                    stack[-1].column, stack[-1].base = column, oldest[card.id]

    def place(self, outer: Place | None, key: Key, shape: Key, kind: str, cluster: Cluster | None) -> Place:
        mould = outer.mould.kinds.get(shape) if outer is not None else None
        if mould is None:
            mould = Mould(kind, kind in ("card", "gap") or (outer is not None and outer.mould.inside))
            self.moulds.append(mould)
        if outer is not None:
            outer.mould.kinds[shape] = outer.mould.parts[key] = mould
        if cluster is not None and kind != "gap":
            mould.label = max(mould.label, cluster.label, key=len)
        self.places.append(Place(mould, outer, key, cluster, base=outer.base if outer is not None else 0.0))
        return self.places[-1]

    def seat(self, here: Place, cluster: Cluster, reads: dict[str, str]) -> None:
        """Find every item its slot: the same op, or the same leaf of the same op, shares one in all steps."""
        counts: Counter[Key] = Counter()
        for item in sorted(cluster.items, key=lambda item: item.role in leaves):
            key: Key = (item.symbol, item.label)
            if item.role in leaves:
                user = reads.get(item.id, "")
                key = (item.role, item.label, self.slot[user] if self.home.get(user) is here else "")
            counts[key] += 1
            slot = (key, counts[key])
            self.home[item.id], self.slot[item.id] = here, slot
            known = here.mould.items.get(slot)
            if known is None or extent(item) > extent(known):
                here.mould.items[slot] = item
            age = -1.0 if item.role in leaves else item.ordinal - here.base
            here.mould.age[slot] = max(here.mould.age.get(slot, -1.0), age)

    def apart(self, edge: Edge) -> tuple[list[Place], list[Place], int]:
        """The places around both ends of an edge, and how many of these they share."""
        up, down = self.home[edge.source].chain(), self.home[edge.target].chain()
        depth = 0
        while depth < min(len(up), len(down)) and up[depth] is down[depth]:
            depth += 1
        return up, down, depth

    def connect(self, edge: Edge) -> None:
        up, down, depth = self.apart(edge)
        row = row_of(edge, up, depth)
        if row is None:
            for place, start, end in self.links(edge, up, down, depth):
                place.mould.links.setdefault((start, end), [])
            if edge.role == "state" and depth == len(up) == len(down) and not up[-1].mould.inside:
                up[-1].mould.later.setdefault(self.slot[edge.target], []).append(self.slot[edge.source])
            return
        up[-1].mould.exits[self.slot[edge.source]] = None
        down[-1].mould.enters[self.slot[edge.target]] = None
        if row is not up[depth - 1]:
            down[-1].mould.returns[self.slot[edge.target]] = None
            row.mould.delays += 1
        elif edge.role == "state":
            row.mould.backward += 1 if up[depth].column > down[depth].column else -1

    def port(self, item: str, place: Place, inner: Place | None) -> Key:
        """What edges from an item go through in the border of a place: in a step, one port for all steps."""
        twin = self.twin.get(item, item)
        port: Key = (self.home[twin].mould, self.slot[twin]) if place.mould.inside else item
        return port if inner is None or place.mould.kind != "row" else (port, inner.key)

    def age(self, item: str, chain: list[Place], depth: int) -> float:
        """The age of what holds an item, seen from the place at this depth around it."""
        return chain[depth].mould.first if depth < len(chain) else chain[-1].mould.age[self.slot[item]]

    def links(self, edge: Edge, up: list[Place], down: list[Place], depth: int) -> Iterator[tuple[Place, End, End]]:
        """The links of an edge, from its source to its target; `depth` places are around both."""
        end: End = ("item", self.slot[edge.source])
        over = self.age(edge.source, up, depth) > self.age(edge.target, down, depth)  # back, to what stands below
        for i in range(len(up) - 1, depth - 1, -1):
            port = self.port(edge.source, up[i], up[i + 1] if i + 1 < len(up) else None)
            own: End = ("bottom", ("out", port)) if over else ("top", ("out", port))
            yield up[i], end, own
            end = ("part", up[i].key, *own)
        for i in range(depth - 1, len(down) - 1):
            port = self.port(edge.source, down[i + 1], down[i + 2] if i + 2 < len(down) else None)
            own = ("top", ("in", port)) if over else ("bottom", ("in", port))
            yield down[i], end, ("part", down[i + 1].key, *own)
            end = own
        yield down[-1], end, ("item", self.slot[edge.target])


def row_of(edge: Edge, up: list[Place], depth: int) -> Place | None:
    """The row in which an edge goes sideways, or round."""
    if edge.role == "delay":
        return next((place for place in reversed(up[:depth]) if place.mould.kind == "row"), None)
    return up[depth - 1] if up[depth - 1].mould.kind == "row" else None


def oldest_of(view: View) -> dict[str, float]:
    """The ordinal of the oldest op in every cluster."""
    found: dict[str, float] = {}
    for cluster in reversed(list(within(view.top))):
        ages = [item.ordinal for item in cluster.items if item.ordinal >= 0 and item.role not in leaves]
        found[cluster.id] = min([inf, *ages, *(found[inner.id] for inner in cluster.inner)])
    return {name: age if age < inf else -1.0 for name, age in found.items()}


def shapes_of(view: View) -> dict[str, int]:
    """Which steps share a mould: all of a loop, unless what they hold is too different."""
    found: dict[str, int] = {}
    for loop in view.loops:
        steps = [cluster for cluster in loop if cluster.key != "gap"]
        kinds: dict[frozenset[tuple[Key, int]], int] = {}
        for cluster in steps:
            parts: Counter[Key] = Counter(
                (inner.id.removeprefix(cluster.id), item.symbol, item.label)
                for inner in within(cluster)
                for item in inner.items
                if item.role not in leaves
            )
            found[cluster.id] = kinds.setdefault(frozenset(parts.items()), len(kinds))
        together = {part for kind in kinds for part, _ in kind}
        if len(together) <= 1.5 * max((len(kind) for kind in kinds), default=0) + 2:
            found.update((cluster.id, 0) for cluster in steps)
    return found
