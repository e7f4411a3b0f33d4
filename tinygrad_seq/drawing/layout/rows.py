"""The layout of what stands side by side: the cards of a loop, and loops that follow each other in time."""

from dataclasses import replace
from itertools import accumulate, pairwise
from math import copysign, inf
from operator import itemgetter

from tinygrad_seq.drawing.layout.box import Box
from tinygrad_seq.drawing.layout.model import XY
from tinygrad_seq.drawing.layout.template_layout import (
    Bends,
    Layouts,
    Parts,
    TemplateLayout,
    gutter,
    margin,
    mirrored,
    positions,
    runs_left,
    whole,
)  # fmt: skip
from tinygrad_seq.drawing.layout.templates import End, Key, Link, Template, Tree
from tinygrad_seq.drawing.view.grouped import grouped

widest = 1900.0  # so far parts may reach side by side


def row_layout(row: Template, done: Layouts, share: float, share_of_gap: float, tree: Tree) -> TemplateLayout:
    """Return the layout of a row: cards side by side, equally large, and narrow gaps."""
    kinds = dict.fromkeys(row.parts.values())
    cards = {card: done[card] for card in kinds if card.kind == "card"}
    if runs_left(row):
        cards = {card: mirrored(layout) for card, layout in cards.items()}
    wide = max([share, *(layout.box.left + layout.box.right for layout in cards.values())]) or 150.0
    high = max((layout.box.below + layout.box.above for layout in cards.values()), default=120.0)
    for card, layout in cards.items():
        left, right = wide / 2 - layout.middle, layout.middle + wide / 2
        cards[card] = replace(layout, box=replace(layout.box, left=left, right=right))
    between = max([share_of_gap, *(words_in(gap) for gap in kinds if gap.kind == "gap")])
    shapes = cards | {gap: gap_layout(gap, cards, between, high, tree) for gap in kinds if gap.kind == "gap"}
    high = max(high, *(layout.box.above for layout in shapes.values()))  # of a gap whose words need more room
    heights = {card: replace(layout.box, above=high - layout.box.below) for card, layout in shapes.items()}
    parts = {key: replace(shapes[card], box=heights[card]) for key, card in row.parts.items()}
    rights = list(accumulate(card.box.left + card.box.right + gutter for card in parts.values()))
    lefts = dict(zip(parts, [0.0, *rights]))
    at = {End(part=key): (lefts[key] + card.box.left, -card.box.below) for key, card in parts.items()}
    for link in row.links:
        end, own = link if link[0].part else link[::-1]
        at[own] = (at[End(part=end.part)][0] + parts[end.part].at[end.inside][0], 0.0)
    loops = sum(left is entered for _, (_, left, entered) in row.across)
    side, below = (16.0 + 8 * loops, 4.0 + 24 * loops) if loops else (0.0, 0.0)
    right = rights[-1] - gutter
    gutters = [-margin / 2, *(x - gutter / 2 for x in rights[:-1]), right + margin / 2]  # in the margins around, too
    gutters = [] if row.repeated or loops else gutters  # rolled ones may stand side by side
    return TemplateLayout(row, parts, at, Box(side, right + side, high, below, gutters=gutters))


def words_in(gap: Template) -> float:
    """Return the width that a gap needs."""
    return max(sized.width for sized in gap.items.values()) + 36


def gap_layout(gap: Template, cards: Layouts, wide: float, high: float, tree: Tree) -> TemplateLayout:
    """Return the layout of a gap: what goes on through it is as high as in the steps, or right above what the next step
    reads of the same op; the words have the most room, or above all that, where there is not enough.
    """
    at: dict[End, XY] = {}
    offsets: dict[Link, float] = {}
    read_above = {start.item for start, _ in gap.links}
    passing = {key: sized.item.id for key, sized in gap.items.items() if sized.item.role == "passing"}
    for key, name in passing.items():
        chain, twin = tree.homes[tree.twins.get(name, name)]
        for level in [level for level, placement in enumerate(chain) if placement.template in cards]:
            card = cards[chain[level].template]
            home, x, y = positions(card, [placement.key for placement in chain[level + 1 :]])[-1]
            at[End(key)] = (x + home.at[End(twin)][0] - card.middle, y + home.at[End(twin)][1] - card.box.below)
    passers = {End(key): gap.items[key].height for key in passing if End(key) in at and key not in read_above}
    falling = sorted(passers, key=lambda end: at[end][::-1])
    words = max(sized.height for sized in gap.items.values())
    low, roof = -words - 24.0 if len(passers) > 1 else inf, 4.0 - high
    for end in reversed(falling):  # what leaves a step further away leaves it higher
        at[end] = (0.0, min(at[end][1], low))
        low = at[end][1] - passers[end] - 6
    for end in falling:
        at[end] = (0.0, max(at[end][1], roof + passers[end] / 2))
        roof = at[end][1] + passers[end] / 2 + 6
    widths = {end: gap.items[end.item].width for end in at if end.item}
    lanes = {at[end][1]: own for end, own in widths.items() if end.item not in read_above}
    leaving: dict[End, float] = {}
    rising = ((*at[end], end, own) for end, own in widths.items() if end.item in read_above)
    for x, y, end, own in sorted(rising, key=itemgetter(1)):
        higher = max((lane for lane in lanes if lane < y), default=y - 56.0)
        y -= min(40.0, (y - higher) / 2) * (y in lanes)  # above what the next step reads of the same op
        above = max((over for lane, over in lanes.items() if lane < y), default=0.0)
        beside = min(max((above - own) / 2 + 21, 0.0), (wide - own) / 2 - 12) if above else 0.0
        at[end], leaving[end] = (copysign(beside, x), y), copysign(beside + (own / 2 - 12) * bool(above), x)
        lanes[y] = own + 2 * beside
    alone = [End(key) for key in passing if End(key) not in at]
    at |= {end: (wide / 4, -24.0 * number) for number, end in enumerate(alone, 1)}
    heights = sorted([-high, *(y for _, y in at.values()), 0.0])
    top, bottom = max(pairwise(heights), key=lambda pair: pair[1] - pair[0])
    if passing and bottom - top < words + 16:
        top, bottom = heights[1] - words - 16, heights[1] - 12
    at = {End(key): (0.0, (top + bottom) / 2) for key in gap.items} | at
    for link in gap.links:
        for end, other in (link, link[::-1]):
            if end.side:
                alike = [card.at[end][0] - card.middle for card in cards.values() if end in card.at]
                middle, far = at.get(other, (0.0, 0.0))[0], gap.items[other.item].width / 2 - 12 if other.item else 0.0
                x = leaving.get(other, min(max(alike[0] if alike else middle, middle - far), middle + far))  # straight
                at[end] = (x, 0.0)
                offsets[end, other] = x - middle  # of its end at the item, whichever way it leads
    return TemplateLayout(gap, {}, at, Box(wide / 2, wide / 2, max(high, -top), 0.0), {}, offsets)


