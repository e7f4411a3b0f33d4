"""Where everything stands, in numbers, from the view alone: steps are columns, what reads them stands above.

Every mould is laid out once, inner ones first, in coordinates of its own (y grows downward); then the places where
they are used put them where they are seen. Loops that are not inside a step share their columns across the picture.
"""

from collections.abc import Iterable
from itertools import pairwise
from math import inf

from tinygrad_seq.drawing.layers import Box, Link, arrange, lift, raised, rank
from tinygrad_seq.drawing.moulds import End, Key, Mould, Place, Tree
from tinygrad_seq.drawing.sizes import extent, width
from tinygrad_seq.drawing.view import leaves

gutter = 46.0  # between cards
margin = 16.0
aside = 20.0  # a first state is this far below the way of a state that comes back
header = 30.0  # room for a label
elementwise = {"+", "−", "×", "÷"}


def lay_out(tree: Tree) -> None:
    """Give everything in a tree its place."""
    moulds = tree.moulds[::-1]
    rows = [mould for mould in moulds if mould.kind == "row" and not mould.inside]
    for mould in (*filter(lambda m: m.inside, moulds), *filter(lambda m: not m.inside, moulds)):
        if mould.kind == "row":
            shared = () if mould.inside else (card.right - card.left for row in rows for card in row.kinds.values())
            form_row(tree, mould, max(shared, default=0.0))
        elif mould.kind != "gap":  # which its row forms
            Frame(mould).form(mould is tree.moulds[0])
    for place in tree.places:
        if place.outer is not None:
            x, y = place.outer.mould.at[place.key]
            place.x, place.y = place.outer.x + x, place.outer.y + y


