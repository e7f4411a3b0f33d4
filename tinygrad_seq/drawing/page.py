"""The picture as a page that answers: pan, zoom, search, what a node is, and the forward and backward played.

One HTML text with all inlined, for a file that works offline for ever. The page lays nothing out: it is given the SVG
of a view, and plain data that says what its groups are. What people named is text there, never markup.
"""

import json
import re
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import Any

from tinygrad_seq.drawing import palette
from tinygrad_seq.drawing.caption import shortened
from tinygrad_seq.drawing.details import Details, rounded
from tinygrad_seq.drawing.view import Cluster, Item, View

leaves = ("input", "initial", "constant", "weight")


def page(view: View, picture_svg: str, details: Details) -> str:
    """The HTML text of a view, its built-in SVG, and what `details` says about its items."""
    title, count = map(escape, summary(view))
    parts = {
        "title": title,
        "count": count,
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


def inlined(value: Any) -> str:
    """JSON that nothing in it can end or open a tag from: ASCII, and without angle brackets."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def summary(view: View) -> tuple[str, str]:
    """What the picture is of, and how large it is."""
    shown = [item for _, item in walk(view.top)]
    outputs = [shortened(item.label) for item in shown if item.role == "output" and item.label]
    ops = sum(item.role not in (*leaves, "middle", "passing") for item in shown)
    return f"How {outputs[0]} was made" if len(outputs) == 1 else "A recorded graph", f"{ops:,} op{'s' * (ops != 1)}"


def walk(top: Cluster) -> Iterable[tuple[tuple[Cluster, ...], Item]]:
    """Every item, with the clusters around it from outside in."""
    stack: list[tuple[Cluster, tuple[Cluster, ...]]] = [(top, ())]
    while stack:
        cluster, around = stack.pop()
        yield from ((around, item) for item in cluster.items)
        stack += [(inner, (*around, inner)) for inner in reversed(cluster.inner)]


def data(view: View, details: Details) -> dict[str, Any]:
    """All that the page knows: items by number, edges and frames of numbers, and texts that many items share."""
    texts: dict[str, int] = {}
    items: list[dict[str, Any]] = []
    number: dict[str, int] = {}
    for around, item in walk(view.top):
        about = details.get(item.id, {})
        number[item.id] = len(items)
        entry = {
            "id": item.id,
            "title": title(item, about),
            "role": item.role,
            "symbol": item.symbol,
            "step": next((cluster.label for cluster in reversed(around) if cluster.key == "step"), ""),
            "value": None if item.value is None else rounded(item.value),
            **about,
            "place": " / ".join(cluster.label for cluster in around),
        }
        for key in ("place", "about", "rules", "line", "of", "values"):
            if entry.get(key):
                text = json.dumps(entry[key])
                entry[key] = texts.setdefault(text, len(texts))
        items.append({key: value for key, value in entry.items() if value not in (None, "", [])})
    forward = forward_frames(view)
    backward = [[item] for item in dict.fromkeys(view.backward) if item in number] or forward[::-1]
    return {
        "items": items,
        "texts": [json.loads(text) for text in texts],
        "edges": [[number[edge.source], number[edge.target]] for edge in view.edges],
        "forward": [[number[item] for item in frame] for frame in forward],
        "backward": [[number[item] for item in frame] for frame in backward],
        "scale": view.scale.label.partition(" (")[0] if view.scale else "",
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
    key: dict[str, float] = {}
    frames: dict[str, list[str]] = {}
    gap_of: dict[str, str] = {}
    leaf: list[str] = []
    for around, item in walk(view.top):
        if around and around[-1].key == "gap":
            gap_of[item.id] = gap = around[-1].id
            frames.setdefault(gap, []).append(item.id)
            key[gap] = -0.5
        elif item.role in leaves:
            leaf.append(item.id)
        else:
            frames[item.id] = [item.id]
            key[item.id] = item.ordinal
    first_use: dict[str, str] = {}
    for edge in view.edges:
        gap = gap_of.get(edge.target, "")
        if gap and edge.source in frames:
            key[gap] = max(key[gap], key[edge.source] + 0.5)
        if edge.target in frames:
            other = first_use.setdefault(edge.source, edge.target)
            first_use[edge.source] = min(edge.target, other, key=key.__getitem__)
    for name in leaf:
        frames.setdefault(first_use.get(name, name), []).append(name)
    return [frames[name] for name in sorted(frames, key=lambda name: key.get(name, -1))]
