"""Write the interactive page: pan, zoom, search, what every node is, and the forward and the backward played.

One HTML text that loads nothing, so the file works offline. The page computes no layout: it gets the SVG of a view, and
plain data that says what the groups in it are. Names are text there, never markup.
"""

import json
import re
from html import escape
from importlib.resources import files
from math import inf, log10
from typing import Any

from tinygrad_seq.drawing.layout.model import Layout
from tinygrad_seq.drawing.page.details import Details
from tinygrad_seq.drawing.page.numbers import rounded
from tinygrad_seq.drawing.render import colours as palette
from tinygrad_seq.drawing.render.title_and_legend import tenfold, titles
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.labels import shortened
from tinygrad_seq.drawing.view.model import Item, Scale, View, no_ops, within
from tinygrad_seq.drawing.view.values import gradient

shared = ("place", "about", "rules", "mathematics", "line", "of", "values", "gradient")  # by many items
scripts = (  # in order
    "graph", "zoom", "result", "cards", "move", "steps", "scene", "unfold", "strips", "facts", "formula", "weights",
    "panel", "hover", "search", "play", "keep", "keys",
)  # fmt: skip


def page(layout: Layout, picture_svg: str, details: Details) -> str:
    """Return the HTML text of a layout, its built-in SVG, and what `details` says about its items."""
    view = layout.view
    title, count = map(escape, summary(layout))
    parts = {
        "title": title,
        "count": count,
        "key": "" if view.scale is None else key(view.scale),
        "palette": colours(),
        "style": asset("page.css"),
        "picture": dressed(picture_svg, title),
        "data": inlined(data(view, details)),
        "script": "\n\n".join(asset(f"script/{name}.js") for name in scripts),
        "notice": f'<p id="notice">{escape(details.notice)}</p>' if details.notice else "",
    }
    return filled("page.html", parts)


def filled(name: str, parts: dict[str, str]) -> str:
    """Return a page in which every @@part@@ is put in."""
    return re.sub("@@([a-z]+)@@", lambda part: parts[part[1]], asset(name))


def dressed(picture_svg: str, title: str) -> str:
    """Return the SVG as part of a page: HTML takes no XML declaration, a reader of screens wants a role and a name."""
    svg = picture_svg[max(picture_svg.find("<svg"), 0) :]
    svg = svg.replace("<svg ", f'<svg role="group" aria-label="{title}" ', 1)
    return svg.replace("</style>", asset("picture.css") + f"</style><title>{title}</title>", 1)


def asset(name: str) -> str:
    return files("tinygrad_seq.drawing.page").joinpath(name).read_text(encoding="utf-8").strip()


def colours() -> str:
    """Return the palette of all pictures as custom properties, each for a light and a dark page."""
    names = ("ink", "quiet", "line", "paper", "card", "card_edge", "ground", "frame", "state")
    day = {name.replace("_", "-"): getattr(palette, name) for name in names} | {"input": palette.fills["input"]}
    night = palette.dark | {palette.state: palette.dark_edges["state"], palette.fills["input"]: "#FF8A5C"}
    pairs = [f"--{name}: light-dark({light}, {night.get(light, light)})" for name, light in day.items()]
    return ":root { " + "; ".join(pairs) + " }"


def key(scale: Scale) -> str:
    """Return the colour bar, where it stays in sight."""
    if scale.low is None:
        return f'<p id="key">{escape(scale.label)}: none before loss.backward(retain_graph=True)</p>'
    powers = [log10(bound) for bound in (scale.low, scale.high or 1.0)]
    low, high = (tenfold(round(power)) if abs(power - round(power)) < 1e-9 else f"{10**power:g}" for power in powers)
    bar = f"background: linear-gradient(to right, {', '.join(palette.cold_to_hot)})"
    odd = "".join(f' <span style="color: {colour}">■</span> {text}' for colour, text in palette.odd)
    return f'<p id="key">{escape(shortened(stem(scale)))} {low}<i style="{bar}"></i>{high}{odd}</p>'


def stem(scale: Scale | None) -> str:
    """Return what the numbers are, without what is said about them."""
    return scale.label.partition(" (")[0] if scale is not None else ""


def inlined(value: Any) -> str:
    """Return JSON in which no text can end or open a tag: ASCII, and without angle brackets."""
    return re.sub(
        "[<>&]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, separators=(",", ":"), allow_nan=False)
    )


def summary(layout: Layout) -> tuple[str, str]:
    """Say what the picture is of, and how many ops it shows."""
    clusters = [*within(layout.view.top)]
    ops = [item for cluster in clusters for item in cluster.items if item.role not in no_ops]
    outputs = [shortened(item.label) for item in ops if item.role == "output" and item.label]
    title, _ = titles(layout.view, layout.sequences)
    hidden = sum(cluster.ops for cluster in clusters)
    count = f"{len(ops):,} of {len(ops) + hidden:,} ops" if hidden else f"{len(ops):,} op{'s' * (len(ops) != 1)}"
    return title or (f"How {outputs[0]} was made" if len(outputs) == 1 else "A recorded graph"), count


