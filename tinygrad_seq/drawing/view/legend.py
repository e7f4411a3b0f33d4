"""List every Parameter that a picture shows, and how often it is used, also where steps are left out."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tinygrad_seq.drawing.view.graph_facts import GraphFacts
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.labels import DraftItem, shortened
from tinygrad_seq.drawing.view.model import LegendRow
from tinygrad_seq.drawing.view.parameters import is_parameter
from tinygrad_seq.drawing.view.values import grad_size
from tinygrad_seq.engine.timeline import ScopeVisit


def legend(graph: GraphFacts, titles: Mapping[ScopeVisit, str], drafts: Sequence[DraftItem]) -> list[LegendRow]:
    """Return the rows, in order of creation. Where two parameters have one name, the module that uses each is named."""
    colours = {leaf: draft.colour for draft in reversed(drafts) for leaf in draft.leaves if draft.colour >= 0}
    readers = grouped(
        (leaf, node)
        for node, facts in graph.of.items()
        if facts.drawn and not facts.gradient
        for parent in node.parents
        for leaf in graph.of[parent].leaves
    )
    rows = [leaf for leaf in graph.of if leaf in colours and is_parameter(leaf)]
    names = Counter(leaf.name for leaf in rows)
    taken: Counter[str] = Counter()
    found = []
    for leaf in rows:
        name = leaf.name or "w"
        if names[leaf.name] > 1 and readers[leaf]:
            visit = graph.timeline.visit_of[readers[leaf][0]]
            while visit in graph.outer and visit.key != "module":
                visit = graph.outer[visit]
            name = f"{titles[visit]}.{name}" if visit in graph.outer else name
        taken[name] += 1
        name += f" ({taken[name]})" if taken[name] > 1 else ""
        found.append(LegendRow(shortened(name, 40), leaf.shape, len(readers[leaf]), colours[leaf], grad_size(leaf)))
    return found
