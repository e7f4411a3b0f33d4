"""The legend: every Parameter that a picture shows, and how often it is used, also where steps are left out."""

from collections import Counter
from collections.abc import Mapping

from tinygrad_seq.drawing.caption import chain, shortened
from tinygrad_seq.drawing.numbers import grad_norm
from tinygrad_seq.drawing.reading import Reading
from tinygrad_seq.drawing.view import LegendRow
from tinygrad_seq.drawing.weights import is_parameter
from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.timeline import ScopeVisit


def legend(graph: Reading, colours: Mapping[tuple[Node, ...], int]) -> list[LegendRow]:
    """The rows, in order of creation. Where two parameters have one name, the module that uses each is named too."""
    colour: dict[Node, int] = {}
    for leaves, number in colours.items():
        for leaf in leaves:
            colour.setdefault(leaf, number)
    uses: Counter[Node] = Counter()
    first: dict[Node, ScopeVisit] = {}
    for node, visit in graph.timeline.visit_of.items():
        if node not in graph.sources and not graph.is_gradient(node):
            for leaf in (leaf for parent in node.parents for leaf in graph.sources.get(parent, ())):
                uses[leaf] += 1
                first.setdefault(leaf, visit)
    rows = [leaf for leaf in graph.nodes if leaf in colour and is_parameter(leaf)]
    names = Counter(leaf.name for leaf in rows)
    taken: Counter[str] = Counter()
    found = []
    for leaf in rows:
        name = leaf.name or "w"
        if names[leaf.name] > 1 and leaf in first:
            modules = [link.text for link in chain(first[leaf]) if link.key == "module"]
            name = ".".join([*modules[-1:], name])
        taken[name] += 1
        name += f" ({taken[name]})" if taken[name] > 1 else ""
        found.append(LegendRow(shortened(name, 40), leaf.shape, uses[leaf], colour[leaf], grad_norm(leaf)))
    return found
