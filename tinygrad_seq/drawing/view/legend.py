"""List every Parameter that a picture shows, and how often it is used, also where steps are left out."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tinygrad_seq.drawing.view.graph_facts import GraphFacts
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.labels import DraftItem, places_around, shortened
from tinygrad_seq.drawing.view.model import LegendRow
from tinygrad_seq.drawing.view.parameters import is_parameter
from tinygrad_seq.drawing.view.values import grad_size
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
    visits = {leaf: graph.timeline.visit_of[readers[leaf][0]] if readers[leaf] else graph.timeline.top for leaf in rows}
    paths = {  # the modules that a parameter is first used in, from the inside out
        leaf: [titles[place] for place in places_around(visit) if place.key == "module"]
        for leaf, visit in visits.items()
    }
    for level in range(max(map(len, paths.values()), default=0)):  # from the inside out, while two have one name
        count = Counter(names.values())
        alike = {tuple(paths[leaf][level:]) for leaf in rows if count[names[leaf]] > 1} - {()}
        longer = {leaf: paths[leaf][level] for leaf in rows if tuple(paths[leaf][level:]) in alike}
        names |= {leaf: f"{module}.{names[leaf]}" for leaf, module in longer.items()}
    for name, same in grouped((name, leaf) for leaf, name in names.items()).items():
        names |= {leaf: f"{name} ({number})" for number, leaf in enumerate(same[1:], 2)}
    return [
        LegendRow(shortened(name, 40), leaf.shape, len(readers[leaf]), colours[leaf], grad_size(leaf), back[leaf])
        for leaf, name in names.items()
    ]
