"""Which loops go on where others have ended: an encoder and its decoder, the windows of truncated backpropagation.

In a place, a unit is a loop, or a cluster with a loop in it. One follows another in time if each of its steps that read
the other reads what its last step has made. (A layer reads the one below it step by step, and stands above it; so it
does where it picks a step of a whole sequence.)
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.model import Cluster, Item, View, leaves, within

Units = dict[str, list[Cluster]]  # by the id of a cluster, or of the first card of a loop: that cluster, or all cards
picking = ("unstack", "split")  # symbols of ops that may give every step another part, as an index does
remembered = 4  # so many units, the latest, are known to have made a value


def sequences_of(view: View, oldest: Mapping[str, float]) -> dict[str, list[str]]:
    """Return the sequences by the id of their first unit: the ids of all units in order of time; `oldest` is the oldest
    op of every cluster.
    """
    loop_of = {card.id: loop for loop in view.loops for card in loop}
    last = {max(loop, key=lambda card: oldest[card.id]).id for loop in view.loops}
    reads = grouped((edge.target, edge.source) for edge in view.edges if edge.role != "delay")
    states = {(edge.source, edge.target) for edge in view.edges if edge.role == "state"}
    with_loops: set[str] = set()
    found: dict[str, list[str]] = {}
    for place in reversed(list(within(view.top))):
        units: Units = {}
        for inner in place.inner:
            if inner.id in loop_of or (inner.id in with_loops and inner.key != "grad"):
                units.setdefault(loop_of.get(inner.id, [inner])[0].id, []).append(inner)
        if units:
            with_loops.add(place.id)
        if len(units) > 1:
            ordered = dict(sorted(units.items(), key=lambda unit: oldest[unit[0]]))
            follows = followed_in(place, ordered, loop_of, last, reads, states)
            after = {before: unit for unit, before in follows.items()}
            for unit in ordered:
                if unit in after and unit not in follows:
                    found[unit] = [unit]
                    while found[unit][-1] in after:
                        found[unit].append(after[found[unit][-1]])
    return found


def between(place: Cluster, units: Sequence[list[Cluster]], reads: Mapping[str, Sequence[str]]) -> list[list[Item]]:
    """Return for each unit of a sequence the results beside it that only later units read: they stand between these."""
    if len(units) < 2:
        return [[] for _ in units]
    unit_of = {
        item.id: number
        for number, clusters in enumerate(units)
        for cluster in clusters
        for inner in within(cluster)
        for item in inner.items
    }
    results = sorted((item for item in place.items if item.role not in leaves), key=lambda item: item.ordinal)
    made: dict[str, int] = {}  # by result, the latest unit that it is made of
    for item in results:
        made[item.id] = max((unit_of.get(id, made.get(id, -1)) for id in reads.get(item.id, ())), default=-1)
    first: dict[str, int] = defaultdict(lambda: len(units))  # by what is read, the earliest unit that reads it
    for reader in [*unit_of, *(item.id for item in reversed(results))]:
        number = unit_of.get(reader, first[reader] if made.get(reader, -1) < first[reader] < len(units) else -1)
        for id in reads.get(reader, ()):
            first[id] = min(first[id], number)
    found = grouped((made[item.id], item) for item in results if 0 <= made[item.id] < first[item.id] < len(units))
    return [found[number] for number in range(len(units))]


def followed_in(
    place: Cluster,
    units: Units,
    loop_of: Mapping[str, list[Cluster]],  # by card
    last: Set[str],
    reads: Mapping[str, Sequence[str]],
    states: Set[tuple[str, str]],  # edges by which a state is read
) -> dict[str, str]:
    """Return the unit of a place that each unit follows."""
    number = {name: i for i, name in enumerate(units)}
    home: dict[str, tuple[str, str]] = {}  # of an item: its unit, and the card there
    longest: dict[str, int] = defaultdict(int)
    for name, clusters in units.items():
        stack = [(cluster, "") for cluster in clusters]
        while stack:
            cluster, card = stack.pop()
            if not card and cluster.id in loop_of:
                card, longest[name] = cluster.id, max(longest[name], len(loop_of[cluster.id]))
            home |= {item.id: (name, card) for item in cluster.items}
            stack += ((inner, card) for inner in cluster.inner)

    items = sorted((item for cluster in within(place) for item in cluster.items), key=lambda item: item.ordinal)
    symbols = {item.id: item.symbol for item in items}
    picks = grouped(  # by what is picked from, and a loop: cards that do so
        ((source, loop_of[card][0].id), card)
        for item in items
        for card in [home.get(item.id, ("", ""))[1]]
        for source in reads.get(item.id, ())
        if card and (symbols.get(source) in picking or item.symbol.startswith("["))
    )
    parted = {where for where, cards in picks.items() if len(set(cards)) > 1}

    made_of: dict[str, dict[str, bool]] = {}  # of an item: units, and whether their last step has a share in it
    entered: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)  # by two units: cards of the second, the same
    for item in items:
        name, card = home.get(item.id, ("", ""))
        handed = {other for id in reads.get(item.id, ()) if (id, item.id) in states for other in made_of.get(id, ())}
        came = dict(sorted(  # of two the True one counts, which comes later
            (other, (whole and is_last))
            for source in reads.get(item.id, ())
            for whole in [not card or (source, loop_of[card][0].id) not in parted]
            for other, is_last in made_of.get(source, {}).items()
        ))  # fmt: skip
        if card:
            for other, is_last in came.items():
                if other != name:
                    steps = entered[other, name]
                    steps[card] = steps.get(card, False) or is_last
                    longest[name] += other in handed  # of a rolled loop, one step stands for all
            came = {name: card in last}
        latest = sorted(came, key=lambda other: number[other])[-remembered:]
        made_of[item.id] = {other: came[other] for other in latest}

    found: dict[str, str] = {}
    for (before, after), steps in sorted(entered.items(), key=lambda entry: number[entry[0][0]], reverse=True):
        known = after in found or before in found.values() or number[before] > number[after]
        if not known and all(steps.values()) and max(longest[before], longest[after]) > 1:
            found[after] = before
    return found
