"""Draw the house: the rooms of the package on their floors, and who builds on whom, from the parsed imports.

    python docs/figures/house.py            writes house.dot, and house.svg with Graphviz
    python docs/figures/house.py --check    says whether house.dot is what the imports say now

An arrow leads from a room to one that imports it. An import that others imply (`nn` imports `graph`, but `ops` does,
too, and `nn` imports `ops`) is left out: what is drawn is the transitive reduction. Where a room stands is said here.
"""

import ast
import re
import sys
from pathlib import Path

from graphviz import Digraph

from tinygrad_seq.drawing.layout.text_size import width

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "tinygrad_seq"

FLOORS = [  # from the ground up: what a floor is for, and its rows of rooms, each with its column
    ("engine", {"arrays": 0, "graph": 1, "ops": 2, "backprop": 3, "tensor": 4}, {"time": 2.1, "checkpoint": 5.3}),
    ("made of ops", {"saving": 1, "nn": 3, "checks": 4.1, "data": 5.3}),
    ("training", {"optim": 3.38}),
    ("readers of the graph", {"drawing": 0.85, "flow": 1.85, "replay": 2.85, "testing": 4.1}),
]
ROOMS = {  # what is in a room; the rooms of the engine with their modules
    "arrays": ("NumPy or CuPy", "backend cuda commit hints callers notebook"),
    "graph": ("nodes, scopes", "graph scope device context_decorator arguments norms freed_graph"),
    "ops": ("forward and rules", "recording coercion op primitive ops functions"),
    "time": ("finds the same step", "timeline same_step recurrence periods loop_ends found_steps"),
    "tensor": ("a handle on a node", "differentiable tensor creation random"),
    "backprop": ("walks it back", "walk backprop delivery"),
    "checkpoint": ("computes it again", "checkpoint segment"),
    "nn": ("layers and cells", ""),
    "data": ("text, series, batches", ""),
    "saving": ("files", ""),
    "checks": ("gradients, NaN", ""),
    "optim": ("optimisers", ""),
    "drawing": ("shows it", ""),
    "flow": ("itemises it over time", ""),
    "replay": ("runs it as a program", ""),
    "testing": ("the laws of an op", ""),
    "__init__": ("the table of contents", ""),
}
PROGRAMS = ("__main__", "exercises", "explain", "overview")  # are run, and no part of the house
READERS = ("backprop", "drawing", "flow", "replay")  # of the graph
COLUMN, ROW, WIDTH, HEIGHT, MARGIN = 126, 74, 112, 42, 16  # in points
LIGHT = {"paper": "#FFFFFF", "floor": "#F5F6F8", "frame": "#DDE2E8", "room": "#FEFEFE", "ink": "#1F2933",
         "quiet": "#5C6875", "line": "#8A96A3", "reader": "#FFF1D6", "edge": "#D9920A", "graph": "#DCEBF7",
         "blue": "#1B74B3"}  # fmt: skip
DARK = {"paper": "#131A21", "floor": "#1A232C", "frame": "#34404C", "room": "#0F151B", "ink": "#E6EAEE",
        "quiet": "#A3AEB9", "line": "#7C8894", "reader": "#43330F", "edge": "#E8A93A", "graph": "#123450",
        "blue": "#5AAAE0"}  # fmt: skip


def room_of(module: str) -> str:
    """Return the room that a module (its dotted name below the package) is in."""
    first, _, rest = module.partition(".")
    if first != "engine":
        return first
    for room, (_, modules) in ROOMS.items():
        if rest.partition(".")[0] in modules.split():
            return room
    raise ValueError(f"house: {module} is in no room: add it to ROOMS")


def imports() -> set[tuple[str, str]]:
    """Return (room, room that it imports), parsed from the sources."""
    files = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in files.items()}
    found = set()
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("tinygrad_seq."):
                home = node.module.split(".")[1:]
                for alias in node.names:  # a module, or what a module defines
                    longer = ".".join([*home, alias.name])
                    found.add((room_of(name), room_of(longer if longer in modules else ".".join(home))))
    return {pair for pair in found if pair[0] != pair[1] and not set(PROGRAMS) & set(pair)}


