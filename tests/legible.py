"""What is wrong with a picture, in sentences: its lines, boxes and words as they are drawn, measured.

A line may cross a line, and the frame of a cluster. It may not run through a box that it does not begin or end at, nor
through words; nor along upon a line from elsewhere, nor arrive where another does. Words stay in their box, and lie on
no other words and no other box.
"""

from collections import Counter, defaultdict
from itertools import combinations, pairwise

import numpy as np

from tinygrad_seq.drawing.layout.text_size import width
from tinygrad_seq.drawing.render.strokes import stroke
from tinygrad_seq.drawing.render.title_and_legend import Text, surroundings

slack = 1.0  # pixels by which a line may graze


def faults(layout):
    """All that is wrong, each as (kind, sentence)."""
    strokes = [stroke(placed, layout.view.scale) for placed in layout.edges]
    boxes = {placed.item.id: box_of(placed) for placed in layout.items}
    words = labels(layout, strokes)
    return [
        *through_boxes(strokes, boxes, "node"),
        *through_boxes(strokes, {name: box for name, box in words.items() if name[0] != "-"}, "label"),
        *upon_each_other(strokes),
        *on_one_spot(strokes),
        *short_of(strokes, boxes),
        *leaving(layout),
        *overlapping(boxes | words),
    ]


def box_of(placed):
    wide, high = placed.width / 2, placed.height / 2
    return placed.x - wide, placed.y - high, placed.x + wide, placed.y + high


def labels(layout, strokes):
    """The boxes of all words that stand outside of items; those of an edge by "-" and a number."""
    found = {}
    for placed in layout.clusters:
        label = "" if placed.cluster.key == "gap" else placed.cluster.label
        if label:
            left, foot = placed.left + 14, placed.top + 20
            found[f"title of {placed.cluster.id}"] = (left, foot - 9, left + width(label, 12), foot + 3)
    for number, drawn in enumerate(strokes):
        (x, y, steep), word, role = drawn.placed.mark, drawn.placed.word, drawn.placed.edge.role
        if word and role != "cut":
            half = width(word, 11) / 2
            found[f"-{number} {word}"] = (x - half, y - 13, x + half, y - 4)
        if word and role == "cut":
            half = width("detach", 9) / 2
            middle, foot = (x + 10 + half, y + 3) if steep else (x, y - 11)
            found[f"-{number} detach"] = (middle - half, foot - 7, middle + half, foot + 1)
        if drawn.operand:
            x, y = drawn.beside
            found[f"-{number} operand"] = (x - 8, y - 6, x + 8, y)
    title, legend, _ = surroundings(layout.view, layout.box, layout.sequences)
    for number, part in enumerate((*title, *legend)):
        if isinstance(part, Text):
            wide = width(part.text, part.size)
            left = part.x - {"start": 0.0, "middle": wide / 2, "end": wide}[part.anchor]
            found[f"-around {number} {part.text}"] = (left, part.y - 0.7 * part.size, left + wide, part.y + 1)
    return found


def samples(drawn):
    """Places along a line, two or three pixels apart, and at its arrowhead's tip."""
    found, at = [], drawn.line[0][1][0]
    for _, knots in drawn.line[1:]:
        whole = [at, *knots]
        count = int(sum(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in pairwise(whole)) / 2.5) + 2
        t = np.linspace(0, 1, count)[:, None]
        curve = [np.array([point]) for point in whole]
        while len(curve) > 1:
            curve = [a + (b - a) * t for a, b in pairwise(curve)]
        found.append(curve[0])
        at = knots[-1]
    return np.concatenate([*found, [drawn.head[0]]])


