"""The way of every edge: points to pass, each vertically ("v") or horizontally ("h")."""

from collections import Counter
from math import sqrt

from tinygrad_seq.drawing.grid import gutter
from tinygrad_seq.drawing.moulds import End, Place, Tree, row_of
from tinygrad_seq.drawing.sizes import extent, is_round
from tinygrad_seq.drawing.view import Edge, leaves

Point = tuple[float, float, str]


class Ways:
    """The ways through a tree that was laid out."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.rounds: Counter[Place] = Counter()

    def way(self, edge: Edge) -> list[Point]:
        """From its source to its target."""
        up, down, depth = self.tree.apart(edge)
        row = row_of(edge, up, depth)
        if row is not None and row is up[depth - 1]:
            return self.across(edge, row, up[depth], down[depth])
        if row is not None:
            return self.around(edge, row, up[len(row.chain())])
        points: list[Point] = []
        for place, start, end in self.tree.links(edge, up, down, depth):
            mould = place.mould
            if mould.kind == "row":
                continue
            first, last = self.spot(place, start, end), self.spot(place, end, start)
            aside = mould.aside.get((start, end), 0.0)
            if aside and last[2] == "v":
                shape = 11 - sqrt(121 - aside * aside) if is_round(mould.items[end[1]]) else 0.0
                last = (last[0] + aside, last[1] - shape, "v")
            between: list[Point] = []
            for box in mould.links[start, end]:
                heights = dict.fromkeys((box.y + box.below, box.y - box.above))
                between += [(place.x + box.x, place.y + y, "v") for y in heights]
            points += [first, *(between if first[1] > last[1] else reversed(between)), last]
        return points

    def spot(self, place: Place, end: End, other: End) -> Point:
        """Where a link meets one of its ends."""
        mould = place.mould
        if end[0] in ("top", "bottom"):
            return place.x + mould.at[end][0], place.y + (mould.top if end[0] == "top" else mould.bottom), "v"
        x, y = mould.at[end[1]]
        x, y = place.x + x, place.y + y
        if end[0] == "part":
            part = mould.parts[end[1]]
            return x + part.at[end[2:]][0], y + (part.top if end[2] == "top" else part.bottom), "v"
        wide, high = extent(mould.items[end[1]])
        if other[0] != "item":
            above = other[0] == "top" or (other[0] == "part" and other[2] == "bottom")
            return x, y + (-high / 2 if above else high / 2), "v"
        there, here = mould.items[other[1]], mould.items[end[1]]
        to_x, to_y = place.x + mould.at[other[1]][0], place.y + mould.at[other[1]][1]
        leaf = any(item.role in leaves and item.role != "input" for item in (here, there))
        reach = (wide + extent(there)[0]) / 2
        if reach < abs(to_x - x) and (
            abs(to_y - y) < 1 or (leaf and abs(to_x - x) < reach + 100 and abs(to_y - y) < 60)
        ):
            return x + (wide / 2 if to_x > x else -wide / 2), y, "h"
        return x, y + (-high / 2 if to_y < y else high / 2), "v"

    def across(self, edge: Edge, row: Place, start: Place, end: Place) -> list[Point]:
        """From card to card; over more than one, below the row."""
        ahead = 1 if start.column < end.column else -1
        out, into = self.gate(edge.source, start, ahead, -1), self.gate(edge.target, end, -ahead, 1)
        if abs(start.column - end.column) > 1:
            self.rounds[row] += 1
            bus = row.y + 8.0 + 4 * ((self.rounds[row] - 1) % 3)
            return [
                *out,
                (out[-1][0] + ahead * gutter, bus, "h"),
                (into[-1][0] - ahead * gutter, bus, "h"),
                *into[::-1],
            ]
        return [*out, *into[::-1]]

    def around(self, edge: Edge, row: Place, card: Place) -> list[Point]:
        """Out of a card, and below it back in on the other side."""
        out, into = self.gate(edge.source, card, 1, -1), self.gate(edge.target, card, -1, 1)
        number = self.rounds[row]
        self.rounds[row] += 1
        bus = row.y + 22.0 + 18 * number
        (x, y, _), (to_x, to_y, _) = out[-1], into[-1]
        right, left, bend = x + 16 + 8 * number, to_x - 16 - 8 * number, 14
        turn = [(right, y + bend, "v"), (right, bus - bend, "v"), (right - bend, bus, "h"), (left + bend, bus, "h")]
        return [*out, *turn, (left, bus - bend, "v"), (left, to_y + bend, "v"), *into[::-1]]

    def gate(self, item: str, card: Place, side: int, over: int) -> list[Point]:
        """From an item to the border of its card: at its height where that way is free, else above or below its row."""
        home, slot = self.tree.home[item], self.tree.slot[item]
        x, y = home.mould.at[slot]
        x, y = home.x + x, home.y + y
        wide, high = extent(home.mould.items[slot])
        border = card.x + (card.mould.right if side > 0 else card.mould.left)
        if (slot, side) in home.mould.free or home.mould.kind == "gap":
            return [(x + side * wide / 2, y, "h"), (border, y, "h")]
        return [(x, y + over * high / 2, "v"), (border, y + over * (high / 2 + 10), "h")]