class Frame:
    """A mould on its way to being laid out."""

    def __init__(self, mould: Mould) -> None:
        self.mould = mould
        self.user: dict[Key, Key] = {}  # of leaves that stand beside an op
        self.beside: dict[Key, tuple[list[Key], list[Key]]] = {}  # of ops: leaves to their left, to their right
        for start, end in mould.links:
            if start[0] == end[0] == "item" and start[1] not in self.user and mould.items[end[1]].role not in leaves:
                role = mould.items[start[1]].role
                if role in leaves and role != "input":
                    self.user[start[1]] = end[1]
                    self.beside.setdefault(end[1], ([], []))[role != "initial"].append(start[1])
        self.boxes: dict[End, Box] = {}

    def form(self, outermost: bool) -> None:
        mould = self.mould
        age = self.make_boxes()
        boxes = [self.boxes[end] for end in sorted(age, key=lambda end: age[end])]
        links = {}
        for pair in mould.links:
            source, target = map(self.box_of, pair)
            if source is not target:
                links[pair] = Link(source, target, self.offset(pair[0]), self.offset(pair[1]))
        rank(boxes, [link for pair, link in links.items() if not self.in_time(*pair)])
        lane = [self.boxes["item", slot] for slot in self.lane()]
        backward = [self.boxes["part", key] for key, part in mould.parts.items() if part.kind == "grad"]
        if lane:
            lift([box for box in boxes if box not in backward], list(links.values()), lane)
            for number, box in enumerate(lane):
                box.group = 2 * number / max(len(lane) - 1, 1) - 1
        raised(boxes, backward)
        arrange(boxes, list(links.values()))
        for end, box in self.boxes.items():
            shift = 0.0 if end[0] != "part" or box.gutters else middle(mould.parts[end[1]])
            mould.at[end if end[0] in ("top", "bottom") else end[1]] = (box.x - shift, box.y)
        self.seat_leaves()
        self.meet(links)
        self.look_sideways()
        solid = [box for box in boxes if not box.port] or [Box()]
        frame = 0.0 if outermost else margin
        mould.left = min(box.x - box.left for box in solid) - frame
        mould.right = max(box.x + box.right for box in solid) + frame
        mould.bottom = max(box.y + box.below for box in solid) + frame
        mould.top = min(box.y - box.above for box in solid) - (header if mould.label else frame)
        label = width(mould.label, 12) + margin
        ways_up = [box.x for end, box in self.boxes.items() if end[0] == "top"]
        if mould.label:
            mould.left = min([mould.left, *(x - label - 4 for x in ways_up)])
            mould.right = max([mould.right, mould.left + label + margin, *(x + 8 for x in ways_up)])
        if not mould.inside:
            mould.gutters = max((list(box.gutters) for box in solid), key=len)
        elif mould.kind == "grad":  # gradients flow to the left
            mirror(mould)

    def in_time(self, start: End, end: End) -> bool:
        """Does a link lead from what stands for a step to what stands for a later one? They stand side by side."""
        return end[0] == "item" and start[0] == "item" and start[1] in self.mould.later.get(end[1], ())

    def make_boxes(self) -> dict[End, float]:
        """A box for everything but the leaves beside an op, which its own box holds; returns their ages."""
        mould, age = self.mould, {}
        for slot, item in mould.items.items():
            if slot in self.user:
                continue
            wide, high = (size / 2 for size in extent(item))
            age["item", slot] = mould.age[slot] if mould.age[slot] >= 0 else self.after(slot)
            box = self.boxes["item", slot] = Box(wide, wide, high, high, leaf=item.role in (*leaves, "passing"))
            before, after = self.beside.get(slot, ((), ()))
            box.left, box.right = wide + self.room(before)[0], wide + self.room(after)[0]
            box.above = box.below = max(high, self.room(before)[1] / 2, self.room(after)[1] / 2)
            box.below += aside if before and slot in mould.returns else 0.0
            box.group = -1 if slot in mould.enters or before else 1 if slot in mould.exits else 0
            if slot in mould.later:
                box.group = age["item", slot] / max(1.0, *mould.age.values())
        for key, part in mould.parts.items():
            pinned = bool(part.gutters) and not mould.inside
            shift = 0.0 if pinned else middle(part)
            box = Box(
                shift - part.left, part.right - shift, -part.top, part.bottom, gutters=part.gutters if pinned else ()
            )
            self.boxes["part", key] = box
            age["part", key] = part.first
        for end in (end for pair in mould.links for end in pair if end[0] in ("top", "bottom")):
            self.boxes.setdefault(end, Box(2, 2, port=1 if end[0] == "top" else -1))
            age[end] = inf if end[0] == "top" else -inf
        return age

    def after(self, slot: Key) -> float:
        """The age of what stands for several ops."""
        reads = [start[1] for start, end in self.mould.links if end == ("item", slot) and start[0] == "item"]
        return max((self.mould.age[other] + 0.5 for other in reads), default=-1.0)

    def room(self, side: Iterable[Key]) -> tuple[float, float]:
        sizes = [extent(self.mould.items[slot]) for slot in side]
        return (12 + max(w for w, _ in sizes), sum(h + 4 for _, h in sizes) - 4) if sizes else (0.0, 0.0)

    def box_of(self, end: End) -> Box:
        if end[0] == "item":
            return self.boxes["item", self.user.get(end[1], end[1])]
        return self.boxes[end[:2]]

    def offset(self, end: End) -> float:
        """How far from the anchor of its box a link meets it."""
        if end[0] != "part":
            return 0.0
        part = self.mould.parts[end[1]]
        return part.at[end[2:]][0] - (0.0 if self.boxes[end[:2]].gutters else middle(part))

    def lane(self) -> list[Key]:
        """The way of a state through a step where it meets elementwise ops alone: a straight line along the top."""
        mould = self.mould
        reads: dict[Key, list[Key]] = {}
        for start, end in mould.links:
            if start[0] == end[0] == "item":
                reads.setdefault(end[1], []).append(start[1])
        plain = {slot: 0 for slot, item in mould.items.items() if item.symbol in elementwise and item.role != "gate"}
        for slot in plain if mould.kind == "card" else ():
            ways = [[slot]] if slot in mould.exits or mould.items[slot].role == "state" else []
            for _ in range(4):
                for way in ways:
                    turned = any(mould.items[other].role == "passing" for other in reads.get(way[0], ()))
                    if turned or way[0] in mould.enters or self.beside.get(way[0], ([], []))[0]:
                        return way
                ways = [[other, *way] for way in ways for other in reads.get(way[0], ()) if other in plain][:50]
        return []

    def seat_leaves(self) -> None:
        items, at = self.mould.items, self.mould.at
        for op, sides in self.beside.items():
            x, y = at[op]
            for sign, side in zip((-1, 1), sides):
                top = y - self.room(side)[1] / 2 + (aside if sign < 0 and op in self.mould.returns else 0.0)
                for slot in side:
                    wide, high = extent(items[slot])
                    at[slot] = (x + sign * (extent(items[op])[0] / 2 + 12 + wide / 2), top + high / 2)
                    top += high + 4

    def meet(self, links: dict[tuple[End, End], Link]) -> None:
        """Spread the links that come into an item from below."""
        into: dict[Key, list[tuple[float, tuple[End, End]]]] = {}
        for pair, link in links.items():
            self.mould.links[pair] = link.between
            if pair[1][0] == "item" and link.source.rank > link.target.rank:
                self.mould.aside[pair] = min(max(link.source.x - link.target.x, -6.0), 6.0)
            elif pair[1][0] == "item" and link.source.rank < link.target.rank:
                near = link.between[-1].x if link.between else link.source.x + link.leaves
                into.setdefault(pair[1][1], []).append((near, pair))
        for slot, found in into.items():
            step = min(8.0, (extent(self.mould.items[slot])[0] - 6) / len(found))
            found.sort(key=lambda entry: entry[0])
            for number, (_, pair) in enumerate(found):
                self.mould.aside[pair] = (number - (len(found) - 1) / 2) * step

    def look_sideways(self) -> None:
        """From which items is the way to the left or to the right free?"""
        rows: dict[int, list[End]] = {}
        for end, box in sorted(self.boxes.items(), key=lambda entry: entry[1].x):
            if not box.port:
                rows.setdefault(box.rank, []).append(end)
        for row in rows.values():
            for sign, end in ((-1, row[0]), (1, row[-1])):
                if end[0] == "item" and (sign < 0 or not self.beside.get(end[1], ([], []))[1]):
                    self.mould.free[end[1], sign] = None


