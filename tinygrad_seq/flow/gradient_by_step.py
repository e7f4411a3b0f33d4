"""The gradient of a shared weight, split into its uses.

A weight used at T steps has one gradient, the sum of T shares. The walk forms each share on its way, and adds it: here
the shares are caught where they leave a step. What lies between there and the parameter (a transposition, a sum of
biases: what is made once for all steps) is passed by each share on its own, which is right because going backward is
linear in the gradient.
"""

from typing import Any

from tinygrad_seq.engine.backend import host, to_host
from tinygrad_seq.engine.backprop import Use, searched, starting_gradients, walk
from tinygrad_seq.engine.graph import Node, Value, between
from tinygrad_seq.engine.timeline import ScopeVisit, Timeline
from tinygrad_seq.flow.norms import Lengths, norm
from tinygrad_seq.flow.plot import INK, axes_for, logarithmic


class Items:
    """A gradient as the sum of its shares: `items` (N, *parameter.shape) on the host, and whose each is.

    `steps[n]` is the step of item n (None: outside all steps), `places[n]` the loop it belongs to, `users[n]` the nodes
    that read the parameter there.
    """

    def __init__(self, name: str, items: Any, steps: list[Any], places: list[str], users: list[list[Node]]) -> None:
        self.name, self.items, self.steps, self.places, self.users = name, items, steps, places, users

    @property
    def norms(self) -> Any:
        """The length of every item, (N,)."""
        return host.array([norm(item) for item in self.items])

    @property
    def nodes(self) -> Lengths:
        """The length of the item that each node's use belongs to: `draw(loss, show=shares.nodes)`."""
        pairs = zip(self.users, self.norms.tolist(), strict=True)
        return Lengths(f"|share of {self.name}|", {node: length for users, length in pairs for node in users})

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        norms, several = self.norms, len(set(self.places)) > 1
        lines = []
        for step, place, length in zip(self.steps, self.places, norms.tolist(), strict=True):
            bar = "#" * round(40 * length / max(norms.max(), 1e-300)) if norms.max() < host.inf else ""
            who = "outside all steps" if step is None else f"step {step}"
            lines.append(f"  {f'{place}, ' * several}{who:<8} {length:<10.4g} {bar}".rstrip())
        if len(lines) > 40:
            lines[20:-20] = [f"  ... {len(lines) - 40} more"]
        title = f"gradient of {self.name} {self.items.shape[1:]}, of length {norm(self.items.sum(0)):.4g}, by use:"
        return "\n".join([title, *lines])

    def plot(self, axes: Any = None) -> Any:
        """The length of every item over time (zeros left out), a line for each place; returns matplotlib's Figure."""
        axes = axes_for(axes)
        for place in dict.fromkeys(self.places):
            mine = [n for n, other in enumerate(self.places) if other == place]
            at = [len(mine) - 1 if self.steps[n] is None else self.steps[n] for n in mine]
            axes.plot(at, self.norms[mine], "o-", label=place, **({} if len(set(self.places)) > 1 else {"color": INK}))
        axes.set(xlabel="step of the use", ylabel="length of its share", title=f"Who taught {self.name}")
        axes.xaxis.get_major_locator().set_params(integer=True)
        if len(set(self.places)) > 1:
            axes.legend(frameon=False)
        logarithmic(axes)
        return axes.figure


