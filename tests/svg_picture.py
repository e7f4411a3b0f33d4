"""The built-in picture as a reader sees it, and what holds for every one."""

import re
from itertools import combinations
from xml.etree import ElementTree

from networks import KINDS
from pictures import items

import tinygrad_seq as ts
from tinygrad_seq.drawing.layout.routing import laid_out
from tinygrad_seq.drawing.render import svg as render

space = "{http://www.w3.org/2000/svg}"
everything = (10_000, 0)  # steps to draw


def svg(view):
    return render.svg(laid_out(view))


def output(kind="lstm", steps=4, **options):
    return KINDS[kind].layer(2, 3, **KINDS[kind].options, **options)(ts.randn(steps, 2, 2))[0]


class Picture:
    """An SVG as a reader sees it: groups by id, with their rectangles."""

    def __init__(self, view):
        self.view, self.text = view, svg(view)
        self.tree = ElementTree.fromstring(self.text)
        groups = [group for group in self.tree.iter(space + "g") if "id" in group.attrib]
        self.nodes = {g.get("id"): g for g in groups if g.get("class").startswith("node ")}
        self.clusters = {g.get("id"): g for g in groups if g.get("class").startswith("cluster")}
        self.edges = [g for g in self.tree.iter(space + "g") if g.get("class").startswith("edge ")]

    def box(self, name):
        rect = (self.nodes.get(name) if name in self.nodes else self.clusters[name]).find(space + "rect")
        x, y, w, h = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
        return x, y, x + w, y + h


def apart(a, b):
    return a[2] <= b[0] + 0.2 or b[2] <= a[0] + 0.2 or a[3] <= b[1] + 0.2 or b[3] <= a[1] + 0.2


def within(inner, outer):
    return all(i >= o - 0.2 for i, o in zip(inner[:2], outer[:2])) and all(
        i <= o + 0.2 for i, o in zip(inner[2:], outer[2:])
    )


def check(view):
    """What holds for every picture."""
    picture = Picture(view)
    shown = items(view)
    assert len(picture.nodes) == len(shown) and len(picture.edges) == len(view.edges)
    for item in shown:
        group = picture.nodes[item.id]
        role = item.role if item.colour < 0 else "weight"  # the share in the gradient of a weight looks like the weight
        assert role in group.get("class").split() and group.find(space + "title").text == (item.tooltip or None)
    ends = {(edge.source, edge.target, edge.role) for edge in view.edges}
    assert {(g.get("data-source"), g.get("data-target"), g.get("class")[5:]) for g in picture.edges} == ends
    boxes = {item.id: picture.box(item.id) for item in shown}
    ordered = sorted(boxes.values())
    for i, a in enumerate(ordered):
        for b in ordered[i + 1 :]:
            if b[0] > a[2]:
                break
            assert apart(a, b)
    stack = [(view.top, None)]
    while stack:
        cluster, frame = stack.pop()
        own = picture.box(cluster.id) if cluster is not view.top else frame
        around = [boxes[item.id] for item in cluster.items] + [picture.box(inner.id) for inner in cluster.inner]
        assert own is None or all(within(box, own) for box in around)
        frames = [picture.box(inner.id) for inner in cluster.inner]
        assert all(apart(a, b) for a, b in combinations(frames, 2))
        assert all(apart(boxes[item.id], box) for item in cluster.items for box in frames)
        stack += [(inner, own) for inner in cluster.inner]
    x, y, w, h = map(float, picture.tree.get("viewBox").split())
    for element in picture.tree.iter():
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", element.get("d", ""))]
        if element.tag in (space + "rect", space + "text"):
            numbers = [float(element.get("x")), float(element.get("y"))]
        assert all(x <= n <= x + w for n in numbers[::2]) and all(y <= n <= y + h for n in numbers[1::2])
    return picture
