"""From a view to a layout, in passes: sizes, templates, their layouts, positions in the picture, and here the routes.

The route of an edge is a list of points that it passes, each vertically ("v") or horizontally ("h").
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise
from math import copysign, inf, sqrt

from tinygrad_seq.drawing.layout.beside import beside_op
from tinygrad_seq.drawing.layout.clearance import Obstacles, arrow, boxes_in
from tinygrad_seq.drawing.layout.marks import marked
from tinygrad_seq.drawing.layout.model import XY, Layout, PlacedCluster, PlacedEdge, PlacedItem, Point
from tinygrad_seq.drawing.layout.placement import lay_out_templates
from tinygrad_seq.drawing.layout.template_layout import TemplateLayout, gutter, header, positions
from tinygrad_seq.drawing.layout.templates import Cards, End, ItemKey, Key, Link, Placement, Template, Tree
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.model import View

apart = 7.0  # so far from each other are lines that run the same way

Spots = dict[Placement, tuple[TemplateLayout, float, float]]  # the layout, and where its origin is in the picture


def laid_out(view: View) -> Layout:
    """Return where everything in a view stands, and the route of every edge."""
    tree = Tree(view)
    top = lay_out_templates(tree)
    spots = {chain[-1]: positions(top, [placement.key for placement in chain[1:]])[-1] for chain in tree.chains}
    clusters, items = [], []
    for placement, (layout, x, y) in spots.items():
        box, cluster = layout.box, placement.cluster
        if cluster is not None and cluster is not view.top:
            clusters.append(PlacedCluster(cluster, x - box.left, y - box.above, x + box.right, y + box.below))
        for item in cluster.items if cluster is not None else ():
            chain, key = tree.homes[item.id]
            layout, x, y = spots[chain[-1]]
            by, down = layout.at[End(key)]
            sized = layout.template.items[key]  # the same in every step, whatever stands on it
            items.append(PlacedItem(item, sized.width, sized.height, tree.sizes[item.id].words, x + by, y + down))
    edges = marked(routes(tree, spots), items, clusters)
    return Layout(view, clusters, items, edges, list(tree.sequences.values()))


def routes(tree: Tree, spots: Spots) -> list[PlacedEdge]:
    """Return the routes of all edges."""
    route, leave = cache(link_route), cache(way_out)  # the same in all placements
    obstacles = cache(lambda layout, lacking=frozenset(): Obstacles(boxes_in(layout, lacking)))

    def border_route(name: str, card: Placement, side: int, over: int, many: int) -> list[Point]:
        chain, key = tree.homes[name]
        path = tuple(placement.key for placement in chain[chain.index(card) + 1 :])
        layout, x, y = spots[card]
        around = chain[chain.index(card) :]
        lacking = (frozenset(here.template.items.keys() - tree.present[here]) for here in around)
        walls = tuple([obstacles(spots[here][0], keys) for here, keys in zip(around, lacking)])
        return [(x + by, y + down, way) for by, down, way in leave(layout, path, key, side, over, walls, many)]

    alike = Counter((edge.source, edge.target) for edge, _, _ in tree.paths)
    entering = Counter(edge.target for edge, _, across in tree.paths if across is not None)
    tracks: Counter[Placement] = Counter()  # how many edges run below each row so far
    found = []
    for edge, links, across in tree.paths:
        points: list[Point] = []
        many = alike[edge.source, edge.target]
        for here, link in links:
            layout, x, y = spots[here]
            corners = [(x + to_x, y + to_y) for to_x, to_y in layout.bends.get(link, ())]
            points += [(x + to_x, y + to_y, way) for to_x, to_y, way in route(layout, link, many, obstacles)]
            if here.template.kind == "sequence" and follows(here.template, link):  # sideways, where that is free
                chain = tree.homes[edge.source][0]
                start, *others = border_route(edge.source, chain[chain.index(here) + 1], 1, -1, many)
                sideways = [start[:2], (corners[1][0], start[1]), *corners[2:], points[-1][:2]]
                points = rounded(sideways) if len(others) == 1 else points
        if across is not None:
            row, left, entered = across
            side = 1 if left.column <= entered.column else -1
            out = border_route(edge.source, left, side, -1, many)
            into = border_route(edge.target, entered, -side, 1, entering[edge.target])[::-1]
            points = card_route(across, out, into, spots[row][2], tracks[row])
            tracks[row] += left.column - entered.column not in (-1, 1)
        found.append(PlacedEdge(edge, points))
    return numbered(spread(found, tree.sizes), tree.sizes)


def spread(edges: list[PlacedEdge], sizes: Mapping[str, PlacedItem]) -> list[PlacedEdge]:
    """Return the edges with those that come in at one place beside each other, in the order of where they come from:
    their last straight piece, or all of those that run the same way, as in x × x.
    """
    alike = Counter(tuple(placed.points) for placed in edges)
    tips = [placed.points[-1] for placed in edges]
    near = ((placed.edge.target, round(x / 5), round(y / 5), way) for placed, (x, y, way) in zip(edges, tips))
    found, entering = list(edges), Counter((placed.edge.target, placed.points[-1][2]) for placed in edges)
    for (target, *_, way), numbers in grouped(zip(near, range(len(edges)))).items():
        axis, bent = int(way == "h"), {}  # by edge, how many points its bent part has
        for i in numbers if len(numbers) > 1 else ():
            points = edges[i].points
            turns = [k for k, p in enumerate(points) if abs(p[:2][axis] - tips[i][:2][axis]) > 1]
            bent[i] = 0 if alike[tuple(points)] > 1 else max([0, *turns]) + 1
        side = sizes[target].height if way == "h" else sizes[target].width
        step = min(apart, (side - 8) / max(entering[target, way] - 1, 1))
        for place, i in enumerate(sorted(bent, key=lambda i: edges[i].points[max(bent[i] - 1, 0)][axis])):
            by, points = step * (place - (len(bent) - 1) / 2), edges[i].points
            moved: list[Point] = [
                (x, y + by, to) if (to if bent[i] == 0 else way) == "h" else (x + by, y, to)
                for x, y, to in points[bent[i] :]
            ]
            found[i] = replace(edges[i], points=[*points[: bent[i]], *moved])
    return found


def numbered(edges: list[PlacedEdge], sizes: Mapping[str, PlacedItem]) -> list[PlacedEdge]:
    """Return the edges with a number on both operands of an op, unless the first comes in on the left of the second, or
    the op says its operands.
    """
    firsts, seconds = (
        grouped((placed.edge.target, placed.points[-1][0]) for placed in edges if placed.edge.operand == operand)
        for operand in (1, 2)
    )
    weights = [{p.edge.target for p in edges if p.edge.operand == n and p.edge.role == "weight"} for n in (1, 2)]
    usual = {target for target in weights[1] - weights[0] if sizes[target].item.symbol == "@"}  # x @ W
    both = {target: first for target, first in firsts.items() if not (target in usual or sizes[target].item.formula)}
    more = {placed.edge.target for placed in edges if placed.edge.operand > 2}  # to these the arrows are too close
    unclear = {to for to, first in both.items() if max(first) > min(seconds[to], default=inf) - 3} - more
    return [replace(p, operand=p.edge.operand) if p.edge.target in unclear else p for p in edges]


def link_route(layout: TemplateLayout, link: Link, beside: int, obstacles: Callable[..., Obstacles]) -> list[Point]:
    """Return the points of a link, in the coordinates of its template; none for one that goes on through a row."""
    start, end = link
    first, (x, y, way) = link_end(layout, start, end), link_end(layout, end, start)
    if layout.template.is_level:
        return rounded([first[:2], *layout.bends[link], (x, y)]) if link in layout.bends else []
    if way == "h" and not obstacles(layout).is_free(first, (x + copysign(arrow, first[0] - x), y, way)):
        first, (x, y, way) = link_end(layout, start, end, False), link_end(layout, end, start, False)
    if way == "v" and start.item and end.item and abs(layout.at[start][1] - layout.at[end][1]) < 1:  # around below
        level = obstacles(layout).leaving((x, max(first[1], y), way), 1.0)[1] + 8
        return rounded([first[:2], (first[0], level), (x, level), (x, y)])
    if first[2] == "v":
        first = (first[0] + layout.x_offsets.get((end, start), 0.0), *first[1:])
    offset = layout.x_offsets.get(link, 0.0)
    if offset and way == "v" and end.item:
        x += offset
        lift = 11 - sqrt(121 - offset * offset) if layout.template.items[end.item].is_round else 0.0
        y -= copysign(lift, y - layout.at[end][1])
    bends: list[Point] = [(bend, height, "v") for bend, height in layout.bends.get(link, ())]
    points = [first, *(bends if first[1] > y else reversed(bends)), (x, y, way)]
    return obstacles(layout).cleared(points, apart * (beside - 1) / 2)


def follows(template: Template, link: Link) -> bool:
    """Tell whether a link in a sequence leads from one part to the next."""
    parts = list(template.parts)
    return link[0].part in parts[:-1] and parts[parts.index(link[0].part) + 1] == link[1].part


def rounded(corners: list[XY]) -> list[Point]:
    """Return the points of a way along corners, which are round."""
    found: list[Point] = []
    for (ax, ay), (bx, by) in pairwise(corners):
        way, bend = "v" if abs(by - ay) > abs(bx - ax) else "h", min(8.0, abs(bx - ax) / 2 + abs(by - ay) / 2)
        x, y = (0.0, copysign(bend, by - ay)) if way == "v" else (copysign(bend, bx - ax), 0.0)
        found += [(ax + x, ay + y, way), (bx - x, by - y, way)]
    return [(*corners[0], found[0][2]), *found[1:-1], (*corners[-1], found[-1][2])]


def link_end(layout: TemplateLayout, end: End, other: End, level: bool = True) -> Point:
    """Return where a link meets one of its ends; `level`: whether a leaf may be read from the side."""
    frame, (x, y) = (layout.parts[end.part], layout.at[End(part=end.part)]) if end.part else (layout, (0.0, 0.0))
    if not end.item:
        return x + frame.at[end.inside][0], y + (-frame.box.above if end.side == "top" else frame.box.below), "v"
    x, y = layout.at[end]
    sized = layout.template.items[end.item]
    above = not other.item and link_end(layout, other, end)[1] < y
    if other.item:
        (to_x, to_y), near = layout.at[other], layout.template.items[other.item]
        is_leaf = not {sized.item.role, near.item.role}.isdisjoint(beside_op(layout.template))
        reach, far, high = (sized.width + near.width) / 2, abs(to_x - x), abs(to_y - y)
        if level and reach < far and (high < 1 or (is_leaf and far < reach + 100 and high < 60)):
            return x + (sized.width / 2 if to_x > x else -sized.width / 2), y, "h"
        above = to_y < y
    return x, y + (-sized.height / 2 if above else sized.height / 2), "v"


def card_route(across: Cards, out: list[Point], into: list[Point], base: float, track: int) -> list[Point]:
    """Return the points of an edge between cards: from border to border, or on a track below their row."""
    _, left, entered = across
    side = 1 if left.column <= entered.column else -1
    (x, _, _), (to_x, _, _) = out[-1], into[0]
    if left is entered:
        out += feedback_route(out[-1], into[0], base + 22.0 + 24 * track, 16 + 8 * track)
    elif abs(left.column - entered.column) > 1:
        level = base + 8.0 + 4 * (track % 3)
        out += [(x + side * gutter, level, "h"), (to_x - side * gutter, level, "h")]
    return out + into


def feedback_route(start: Point, end: Point, level: float, aside: float) -> list[Point]:
    """Return the points of an edge that leaves a card on the right, passes below it and enters it on the left."""
    (x, y, _), (to_x, to_y, _), bend = start, end, 14
    right, left = x + aside, to_x - aside
    down = [(right, y + bend, "v"), (right, level - bend, "v"), (right - bend, level, "h")]
    return [*down, (left + bend, level, "h"), (left, level - bend, "v"), (left, to_y + bend, "v")]


def way_out(
    layout: TemplateLayout, path: tuple[Key, ...], key: ItemKey, side: int, over: int, inside: tuple[Obstacles, ...],
    many: int,
) -> list[Point]:  # fmt: skip
    """Return the way from an item in a card to the border of it, in the coordinates of the card: straight if that is
    free, else up (-1) or down (1) into the nearest corridor that is, with room for `many` lines. `path` leads through
    the parts to the item.
    """
    room = apart * (many - 1) / 2
    around = positions(layout, path)
    (card, _, _), (home, left, top) = around[0], around[-1]
    (x, y), item = home.at[End(key)], home.template.items[key]
    x, y = left + x, top + y
    border = card.box.right if side > 0 else -card.box.left
    straight: list[Point] = [(x + side * item.width / 2, y, "h"), (border, y, "h")]
    if home.template.kind == "gap":
        return straight
    walls = [(wall, left, top) for wall, (_, left, top) in zip(inside, around)]
    ends = [left + (layout.box.right if side > 0 else -layout.box.left) for layout, left, _ in around]

    def is_free(start: float, level: float, depth: int = len(walls)) -> bool:
        pieces, low, high = zip(walls[:depth], [*ends[1:depth], start], ends), level - 1 - room, level + 1 + room
        return all(
            (b - a) * side < 2 or wall.is_clear(a - left + side, low - top, b - left, high - top)
            for (wall, left, top), a, b in pieces
        )

    if is_free(x + side * item.width / 2, y):
        return straight
    in_top_row = y - item.height / 2 < header + 20 - card.box.above
    if not path and (in_top_row or (over > 0 and not item.is_round)):  # above what stands beside it
        over, x = -1, x + side * item.width / 4
    foot = y + over * item.height / 2
    in_frame = -home.box.above + 6 < foot - top + over * 15 < home.box.below - 6
    far = 15 if in_frame else 10  # past arrowheads
    usual: list[Point] = [(x, foot, "v"), (border, foot + over * (far + room), "h")]
    start, end = ((px - left, py - top, way) for px, py, way in usual)
    if is_free(x, usual[1][1]) and walls[-1][0].is_free(start, end, room):
        return usual
    aside = x + side * item.width / 4  # beside the title of a part
    if is_free(aside, usual[1][1]):
        return rounded([(aside, foot), (aside, usual[1][1]), (border, usual[1][1])])
    levels = [usual[1][1], y - over * (item.height / 2 + far + room)]
    for depth in range(len(walls), 0, -1):  # it turns in the part of the item, or above or below that part
        wall, left, top = walls[depth - 1]
        levels += [(below + above) / 2 + top for below, above in zip(wall.bottoms, wall.tops[1:])]
        levels += [wall.tops[0] + top - 6, wall.bottoms[-1] + top + 6]
        for level in sorted(levels, key=lambda level: abs(level - y)):
            feet = [
                *((top - part.box.above, top + part.box.below)[level > y] for part, _, top in around[depth:]),
                y + copysign(item.height / 2, level - y),
            ]
            if is_free(x, level, depth) and all(
                abs(level - foot) * copysign(1, level - y) == level - foot
                and wall.is_clear(x - left - room, foot - top + (foot < level) * 2 - 1, x - left + room, level - top)
                for (wall, left, top), foot in zip(walls[depth - 1 :], feet)
            ):
                return rounded([(x, feet[-1]), (x, level), (border, level)])
    return usual