def itemize(loss: Any, parameter: Any) -> Items:
    """The share of every step in the gradient of a parameter: dL/dW = sum_t dL/dW_t, where step t uses its own W_t.

    Item t is what the gradient of step t's weight would be if every step had a copy. The items sum to the gradient.
    Gates are blocks of rows, as in the weight. A weight used in several places (layers that share it, two calls of a
    network) has an item for each step of each; uses outside all steps share one item. Costs one backward, and for every
    item the way from its step to the parameter. Neither the graph nor any `.grad` is changed; hooks are called as in a
    backward. A hook between the steps and the parameter (on `w.T`, made once for all steps) gets the sum over the steps
    and may do anything with it, so what comes out is one item, outside all steps; what a hook on the parameter itself
    gives is not itemised.
    Raises TypeError for a loss that is no Tensor; RuntimeError where the loss was not made from the parameter, or the
    graph was freed.

    >>> import tinygrad_seq as ts
    >>> rnn = ts.nn.RNN(3, 4)
    >>> out, _ = rnn(ts.randn(5, 2, 3))
    >>> shares = ts.flow.itemize(out[4].sum(), rnn.weight_hh_l0)
    >>> shares.items.shape, shares.steps
    ((5, 4, 4), [0, 1, 2, 3, 4])
    """
    source: Node | None = parameter.node if isinstance(parameter, Value) else None
    if source is None or not source.requires_grad:
        raise RuntimeError(f"itemize: expected a parameter that requires a gradient, got {parameter!r:.60}")
    if not isinstance(loss, Value):
        raise TypeError(f"itemize: the loss must be a Tensor, got {type(loss).__name__} {loss!r:.60}")
    start = starting_gradients([loss], [None], False)
    nodes = between(searched(start), [source])
    name = source.name or "the parameter"
    if not nodes:
        raise RuntimeError(f"itemize: {name} of shape {source.shape} was not used to make the loss")
    timeline = Timeline([node for node in nodes if node.op is not None])
    steps: dict[Node, ScopeVisit | None] = {
        node: positions[-1][0] if positions else None for node, positions in timeline.positions.items()
    }
    chain = once_for_all(nodes, source, steps)
    users: dict[ScopeVisit | None, list[Node]] = {}
    for node in nodes:
        if node not in chain and not chain.keys().isdisjoint(node.parents):
            users.setdefault(steps[node], []).append(node)
    shares: dict[ScopeVisit | None, dict[Node, Any]] = {step: {} for step in users}

    def hear(uses: list[Use], parent: Node, contribution: Any) -> None:
        if parent in chain:
            for node, g in uses:
                if node not in chain:
                    share = contribution if len(uses) == 1 else node.op.merge(parent, [(node, g)])
                    held = shares[steps[node]]
                    held[parent] = held[parent] + share if parent in held else share

    walk(nodes, start, False, observe=hear)
    if loss.node in chain:
        shares[None], users[None] = dict(start), []
    order = sorted(shares, key=lambda step: (step is None, step and step.loop, step and step.order))
    items = host.zeros((len(order), *source.shape), parameter.array.dtype)
    for i, step in enumerate(order):
        found = walk(list(chain), shares[step], False, [source], hooks=False)
        if source in found:
            items[i] = to_host(found[source])
    return Items(name, items, [step and step.value for step in order], loop_names(order), [users[s] for s in order])


def once_for_all(nodes: list[Node], source: Node, steps: dict[Node, ScopeVisit | None]) -> dict[Node, None]:
    """What is made of the parameter before and outside all steps, the parameter first, as far as no hook is called."""
    inside, chain = set(nodes), {source: None}
    for node in nodes[1:]:
        if steps[node] is None and not node.hooks and all(p in chain or p not in inside for p in node.parents):
            chain[node] = None
    return chain


def loop_names(steps: list[ScopeVisit | None]) -> list[str]:
    """The loop that each step belongs to, in words: "lstm, layer 0, reverse", of a second loop there with "(2)"."""
    loops: dict[str, list[int | None]] = {}
    names = []
    for step in steps:
        words, visit = [], None if step is None else step.outer
        while visit is not None and visit.outer is not None:
            words.append(visit.text if visit.key in ("module", "direction") else f"{visit.key} {visit.text}")
            visit = visit.outer
        name = ", ".join(reversed(words))
        there = loops.setdefault(name, [])
        if step is not None and step.loop not in there:
            there.append(step.loop)
        names.append(f"{name} ({len(there)})" if len(there) > 1 else name)
    return names