def reduced(edges: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the edges that no longer way implies."""
    below = {room: {other for one, other in edges if one == room} for room in ROOMS}

    def reach(room: str, seen: set[str]) -> set[str]:
        for other in below[room] - seen:
            seen.add(other)
            reach(other, seen)
        return seen

    everything = {room: reach(room, set()) for room in ROOMS}
    return sorted((a, b) for a, b in edges if not any(b in everything[c] for c in below[a] - {b}))


def places() -> dict[str, tuple[float, float]]:
    """Return where the middle of every room is."""
    rows = [row for _, *rows in FLOORS for row in rows]
    gaps = [i for i, (_, *rows) in enumerate(FLOORS) for _ in rows]  # one more for every floor below
    return {room: (column * COLUMN, i * ROW + gaps[i] * 2 * MARGIN)
            for i, row in enumerate(rows) for room, column in row.items()}  # fmt: skip


def line(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Return the curve from the top of a room to the bottom of a higher one, or from side to side, for Graphviz."""
    (x, y), (u, v) = start, end
    if y == v:
        points = [(x + WIDTH / 2, y), (x + WIDTH / 2 + 4, y), (u - WIDTH / 2 - 11, v), (u - WIDTH / 2 - 7, v)]
        tip = u - WIDTH / 2, v
    else:
        x, u = x + (u - x) / 12, u - (u - x) / 12  # where lines leave together, a little apart
        y, v = y + HEIGHT / 2, v - HEIGHT / 2 - 7
        points = [(x, y), (x, y + (v - y) / 2), (u, v - (v - y) / 2), (u, v)]
        tip = u, v + 7
    return f"e,{tip[0]:.1f},{tip[1]:.1f} " + " ".join(f"{a:.1f},{b:.1f}" for a, b in points)


def drawn() -> Digraph:
    """Return the house as a graph for Graphviz, which has only to draw it."""
    at = places()
    columns = [x for x, _ in at.values()]
    left, right = min(columns) - WIDTH / 2 - MARGIN, max(columns) + WIDTH / 2 + MARGIN
    house = Digraph("house", engine="neato")
    house.attr(layout="nop2", bgcolor=LIGHT["paper"], fontname="Helvetica", pad="0.1")
    house.attr("node", shape="box", style="rounded,filled", fontname="Helvetica", fontsize="13", fixedsize="true",
               width=f"{WIDTH / 72:.3f}", height=f"{HEIGHT / 72:.3f}", fillcolor=LIGHT["room"], color=LIGHT["line"],
               fontcolor=LIGHT["ink"])  # fmt: skip
    house.attr("edge", color=LIGHT["line"], arrowsize="0.7", penwidth="1.3")
    for level, (title, *rows) in enumerate(FLOORS):
        heights = [at[room][1] for row in rows for room in row]
        bottom, top = min(heights) - HEIGHT / 2 - MARGIN, max(heights) + HEIGHT / 2 + MARGIN
        with house.subgraph(name=f"cluster_{level}") as floor:
            floor.attr(label=title, bb=f"{left:.1f},{bottom:.1f},{right:.1f},{top:.1f}", style="rounded,filled",
                       lp=f"{left + 12 + 0.79 * width(title, 12) / 2:.1f},{top - 12:.1f}", fillcolor=LIGHT["floor"],
                       color=LIGHT["frame"], fontcolor=LIGHT["quiet"], fontsize="12")  # fmt: skip
            for room in (room for row in rows for room in row):
                name = f'<<b>{room}</b><br/><font point-size="10" color="{LIGHT["quiet"]}">{ROOMS[room][0]}</font>>'
                floor.node(room, name, pos="{:.1f},{:.1f}".format(*at[room]), **colours_of(room))
    for room, other in reduced(imports()):
        if room != "__init__":  # which imports from all
            house.edge(other, room, pos=line(at[other], at[room]))
    return house


def colours_of(room: str) -> dict[str, str]:
    """Return what makes the graph and its readers stand out."""
    if room in READERS:
        return {"fillcolor": LIGHT["reader"], "color": LIGHT["edge"]}
    return {"fillcolor": LIGHT["graph"], "color": LIGHT["blue"], "penwidth": "2"} if room == "graph" else {}


def with_dark(svg: str) -> str:
    """Return the SVG with colours for a dark page, too."""
    rules = "".join(f'[{what}="{LIGHT[name].lower()}"]{{{what}:{DARK[name]}}}'
                    for name in LIGHT for what in ("fill", "stroke"))  # fmt: skip
    return re.sub(r"(<svg[^>]*>)", rf"\1<style>@media (prefers-color-scheme:dark){{{rules}}}</style>", svg, count=1)


if __name__ == "__main__":
    text = drawn().source
    if "--check" in sys.argv[1:]:
        same = (HERE / "house.dot").read_text(encoding="utf-8") == text
        sys.exit(None if same else f"house: not what the imports say now: run python {__file__}")
    (HERE / "house.dot").write_text(text, encoding="utf-8")
    (HERE / "house.svg").write_text(with_dark(drawn().pipe(format="svg", encoding="utf-8")), encoding="utf-8")
