"""What makes Graphviz draw time: columns in order, layers above each other, the same op equally high in every step.

Graphviz lays out ranks and knows nothing of time. So ranks grow upward and the ops of a step stand in a column; edges
that lead through time do not count for the ranks; what comes into a step from outside comes in through a port at its
foot; and the feet hang on an unseen spine under the picture that runs from left to right in order of time. (Edges
between nodes of one `group` are what dot crosses last: flat edges alone do not order clusters inside clusters.)
"""

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tinygrad_seq.drawing.view import Cluster, View, within

Stops = dict[tuple[str, str], str]  # by source and column: what an edge passes on its way into the column
unseen = {"shape": "point", "style": "invis", "width": "0.01", "height": "0.01", "label": ""}


def foot(column: str) -> str:
    return "foot " + column


def columns_of(view: View) -> tuple[dict[str, str], list[list[Cluster]]]:
    """For every item the column it stands in, "" for none; and the loops whose steps are columns: those in no step."""
    steps = {cluster.id for loop in view.loops for cluster in loop}
    home: dict[str, str] = {}
    columns: set[str] = set()
    stack: list[tuple[Cluster, str]] = [(view.top, "")]
    while stack:
        cluster, column = stack.pop()
        if not column and cluster.id in steps:
            column = cluster.id
            columns.add(column)
        home.update((item.id, column) for item in cluster.items)
        stack += [(inner, column) for inner in cluster.inner]
    return home, [loop for loop in view.loops if loop[0].id in columns]


def backward_of(view: View) -> set[str]:
    """The items of a recorded backward: they stand beside its forward, upside down."""
    backward = [cluster for cluster in within(view.top) if cluster.key == "grad"]
    return {item.id for cluster in backward for inner in within(cluster) for item in inner.items}


def turns_of(view: View, home: dict[str, str]) -> Stops:
    """For every (source, column) where a value goes back in the picture, from high up to low down: where it turns.

    Left alone, dot leads such an edge around half the picture. (Forward it does well alone, and badly with a turn.)
    """
    order = {cluster.id: i for i, cluster in enumerate(cluster for loop in view.loops for cluster in loop)}
    height: dict[str, int] = defaultdict(int)
    for edge in view.edges:
        if home[edge.source] == home[edge.target] and not edge.through_time:
            height[edge.target] = max(height[edge.target], height[edge.source] + 1)
    for row in view.rows:
        height.update(dict.fromkeys(row, max(height.get(item, 0) for item in row)))
    turns: Stops = {}
    for edge in view.edges:
        column = home[edge.target]
        back = order.get(column, 0) < order.get(home[edge.source], 0) or (edge.role == "delay" and column)
        if edge.through_time and column and back and height[edge.source] - height[edge.target] > 2:
            turns.setdefault((edge.source, column), f"turn {column} {len(turns)}")
    return turns


def ports_of(view: View, home: dict[str, str]) -> Stops:
    """For every (source, column) that an edge leads between from outside: where it comes in."""
    ports: Stops = {}
    for edge in view.edges:
        column = home[edge.target]
        if column and column != home[edge.source] and not edge.through_time and edge.role != "weight":
            ports.setdefault((edge.source, column), f"port {column} {len(ports)}")
    return ports


def storeys(view: View, loops: list[list[Cluster]], home: dict[str, str]) -> list[int]:
    """How many loops lie below each loop: a layer stands on the layer it reads."""
    loop_of = {cluster.id: i for i, loop in enumerate(loops) for cluster in loop}
    depth: dict[str, int] = defaultdict(int)
    found = [0] * len(loops)
    for edge in view.edges:
        below, here = loop_of.get(home[edge.source], -1), loop_of.get(home[edge.target], -1)
        if not edge.through_time:
            depth[edge.target] = max(depth[edge.target], depth[edge.source] + (below not in (-1, here)))
            if here >= 0:
                found[here] = max(found[here], depth[edge.target])
    return found


def scaffold(
    graph: Any,
    view: View,
    home: dict[str, str],
    loops: list[list[Cluster]],
    ports: Stops,
    turns: Stops,
    quote: Callable[[str], str],
) -> None:
    """Add to a graphviz graph what is not seen."""

    def level(names: list[str]) -> None:
        graph.body.append("\t{ rank=same; " + "; ".join(map(quote, names)) + " }\n")

    lowest = dict.fromkeys(home)
    for edge in view.edges:
        if home[edge.source] == home[edge.target]:
            lowest.pop(edge.target, None)
    for item in lowest:
        if home[item]:
            graph.edge(foot(home[item]), item, style="invis", minlen="0")
    entering = defaultdict(list)
    for (_, column), port in ports.items():
        entering[column].append(port)

    spines: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    taken: dict[tuple[int, tuple[str, ...]], int] = defaultdict(int)
    whole: list[str] = []
    for loop, storey in zip(loops, storeys(view, loops, home)):
        level([name for cluster in loop for name in (foot(cluster.id), *entering[cluster.id])])
        steps = tuple(cluster.id.rpartition("/")[2] for cluster in loop)
        number = taken[storey, steps]  # loops above each other share a spine, loops beside each other do not
        taken[storey, steps] += 1
        if number == len(spines[steps]):
            spines[steps].append([f"spine {len(whole) + k}" for k in range(len(loop))])
            for name in spines[steps][-1]:
                graph.node(name, group=name, **unseen)
            whole += spines[steps][-1]
        for name, cluster in zip(spines[steps][number], loop):
            graph.node(foot(cluster.id), group=name)
            graph.edge(name, foot(cluster.id), style="invis")
    if whole:
        level(whole)
    for left, right in pairwise(whole):
        graph.edge(left, right, style="invis")

    for row in view.rows:
        level(row)
    for (source, _), turn in turns.items():
        level([source, turn])
    for shelf in view.shelves:
        if len(shelf) > 1:
            level(shelf)
        for left, right in pairwise(shelf):
            graph.edge(left, right, style="invis")
