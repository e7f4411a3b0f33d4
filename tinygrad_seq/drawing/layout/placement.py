"""The layout of every template, in coordinates of its own (y grows downward), inner ones first.

Of a loop the steps are columns, and what reads them stands above. Loops above each other, if not inside a step, share
their column width.
"""

from collections import defaultdict
from dataclasses import replace
from math import inf
from operator import itemgetter

from tinygrad_seq.drawing.layout import sugiyama
from tinygrad_seq.drawing.layout.beside import Beside, drop, leaves_beside, positions_beside, room_beside
from tinygrad_seq.drawing.layout.box import Box
from tinygrad_seq.drawing.layout.model import XY
from tinygrad_seq.drawing.layout.rows import row_layout, sequence_layout, side_by_side, words_in
from tinygrad_seq.drawing.layout.sugiyama import BoxEdge
from tinygrad_seq.drawing.layout.template_layout import (
    Bends,
    Layouts,
    Parts,
    TemplateLayout,
    beside_label,
    flows_left,
    header,
    margin,
    mirrored,
    turned_round,
    whole,
)
from tinygrad_seq.drawing.layout.templates import End, ItemKey, Link, Template, Tree
from tinygrad_seq.drawing.layout.text_size import below_names, width
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.model import no_ops

elementwise = {"+", "−", "×", "÷", "where"}
over_time = ("stack", "unstack")  # as wide as the steps that they join or part

Reads = dict[ItemKey, list[ItemKey]]  # by item: what it reads
Edges = dict[Link, BoxEdge]
Bars = dict[ItemKey, float]  # items that are as wide as the steps that they join or part, and their middle


def lay_out_templates(tree: Tree) -> TemplateLayout:
    """Return the layout of the outermost template, which holds those of all others."""
    done: Layouts = {}
    turned = turned_round(tree)
    inner_first = list(tree.templates.values())[::-1]
    cards = [card for (row, _), card in tree.templates.items() if card.kind == "card" and not row.repeated]
    gaps = [gap for (row, _), gap in tree.templates.items() if gap.kind == "gap" and not row.repeated]
    for template in sorted(inner_first, key=lambda template: not template.repeated):
        if template.kind == "row":
            alike = () if template.repeated else (done[card].box for card in cards if card.units == template.units)
            shared = [box.left + box.right for box in alike]
            gap = 0.0 if template.repeated else max(map(words_in, gaps), default=0.0)
            done[template] = row_layout(template, done, max(shared, default=0.0), gap, tree)
        elif template.kind != "gap":  # a gap is laid out by its row
            parts, is_level = {key: done[part] for key, part in template.parts.items()}, template.kind == "sequence"
            turn = turned[template]
            done[template] = sequence_layout(template, parts) if is_level else cluster_layout(template, parts, turn)
    return done[inner_first[-1]]


def cluster_layout(template: Template, parts: Parts, turned: bool) -> TemplateLayout:
    """Return the layout of a cluster: items and parts in rows, and leaves beside their readers. What is to come in in
    order does so on the other way round, where all is turned round later.
    """
    parts = side_by_side(template, parts)
    reads = grouped((end.item, start.item) for start, end in template.links if start.item and end.item)
    beside = leaves_beside(template)
    lane = lane_of(template, reads, beside) if template.repeated and template.kind in ("card", "frame") else []
    on_lane = {(key, 1) for key in lane[:-1]} | {(key, -1) for key in lane[1:]}
    beside = grouped((side, leaf) for side, found in beside.items() if side not in on_lane for leaf in found)
    bars = bars_of(template, parts)
    boxes = boxes_of(template, parts, reads, beside, lane, bars)
    held = {End(leaf): boxes[End(op)] for (op, _), side in beside.items() for leaf in side}
    edges = edges_of(template, parts, boxes | held, bars, turned)
    tried = ranks_of(template, boxes, edges, lane)
    roofs, lines = grads_in(template, boxes), edges.values()
    arranged = [sugiyama.arrange(list(boxes.values()), lines, ranks, roofs) for ranks in tried]
    _, xy, dummies = min(arranged, key=itemgetter(0))  # the fewest crossings
    at = {end: (xy[box][0] - anchor(end, parts), xy[box][1]) for end, box in boxes.items()}
    bends = {
        link: [(xy[box][0], xy[box][1] + by) for box in between for by in dict.fromkeys((box.below, -box.above))]
        for link, between in zip(edges, dummies)
    }
    offsets = x_offsets(template, edges, xy, bends)
    at |= positions_beside(template, beside, at)
    over = 12.0 * any("in" in template.step_edges.get(key, ()) for key in lane[1:])  # for lines to these
    layout = TemplateLayout(template, parts, at, border(template, boxes, xy, over), bends, offsets)
    return mirrored(layout) if flows_left(template) else layout


