"""Find what a picture leaves out: for every item of the step before a gap, the same node in each step of the gap.

The steps of a gap were checked to be the same as the one before it. So a page needs of them only the numbers, one
column for each item, and can show any of them in the place of the gap.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tinygrad_seq.drawing.page.numbers import NodeNumbers
from tinygrad_seq.drawing.view.model import View
from tinygrad_seq.engine.found_steps import timeline_of
from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.timeline import ScopeVisit, Timeline

strip_length = 16
Share = Callable[[Node, Node], float | None]  # of a weight, or what is made of it, and of an op that reads it


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap, the step before it, and the nodes in the steps that it stands for."""

    id: str
    before: str
    steps: list[str]  # their titles
    ids: list[str]
    twins: dict[str, list[Node]]  # by item of the step before, one for each step


def gaps_of(
    view: View, nodes: Sequence[Node], drawn: Mapping[str, Node], readers: Mapping[str, Sequence[str]]
) -> list[Gap]:
    """Return the gaps of a view whose steps match the one before, op by op."""
    pairs = [pair for loop in view.loops for pair in pairwise(loop) if pair[1].key == "gap" != pair[0].key]
    if not pairs:
        return []
    timeline = timeline_of([node for node in nodes if node.op is not None])
    visits = {visit.id: visit for loop in timeline.loops for visit in loop}
    found = []
    for shown, before, gap in [(visits[before.id], before, gap) for before, gap in pairs if before.id in visits]:
        loop = timeline.loops[shown.loop]
        hidden = loop[shown.order + 1 : shown.order + 1 + len(gap.steps)]
        wired = wiring(shown, timeline)
        if any(wiring(step, timeline) != wired for step in hidden):
            continue
        place = {node: i for i, node in enumerate(timeline.ops_in[shown])}
        columns = [timeline.ops_in[step] for step in hidden]
        twins: dict[str, list[Node]] = {}
        for id, node in drawn.items():
            if id.startswith((before.id + "#", before.id + "/")):
                reader = node if node in place or id not in readers else drawn[readers[id][0]]
                if node in place:
                    twins[id] = [ops[place[node]] for ops in columns]
                elif reader in place and node in reader.parents:
                    argument = reader.parents.index(node)
                    twins[id] = [ops[place[reader]].parents[argument] for ops in columns]
                else:
                    twins[id] = [node] * len(hidden)
        found.append(Gap(gap.id, before.id, list(gap.steps), [step.id for step in hidden], twins))
    return found


def wiring(step: ScopeVisit, timeline: Timeline) -> list[tuple[Any, list[tuple[int, int]]]]:
    """Return the ops of a step, and of each where its arguments were made, in this step and those before it."""
    return [
        (node.op, [
            (other.order - step.order, position)
            for parent in node.parents
            for other, position in timeline.positions.get(parent, ())
            if other.loop == step.loop
        ])
        for node in timeline.ops_in[step]
    ]  # fmt: skip


def columns(
    gap: Gap, known: NodeNumbers, weights: Mapping[str, Node], readers: Mapping[str, Sequence[str]], share: Share
) -> dict[str, Any]:
    """Return the numbers of a gap: by item, in a row for each step; none where all steps have the same node. Of weights
    that is the share of each step.
    """
    table: dict[str, dict[str, Any]] = {}
    for id, twins in (gap.twins | {id: [node] * len(gap.steps) for id, node in weights.items()}).items():
        row: dict[str, Any] = {}
        if len(set(twins)) > 1:
            row = {"values": packed([known.values.get(node) for node in twins], ("mean", "min", "max"))}
            row |= {"gradient": packed([known.gradients.get(node) for node in twins], ("norm", "min", "max"))}
            if known.in_formula(twins[0]):
                row["first"] = [known.in_formula(node) for node in twins]
        users = [gap.twins[user] for user in readers[id] if user in gap.twins] if id in weights else []
        parts = [[share(leaf, user) for user in step] for leaf, *step in zip(twins, *users)]
        if users and all(None not in part for part in parts):
            row["uses"] = [round(sum(filter(None, part)), 6) for part in parts]
        if row:
            table[id] = row
    return {"id": gap.id, "before": gap.before, "steps": gap.steps, "ids": gap.ids, "items": table}


def packed(summaries: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
    """Return columns of numbers, and the strips as bytes: how many in a row, each 127 at the largest of its strip. Of
    what is not known in all steps there is none.
    """
    if not all(isinstance(said, dict) for said in summaries):
        return {}
    names = [name for name in names if all(name in said for said in summaries)]
    rows = [said.get("strip", [])[:strip_length] for said in summaries]
    bytes_ = b"".join(map(levels, rows)) if all(rows) else b""
    strips = {"wide": len(rows[0]), "strips": b64encode(bytes_).decode()} if bytes_ else {}
    return {name: [said[name] for said in summaries] for name in names} | strips


def levels(row: Sequence[Any]) -> bytes:
    """Return numbers as bytes around 128; 0 for what is no number."""
    top = max((abs(number) for number in row if type(number) is not str), default=0) or 1
    return bytes([0 if type(number) is str else round(127 * number / top) + 128 for number in row])