def middle(part: Mould) -> float:
    return (part.left + part.right) / 2


def form_row(tree: Tree, row: Mould, share: float) -> None:
    """Cards side by side, equally large."""
    steps = [card for card in row.kinds.values() if card.kind == "card"]
    for card in steps if row.backward > 0 else ():
        mirror(card)
    wide = max([share, *(card.right - card.left for card in steps)]) or 150.0
    high = max((card.bottom - card.top for card in steps), default=120.0)
    for card in steps:
        card.left, card.right = middle(card) - wide / 2, middle(card) + wide / 2
        card.top = card.bottom - high
    for card in row.kinds.values():
        if card.kind == "gap":
            form_gap(tree, card, steps, wide, high)
    for number, (key, card) in enumerate(row.parts.items()):
        row.at[key] = (number * (wide + gutter) - card.left, -card.bottom)
    for pair in row.links:
        (_, key, *port), own = pair if pair[0][0] == "part" else pair[::-1]
        row.at[own] = (row.at[key][0] + row.parts[key].at[tuple(port)][0], 0.0)
    count = len(row.parts)
    side = 16.0 + 8 * row.delays if row.delays else 0.0
    row.left, row.right, row.top = -side, count * (wide + gutter) - gutter + side, -high
    row.bottom = 10.0 + 18 * row.delays if row.delays else 0.0
    row.gutters = [number * (wide + gutter) - gutter / 2 for number in range(1, max(count, 2))]


def form_gap(tree: Tree, gap: Mould, steps: list[Mould], wide: float, high: float) -> None:
    """What goes on through a gap is as high as in the steps; the words stand where there is most room."""
    gap.left, gap.right, gap.top, gap.bottom = -wide / 2, wide / 2, -high, 0.0
    alone = 0
    for slot, item in gap.items.items():
        twin = tree.twin.get(item.id, item.id)
        if item.role == "passing" and tree.home[twin].mould.kind == "gap":
            alone += 1
            gap.at[slot] = (wide / 4, -24.0 * alone)
        elif item.role == "passing":
            place: Place = tree.home[twin]
            x, y = place.mould.at[tree.slot[twin]]
            while place.mould not in steps and place.outer is not None:
                dx, dy = place.outer.mould.at[place.key]
                x, y, place = x + dx, y + dy, place.outer
            gap.at[slot] = (x - middle(place.mould), y - place.mould.bottom)
    heights = sorted([-high, *(y for _, y in gap.at.values()), 0.0])
    top, bottom = max(pairwise(heights), key=lambda pair: pair[1] - pair[0])
    for slot in gap.items:
        gap.at.setdefault(slot, (0.0, (top + bottom) / 2))
    for pair in gap.links:
        for end, other in (pair, pair[::-1]):
            if end[0] != "item":
                twins = [card.at[end][0] - middle(card) for card in steps if end in card.at]
                gap.at[end] = (twins[0] if twins else gap.at[other[1]][0], 0.0)


def mirror(mould: Mould) -> None:
    """Where time runs from right to left, what comes in comes in on the right."""
    for part in mould.kinds.values():
        if part.kind != "row":
            mirror(part)
    for key, (x, y) in mould.at.items():
        row = mould.parts[key] if key in mould.parts and mould.parts[key].kind == "row" else None
        mould.at[key] = (-x - (2 * middle(row) if row else 0.0), y)
    mould.left, mould.right = -mould.right, -mould.left
    mould.aside = {pair: -by for pair, by in mould.aside.items()}
    mould.free = {(slot, -sign): None for slot, sign in mould.free}
    for box in (box for boxes in mould.links.values() for box in boxes):
        box.x = -box.x
