"""The layout of one template: where everything in it stands, and its mirror image for time that runs to the left."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tinygrad_seq.drawing.layout.box import Box
from tinygrad_seq.drawing.layout.model import XY
from tinygrad_seq.drawing.layout.templates import End, Key, Link, Template, Tree
from tinygrad_seq.drawing.layout.text_size import width

gutter, margin = 46.0, 16.0  # between cards, and in them
header = 30.0  # room for a label

Bends = dict[Link, list[XY]]  # at the dummy boxes of a link, from the lower end up


@dataclass(frozen=True, slots=True, eq=False)
class TemplateLayout:
    """Where everything in a template stands: the centres of items, the origins of parts, the ports in its border."""

    template: Template
    parts: dict[Key, "TemplateLayout"]
    at: dict[End, XY]
    box: Box  # its border, around the origin
    bends: Bends = field(default_factory=dict)
    x_offsets: dict[Link, float] = field(default_factory=dict)  # from the middle of an item to where a link enters it

    @property
    def middle(self) -> float:
        return (self.box.right - self.box.left) / 2


Parts = dict[Key, TemplateLayout]
Layouts = dict[Template, TemplateLayout]


def positions(layout: TemplateLayout, path: Iterable[Key]) -> list[tuple[TemplateLayout, float, float]]:
    """Return the layouts on a path through parts, each with its origin in the coordinates of the first."""
    found = [(layout, 0.0, 0.0)]
    for key in path:
        outer, x, y = found[-1]
        by, down = outer.at[End(part=key)]
        found.append((outer.parts[key], x + by, y + down))
    return found


def runs_left(row: Template) -> bool:
    """Tell whether time runs to the left in a row."""
    states = [ends for edge, ends in row.across if edge.role == "state"]
    return sum(1 if left.column > entered.column else -1 for _, left, entered in states) > 0


def flows_left(template: Template) -> bool:
    """Tell whether it is a backward in a step: its gradients flow against the time."""
    return template.kind == "grad" and template.repeated


def turned_round(tree: Tree) -> dict[Template, bool]:
    """Return of every template whether what is in it is laid out with left and right exchanged, in the end."""
    found: dict[Template, bool] = {}
    for (around, _), template in tree.templates.items():  # outer ones first
        is_turned = runs_left(around) if around.kind == "row" else found.get(around, False)
        found[template] = template.kind != "row" and is_turned != flows_left(template)
    return found


def mirrored(layout: TemplateLayout) -> TemplateLayout:
    """Return the layout with left and right exchanged, for where time runs to the left. Rows in it stay as they are."""
    inside = [layout]
    for each in inside:  # the list grows while it is read
        inside += (part for part in each.parts.values() if part.template.kind != "row")
    done: dict[TemplateLayout, TemplateLayout] = {}
    for each in reversed(inside):
        rows = {End(part=key): part.middle for key, part in each.parts.items() if part.template.kind == "row"}
        at = {end: (-x - 2 * rows.get(end, 0.0), y) for end, (x, y) in each.at.items()}
        rising = [x for end, (x, _) in at.items() if end.side == "top"]
        left, right = beside_label(each.template, each.box.right, each.box.left, rising)
        done[each] = TemplateLayout(
            each.template, {key: done.get(part, part) for key, part in each.parts.items()}, at,
            replace(each.box, left=left, right=right),
            {link: [(-x, y) for x, y in bends] for link, bends in each.bends.items()},
            {link: -by for link, by in each.x_offsets.items()},
        )  # fmt: skip
    return done[layout]


def beside_label(template: Template, left: float, right: float, rising: list[float]) -> tuple[float, float]:
    """Return how far a border is to the left and to the right, so that its label is beside all that rises there."""
    if template.label:
        room = width(template.label, 12) + margin
        left = max([left, *(room - x + 4 for x in rising)])
        right = max([right, room - left + margin, *(x + 8 for x in rising)])
    return left, right


def whole(end: End) -> End:
    """Return what a link leads to, without the port."""
    return End(part=end.part) if end.part else end