def lane_of(template: Template, reads: Reads, beside: Beside) -> list[ItemKey]:
    """Return the way of a state through a step, if it meets elementwise ops alone, and at most four: from where it
    leaves the step it is traced back to where it enters. It becomes a straight line, as c in an LSTM.
    """
    items, step_edges = {key: sized.item for key, sized in template.items.items()}, template.step_edges
    plain = {key: item for key, item in items.items() if item.symbol in elementwise and item.role != "gate"}
    ways = [[key] for key, item in plain.items() if item.role == "state" or "out" in step_edges.get(key, ())]
    found: list[list[ItemKey]] = []
    for _ in range(5):
        entered = [
            way
            for way in ways
            if "in" in step_edges.get(way[0], ())
            or beside[way[0], -1]
            or any(items[other].role == "passing" for other in reads[way[0]])
        ]
        found = entered or found  # the longest; the first of these
        ways = [[other, *way] for way in ways for other in reads[way[0]] if other in plain][:50]
    return found[0] if found else []


def bars_of(template: Template, parts: Parts) -> Bars:
    """Return what joins or parts several steps, which is widened to reach over all of them: lines rise straight."""
    columns = grouped(
        ((end.item, other.part), parts[other.part].at[other.inside][0] - anchor(other, parts))
        for link in template.links
        for end, other in (link, link[::-1])
        if end.item
        and other.part
        and parts[other.part].box.gutters
        and template.items[end.item].item.symbol in over_time
    )
    found: Bars = {}
    reach = {key: (min(xs) - 30, max(xs) + 30) for (key, _), xs in columns.items() if key and max(xs) - min(xs) > 60}
    for key, (left, right) in reach.items():
        alike = [reach[other] for other in reach if other[0] == key[0]]
        if sum(a < right and left < b for a, b in alike) == 1:  # lines to one would run around the other
            found[key] = (left + right) / 2
            template.items[key] = replace(template.items[key], width=right - left)
    return found


def boxes_of(
    template: Template, parts: Parts, reads: Reads, beside: Beside, lane: list[ItemKey], bars: Bars
) -> dict[End, Box]:
    """Return a box for each item, part and port, in order of creation. That of an op holds the leaves beside it."""
    ages = template.ages | {  # of what stands for several ops: right after what it reads
        End(key): max((template.ages[End(other)] + 0.5 for other in reads[key]), default=-1.0)
        for key in template.items
        if template.ages[End(key)] < 0
    }
    newest = max((template.ages[End(key)] for key in template.items), default=0.0)
    held = {leaf for side in beside.values() for leaf in side}
    read = {source for sources in reads.values() for source in sources}
    boxes: dict[End, Box] = {}
    for key, sized in template.items.items():
        if key not in held:
            (before, before_high), (after, after_high) = (room_beside(template, beside[key, side]) for side in (-1, 1))
            step_edges = template.step_edges.get(key, ())
            is_in, is_out = "in" in step_edges, "out" in step_edges
            arriving = width(template.said.get(key, ""), 11) + 14 if is_in or key in template.said else 0.0
            is_free = template.kind == "grad" and key in read  # lines to its readers may pass it on both sides
            group = 0.0 if is_free else -1.0 if is_in else -0.5 if before else 0.0
            group = 1.0 + 0.5 * is_in if is_out else group
            if key in template.earlier:
                group = ages[End(key)] / max(1.0, newest)
            elif key in lane:
                group = 2 * lane.index(key) / max(len(lane) - 1, 1) - 1
            wide, high = sized.width / 2, max(sized.height, before_high, after_high) / 2
            below = high + (drop if (before and "back" in step_edges) or "cut" in step_edges else 0.0)
            is_leaf = sized.item.role in no_ops
            left = wide + max(before, arriving)
            above = high + (8.0 if group > 1 else 0.0)  # for the line of an old state
            boxes[End(key)] = Box(left, wide + after, above, below, group, leaf=is_leaf, middle=bars.get(key))
    for part, layout in parts.items():
        x = anchor(End(part=part), parts)
        boxes[End(part=part)] = replace(layout.box, left=layout.box.left + x, right=layout.box.right - x)
    ports = [end for link in template.links for end in link if end.side and not end.part]
    boxes |= {end: Box(2, 2, port=1 if end.side == "top" else -1) for end in ports}
    ages |= {end: inf * boxes[end].port for end in ports} | ages_before_parts(template, ages)
    return dict(sorted(boxes.items(), key=lambda entry: ages[entry[0]]))


