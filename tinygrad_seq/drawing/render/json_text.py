"""A view as JSON, for programs and for version control: one thing a line, in an order that does not depend on chance.

    {"clusters": [{"id", "key", "label", "ops", "steps", "within"}, ...],      the tree, outer ones first
     "items":    [{"cluster", "colour", "formula", "id", "label", "numbers", "ordinal", "role", "shape", "symbol",
                   "tooltip", "value"}, ...],
     "edges":    [{"carries", "label", "operand", "role", "source", "target", "through_time", "value"}, ...],
     "legend":   [{"colour", "gradient", "label", "shape", "uses"}, ...],
     "loops":    [[cluster, ...], ...],                                      steps in order of time
     "backward": [item, ...],                                                in the order of the walk
     "scale":    {"high", "label", "low"} or null}

What the fields mean is said where a view is defined. A number that is not finite is a string: "nan", "inf", "-inf".
"""

import json
import re
from dataclasses import asdict
from math import isfinite
from typing import Any

from tinygrad_seq.drawing.view.model import View, within


def listing(view: View) -> str:
    """Return the view as JSON text."""
    tree = list(within(view.top))
    outer = {inner.id: cluster.id for cluster in tree for inner in cluster.inner}
    told = ("id", "key", "label", "ops", "steps")
    items = [asdict(item) | {"cluster": cluster.id} for cluster in tree for item in cluster.items]
    named = sorted(view.edges, key=lambda edge: (edge.role, edge.label, edge.operand))
    edges = sorted(named, key=lambda edge: (natural(edge.source), natural(edge.target)))
    parts: dict[str, list[Any]] = {
        "clusters": [{name: getattr(c, name) for name in told} | {"within": outer.get(c.id, "")} for c in tree],
        "items": sorted(items, key=lambda item: natural(item["id"])),
        "edges": list(map(asdict, edges)),
        "legend": list(map(asdict, view.legend)),
        "loops": [[cluster.id for cluster in loop] for loop in view.loops],
        "backward": view.backward,
    }
    lines = [f'"{name}": [\n' + ",\n".join(map(line, part)) + "\n]" for name, part in parts.items()]
    lines.append('"scale": ' + line(None if view.scale is None else asdict(view.scale)))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def line(part: Any) -> str:
    """Return one line of JSON; what is not finite becomes a string."""
    if isinstance(part, dict):
        odd = {name: str(value) for name, value in part.items() if isinstance(value, float) and not isfinite(value)}
        part = part | odd
    return json.dumps(part, sort_keys=True, ensure_ascii=False, allow_nan=False)


def natural(text: str) -> list[tuple[int, str]]:
    """Return a key that sorts 2 before 10."""
    return [(int(digits or 0), word) for word, digits in re.findall(r"(\D*)(\d{0,18})", text)]
