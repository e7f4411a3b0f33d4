"""Fold a recorded backward: for every op of the forward one node, its rule. So the backward is the forward's mirror.

The ops that a rule recorded, and the sums that complete the gradient which it begins with, say in their scope whose
gradient that is (see walk.py). What a rule reads of the forward's results stands beside it, by name: a saved value.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from copy import copy
from dataclasses import dataclass
from itertools import chain, takewhile
from math import prod

from tinygrad_seq.drawing.view.conventions import from_loss, rearranging, symbols
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.parameters import delivered_to_nobody, grad_of, made_of_parameters
from tinygrad_seq.engine.graph import Node, ancestors
from tinygrad_seq.engine.ops.elementwise import add
from tinygrad_seq.engine.scope import Scope, step_of
from tinygrad_seq.engine.walk import GradientOf


@dataclass(init=False, repr=False, eq=False, slots=True)
class Rule(Node):
    """The rule of an op, with what it begins with; or the gradient of a leaf, which is a sum over its uses."""

    ops: list[Node]  # that were recorded for it
    of: Node  # the op, or the leaf
    leaf: Node | None  # of what is added up to the gradient of a leaf: that


def with_rules(outputs: Sequence[Node]) -> tuple[list[Node], dict[Node, str]]:
    """Return the roots of a graph in which every rule of a recorded backward is one node: outputs and gradients; and
    what to call the gradients.
    """
    grads = recorded_gradients(outputs)
    nodes = ancestors([*outputs, *grads])
    by_serial = {node.serial: node for node in nodes}
    prepared = made_of_parameters(nodes).keys()
    owned = ((gradient_of(node, by_serial, prepared), node) for node in nodes)
    groups = grouped((key, node) for key, node in owned if key is not None)
    last = dict(sorted((key.walk, ops[-1].serial) for key, ops in groups.items()))  # what each walk recorded last
    walked = sorted(groups, key=lambda key: (key.walk, -key.serial))  # newest first
    rules = [rule_of(by_serial[key.serial], ops, key, prepared) for key in walked for ops in pieces(groups[key])]
    new: dict[Node, Node] = {node: rule for rule in rules for node in rule.ops}
    for i, rule in enumerate(rules):  # all after the walk, and before what came then
        rule.serial = last[rule.scope.value.walk] + i / len(rules)  # type: ignore[assignment]
    starts: dict[tuple[Node, Scope | None], Node] = {}
    named: dict[Node, str] = {}  # by node, the first name among what is made of it
    for node in reversed(nodes):
        named |= dict.fromkeys(node.parents, node.name or named.get(node, ""))
    for rule in rules:
        rule.parents = tuple(dict.fromkeys(reads(rule, new, prepared, starts, named)))
    rules += beginnings(nodes, rules)
    for node in nodes:  # what was made of gradients later
        if node not in new and any(parent in new for parent in node.parents):
            new[node] = copy(node)
            new[node].parents = tuple([new.get(parent, parent) for parent in node.parents])
    readers = Counter(parent for node in dict.fromkeys([*rules, *new.values()]) for parent in node.parents)
    called: dict[Node, str] = {}
    for node, leaves in grads.items():  # several where a bias has the gradient of another
        root, name = new.get(node, node), "∂ " + ", ".join(leaf.name or "x" for leaf in leaves)
        shares = summands(root, readers)
        called |= dict.fromkeys(shares, name) if shares else {root: name}  # the sum of shares is not drawn, but said
        for share in shares:
            share.leaf = leaves[-1]
    return [*(new.get(root, root) for root in outputs if root not in grads), *called], called


def recorded_gradients(outputs: Sequence[Node]) -> dict[Node, list[Node]]:
    """Return the nodes of the gradients that a recorded backward left, and of each whose gradient it is."""
    nodes = ancestors(outputs, constants=False)
    grads = ((grad_of(node), node) for node in nodes)
    found = grouped((grad.node, node) for grad, node in grads if grad is not None and grad.node is not None)
    found = {grad: leaves for grad, leaves in found.items() if grad.op is not None}
    if not found:
        raise RuntimeError(
            "draw: backward=True draws a recorded backward, and its gradients are gone with the parameters that had "
            "them: hold the layer in a variable"
            if any(map(delivered_to_nobody, nodes))
            else "draw: backward=True draws a recorded backward, and there is none: call "
            "loss.backward(create_graph=True) first"
        )
    return found


def beginnings(nodes: Sequence[Node], rules: Sequence[Rule]) -> list[Rule]:
    """Return a rule more for each named result of which only one gradient comes back, and which no rule says: there is
    no sum, so it is what all its rules read. An addition has none of its own; those of what it adds read the same.
    """
    rules_of, readers = grouped((rule.of, rule) for rule in rules), Counter(p for node in nodes for p in node.parents)
    found = []
    for node in nodes:
        added = [rule for part in node.parents if node.op is add.op for rule in rules_of[part]]
        own = rules_of[node] or [rule for rule in added if readers[rule.of] == 1]
        if own and node.name and node.op is not None and not any(rule.name for rule in rules_of[node]):
            read = set(own[0].parents).intersection(*(rule.parents for rule in own))
            for begun in [parent for parent in read if isinstance(parent, Rule) or parent.name == from_loss]:
                found.append(rule_of(node, [], own[0].scope.value, set()))
                found[-1].parents = (begun,)
                found[-1].serial = min(rule.serial for rule in own) - 0.5 / len(rules)  # type: ignore[assignment]
                for rule in own + added:
                    rule.parents = tuple([found[-1] if parent is begun else parent for parent in rule.parents])
    return found


def summands(root: Node, readers: Mapping[Node, int]) -> list[Rule]:
    """Return the rules whose sum the gradient of a leaf is, where nothing else reads them, and none has a name of its
    own: its share at every use.
    """
    found, stack = [], [root]
    while stack:
        node = stack.pop()
        if not isinstance(node, Rule) or readers[node] > (node is not root):
            return []
        is_sum = node.op is add.op and (node.of.op is None or len(node.parents) > 1)
        found += [] if is_sum else [node]
        stack += node.parents if is_sum else ()
    return [] if any(share.name is not None for share in found) else found


def gradient_of(node: Node, by_serial: Mapping[int, Node], prepared: Set[Node]) -> GradientOf | None:
    """Return whose gradient an op belongs to; None for what is of the forward, or of the backward of a backward.

    That of a weight in another form is the weight's.
    """
    key = node.scope.value
    if node.op is None or not isinstance(key, GradientOf) or key.serial not in by_serial:
        return None
    of = by_serial[key.serial]
    while of.op is not None and of.op.name in rearranging and of in prepared:
        (of,) = of.parents
    return None if any(link.key == "grad" for link in of.scope.links()) else GradientOf(key.walk, of.serial)


def pieces(ops: list[Node]) -> list[list[Node]]:
    """Return the ops of a group in pieces, if they give different gradients: the sum that they begin with, and what
    is recorded for each argument. Otherwise all are one piece.
    """
    inside, total = set(ops), dict[Node, None]()
    piece_of: dict[Node, tuple[Node, ...]] = {}
    for node in ops:
        made = [*dict.fromkeys(piece_of[parent] for parent in node.parents if parent in piece_of)]
        if node.op is add.op and not made and all(p in total or p not in inside for p in node.parents):
            total[node] = None
        else:
            joined = (*chain(*reversed(made)), node)
            piece_of |= dict.fromkeys(joined, joined)
    found = [*map(list, dict.fromkeys(piece_of.values()))]
    return [ops] if len(found) < 2 else [*filter(None, [[*total]]), *found]


def rule_of(of: Node, ops: list[Node], key: GradientOf, prepared: Set[Node]) -> Rule:
    """Return a node for the rule of an op, or for the gradient of a leaf; what it reads is not known yet."""
    rule = Rule()
    rule.of, rule.ops, rule.leaf = of, ops, None
    is_sum = of in prepared or all(node.op is add.op for node in ops)
    rule.op = add.op if is_sum else of.op if len(ops) > 1 else ops[0].op
    is_one_of_several = len(of.parents) > 1 and not is_sum  # gives the gradient of an argument
    rule.name = None if of.name is None or of.op is None or is_one_of_several else f"∂ {of.name}"
    rule.shape, rule.dtype, rule.requires_grad = ops[-1].shape if ops else of.shape, of.dtype, True
    rule.scope = Scope(of.scope if of.op is not None else common(ops), "grad", key, True)
    rule.static = rule.output = rule.saved = rule.owner_ref = rule.hooks = rule.line = None
    return rule


def common(ops: Iterable[Node]) -> Scope:
    """Return the innermost scope around all of some ops."""
    chains = [[*reversed([*node.scope.links()])] for node in ops]
    alike = list(takewhile(lambda links: all(link is links[0] for link in links), zip(*chains)))
    scope: Scope = alike[-1][0] if alike else chains[0][0].outer or chains[0][0]
    return scope.outer if scope.key == "grad" and scope.outer is not None else scope


def reads(
    rule: Rule,
    new: Mapping[Node, Node],
    prepared: Set[Node],
    starts: dict[tuple[Node, Scope | None], Node],
    named: Mapping[Node, str],
) -> Iterable[Node]:
    """Yield what a rule reads: gradients, leaves, and for each result of the forward a leaf with its name. `starts` are
    those that stand for the gradient of the loss, one in each place.
    """
    for parent in dict.fromkeys(parent for node in rule.ops for parent in node.parents):
        if parent in new:
            if new[parent] is not rule:
                yield new[parent]
        elif parent.op is not None:
            is_own = parent in prepared
            yield parent if is_own else stand_in(rule, parent, saved_name(parent, rule, named[parent], prepared))
        elif not isinstance(parent.scope.value, GradientOf):
            yield parent
        elif parent.shape or not parent.static:  # a number is a part of the rule
            data = [of for of in rule.of.parents if of.op is None and not of.requires_grad]
            alike = [of for of in data if prod(of.shape) == prod(parent.shape)]
            start = stand_in(rule, parent, from_loss)
            yield alike[0] if alike else starts.setdefault((parent, step_of(rule.scope)), start)


def joins_parts(rule: Rule) -> bool:
    """Tell whether a rule only joins gradients, one for each part of a split: it reads them in the order of the parts.
    """
    return [op.op.name for op in rule.ops] == ["concatenate"] and len(rule.parents) == len(rule.ops[0].parents)


def saved_name(node: Node, rule: Rule, made: str, prepared: Set[Node]) -> str:
    """Return what to call a result of the forward beside a rule, and of which step it is, if of another; `made`: the
    first name among what is made of it. A part says from which weight it comes: "new, from U".
    """
    there, here = step_of(node.scope), step_of(rule.scope)
    names = ["old " * (step_of(parent.scope) not in (None, there)) + (parent.name or "…") for parent in node.parents]
    sign = symbols.get(node.op.name, str(node.op.name))
    formula = f" {sign} ".join(names) if len(names) == 2 else f"{sign} {names[0]}"
    name = node.name or (sign if set(names) == {"…"} else formula)
    if node.op.name == "part" and node.name is None:
        weight = weight_of(node.parents[0], prepared)
        name = (f"{made}, from {weight}" if weight else f"{made} of split") if made else "part"
    if there is None or here is None or there.value == here.value:
        return name
    back = here.value - there.value if isinstance(here.value, int) and isinstance(there.value, int) else None
    if back == 1:
        return f"old {name}"
    return f"{name} of {there.value}" if back is None else f"{name}, t{'−' if back > 0 else '+'}{abs(back)}"


def weight_of(split: Node, prepared: Set[Node]) -> str | None:
    """Return the name of the weight in the product that is split, bias or not; None where it is not one product."""
    (node,) = split.parents
    while node.op is add.op and node.name is None:
        results = [parent for parent in node.parents if parent.op is not None and parent not in prepared]
        if len(results) != 1:
            return None
        (node,) = results
    weights = [parent for parent in node.parents if parent in prepared or (parent.op is None and parent.requires_grad)]
    if len(weights) != 1:
        return None
    (weight,) = weights
    while weight.op is not None and len(weight.parents) == 1:
        (weight,) = weight.parents
    return weight.name


def stand_in(rule: Node, node: Node, name: str) -> Node:
    """Return a leaf that stands for a value where a rule reads it."""
    leaf = Node()
    leaf.name, leaf.shape, leaf.dtype, leaf.scope, leaf.serial = name, node.shape, node.dtype, rule.scope, node.serial
    leaf.op = leaf.static = leaf.output = leaf.owner_ref = leaf.hooks = leaf.line = None
    leaf.parents = leaf.saved = ()
    leaf.requires_grad = False
    return leaf