def ages_before_parts(template: Template, ages: dict[End, float]) -> dict[End, float]:
    """Return ages of what a part reads, and that is newer than its oldest op, but not made of it: as old as that."""
    sources = grouped((whole(end), whole(start)) for start, end in template.links)
    found: dict[End, float] = {}
    stack = [(whole(start), ages[whole(end)]) for start, end in template.links if end.part and end.side == "bottom"]
    while stack:
        end, age = stack.pop()
        if (end.item or end.part) and found.get(end, ages[end]) > age:
            found[end] = age - 1 / (2 + ages[end])
            stack += ((source, age) for source in sources[end])
    return found


def anchor(end: End, parts: Parts) -> float:
    """Return x of the anchor of a box within the part that it stands for: the middle, or 0 if it has columns."""
    return 0.0 if end.part is None or parts[end.part].box.gutters else parts[end.part].middle


def edges_of(template: Template, parts: Parts, boxes: dict[End, Box], bars: Bars, turned: bool) -> Edges:
    """Return the links between different boxes, with how far from the anchors they meet them."""

    def meets(end: End, other: End) -> float:
        if end.part:
            return parts[end.part].at[end.inside][0] - anchor(end, parts)
        return meets(other, end) - bars[end.item] if end.item in bars and other.part else 0.0

    def enters(end: End, operand: int) -> float:  # below its name, or else in order
        names = below_names(template.items[end.item]) if end.item else []
        by = names[operand - 1] if operand <= len(names) else (operand - 1.5) * 1e-4
        return -by if turned else by

    links = ((a, b, enters(b, operand) if operand else 0.0) for (a, b), operand in template.links.items())
    found = {(a, b): ((boxes[whole(a)], meets(a, b)), (boxes[whole(b)], meets(b, a) + by)) for a, b, by in links}
    return {link: (source, target) for link, (source, target) in found.items() if source[0] is not target[0]}


def ranks_of(template: Template, boxes: dict[End, Box], edges: Edges, lane: list[ItemKey]) -> list[sugiyama.Ranks]:
    """Return the ranks of all boxes, in one way or two: what alone only leads out of a step may stand in a row of
    its own. Items that stand for steps stand side by side, and a lane at the top.
    """
    earlier, ordered = template.earlier, list(boxes.values())
    upward = [edge for (start, end), edge in edges.items() if start.item not in earlier.get(end.item, ())]
    ranks = sugiyama.assign_ranks(ordered, upward, template.kind == "grad")
    if template.kind == "top" and not template.parts:
        return [sugiyama.as_tree(ranks, upward)]
    for end, box in boxes.items():
        if box.middle is not None and end.item and template.items[end.item].item.symbol == "stack":
            ranks = sugiyama.raise_bar(ranks, box)
    grads = grads_in(template, boxes)
    if lane:
        others = [box for box in ordered if box not in grads]
        raised = sugiyama.raise_lane(ranks, others, list(edges.values()), [boxes[End(key)] for key in lane])
        rising = [(source, target) for (_, end), ((source, _), (target, _)) in edges.items() if end.side == "bottom"]
        if all(raised[source] < raised[target] for source, target in rising if target in others):
            ranks = raised
    ranks = sugiyama.raise_above_older(ranks, ordered, grads)
    read = {start.item for start, _ in edges}
    ends = [boxes[End(key)] for key, ways in template.step_edges.items() if "out" in ways and key not in read]
    return [ranks, sugiyama.raise_alone(ranks, ends)] if len(ends) == 1 else [ranks]


