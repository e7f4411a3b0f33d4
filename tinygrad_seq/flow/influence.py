"""Measure how far back a loss can see: the size of its derivative with respect to every earlier state.

The size is the spectral norm of the Jacobian: the largest factor by which a small change of the state is lengthened on
its way to the loss. If the loss is a number, this is the norm of its gradient.
"""

from collections import defaultdict
from collections.abc import Sequence
from math import prod
from typing import Any

from tinygrad_seq.engine.backend import host, quiet
from tinygrad_seq.engine.backprop import searched
from tinygrad_seq.engine.graph import Node, Value, between
from tinygrad_seq.engine.norms import gain
from tinygrad_seq.flow.jacobians import chained, handed_on, walked
from tinygrad_seq.flow.show import NodeValues, Plotted, axes_for, finish, plot_lengths


class Influence(Plotted):
    """Hold the `map` (losses, states), float64, on the host; `method` says how it was computed.

    >>> import tinygrad_seq as ts
    >>> h = [ts.tensor([1.0], requires_grad=True)]
    >>> for _ in range(2):
    ...     h.append(h[-1] * 0.5)
    >>> found = ts.flow.influence(h[-1], h)
    >>> found.map.tolist(), list(found.nodes.values())
    ([[0.25, 0.5, 1.0]], [0.25, 0.5, 1.0])
    >>> found.shares.round(2).tolist()
    [[0.14, 0.29, 0.57]]
    """

    def __init__(self, map: Any, method: str, sources: Sequence[Node | None]) -> None:
        self.map, self.method, self.sources = map, method, sources

    @property
    def nodes(self) -> NodeValues:
        """Return the influence of each state on the last loss, by node: `draw(show=found.nodes)`."""
        row = zip(self.sources, self.map[-1].tolist())
        return NodeValues("|influence|", {node: value for node, value in row if node is not None})

    @property
    def shares(self) -> Any:
        """Return the map with every row scaled to sum to one: the share of each state in that loss (0 stays 0)."""
        sums = self.map.sum(axis=1, keepdims=True)
        with quiet(invalid="ignore"):  # inf / inf
            return self.map / host.where(sums > 0, sums, 1.0)

    def __repr__(self) -> str:
        losses, count = self.map.shape
        row = ", ".join(f"{k}: {self.map[-1, k]:.3g}" for k in range(0, count, max(1, count // 8)))
        zeros = host.flatnonzero(self.map[-1] == 0).tolist()
        which = [f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs(zeros)]
        on, last = ("the loss", "by state") if losses == 1 else (f"{losses} losses", "on the last loss")
        return f"influence of {count} states on {on}, by {self.method}\n  {last}: {row}" + (
            f"\n  exactly 0: {', '.join(which[:8])}{', ...' * (len(which) > 8)}" if which else ""
        )

    def plot(self, axes: Any = None, decades: float = 6.0) -> Any:
        """Plot the map as colours over so many powers of ten, the influence on one loss as a line; return the Figure.

        In the map white is exactly zero, and grey not finite.
        """
        if len(self.map) == 1:
            axes = axes_for(axes)
            plot_lengths(axes, range(self.map.shape[1]), self.map[0])
            return finish(axes, "state $k$", r"$\|\partial L/\partial h_k\|$", "How far back the loss can see")
        axes = axes_for(axes, 5.5, 4.5)
        finite = host.isfinite(self.map)
        with quiet(divide="ignore"):
            powers = host.where(finite, host.log10(self.map), host.inf)
        seen = powers[finite & (self.map > 0)]
        top, low = (seen.max(), seen.min()) if len(seen) else (0.0, 0.0)
        shown = host.ma.masked_where(self.map == 0, powers)
        bottom = max(low, top - decades) if top > low else top - 1.0
        image = axes.imshow(shown, vmin=bottom, vmax=top, cmap="magma", aspect="auto", interpolation="nearest")
        image.set_cmap(image.get_cmap().with_extremes(bad="white", over="0.6"))
        odd = {"white: exactly 0": (self.map == 0).any(), "grey: inf or NaN": not finite.all()}
        said = [text for text, there in odd.items() if there]
        title = "\n".join(["How far back each loss can see", ", ".join(said)]).rstrip()
        axes.set(xlabel="state $k$", ylabel="loss $t$", title=title)
        axes.locator_params(integer=True, min_n_ticks=1)
        extend = "min" if low < bottom else "neither"
        axes.figure.colorbar(image, ax=axes, extend=extend, label=r"$\log_{10}\|\partial L_t/\partial h_k\|$")
        return axes.figure


def runs(numbers: list[int]) -> list[list[int]]:
    """Return increasing numbers as runs without a gap."""
    found: list[list[int]] = []
    for number in numbers:
        if not found or number > found[-1][-1] + 1:
            found.append([])
        found[-1].append(number)
    return found


def influence(losses: Any, states: Any) -> Influence:
    """Return the map of |dL_t / dh_k| for every loss t and state k: exactly zero if the state does not reach the loss.

    `losses`: a Tensor or several; `states`: several (from `flow.states`), or one Tensor of which each slice [k] counts,
    such as an input (T, ...) that requires a gradient: the share of x_k in y_t. |.| is the spectral norm of the
    Jacobian over all elements; for a loss of one element, the norm of its gradient. `method` says how the map was
    computed: by products of the Jacobians between neighbouring steps, or, if there are hooks or x is not read step by
    step, by walks all the way back from each element of each loss.
    In float32 everything below 1e-45 is zero: make the network float64 to see further. Neither the graph nor any
    `.grad` is changed. Raises TypeError for what is neither a Tensor nor a list, RuntimeError if something requires no
    gradient, the graph was freed, or the states are new slices of what the losses were made of, ValueError if there is
    no loss or no state.

    >>> import tinygrad_seq as ts
    >>> out, _ = ts.nn.GRU(3, 4)(ts.randn(6, 2, 3))
    >>> h = ts.flow.states(out)
    >>> found = ts.flow.influence([h_t.sum() for h_t in h], h)
    >>> found.map.shape, found.map[2, 3].item()
    ((6, 6), 0.0)
    """
    for name, given in (("losses", losses), ("states", states)):
        if not isinstance(given, Value | list | tuple):
            raise TypeError(f"influence: {name} must be a Tensor or a list of them, got {type(given).__name__}")
    single = isinstance(states, Value)
    results = [losses] if isinstance(losses, Value) else list(losses)
    ends, sources = nodes_of("losses", results), nodes_of("states", [states] if single else states)
    graph = searched(ends, "influence", sources)
    nodes = between(graph, sources)
    if set(sources).isdisjoint(nodes) and not set(graph).isdisjoint(map(sliced_from, sources)):
        raise RuntimeError(
            "influence: the losses are not made of these states: a slice such as out[k] is a new Tensor, which no step "
            "has read. Take those that the recurrence went through: ts.flow.states(out)"
        )
    columns: list[Node | None] = slices(sources[0], nodes) if single else [*sources]
    sliced = single and columns[0] is sources[0]
    where: dict[Node, list[int]] = defaultdict(list)
    for k, column in enumerate(columns):
        if column is not None:
            where[column].append(k)
    inside = set(nodes)
    carried = handed_on(nodes) | where.keys() & inside
    begin = [(end, loss.array) for end, loss in zip(ends, results)]
    if sliced or any(node.hooks is not None for node in nodes):
        count = sum(prod(end.shape) for end in ends if end in inside)
        each = "" if count == len(ends) else ", one for each element"
        method = f"{count} walks back from {len(ends)} losses{each}"
        found = walked(inside, begin, where.keys())
    else:
        method = "products of Jacobians from step to step"
        found = chained(inside, begin, carried)
    result = host.zeros((len(ends), len(columns)))
    for t, node, jacobian in found:
        if sliced:
            parts = jacobian.reshape(len(jacobian), len(columns), -1)
            result[t] = [gain(parts[:, k]) for k in range(len(columns))]
        elif node in where:
            result[t, where[node]] = gain(jacobian)
    return Influence(result, method, columns)


def sliced_from(node: Node) -> Node | None:
    """Return what a slice was taken from; None for what is none."""
    found = None
    while node.op is not None and node.op.name in ("getitem", "part", "unstack"):
        found = node = node.parents[0]
    return found


def slices(source: Node, nodes: list[Node]) -> list[Node | None]:
    """Return the nodes of x[0], x[1], ... (None: not read) if only one `unstack` reads x, else x for each slice."""
    count = (source.shape or (0,))[0]
    if not count:
        raise ValueError(f"influence: states: a Tensor of shape {source.shape} has no slices")
    readers = [node for node in nodes if source in node.parents]
    if [(node.op.name, node.static) for node in readers] != [("unstack", {"axis": 0})]:
        return [source] * count
    parts = {node.static["index"]: node for node in nodes if readers[0] in node.parents and node.static is not None}
    return [parts.get(k) for k in range(count)]


def nodes_of(what: str, values: Sequence[Any]) -> list[Node]:
    """Return the nodes of Tensors; raise if there are none, or one of them does not require a gradient."""
    if not values:
        raise ValueError(f"influence: {what} must be at least one Tensor, got none")
    for i, value in enumerate(values):
        if not isinstance(value, Value) or value.node is None or not value.node.requires_grad:
            raise RuntimeError(
                f"influence: {what}[{i}] was not made from anything that requires a gradient: take states from "
                f"flow.states, make an input with requires_grad=True; got {type(value).__name__} "
                f"of shape {getattr(value, 'shape', None)}"
            )
    return [value.node for value in values]