def sequence_layout(sequence: Template, parts: Parts) -> TemplateLayout:
    """Return the layout of a sequence: its parts side by side. What one reads of others leads over these, or comes from
    below; it goes down in front of the part, each source on a level of its own, and enters it from below.
    """
    feet = {key: foot(part) for key, part in parts.items()}
    if max(feet.values()) - min(feet.values()) < 60:  # steps stand at one height
        deeper = {key: part.box.below + max(feet.values()) - feet[key] for key, part in parts.items()}
        parts = {key: replace(part, box=replace(part.box, below=deeper[key])) for key, part in parts.items()}
    heights = [part.box.above + part.box.below for part in parts.values()]
    heights = [max(heights) if height > 0.8 * max(heights) else height for height in heights]
    parts = {
        key: replace(part, box=replace(part.box, above=height - part.box.below))
        for (key, part), height in zip(parts.items(), heights)
    }
    columns = {key: column for column, key in enumerate(parts)}
    around = grouped((end.part, (start, end)) for start, end in sequence.links if start.side != end.side)
    sources = {key: list(dict.fromkeys(start for start, _ in around[key])) for key in parts}
    cut = {entered.key for edge, (_, _, entered) in sequence.across if edge.role == "cut"}  # said in front of it
    at: dict[End, XY] = {}
    bends: Bends = {}
    gutters: list[float] = []
    fronts: dict[Key, float] = {}  # where the room in front of a part begins
    x, left, top, bottom = 0.0, 0.0, max(heights), 0.0
    for key, part in parts.items():
        wide = max(gutter + 26.0 * (key in cut) if at else 0.0, 16.0 + 6 * len(sources[key]) if sources[key] else 0.0)
        if not at:
            left = part.box.left + wide  # the first stands as it would alone
            x = -left
        fronts[key] = x
        at[End(part=key)] = (x + wide + part.box.left, -part.box.below)
        gutters += [x + wide / 2, *(x + wide + part.box.left + inner for inner in part.box.gutters[1:-1])]
        x += wide + part.box.left + part.box.right

    def port(end: End) -> float:
        return at[End(part=end.part)][0] + parts[end.part].at[end.inside][0] if end.part else -inf

    for key, found in sources.items():
        for number, start in enumerate(sorted(found, key=port)):  # so that ways do not cross
            down, depth = fronts[key] + 6.0 * (len(found) - number), 10.0 + 7 * number
            at |= {} if start.part else {start: (down, 0.0)}
            over = [(down, depth)]
            if start.part:
                first, last = sorted((columns[start.part], columns[key]))
                level = max(heights[first : last + (columns[key] == first)]) + 8.0 * (len(found) - number)
                top, over = max(top, level), [(port(start), -level), (down, -level), *over]
            ways = (link for link in around[key] if link[0] == start)
            bends |= {link: [*over, (port(link[1]), depth)] for link in ways}
            bottom = max(bottom, depth + 8)
    ends = (ends for link in sequence.links if link not in bends for ends in (link, link[::-1]))
    at |= {own: (port(end), 0.0) for end, own in ends if not own.part}
    gutters = [] if sequence.repeated else [-left - margin / 2, *gutters[1:], x + margin / 2]
    return TemplateLayout(sequence, parts, at, Box(left, x, top, bottom, gutters=gutters), bends)


def foot(part: TemplateLayout) -> float:
    """Return how far above the bottom of a part the lowest of its steps end."""
    inside, ends = [(part, 0.0)], []
    for layout, y in inside:  # the list grows while it is read
        if layout.template.kind == "row":
            ends.append(y)
        else:
            inside += [(inner, y + layout.at[End(part=key)][1]) for key, inner in layout.parts.items()]
    return part.box.below - max(ends)


def side_by_side(template: Template, parts: Parts) -> Parts:
    """Return parts that have room side by side, as both directions of a short loop do, without their columns: with
    these each would stand above the one before.
    """
    wide = {End(part=key): part.box for key, part in parts.items() if part.box.gutters}
    if len(wide) < 2 or sum(box.left + box.right for box in wide.values()) > widest:
        return parts
    readers = grouped((whole(start), whole(end)) for start, end in template.links)
    for first in wide:
        made, stack = {first}, [first]
        while stack:
            new = set(readers[stack.pop()]) - made
            made |= new
            stack += new
        if len(wide.keys() & made) > 1:  # one is made of the other
            return parts
    return {key: replace(part, box=replace(part.box, gutters=())) for key, part in parts.items()}