def data(view: View, details: Details) -> dict[str, Any]:
    """Return all that the page knows: items by number, frames of numbers, and texts that many items share.

    After the forward the page plays the backward: as the walk goes, or where it was recorded and is drawn, as that was
    made. Where other numbers than gradients are shown, it plays those, from small to large.
    """
    texts: dict[str, int] = {}
    items = []
    where = {"": ("", "")}  # place and step of every cluster
    for cluster in within(view.top):
        place, step = where[cluster.id]
        for inner in cluster.inner:
            below = f"{place} / {inner.label}" if place else inner.label
            where[inner.id] = below, inner.label if inner.key == "step" else step
        for item in cluster.items:
            about = details.items.get(item.id, {})
            told = {
                "id": item.id, "title": title(item, about), "role": item.role, "symbol": item.symbol, "step": step,
                **about, "value": None if item.value is None else rounded(item.value), "place": place,
            }  # fmt: skip
            entry = {name: given for name, given in told.items() if given not in (None, "", [])}
            numbers = {name: texts.setdefault(json.dumps(entry[name]), len(texts)) for name in shared if name in entry}
            items.append(entry | numbers)
    number = {item["id"]: i for i, item in enumerate(items)}
    for told in items:
        if "uses" in told:
            told["uses"] = [[number[user], part] for user, part in told["uses"].items()]
    forward = [[number[item] for item in frame] for frame in forward_frames(view)]
    backward = [[number[item]] for item in dict.fromkeys(view.backward) if item in number] or forward[::-1]
    second, grads = "backward", [cluster for cluster in within(view.top) if cluster.key == "grad"]
    recorded = {item.id for cluster in grads for inner in within(cluster) for item in inner.items}
    if recorded:
        turn = next(i for i, frame in enumerate(forward) if items[frame[0]]["id"] in recorded)
        second, forward, backward = "recorded backward", forward[:turn], forward[turn:]
    elif stem(view.scale) not in ("", gradient):
        known = sorted((float(item["value"]), i) for i, item in enumerate(items) if "value" in item)
        second, backward = stem(view.scale), [[i] for _, i in known]
    return {
        "items": items,
        "texts": [json.loads(text) for text in texts],
        "shared": shared,
        "gaps": details.gaps,
        "notice": details.notice,
        "forward": forward,
        "backward": backward,
        "second": second,
        "scale": stem(view.scale),
        "range": [] if view.scale is None or view.scale.low is None else [view.scale.low, view.scale.high],
        "colours": palette.cold_to_hot,
        "nothing": palette.nothing,
    }


def title(item: Item, about: dict[str, Any]) -> str:
    """Return what an item is called in a sentence."""
    if item.role in ("middle", "passing"):
        return shortened(item.tooltip.partition("\n")[0].partition(":")[0], 80)
    called = {"weight": "", "initial": "first state", "input": "input", "constant": "constant", "saved": "saved"}
    kind = called.get(item.role, about.get("op", item.symbol))
    return " ".join(filter(None, (kind, shortened(item.label))))


def forward_frames(view: View) -> list[list[str]]:
    """Return the items in the order in which the forward made them: an op with the leaves that it is the first to read.

    A gap is one frame, after what leads into it.
    """
    items = [(item, cluster) for cluster in within(view.top) for item in cluster.items]
    gaps = {item.id: cluster.id for item, cluster in items if cluster.key == "gap"}
    ops = {item.id: item.ordinal for item, _ in items if item.role not in no_ops}
    frame = {item.id: gaps.get(item.id, item.id) for item, _ in items if item.id in gaps or item.id in ops}
    when: dict[str, float] = ops | dict.fromkeys(gaps.values(), -0.5)  # of every frame
    for edge in view.edges:
        gap = frame.get(edge.target, edge.target)
        if gap != edge.target and edge.source in frame:
            when[gap] = max(when[gap], when[frame[edge.source]] + 0.5)
    for edge in sorted(view.edges, key=lambda edge: when.get(frame.get(edge.target, ""), inf)):
        frame.setdefault(edge.source, frame.get(edge.target, edge.target))
    in_order = dict.fromkeys([*frame, *(item.id for item, _ in items)])  # ops before their leaves
    frames = grouped((frame.get(id, id), id) for id in in_order)  # a leaf that nothing reads is a frame of its own
    return [frames[first] for first in sorted(frames, key=lambda first: when.get(first, -1))]