def grads_in(template: Template, boxes: dict[End, Box]) -> list[Box]:
    """Return the recorded backward of what is in a cluster: it stands above that."""
    return [box for end, box in boxes.items() if end.part and template.parts[end.part].kind == "grad"]


def x_offsets(template: Template, edges: Edges, xy: dict[Box, XY], bends: Bends) -> dict[Link, float]:
    """Return how far from its middle each link enters an item: those from below side by side; and by the link turned
    round, how far from the middle it leaves one that is over time.
    """
    offsets: dict[Link, float] = {}
    rising: dict[ItemKey, list[tuple[float, Link]]] = defaultdict(list)
    for link, ((source, leaving), (target, entering)) in edges.items():
        (x, y), (to_x, to_y), item = xy[source], xy[target], link[1].item
        offsets[link[::-1]] = 0.0 if link[0].part else leaving
        if item and abs(entering) > 1e-3:
            offsets[link] = entering
        elif item and y < to_y:
            offsets[link] = min(max(x - to_x, -6.0), 6.0)
        elif item and y > to_y:
            rising[item].append((bends[link][-1][0] if bends[link] else x + leaving, link))
    for item, entered in rising.items():
        step = min(8.0, (template.items[item].width - 6) / len(entered))
        for number, (_, link) in enumerate(sorted(entered, key=lambda entry: entry[0])):
            offsets[link] = (number - (len(entered) - 1) / 2) * step
    return offsets | leaving_beside(template, edges, xy, offsets)


def leaving_beside(
    template: Template, edges: Edges, xy: dict[Box, XY], offsets: dict[Link, float]
) -> dict[Link, float]:
    """Return how far from the middle of an item links leave it on a side where others enter: beside these."""
    ways = {link: (*xy[source], *xy[target]) for link, ((source, _), (target, _)) in edges.items()}
    entering = ((link, way) for link, way in ways.items() if link in offsets and way[1] != way[3])
    entered = grouped(((link[1].item, y < to_y), (x, offsets[link])) for link, (x, y, _, to_y) in entering)
    found: dict[Link, float] = {}
    for (start, end), (_, y, to_x, to_y) in ways.items():
        others = entered[start.item, y > to_y]
        if start.item and others and y != to_y and not template.items[start.item].is_round:
            side = 1.0 if to_x >= max(others)[0] else -1.0  # where its way crosses none of theirs
            by = max(side * offset for _, offset in others) + 10
            found[end, start] = side * min(by, template.items[start.item].width / 2 - 10)
    return found


def border(template: Template, boxes: dict[End, Box], xy: dict[Box, XY], over: float) -> Box:
    """Return the border of a cluster: around what is in it, and wide enough for its label."""
    frame = 0.0 if template.kind in ("top", "unit") else margin
    solid = [(*xy[box], box) for box in boxes.values() if not box.port] or [(0.0, 0.0, Box())]
    wide = [*solid, *((x, y, box) for box, (x, y) in xy.items() if box.dummy)]  # lines stay in the frame, too
    left = max(box.left - x for x, _, box in wide) + frame
    right = max(x + box.right for x, _, box in wide) + frame
    left, right = beside_label(template, left, right, [xy[box][0] for box in boxes.values() if box.port > 0])
    above = max(box.above - y for _, y, box in solid) + over + (header if template.label else frame)
    below = max(y + box.below for _, y, box in solid) + frame
    gutters = max((box.gutters for _, _, box in solid), key=len)
    inner = () if any(box.middle for *_, box in solid) else gutters[1:-1]
    return Box(left, right, above, below, gutters=gutters and (-left - margin / 2, *inner, right + margin / 2))
