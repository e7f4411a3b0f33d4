"""The picture as a page that answers: pan, zoom, search, what a node is, and the forward and backward played.

One HTML text with all inlined, for a file that works offline for ever. The page lays nothing out: it is given the SVG
of a view, and plain data that says what its groups are. What people named is text there, never markup.
"""

import json
import re
from collections import defaultdict
from html import escape
from importlib.resources import files
from math import inf, log10
from typing import Any

from tinygrad_seq.drawing import palette
from tinygrad_seq.drawing.around import tenfold
from tinygrad_seq.drawing.caption import shortened
from tinygrad_seq.drawing.details import Details, rounded
from tinygrad_seq.drawing.numbers import gradient
from tinygrad_seq.drawing.view import Item, Scale, View, leaves, within

shared = ("place", "about", "rules", "line", "of", "values")  # what many items may have in common


def page(view: View, picture_svg: str, details: Details) -> str:
    """The HTML text of a view, its built-in SVG, and what `details` says about its items."""
    title, count = map(escape, summary(view))
    parts = {
        "title": title,
        "count": count,
        "key": key(view.scale),
        "palette": colours(),
        "style": asset("page.css"),
        "picture": picture_svg[max(picture_svg.find("<svg"), 0) :],  # HTML takes no XML declaration
        "data": inlined(data(view, details)),
        "script": asset("page.js") + "\n" + asset("play.js"),
    }
    return re.sub("@@([a-z]+)@@", lambda part: parts[part[1]], asset("page.html"))


def asset(name: str) -> str:
    return files("tinygrad_seq.drawing").joinpath(name).read_text(encoding="utf-8").strip()


def colours() -> str:
    """The palette of all pictures as custom properties, each for a light and a dark page."""
    names = ("ink", "quiet", "line", "paper", "card", "card_edge", "ground", "frame", "state")
    day = {name.replace("_", "-"): getattr(palette, name) for name in names} | {"input": palette.fills["input"]}
    pairs = [f"--{name}: light-dark({light}, {palette.dark.get(light, light)})" for name, light in day.items()]
    return ":root { " + "; ".join(pairs) + " }"


def key(scale: Scale | None) -> str:
    """The colour bar, where it stays in sight."""
    if scale is None:
        return ""
    if scale.low is None:
        return f'<p id="key">{escape(scale.label)}: none before loss.backward(retain_graph=True)</p>'
    bar = f'<i style="background: linear-gradient(to right, {", ".join(palette.cold_to_hot)})"></i>'
    low, high = (tenfold(round(log10(bound))) for bound in (scale.low, scale.high or 1.0))
    return f'<p id="key">{escape(shortened(stem(scale)))} {low}{bar}{high}</p>'


def stem(scale: Scale | None) -> str:
    """What the numbers are, without what is said about them."""
    return scale.label.partition(" (")[0] if scale is not None else ""


def inlined(value: Any) -> str:
    """JSON that nothing in it can end or open a tag from: ASCII, and without angle brackets."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def summary(view: View) -> tuple[str, str]:
    """What the picture is of, and how large it is."""
    items = [item for cluster in within(view.top) for item in cluster.items]
    ops = [item for item in items if item.role not in (*leaves, "middle", "passing")]
    outputs = [shortened(item.label) for item in ops if item.role == "output" and item.label]
    title = f"How {outputs[0]} was made" if len(outputs) == 1 else "A recorded graph"
    return title, f"{len(ops):,} op{'s' * (len(ops) != 1)}"


def data(view: View, details: Details) -> dict[str, Any]:
    """All that the page knows: items by number, frames of numbers, and texts that many items share.

    After the forward the page plays the backward: as the walk goes, or where it was recorded and is drawn, as that was
    made. Where other numbers than gradients are shown, it plays those, from small to large.
    """
    texts: dict[str, int] = {}
    items: list[dict[str, Any]] = []
    where = {"": ("", "", False)}  # by cluster: place, step, and whether a recorded backward made what is in it
    recorded = set()
    for cluster in within(view.top):
        place, step, grad = where[cluster.id]
        for inner in cluster.inner:
            below = f"{place} / {inner.label}" if place else inner.label
            where[inner.id] = below, inner.label if inner.key == "step" else step, grad or inner.key == "grad"
        for item in cluster.items:
            about = details.get(item.id, {})
            own = {"id": item.id, "title": title(item, about), "role": item.role, "symbol": item.symbol, "step": step}
            value = None if item.value is None else rounded(item.value)
            entry = {**own, **about, "value": value, "place": place}
            entry = {name: given for name, given in entry.items() if given not in (None, "", [])}
            for name in filter(entry.__contains__, shared):  # in their order: texts are numbered as they come
                entry[name] = texts.setdefault(json.dumps(entry[name]), len(texts))
            if grad:
                recorded.add(len(items))
            items.append(entry)
    number = {item["id"]: i for i, item in enumerate(items)}
    forward = [[number[item] for item in frame] for frame in forward_frames(view)]
    backward = [[number[item]] for item in dict.fromkeys(view.backward) if item in number] or forward[::-1]
    second = "backward"
    if recorded:
        turn = next(i for i, frame in enumerate(forward) if frame[0] in recorded)
        second, forward, backward = "recorded backward", forward[:turn], forward[turn:]
    elif stem(view.scale) not in ("", gradient):
        known = sorted((float(item["value"]), i) for i, item in enumerate(items) if "value" in item)
        second, backward = stem(view.scale), [[i] for _, i in known]
    return {
        "items": items,
        "texts": [json.loads(text) for text in texts],
        "shared": shared,
        "forward": forward,
        "backward": backward,
        "second": second,
        "scale": stem(view.scale),
    }


def title(item: Item, about: dict[str, Any]) -> str:
    """What to call an item in a sentence."""
    if item.role in ("middle", "passing"):
        return shortened(item.tooltip.partition("\n")[0].partition(":")[0], 80)
    kind = about.get("op", item.symbol)
    if item.role in leaves:
        kind = {"weight": "", "initial": "first state"}.get(item.role, item.role)
    return " ".join(filter(None, (kind, shortened(item.label))))


def forward_frames(view: View) -> list[list[str]]:
    """The items in the order in which the forward made them: an op with the leaves that it is the first to read.

    A gap is one frame, after what leads into it.
    """
    frame: dict[str, str] = {}  # of every item
    when: dict[str, float] = {}  # of every frame
    for cluster in within(view.top):
        for item in cluster.items:
            if cluster.key == "gap":
                frame[item.id], when[cluster.id] = cluster.id, -0.5
            elif item.role not in leaves:
                frame[item.id], when[item.id] = item.id, item.ordinal
    for edge in view.edges:
        gap = frame.get(edge.target, edge.target)
        if gap != edge.target and edge.source in frame:
            when[gap] = max(when[gap], when[frame[edge.source]] + 0.5)
    for edge in sorted(view.edges, key=lambda edge: when.get(frame.get(edge.target, ""), inf)):
        frame.setdefault(edge.source, frame.get(edge.target, edge.target))
    frames: dict[str, list[str]] = defaultdict(list)
    for item in (item for cluster in within(view.top) for item in cluster.items):
        frame.setdefault(item.id, item.id)  # a leaf that nothing reads
    for id, first in frame.items():  # ops before their leaves
        frames[first].append(id)
    return [frames[first] for first in sorted(frames, key=lambda first: when.get(first, -1))]
