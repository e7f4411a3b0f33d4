"""Split the gradient of a shared weight into the shares of its uses.

A weight that is used at T steps has one gradient, the sum of T shares. The walk computes each share and adds it to the
others; here the shares are collected before they are added. Ops that prepare the parameter once for all steps (a
transpose, a sum of biases) lie between the steps and the parameter. Each share is passed back through them separately:
going backward is linear in the gradient, so the results still sum to the gradient.
"""

import math
from collections import Counter
from typing import Any

from tinygrad_seq.engine.backend import host, to_host
from tinygrad_seq.engine.backprop import searched, starting_gradients
from tinygrad_seq.engine.found_steps import timeline_of
from tinygrad_seq.engine.graph import Node, between
from tinygrad_seq.engine.norms import norm
from tinygrad_seq.engine.ops.elementwise import add
from tinygrad_seq.engine.scope import place_of
from tinygrad_seq.engine.timeline import ScopeVisit
from tinygrad_seq.engine.walk import Use, walk
from tinygrad_seq.flow.arguments import require_tensor
from tinygrad_seq.flow.show import NodeValues, Plotted, axes_for, finish, plot_lengths
from tinygrad_seq.flow.states import NAME_STEPS, split_at_step


class Items(Plotted):
    """Hold a gradient as a sum of shares: `items` (N, *parameter.shape), on the host.

    `steps[n]` is the step of item n (None: outside all steps), `places[n]` names the loop over time that it belongs to,
    `users[n]` lists the nodes that read the parameter there, the node `source`. Printed, it is a bar for each item.

    >>> import tinygrad_seq as ts
    >>> w, total = ts.nn.Parameter([1.0]).named("w"), 0.0
    >>> for t in (1, 2):
    ...     with ts.scope(step=t):
    ...         total = total + (w * t).sum()
    >>> shares = ts.flow.itemize(total, w)
    >>> shares.norms.tolist(), list(shares.nodes.values())
    ([1.0, 2.0], [1.0, 2.0])
    >>> print(shares)
    gradient of w (1,), of length 3, by use:
      step 1   1          ####################
      step 2   2          ########################################
    """

    def __init__(
        self, name: str, items: Any, steps: list[Any], places: list[str], users: list[list[Node]],
        source: Node | None = None,
    ) -> None:  # fmt: skip
        self.name, self.items, self.steps, self.places, self.users = name, items, steps, places, users
        self.source = source

    @property
    def norms(self) -> Any:
        """Return the norm of every item, (N,)."""
        return host.array([norm(item) for item in self.items])

    @property
    def nodes(self) -> NodeValues:
        """Return, for every node that uses the parameter, the norm of its item: `draw(loss, show=shares.nodes)`."""
        pairs = zip(self.users, self.norms.tolist(), strict=True)
        numbers = {node: length for users, length in pairs for node in users}
        return NodeValues(f"|share of {self.name}|", numbers, self.source)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        lines, norms, several = [], self.norms.tolist(), len(set(self.places)) > 1
        highest = max(norms) if all(map(math.isfinite, norms)) else math.inf  # no bars beside one without end
        for step, place, length in zip(self.steps, self.places, norms, strict=True):
            bar = "#" * round(40 * length / max(highest, 1e-300)) if highest < math.inf else ""
            who = "outside all steps" if step is None else f"step {step}"
            lines.append(f"  {f'{place}, ' * (several and bool(place))}{who:<8} {length:<10.4g} {bar}".rstrip())
        if len(lines) > 40:
            lines[20:-20] = [f"  ... {len(lines) - 40} more"]
        if self.steps == [None]:
            lines.append(f"  {NAME_STEPS}")
        title = f"gradient of {self.name} {self.items.shape[1:]}, of length {norm(self.items.sum(0)):.4g}, by use:"
        return "\n".join([title, *lines])

    def plot(self, axes: Any = None) -> Any:
        """Plot the norm of every item over time, one line for each loop; return the Figure."""
        axes, norms, places = axes_for(axes), self.norms, dict.fromkeys(self.places)
        for i, place in enumerate(places):
            mine = [n for n, other in enumerate(self.places) if other == place]
            options = {"label": place or "outside all steps", "color": f"C{i}"} if len(places) > 1 else {}
            steps = [self.steps[n] for n in mine]
            numbered = all(type(step) in (int, float) for step in steps)
            plot_lengths(axes, steps if numbered else range(len(mine)), norms[mine], **options)
        return finish(axes, "step of the use", "length of its share", f"Who taught {self.name}")


