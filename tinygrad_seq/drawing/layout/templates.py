"""The view as a tree of templates: each distinct step of a loop once, with the links that edges have in it.

A template is a distinct cluster, a row of cards (the steps and gaps of a loop, side by side), or a sequence of loops
that follow each other in time. A placement is one use of a template; all steps of a loop that hold the same are
placements of one template. An edge is cut into links, one in each template that it runs through: it leaves a cluster by
a port in its upper border and enters one by a port in its lower border (by the upper border, if it leads back down to
an older op, or over from an earlier part of a sequence). From card to card of a row it goes sideways.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice, pairwise
from math import inf
from typing import NamedTuple

from tinygrad_seq.drawing.layout.model import PlacedItem
from tinygrad_seq.drawing.layout.sequences import between, sequences_of
from tinygrad_seq.drawing.layout.step_classes import Contents, ops_in, step_classes, written
from tinygrad_seq.drawing.layout.text_size import sizes_of
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.model import Cluster, Edge, View, leaves, within

Key = Hashable  # names a part within its template
ItemKey = tuple[Key, int]  # names an item: by what is the same in every step, and a number for those that are alike


class End(NamedTuple):
    """What a link leads to: an item, a port in the border of a part, or a port in the border of the template itself."""

    item: ItemKey | None = None
    part: Key = None
    side: str = ""  # of the border: "top" or "bottom"
    port: Key = None

    @property
    def inside(self) -> "End":
        """The port of a part, as the links in the part see it."""
        return End(side=self.side, port=self.port)


Link = tuple[End, End]  # a piece of an edge within one template


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """What is in a distinct cluster or in a row of cards. `Tree` fills it; a later pass only widens items."""

    kind: str  # "top", "frame", "card", "row", "sequence", "unit" (of a sequence), "gap", "grad" (a recorded backward)
    repeated: bool  # a step, or inside one: can have many placements
    labels: list[str] = field(default_factory=list)  # of all placements
    units: tuple[Key, ...] = ()  # of sequences, in which it stands
    items: dict[ItemKey, PlacedItem] = field(default_factory=dict)  # of all placements, the largest
    parts: dict[Key, "Template"] = field(default_factory=dict)  # in a row or a sequence from left to right
    links: dict[Link, int] = field(default_factory=dict)  # and which operand it is, of an op for which that counts
    ages: dict[End, float] = field(default_factory=dict)  # order of creation, counted from the start of the step
    left: set[ItemKey] = field(default_factory=set)  # leaves that stand there: first states, and 1 in 1 − z
    cut: set[ItemKey] = field(default_factory=set)  # what goes on without its history
    step_edges: dict[ItemKey, set[str]] = field(default_factory=dict)  # "out", "in", "back" in here; "cut"
    earlier: dict[ItemKey | None, list[ItemKey]] = field(default_factory=dict)  # by folded step: those before it
    said: dict[ItemKey, str] = field(default_factory=dict)  # what stands on a line that comes in from the left
    across: list[tuple[Edge, "Cards"]] = field(default_factory=list)  # in a row: the edges between its cards

    @property
    def label(self) -> str:
        """The longest label of a placement, for which there is to be room."""
        return max(self.labels, key=len, default="")

    @property
    def is_level(self) -> bool:
        """Whether its parts stand side by side."""
        return self.kind in ("row", "sequence")


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """A use of a template."""

    template: Template
    key: Key = None
    cluster: Cluster | None = None  # None: a row or a sequence
    column: int = -1  # of what is in a row or a sequence
    start: float = 0.0  # the ordinal that ages in it are counted from


Cards = tuple[Placement, Placement, Placement]  # a row, and the cards in it that an edge leaves and enters
Chain = tuple[Placement, ...]  # a placement and all that it is in, outermost first
EdgePath = tuple[Edge, list[tuple[Placement, Link]], Cards | None]  # along links, or sideways from card to card


class Tree:
    """All templates and placements, outer ones before inner ones; where every item is; how every edge runs."""

    def __init__(self, view: View) -> None:
        top = Template("top", False)
        self.sizes = sizes_of(item for cluster in list(within(view.top)) for item in cluster.items)
        self.templates: dict[tuple[Template, Key], Template] = {(top, None): top}  # by the one around, and which in it
        self.chains: list[Chain] = [(Placement(top, cluster=view.top),)]
        self.homes: dict[str, tuple[Chain, ItemKey]] = {}  # by the id of an item
        self.present: dict[Placement, set[ItemKey]] = defaultdict(set)
        self.lacking: dict[str, Contents] = {}  # by first step: ops that only later ones have
        self.place_clusters(view)
        self.twins = view.twins
        self.read_often = self.read_in_several_cards(view.edges) if self.sequences else set()
        self.reads: dict[Template, dict[End, dict[End, None]]] = {}  # of what is right in a template, what it reads
        self.independent: dict[tuple[Template, End], set[End]] = defaultdict(set)  # what does not depend on a part
        for edge in view.edges:
            around, first, last = self.meeting(edge)
            if around.parts and not around.is_level:
                self.reads.setdefault(around, {}).setdefault(last, {})[first] = None
        self.paths = [self.connect(edge) for edge in view.edges]

    def place_clusters(self, view: View) -> None:
        """Make all templates and placements, and place the items."""
        readers = {edge.source: edge.target for edge in reversed(view.edges)}
        loop_of = {card.id: loop for loop in view.loops for card in loop}
        classes, oldest = step_classes(view), oldest_ops(view)
        self.sequences = sequences_of(view, oldest)
        later_units = {id for ids in self.sequences.values() for id in ids[1:]}
        reads = grouped((edge.target, edge.source) for edge in view.edges if self.sequences and edge.role != "delay")
        stack = [(self.chains[0], view.top)]
        while stack:
            outer, cluster = stack.pop()
            with_units: dict[str, Chain] = {}  # by item, the unit that it stands in
            frames = {inner.id: inner for inner in cluster.inner if inner.id not in loop_of}
            loops = {loop_of[inner.id][0].id: loop_of[inner.id] for inner in cluster.inner if inner.id in loop_of}
            keys: dict[str, Key] = {id: ("in", id.removeprefix(cluster.id)) for id in frames}
            keys |= {id: ("row", number) for number, id in enumerate(loops)}
            for first in [id for id in keys if id not in later_units]:
                around, units = outer, self.sequences.get(first, [first])
                if len(units) > 1:
                    around = self.place(outer, "sequence", ("sequence", keys[first]), oldest[first])
                members = [loops.get(id) or [frames[id]] for id in units]
                for column, (id, also) in enumerate(zip(units, between(cluster, members, reads))):
                    unit = around
                    if also:  # results that later units read stand with what they are made of
                        unit = self.place(around, "unit", ("unit", keys[id]), oldest[id], None, column)
                        with_units |= {item.id: unit for item in also}
                    if id in frames:
                        inner = frames[id]
                        kind = "grad" if inner.key == "grad" else "frame"
                        stack.append((self.place(unit, kind, keys[id], oldest[id], inner, column), inner))
                    else:
                        first_op = min(oldest[card.id] for card in loops[id] if card.key != "gap")
                        row = self.place(unit, "row", keys[id], first_op, None, column)
                        stack += self.place_cards(row, loops[id], classes, oldest)
            self.add_items(outer, cluster, readers, with_units)

    def place_cards(
        self, row: Chain, cards: list[Cluster], classes: dict[str, Key], oldest: dict[str, float]
    ) -> Iterator[tuple[Chain, Cluster]]:
        """Yield the placements of the cards of a row."""
        steps = sorted((card for card in cards if card.key != "gap"), key=lambda card: oldest[card.id])
        if len(steps) > 1:  # the first may lack a beginning
            self.lacking[steps[0].id] = ops_in(steps[1]) - ops_in(steps[0])
        for column, card in enumerate(cards):
            kind = "gap" if card.key == "gap" else "card"
            yield self.place(row, kind, (kind, classes.get(card.id, column)), oldest[card.id], card, column), card

    def place(
        self, outer: Chain, kind: str, which: Key, oldest: float, cluster: Cluster | None = None, column: int = -1
    ) -> Chain:
        """Return a new placement in others, of the template `which` there, which is made if there is none yet."""
        around, is_card = outer[-1].template, kind in ("card", "gap")
        key = (column, which) if is_card else which
        units = (*around.units, key) if around.kind == "sequence" else around.units
        template = self.templates.setdefault((around, which), Template(kind, around.repeated or is_card, units=units))
        around.parts[key] = template
        keep_latest(outer[-1], End(part=key), oldest)
        if cluster is not None and kind != "gap":
            template.labels.append(cluster.label)
        placement = Placement(template, key, cluster, column, oldest if is_card or kind == "grad" else outer[-1].start)
        self.chains.append((*outer, placement))
        return self.chains[-1]

    def add_items(self, around: Chain, cluster: Cluster, readers: dict[str, str], with_units: dict[str, Chain]) -> None:
        """Give every item a key: the same op, or the same leaf of the same op, has one key in all steps."""
        numbers = defaultdict[Key, Iterator[int]](count)
        steps = [outer.cluster.id for outer in around if outer.cluster is not None and outer.cluster.id in self.lacking]
        step = steps[0] if steps and cluster.key != "grad" else ""  # that is a first one
        for item in sorted(cluster.items, key=lambda item: item.role in leaves):
            chain = with_units.get(item.id if item.role not in leaves else readers.get(item.id, ""), around)
            here = chain[-1]
            alike: Key = (*written(item), item.shape if here.template.kind == "grad" else "")
            if item.role in leaves:
                home, reader = self.homes.get(readers.get(item.id, ""), ((None,), None))
                name = item.label * (item.role not in ("saved", "constant", "input"))  # which may differ by step
                alike = (item.role, name, reader if home[-1] is here else "")
            lacking = self.lacking[step][cluster.id.removeprefix(step), *written(item)] if step else 0
            key = (alike, next(numbers[alike]) + lacking)
            self.homes[item.id] = chain, key
            self.present[here].add(key)
            sized, known = self.sizes[item.id], here.template.items.get(key, self.sizes[item.id])
            here.template.items[key] = max(known, sized, key=lambda sized: (sized.width, sized.height))
            keep_latest(here, End(key), here.start - 1 if item.role in leaves else item.ordinal)

    def read_in_several_cards(self, edges: list[Edge]) -> set[str]:
        """Return the ids of items that cards around them do not hold read, more than one."""
        cards: dict[str, set[Placement]] = defaultdict(set)
        for edge in edges:
            around = set(self.homes[edge.source][0])
            inner = (card for card in self.homes[edge.target][0] if card.template.kind == "card" and card not in around)
            cards[edge.source].update(islice(inner, 1))
        return {id for id, found in cards.items() if len(found) > 1}

    def meeting(self, edge: Edge) -> tuple[Template, End, End]:
        """Return the innermost template around an edge, and what is right in it at both of its ends."""
        (up, key), (down, target_key) = self.homes[edge.source], self.homes[edge.target]
        depth = common(up, down)
        first = End(part=up[depth].key) if depth < len(up) else End(key)
        return up[depth - 1].template, first, End(part=down[depth].key) if depth < len(down) else End(target_key)

    def depends(self, here: Template, end: End, part: End) -> bool:
        """Tell whether something is made of what a part gave; all of that is newer than the part."""
        reads, ages, known = self.reads.get(here, {}), here.ages, self.independent[here, part]
        new = seen = {end}
        while new and part not in new:
            sources = {source for reader in new for source in reads.get(reader, ())} - seen - known
            new = {source for source in sources if source == part or ages.get(source, -1.0) > ages[part]}
            seen |= new
        known |= set() if new else seen
        return bool(new)

    def connect(self, edge: Edge) -> EdgePath:
        """Return how an edge runs through the tree, and note that in the templates that it runs through."""
        (up, key), (down, target_key) = self.homes[edge.source], self.homes[edge.target]
        depth = common(up, down)
        source, target = up[-1].template, down[-1].template
        if edge.role == "initial" or (edge.operand == 1 and edge.role in ("constant", "weight")):
            source.left.add(key)
        levels = [i for i in range(1, depth + 1) if up[i - 1].template.kind == "row"]  # of cards around both
        if edge.role != "delay" and up[depth - 1].template.kind == "sequence":
            alone = edge.role in ("state", "cut") or edge.source not in self.read_often
            levels = [depth] if alone and goes_on(up[depth:], down[depth:]) else []
        if levels and (levels[-1] == depth or edge.role == "delay"):
            row, left, entered = across = up[levels[-1] - 1], up[levels[-1]], down[levels[-1]]
            row.template.across.append((edge, across))
            source.step_edges.setdefault(key, set()).add("out")
            target.step_edges.setdefault(target_key, set()).update(["in", "back"] if left is entered else ["in"])
            target.said.update({target_key: edge.label} if edge.label and edge.role != "delay" else {})
            return edge, [], across
        if edge.through_time and edge.role == "state" and up[-1] is down[-1] and not source.repeated:
            source.earlier.setdefault(target_key, []).append(key)
            source.said[target_key] = edge.label
        if edge.role == "cut":
            target.step_edges.setdefault(target_key, set()).add("cut")
            source.cut.add(key)
        here, first, last = self.meeting(edge)
        ages, same = here.ages, here.kind == "sequence"
        is_back = not same and ages[first] > ages[last] and (not last.part or self.depends(here, first, last))
        out, into = ("bottom", "top") if is_back else ("top", "bottom")
        leaving = [("out", out, up, level) for level in reversed(range(depth, len(up)))]
        entering = [("in", into, down, level) for level in range(depth, len(down))]
        over = tuple(placement.column for placement in up[depth:]) if same else ()
        home, key_for_all = self.homes[self.twins.get(edge.source, edge.source)]
        ends = [End(key)]
        for way, side, chain, level in leaving + entering:
            crossed = chain[level].template
            if way == "in" and any(placement.template.kind == "sequence" for placement in chain[depth - 1 : level]):
                side = "bottom"
            alike = (home[-1].template, key_for_all, over)  # in all steps
            name: Key = alike if crossed.repeated else edge.source
            port = (way, name, chain[level + 1].key if crossed.is_level else "")  # in a row one for each card
            border = [End(side=side, port=port), End(part=chain[level].key, side=side, port=port)]
            ends += border if way == "out" else border[::-1]
        ends.append(End(target_key))
        links = list(zip([*reversed(up[depth:]), *down[depth - 1 :]], zip(ends[::2], ends[1::2])))
        for placement, link in links:
            placement.template.links[link] = edge.operand
        return edge, links, None


def common(up: Chain, down: Chain) -> int:
    """Return how many placements two chains begin with that are the same."""
    return next((i for i, (a, b) in enumerate(zip(up, down)) if a is not b), min(len(up), len(down)))


def goes_on(up: Chain, down: Chain) -> bool:
    """Tell whether nothing stands between two ends in neighbouring parts of a sequence: one is in the last step of all
    loops around it, the other in the first.
    """
    ended = all(card.column == len(row.template.parts) - 1 for row, card in pairwise(up) if row.template.is_level)
    begins = all(card.column == 0 for row, card in pairwise(down) if row.template.is_level)
    return ended and begins and up[0].column + 1 == down[0].column


def keep_latest(here: Placement, end: End, ordinal: float) -> None:
    """Note the age of an item or a part; of those in several steps, the latest."""
    here.template.ages[end] = max(here.template.ages.get(end, -1.0), ordinal - here.start)


def oldest_ops(view: View) -> dict[str, float]:
    """Return the ordinal of the oldest op in every cluster, -1 where there is none."""
    found: dict[str, float] = {}
    for cluster in reversed(list(within(view.top))):
        ages = [item.ordinal for item in cluster.items if item.ordinal >= 0 and item.role not in leaves]
        found[cluster.id] = min([inf, *ages, *(found[inner.id] for inner in cluster.inner)])
    return {name: age if age < inf else -1.0 for name, age in found.items()}