def through_boxes(strokes, boxes, kind):
    """Lines that run through boxes at which they do not end."""
    if not boxes:
        return
    names, sides = list(boxes), np.array(list(boxes.values()))
    for drawn in strokes:
        way, edge = samples(drawn), drawn.placed.edge
        low, high = way.min(0), way.max(0)
        near = (sides[:, :2] < high).all(1) & (sides[:, 2:] > low).all(1)
        for number in np.flatnonzero(near):
            left, top, right, bottom = sides[number]
            own = names[number] in (edge.source, edge.target)
            by = 3.0 if own else slack
            x, y = way.T
            if ((left + by < x) & (x < right - by) & (top + by < y) & (y < bottom - by)).any():
                about = f"{edge.source} -> {edge.target} ({edge.role}) through {names[number]}"
                yield f"line through {'its own ' if own else ''}{kind}", about


def short_of(strokes, boxes):
    """Arrows that end before they reach their node."""
    for drawn in strokes:
        (x, y), (left, top, right, bottom) = drawn.head[0], boxes[drawn.placed.edge.target]
        if max(left - x, x - right, top - y, y - bottom) > slack:
            yield "arrow short of its node", f"{drawn.placed.edge.source} -> {drawn.placed.edge.target}"


def crossings(layout):
    """The angles, in degrees, at which lines cross that stay in their step, and have different ends."""
    placed = [placed for placed in layout.edges if not placed.edge.through_time]
    lines = [(each.edge, samples(stroke(each, layout.view.scale))) for each in placed]
    for (edge, a), (other, b) in combinations(lines, 2):
        apart = (a.min(0) > b.max(0)).any() or (b.min(0) > a.max(0)).any()
        if not apart and {edge.source, edge.target}.isdisjoint((other.source, other.target)):
            along, across, between = np.diff(a, axis=0)[:, None], np.diff(b, axis=0), b[:-1] - a[:-1, None]
            with np.errstate(divide="ignore", invalid="ignore"):
                turn = outer(along, across)
                shares = np.stack([outer(between, across) / turn, outer(between, along) / turn])
            for i, j in np.argwhere(((shares >= 0) & (shares < 1)).all(0)):
                sine = abs(turn[i, j]) / np.hypot(*along[i, 0]) / np.hypot(*across[j])
                yield float(np.degrees(np.arcsin(min(sine, 1.0))))


def outer(a, b):
    """The outer product of vectors in a plane."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def upon_each_other(strokes):
    """Lines of different sources that run upon each other for more than about 24 pixels."""
    sources = defaultdict(set)
    for drawn in strokes:
        for x, y in samples(drawn)[1:-3]:
            sources[round(x / 2), round(y / 2)].add(drawn.placed.edge.source)
    shared = Counter(pair for found in sources.values() if len(found) > 1 for pair in combinations(sorted(found), 2))
    for (a, b), count in shared.items():
        if count > 12:
            yield "lines upon each other", f"those from {a} and from {b}: {count} places"


def on_one_spot(strokes):
    """Arrows into a node that come in at the same place."""
    heads = defaultdict(list)
    for drawn in strokes:
        heads[drawn.placed.edge.target].append((drawn.head[0], drawn.placed.edge.source))
    for target, found in heads.items():
        for ((x, y), a), ((to_x, to_y), b) in combinations(found[:40], 2):
            if abs(x - to_x) + abs(y - to_y) < 2.5:
                yield "arrows on one spot", f"{a} and {b} -> {target}"


def leaving(layout):
    """Words that leave their box."""
    for placed in layout.items:
        lines = [(width(word, size), size, down) for word, size, down in placed.words]
        for wide, size, down in lines:
            if wide > placed.width + 2 or down > placed.height / 2 or down - 0.7 * size < -placed.height / 2:
                yield "words leave a box", placed.item.id
    for placed in layout.clusters:
        if placed.cluster.key != "gap" and placed.left + 14 + width(placed.cluster.label, 12) > placed.right:
            yield "words leave a box", placed.cluster.id


def overlapping(boxes):
    """Words and boxes on each other."""
    ordered = sorted(boxes.items(), key=lambda entry: entry[1])
    for i, (name, (_, top, right, bottom)) in enumerate(ordered):
        for other, (left, above, _, below) in ordered[i + 1 :]:
            if left > right - slack:
                break
            if above < bottom - slack and top < below - slack:
                yield "on each other", f"{name} and {other}"