def itemize(loss: Any, parameter: Any) -> Items:
    """Return the share of every step in the gradient of a parameter: dL/dW = sum_t dL/dW_t, where step t uses W_t.

    Item t is what the gradient of step t's weight would be if every step had a copy. The items sum to the gradient.
    Gates are blocks of rows, as in the weight. A weight used in several places (layers that share it, two calls of a
    network) has an item for each step of each; uses outside all steps share one item. Costs one backward, and for every
    item the way from its step to the parameter. Neither the graph nor any `.grad` is changed; hooks are called as in a
    backward. A hook between the steps and the parameter (on `w.T`, made once for all steps) receives the sum over the
    steps, and its result may depend on that sum in any way: then there is one item only, outside all steps. A hook on
    the parameter itself does not affect the items.

    Raises TypeError if the loss or the parameter is not a Tensor; RuntimeError if the parameter requires no gradient,
    the loss was not made from it or has more than one element, or the graph was freed.

    >>> import tinygrad_seq as ts
    >>> rnn = ts.nn.RNN(3, 4)
    >>> out, _ = rnn(ts.randn(5, 2, 3))
    >>> shares = ts.flow.itemize(out[4].sum(), rnn.weight_hh_l0)
    >>> shares.items.shape, shares.steps
    ((5, 4, 4), [0, 1, 2, 3, 4])
    """
    require_tensor("itemize", "loss", loss)
    require_tensor("itemize", "parameter", parameter)
    source: Node | None = parameter.node
    if source is None or not source.requires_grad:
        raise RuntimeError(f"itemize: expected a parameter that requires a gradient, got {parameter!r:.60}")
    start = starting_gradients([loss], [None], False, "itemize")
    graph = searched(start, "itemize", [source])
    nodes = between(graph, [source])
    name = source.name or "the parameter"
    if not nodes:
        raise RuntimeError(f"itemize: {name} of shape {source.shape} was not used to make the loss")
    timeline = timeline_of([node for node in graph if node.op is not None])
    steps: dict[Node, ScopeVisit | None] = {
        node: positions[-1][0] if positions else None for node, positions in timeline.positions.items()
    }
    chain = made_before_steps(nodes, source, steps)
    users: dict[ScopeVisit | None, list[Node]] = {}
    for node in nodes:
        if node not in chain and not chain.keys().isdisjoint(node.parents):
            users.setdefault(steps[node], []).append(node)
    shares: dict[ScopeVisit | None, dict[Node, Any]] = {step: {} for step in users}

    def observe(uses: list[Use], parent: Node, contribution: Any) -> None:
        if parent in chain:
            by_step: dict[Any, list[Use]] = {}  # the parts of a split are merged at once: they have no sum
            for node, g in uses:
                if node not in chain:
                    by_step.setdefault(steps[node], []).append((node, g))
            for step, some in by_step.items():
                share = contribution if len(some) == len(uses) else some[0][0].op.merge(parent, some)
                held = shares[step]
                held[parent] = add(held[parent], share) if parent in held else share

    walk(nodes, start, False, observe=observe)
    if loss.node in chain:
        shares[None], users[None] = dict(start), []
    order = sorted(shares, key=lambda step: (step is None, step and step.loop, step and step.order))
    items = host.zeros((len(order), *source.shape), parameter.array.dtype)
    for i, step in enumerate(order):
        found = walk(list(chain), shares[step], False, [source], hooks=False)
        if source in found:
            items[i] = to_host(found[source])
    uses = [users[step] for step in order]
    return Items(name, items, [step and step.value for step in order], loop_names(uses, order), uses, source)


def made_before_steps(nodes: list[Node], source: Node, steps: dict[Node, ScopeVisit | None]) -> dict[Node, None]:
    """Return the parameter and what was made from it alone, outside all steps, without a hook; in creation order."""
    inside, chain = set(nodes), {source: None}
    for node in nodes[1:]:
        if steps[node] is None and not node.hooks and all(p in chain or p not in inside for p in node.parents):
            chain[node] = None
    return chain


def loop_names(uses: list[list[Node]], steps: list[ScopeVisit | None]) -> list[str]:
    """Name the loop over time of each step, such as "lstm, layer 0, reverse"; a second loop of one name gets "(2)", and
    of several those without a name are windows.
    """
    names: dict[int, str] = {}
    loops: Counter[str] = Counter()
    several = len({step.loop for step in steps if step is not None}) > 1
    for nodes, step in zip(uses, steps, strict=True):
        if step is not None and step.loop not in names:
            path = split_at_step(nodes[0].scope)[0]
            name = place_of(path) if path else ""
            loops[name] += 1
            number = f" ({loops[name]})" * (loops[name] > 1)
            names[step.loop] = name + number if name else f"window {loops[name]}" * several
    return ["" if step is None else names[step.loop] for step in steps]
