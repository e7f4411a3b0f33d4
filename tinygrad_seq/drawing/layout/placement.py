"""The layout of every template, in coordinates of its own (y grows downward), inner ones first.

Of a loop the steps are columns, and what reads them stands above. Loops that are not inside a step share their column
width across the picture.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from math import inf

from tinygrad_seq.drawing.layout import sugiyama
from tinygrad_seq.drawing.layout.model import XY
from tinygrad_seq.drawing.layout.sugiyama import Box, BoxEdge
from tinygrad_seq.drawing.layout.templates import Chain, End, ItemKey, Key, Link, Template, Tree
from tinygrad_seq.drawing.layout.text_size import width
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.model import leaves

gutter, margin = 46.0, 16.0  # between cards, and in them
beside_op = ("initial", "constant", "weight")  # roles of leaves that stand beside the op that reads them
drop = 20.0  # a first state stands this far below the way of a state that comes back
header = 30.0  # room for a label
elementwise = {"+", "−", "×", "÷"}

Bends = dict[Link, list[XY]]  # at the dummy boxes of a link, from the lower end up
Reads = dict[ItemKey, list[ItemKey]]  # by item: what it reads
Beside = dict[tuple[ItemKey, int], list[ItemKey]]  # by op and its left (-1) or right (1) side: the leaves there
Edges = dict[Link, BoxEdge]
Sides = set[tuple[ItemKey, int]]


@dataclass(frozen=True, slots=True, eq=False)
class TemplateLayout:
    """Where everything in a template stands: the centres of items, the origins of parts, the ports in its border."""

    template: Template
    parts: dict[Key, "TemplateLayout"]
    at: dict[End, XY]
    box: Box  # its border, around the origin
    bends: Bends = field(default_factory=dict)
    x_offsets: dict[Link, float] = field(default_factory=dict)  # from the middle of an item to where a link enters it
    free: Sides = field(default_factory=set)  # items with a free way to the left or right

    @property
    def middle(self) -> float:
        return (self.box.right - self.box.left) / 2


Parts = dict[Key, TemplateLayout]
Layouts = dict[Template, TemplateLayout]


def lay_out_templates(tree: Tree) -> TemplateLayout:
    """Return the layout of the outermost template, which holds those of all others."""
    done: Layouts = {}
    inner_first = list(tree.templates.values())[::-1]
    cards = [card for (row, _), card in tree.templates.items() if card.kind == "card" and not row.repeated]
    for template in sorted(inner_first, key=lambda template: not template.repeated):
        if template.kind == "row":
            shared = () if template.repeated else (done[card].box.left + done[card].box.right for card in cards)
            done[template] = row_layout(template, done, max(shared, default=0.0), tree)
        elif template.kind != "gap":  # a gap is laid out by its row
            done[template] = cluster_layout(template, {key: done[part] for key, part in template.parts.items()})
    return done[inner_first[-1]]


def position(layout: TemplateLayout, chain: Chain) -> tuple[TemplateLayout, float, float]:
    """Return the last placement of a chain: its layout, and its origin in the coordinates of the first layout."""
    x = y = 0.0
    for placement in chain:
        by, down = layout.at[End(part=placement.key)]
        layout, x, y = layout.parts[placement.key], x + by, y + down
    return layout, x, y


def cluster_layout(template: Template, parts: Parts) -> TemplateLayout:
    """Return the layout of a cluster: items and parts in rows, and leaves beside their readers."""
    reads = grouped((end.item, start.item) for start, end in template.links if start.item and end.item)
    beside = leaves_beside(template)
    lane = lane_of(template, reads, beside) if template.kind == "card" else []
    boxes = boxes_of(template, parts, reads, beside, lane)
    held = {End(leaf): boxes[End(op)] for (op, _), side in beside.items() for leaf in side}
    edges = edges_of(template, parts, boxes | held)
    ranks = ranks_of(template, boxes, edges, lane)
    xy, dummies = sugiyama.arrange(list(boxes.values()), edges.values(), ranks)
    at = {end: (xy[box][0] - anchor(end, parts), xy[box][1]) for end, box in boxes.items()}
    bends = {
        link: [(xy[box][0], xy[box][1] + by) for box in between for by in dict.fromkeys((box.below, -box.above))]
        for link, between in zip(edges, dummies)
    }
    offsets, free = x_offsets(template, edges, xy, bends), free_sides(template, boxes, xy, beside)
    at |= positions_beside(template, beside, at)
    layout = TemplateLayout(template, parts, at, border(template, boxes, xy), bends, offsets, free)
    return mirrored(layout) if template.kind == "grad" and template.repeated else layout  # gradients flow to the left


def leaves_beside(template: Template) -> Beside:
    """Return the leaves beside the op that reads them first: a first state, or a first operand, on its left."""
    roles = {key: sized.item.role for key, sized in template.items.items()}
    found: dict[ItemKey, tuple[ItemKey, int]] = {}
    for start, end in template.links:
        if start.item and end.item and roles[start.item] in beside_op and roles[end.item] not in leaves:
            found.setdefault(start.item, (end.item, -1 if start.item in template.left else 1))
    return grouped((side, leaf) for leaf, side in found.items())


def room(template: Template, side: Sequence[ItemKey]) -> tuple[float, float]:
    """Return the width and the height that leaves beside an op need."""
    sizes = [template.items[leaf] for leaf in side]
    return max((size.width + 12 for size in sizes), default=0.0), sum(size.height + 4 for size in sizes) - 4


def lane_of(template: Template, reads: Reads, beside: Beside) -> list[ItemKey]:
    """Return the way of a state through a step, if it meets elementwise ops alone, and at most four: from where it
    leaves the step it is traced back to where it enters. It becomes a straight line, as c in an LSTM.
    """
    items, step_edges = {key: sized.item for key, sized in template.items.items()}, template.step_edges
    plain = {key: item for key, item in items.items() if item.symbol in elementwise and item.role != "gate"}
    ways = [[key] for key, item in plain.items() if item.role == "state" or "out" in step_edges.get(key, ())]
    for _ in range(4):
        for way in ways:
            passing = any(items[other].role == "passing" for other in reads[way[0]])
            if passing or "in" in step_edges.get(way[0], ()) or beside[way[0], -1]:
                return way
        ways = [[other, *way] for way in ways for other in reads[way[0]] if other in plain][:50]
    return []


def boxes_of(template: Template, parts: Parts, reads: Reads, beside: Beside, lane: list[ItemKey]) -> dict[End, Box]:
    """Return a box for each item, part and port, in order of creation. That of an op holds the leaves beside it."""
    ages = template.ages | {  # of what stands for several ops: right after what it reads
        End(key): max((template.ages[End(other)] + 0.5 for other in reads[key]), default=-1.0)
        for key in template.items
        if template.ages[End(key)] < 0
    }
    newest = max((template.ages[End(key)] for key in template.items), default=0.0)
    held = {leaf for side in beside.values() for leaf in side}
    boxes: dict[End, Box] = {}
    for key, sized in template.items.items():
        if key not in held:
            (before, before_high), (after, after_high) = (room(template, beside[key, side]) for side in (-1, 1))
            step_edges = template.step_edges.get(key, ())
            group = -1.0 if before or "in" in step_edges else float("out" in step_edges)
            if key in template.earlier:
                group = ages[End(key)] / max(1.0, newest)
            elif key in lane:
                group = 2 * lane.index(key) / max(len(lane) - 1, 1) - 1
            wide, high = sized.width / 2, max(sized.height, before_high, after_high) / 2
            below = high + (drop if before and "back" in step_edges else 0.0)
            is_leaf = sized.item.role in (*leaves, "passing")
            boxes[End(key)] = Box(wide + before, wide + after, high, below, group, leaf=is_leaf)
    for part, layout in parts.items():
        x = anchor(End(part=part), parts)
        boxes[End(part=part)] = replace(layout.box, left=layout.box.left + x, right=layout.box.right - x)
    ports = [end for link in template.links for end in link if end.side and not end.part]
    boxes |= {end: Box(2, 2, port=1 if end.side == "top" else -1) for end in ports}
    ages |= {end: inf * boxes[end].port for end in ports}
    return dict(sorted(boxes.items(), key=lambda entry: ages[entry[0]]))


def anchor(end: End, parts: Parts) -> float:
    """Return x of the anchor of a box within the part that it stands for: the middle, or 0 if it has columns."""
    return 0.0 if end.part is None or parts[end.part].box.gutters else parts[end.part].middle


def edges_of(template: Template, parts: Parts, boxes: dict[End, Box]) -> Edges:
    """Return the links between different boxes, with how far from the anchors they meet them."""
    ends = {}
    for end in (end for link in template.links for end in link):
        x = parts[end.part].at[end.inside][0] - anchor(end, parts) if end.part else 0.0
        ends[end] = (boxes[End(part=end.part) if end.part else end], x)
    edges = {(start, end): (ends[start], ends[end]) for start, end in template.links}
    return {link: (source, target) for link, (source, target) in edges.items() if source[0] is not target[0]}


def ranks_of(template: Template, boxes: dict[End, Box], edges: Edges, lane: list[ItemKey]) -> sugiyama.Ranks:
    """Return the ranks of all boxes. Items that stand for steps stand side by side, and a lane at the top."""
    earlier, ordered = template.earlier, list(boxes.values())
    upward = [edge for (start, end), edge in edges.items() if start.item not in earlier.get(end.item, ())]
    ranks = sugiyama.assign_ranks(ordered, upward)
    grads = [box for end, box in boxes.items() if end.part and template.parts[end.part].kind == "grad"]
    if lane:
        others = [box for box in ordered if box not in grads]
        ranks = sugiyama.raise_lane(ranks, others, list(edges.values()), [boxes[End(key)] for key in lane])
    return sugiyama.raise_above_older(ranks, ordered, grads)


def positions_beside(template: Template, beside: Beside, at: dict[End, XY]) -> dict[End, XY]:
    """Return where the leaves beside ops stand: above each other, around the height of the op."""
    found: dict[End, XY] = {}
    for (op, sign), side in beside.items():
        (x, y), sizes = at[End(op)], [template.items[leaf] for leaf in side]
        is_early = sign < 0 and "back" in template.step_edges.get(op, ())
        first = y - room(template, side)[1] / 2 + (drop if is_early else 0.0)
        for leaf, size, top in zip(side, sizes, accumulate((size.height + 4 for size in sizes), initial=first)):
            by = template.items[op].width / 2 + 12 + size.width / 2
            found[End(leaf)] = (x + sign * by, top + size.height / 2)
    return found


def x_offsets(template: Template, edges: Edges, xy: dict[Box, XY], bends: Bends) -> dict[Link, float]:
    """Return how far from its middle each link enters an item: those from below side by side."""
    offsets: dict[Link, float] = {}
    rising: dict[ItemKey, list[tuple[float, Link]]] = defaultdict(list)
    for link, ((source, leaving), (target, _)) in edges.items():
        (x, y), (to_x, to_y), item = xy[source], xy[target], link[1].item
        if item and y < to_y:
            offsets[link] = min(max(x - to_x, -6.0), 6.0)
        elif item and y > to_y:
            rising[item].append((bends[link][-1][0] if bends[link] else x + leaving, link))
    for item, entering in rising.items():
        step = min(8.0, (template.items[item].width - 6) / len(entering))
        for number, (_, link) in enumerate(sorted(entering, key=lambda entry: entry[0])):
            offsets[link] = (number - (len(entering) - 1) / 2) * step
    return offsets


def free_sides(template: Template, boxes: dict[End, Box], xy: dict[Box, XY], beside: Beside) -> Sides:
    """Return the items from which the way to the left (-1) or the right (1) is free: those at the ends of rows."""
    rows = grouped((xy[box][1], (xy[box][0], end)) for end, box in boxes.items() if not box.port)
    ends = [(pick(row)[1].item, sign) for row in rows.values() for pick, sign in ((min, -1), (max, 1))]
    firsts = {key for key, sized in template.items.items() if sized.item.role == "initial"}  # where others read a state
    return {(item, sign) for item, sign in ends if item and firsts.issuperset(beside[item, sign])}


def border(template: Template, boxes: dict[End, Box], xy: dict[Box, XY]) -> Box:
    """Return the border of a cluster: around what is in it, and wide enough for its label."""
    label, frame = max(template.labels, key=len, default=""), 0.0 if template.kind == "top" else margin
    solid = [(*xy[box], box) for box in boxes.values() if not box.port] or [(0.0, 0.0, Box())]
    left = max(box.left - x for x, _, box in solid) + frame
    right = max(x + box.right for x, _, box in solid) + frame
    if label:
        room, rising = width(label, 12) + margin, [xy[box][0] for box in boxes.values() if box.port > 0]
        left = max([left, *(room - x + 4 for x in rising)])
        right = max([right, room - left + margin, *(x + 8 for x in rising)])
    above = max(box.above - y for _, y, box in solid) + (header if label else frame)
    below = max(y + box.below for _, y, box in solid) + frame
    return Box(left, right, above, below, gutters=max((box.gutters for _, _, box in solid), key=len))


def row_layout(row: Template, done: Layouts, share: float, tree: Tree) -> TemplateLayout:
    """Return the layout of a row: cards side by side, equally large."""
    kinds = dict.fromkeys(row.parts.values())
    cards = {card: done[card] for card in kinds if card.kind == "card"}
    states = [ends for edge, ends in row.across if edge.role == "state"]
    if sum(1 if left.column > entered.column else -1 for _, left, entered in states) > 0:  # time runs to the left
        cards = {card: mirrored(layout) for card, layout in cards.items()}
    wide = max([share, *(layout.box.left + layout.box.right for layout in cards.values())]) or 150.0
    high = max((layout.box.below + layout.box.above for layout in cards.values()), default=120.0)
    for card, layout in cards.items():
        left, right, below = wide / 2 - layout.middle, layout.middle + wide / 2, layout.box.below
        cards[card] = replace(layout, box=Box(left, right, high - below, below))
    shapes = cards | {gap: gap_layout(gap, cards, wide, high, tree) for gap in kinds if gap.kind == "gap"}
    parts = {key: shapes[card] for key, card in row.parts.items()}
    step = wide + gutter
    at = {End(part=key): (i * step + card.box.left, -card.box.below) for i, (key, card) in enumerate(parts.items())}
    for link in row.links:
        end, own = link if link[0].part else link[::-1]
        at[own] = (at[End(part=end.part)][0] + parts[end.part].at[end.inside][0], 0.0)
    loops = sum(left is entered for _, (_, left, entered) in row.across)
    side, below = (16.0 + 8 * loops, 10.0 + 18 * loops) if loops else (0.0, 0.0)
    gutters = [number * step - gutter / 2 for number in range(1, max(len(parts), 2))] if not row.repeated else []
    return TemplateLayout(row, parts, at, Box(side, len(parts) * step - gutter + side, high, below, gutters=gutters))


def gap_layout(gap: Template, cards: Layouts, wide: float, high: float, tree: Tree) -> TemplateLayout:
    """Return the layout of a gap: what goes on through it is as high as in the steps; the words have the most room."""
    at: dict[End, XY] = {}
    passing = {key: sized.item.id for key, sized in gap.items.items() if sized.item.role == "passing"}
    for key, name in passing.items():
        chain, twin = tree.homes[tree.twins.get(name, name)]
        for level in [level for level, placement in enumerate(chain) if placement.template in cards]:
            card = cards[chain[level].template]
            home, x, y = position(card, chain[level + 1 :])
            at[End(key)] = (x + home.at[End(twin)][0] - card.middle, y + home.at[End(twin)][1] - card.box.below)
    alone = [End(key) for key in passing if End(key) not in at]
    at |= {end: (wide / 4, -24.0 * number) for number, end in enumerate(alone, 1)}
    heights = sorted([-high, *(y for _, y in at.values()), 0.0])
    top, bottom = max(pairwise(heights), key=lambda pair: pair[1] - pair[0])
    at = {End(key): (0.0, (top + bottom) / 2) for key in gap.items} | at
    for link in gap.links:
        for end, other in (link, link[::-1]):
            if end.side:
                alike = [card.at[end][0] - card.middle for card in cards.values() if end in card.at]
                at[end] = (alike[0] if alike else at[other][0], 0.0)
    return TemplateLayout(gap, {}, at, Box(wide / 2, wide / 2, high, 0.0))


def mirrored(layout: TemplateLayout) -> TemplateLayout:
    """Return the layout with left and right exchanged, for where time runs to the left. Rows in it stay as they are."""
    parts = {key: part if part.template.kind == "row" else mirrored(part) for key, part in layout.parts.items()}
    rows = {End(part=key): part.middle for key, part in parts.items() if part.template.kind == "row"}
    return TemplateLayout(
        layout.template, parts, {end: (-x - 2 * rows.get(end, 0.0), y) for end, (x, y) in layout.at.items()},
        replace(layout.box, left=layout.box.right, right=layout.box.left),
        {link: [(-x, y) for x, y in bends] for link, bends in layout.bends.items()},
        {link: -by for link, by in layout.x_offsets.items()}, {(key, -side) for key, side in layout.free},
    )  # fmt: skip
