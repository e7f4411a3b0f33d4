"""Collect what a reader may ask about each item of a picture: its shape, its numbers, its gradient, its rules.

Plain text and numbers, taken while the graph is there, so that a page never keeps an array alive. Of the steps that a
picture leaves out it is only the numbers, since all else is that of the step before.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from math import isfinite, nan
from typing import Any

from tinygrad_seq.drawing.page.left_out import columns, gaps_of
from tinygrad_seq.drawing.page.mathematics import mathematics
from tinygrad_seq.drawing.page.numbers import NodeNumbers, numbers
from tinygrad_seq.drawing.page.rule_source import rules_of
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.model import View, within
from tinygrad_seq.drawing.view.parameters import made_of_parameters
from tinygrad_seq.drawing.view.rules import Rule
from tinygrad_seq.drawing.view.same_numbers import has_parts
from tinygrad_seq.engine.graph import Node, Value, ancestors

many = 2000  # items, of which strips are shorter


@dataclass(slots=True)
class Details:
    """What there is to say about every item, by id; about the steps in gaps; and about all of it."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    notice: str = ""


def details(view: View, roots: Sequence[Node], outputs: Sequence[Value] = ()) -> Details:
    """Return what there is to say about every item that is a node of the graph above `roots`.

    Plain data for JSON. `values` and `gradient` are dicts (mean, min, max, size, and a strip of evenly spaced numbers;
    of a gradient also its norm) or a sentence that says why there are none. What is made of several parameters (the
    sum of two biases) has what there is to say about each in `of`. `uses` says for a parameter what share of its
    gradient comes from each op that reads it.
    """
    nodes = ancestors(roots)
    made, ordinal = made_of_parameters(nodes), {node: i for i, node in enumerate(nodes)}
    items = {item.id: item for cluster in within(view.top) for item in cluster.items if item.ordinal >= 0}
    drawn = {id: nodes[item.ordinal] for id, item in items.items()}
    readers = grouped((edge.source, edge.target) for edge in view.edges if edge.target in drawn)
    gaps = gaps_of(view, nodes, drawn, readers)
    shown = [*drawn.values(), *(node for gap in gaps for twins in gap.twins.values() for node in twins)]
    wanted = {near for node in shown for near in (node, *node.parents, *made.get(node, ()))}
    in_full = [near for node in drawn.values() for near in (node, *made.get(node, ()))] if len(drawn) < many else []
    known = numbers(roots, outputs, wanted, made, set(in_full))
    rules = cache(rules_of)
    say = cache(lambda node: entry(node, known, [] if node.op is None else rules(node.op)))
    found = Details(notice=known.notice)

    def share(leaf: Node, reader: Node) -> float | None:
        """Return the share that comes from a reader of a leaf, or of what is made of parameters, if it is finite."""
        parts = [known.shares.get((reader, parent), nan) for parent in reader.parents if same(leaf, parent)]
        return sum(parts) if parts and isfinite(sum(parts)) else None

    def same(leaf: Node, parent: Node) -> bool:
        return parent is leaf or not set(made.get(leaf, ())).isdisjoint(made.get(parent, ()))

    for id, node in drawn.items():
        weight = items[id].role == "weight"
        parameters = [*made.get(node, [node])] if weight else [node]
        if len(parameters) > 1:
            found.items[id] = {"op": "parameters", "of": [*map(say, parameters)]}
        elif items[id].symbol or parameters[0].op is None:
            found.items[id] = dict(say(parameters[0]))
        else:  # many ops folded into one item, which gives what the last of them gives
            found.items[id] = {name: say(node)[name] for name in ("shape", "dtype", "values", "gradient")}
        if weight:
            parts = {user: share(node, drawn[user]) for user in readers[id]}
            found.items[id]["parameters"] = sorted(ordinal[leaf] for leaf in parameters)
            found.items[id]["uses"] = {user: round(part, 6) for user, part in parts.items() if part is not None}
    weights = {id: node for id, node in drawn.items() if items[id].role == "weight"}
    found.gaps = [columns(gap, known, weights, readers, share) for gap in gaps]
    return found


def entry(node: Node, known: NodeNumbers, rules: list[tuple[str, str]]) -> dict[str, Any]:
    """Say all there is to say about a node."""
    kind = "parameter" if node.requires_grad else "input" if node.shape else "constant"
    about = "One array for all its uses, whose gradients add up." if node.requires_grad else ""
    if node.op is not None:
        about = folded(node) if isinstance(node, Rule) else (node.op.forward.__doc__ or "").strip().partition("\n")[0]
    return {
        "op": kind if node.op is None else node.op.name,
        "about": about,
        "name": node.name or "",
        "shape": ", ".join(map(str, node.shape)) if has_parts(node) else str(node.shape),
        "dtype": str(node.dtype),
        "line": node.line or "",
        "values": known.values.get(node, absent(node)),
        "gradient": known.gradients.get(node),
        "rules": rules,
        "mathematics": [] if node.op is None else mathematics_of(node),
        "arguments": [] if node.op is None else node.op.names,
        "first": known.in_formula(node),
        "terms": known.terms.get(node, []),
    }


def mathematics_of(node: Node) -> Sequence[Any]:
    """Return the formula of an op, and its rules for those arguments that a gradient goes back to."""
    formula, rules = mathematics.get(node.op.name, ("", ()))
    if len(rules) == len(node.parents):
        rules = tuple(rule if parent.requires_grad else "" for rule, parent in zip(rules, node.parents))
    return [formula, rules] if formula else []


def folded(rule: Rule) -> str:
    """Say which ops were recorded for a rule."""
    counts = Counter(node.op.name for node in rule.ops)
    ops = ", ".join(f"{count} × {name}" if count > 1 else name for name, count in counts.items())
    what = "The gradient of a leaf" if rule.of.op is None else f"The gradient rule of {rule.of.op.name}"
    recorded = f"{what}, for which these ops were recorded: {ops}."
    return recorded if ops else "The gradient of a result: only one comes back, so nothing was recorded for a sum."


def absent(node: Node) -> str:
    """Say why a value is not known."""
    if node.op is None:
        return "not kept: nothing holds it any more"
    return "" if node.saved is None else "not kept: no gradient rule reads it"
