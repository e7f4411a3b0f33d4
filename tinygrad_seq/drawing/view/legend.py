"""List every Parameter that a picture shows, and how often it is used, also where steps are left out."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tinygrad_seq.drawing.view.graph_facts import GraphFacts
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.labels import DraftItem, places_around, shortened
from tinygrad_seq.drawing.view.model import LegendRow
from tinygrad_seq.drawing.view.parameters import is_parameter
from tinygrad_seq.drawing.view.values import grad_size
from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.timeline import ScopeVisit


def legend(graph: GraphFacts, titles: Mapping[ScopeVisit, str], drafts: Sequence[DraftItem]) -> list[LegendRow]:
    """Return the rows, in order of creation. Where two have one name, the modules that use them are named, too, also
    for the others in these.
    """
    colours = {leaf: draft.colour for draft in reversed(drafts) for leaf in draft.leaves if draft.colour >= 0}
    reads = [
        (leaf, node)
        for node, facts in graph.of.items()
        if facts.drawn
        for parent in node.parents
        for leaf in graph.of[parent].leaves
    ]
    readers = grouped((leaf, node) for leaf, node in reads if not graph.of[node].gradient)
    back = Counter(leaf for leaf, node in reads if graph.of[node].gradient)
    rows = [leaf for leaf in graph.of if leaf in colours and is_parameter(leaf)]
    names = {leaf: leaf.name or "w" for leaf in rows}
    paths: dict[Node, list[str]] = {}  # the modules that a parameter is first used in, from the inside out
    for leaf in rows:
        visit = graph.timeline.visit_of[readers[leaf][0]] if readers[leaf] else graph.timeline.top
        paths[leaf] = [titles[place] for place in places_around(visit) if place.key == "module"]
    for level in range(max(map(len, paths.values()), default=0)):  # from the inside out, while two have one name
        count = Counter(names.values())
        alike = {tuple(paths[leaf][level:]) for leaf in rows if count[names[leaf]] > 1} - {()}
        longer = {leaf: paths[leaf][level] for leaf in rows if tuple(paths[leaf][level:]) in alike}
        names |= {leaf: f"{module}.{names[leaf]}" for leaf, module in longer.items()}
    taken: Counter[str] = Counter()
    found = []
    for leaf in rows:
        name = names[leaf]
        taken[name] += 1
        name += f" ({taken[name]})" if taken[name] > 1 else ""
        uses, size = len(readers[leaf]), grad_size(leaf)
        found.append(LegendRow(shortened(name, 40), leaf.shape, uses, colours[leaf], size, back[leaf]))
    return found
