"""Set the scene: the tree of clusters, and a draft of an item for every op that is shown."""

from collections.abc import Iterable, Mapping

from tinygrad_seq.drawing.view.elision import Card, Elision, place_of
from tinygrad_seq.drawing.view.graph_facts import GraphFacts
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.labels import DraftItem, figure, gap_text, other, several
from tinygrad_seq.drawing.view.model import Cluster, Item
from tinygrad_seq.drawing.view.values import Numbers
from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.timeline import ScopeVisit


def cluster_tree(
    graph: GraphFacts, elision: Elision, titles: Mapping[ScopeVisit, str], told: Numbers
) -> dict[ScopeVisit, Cluster]:
    """Return the clusters by the place that each is drawn for, outer ones first; gaps say how far their numbers reach.
    """
    inside = grouped((card, told.of[node]) for node, (card, _) in elision.hidden.items() if node in told.of)
    ends = {card: (figure(min(found), 1), figure(max(found), 1)) for card, found in inside.items()}
    reach = {card: f"\n{told.label} {low} … {high}" for card, (low, high) in ends.items()}
    clusters = {graph.timeline.top: Cluster("", "", "")}
    for visit, around in graph.outer.items():
        outer, card = clusters.get(around), elision.cards.get(visit)
        in_gap = around in elision.cards and elision.cards[around].gap
        if outer is not None and not in_gap and (card is None or card.shown is visit):
            if visit.key == outer.key == "grad":  # a gradient of a gradient leads back to the first
                clusters[visit] = outer
            else:
                plain = Cluster(visit.id, visit.key, titles[visit])
                clusters[visit] = plain if card is None else card_cluster(card, graph, titles, reach.get(card, ""))
                outer.inner.append(clusters[visit])
    return clusters


def card_cluster(card: Card, graph: GraphFacts, titles: Mapping[ScopeVisit, str], reach: str) -> Cluster:
    """Return the cluster of a step, with all the steps that it stands for; of a gap with the box in it."""
    if card.gap:
        title, label, about = gap_text(card.steps, card.like, card.varying)
        cluster = Cluster(card.id, "gap", title, [Item(f"{card.id}#", "middle", "⋯", label + reach, about, -1)])
    else:
        many = f"{several(card.steps, graph.way.get(card.shown.loop, 0))} · × {len(card.steps)}{other(card.varying)}"
        cluster = Cluster(card.id, "step", many if len(card.steps) > 1 else titles[card.shown])
    cluster.steps, cluster.like = [[titles[step] for step in steps] for steps in (card.steps, card.like)]
    left_out = [step for step in card.steps if card.gap or step is not card.shown]
    cluster.ops = sum(graph.of[node].drawn for step in left_out for node in graph.timeline.ops_in[step])
    return cluster


def op_drafts(graph: GraphFacts, elision: Elision, names: Mapping[Node, str]) -> list[DraftItem]:
    """Return drafts of the ops that are shown."""
    return [
        DraftItem(f"{visit.id}#{number}", graph.of[node].role, visit, node, node.name or names.get(node))
        for visit in graph.timeline.inner
        for number, node in enumerate(visit.ops)
        if graph.of[node].drawn and node not in elision.hidden and elision.twins[node] is node
    ]


def twins_of(
    graph: GraphFacts, elision: Elision, ops: Iterable[DraftItem], others: Iterable[DraftItem]
) -> dict[str, str]:
    """Return the twins of the values that pass through gaps, by id: the same op in the last step that is drawn; of the
    same name, if there is one.
    """
    forward = [draft for draft in ops if not graph.of[draft.node].gradient]
    loops = ((draft, step.loop) for draft in forward for step, _ in graph.of[draft.node].positions[:1])
    drawn = grouped(((loop, place_of(draft.node, loop, graph.timeline)), draft) for draft, loop in loops)
    twins = {}
    for draft in others:
        if draft.node in elision.hidden:
            loop = elision.hidden[draft.node][0].shown.loop
            same_op = drawn[loop, place_of(draft.node, loop, graph.timeline)]
            alike = [other for other in same_op if other.name == draft.name] or same_op
            if alike:
                twins[draft.id] = alike[-1].id
    return twins


def prune(clusters: Mapping[ScopeVisit, Cluster]) -> None:
    """Drop clusters with nothing in them, and join those with one cluster in them."""
    cards = ("step", "gap")
    for cluster in reversed(list(clusters.values())):
        cluster.inner = [inner for inner in cluster.inner if inner.items or inner.inner]
        if cluster.id and not cluster.items and len(cluster.inner) == 1 and cluster.key not in cards:
            (only,) = cluster.inner
            if only.key not in (*cards, "grad"):
                cluster.label += f" · {only.label}" * (only.label != "forward")  # most layers have no other direction
                cluster.items, cluster.inner = only.items, only.inner
