"""How far back a loss can see: the size of its derivative by every earlier state, the picture of a memory that fades.

Measured by the spectral norm of the Jacobian: by how much a small change of the state is lengthened, at most, on its
way. For a loss that is a number this is the length of its gradient. A walk back from a loss passes all states before
it, so one row of the map costs one walk, over that loss's part of the graph and no weight's.
"""

from collections.abc import Sequence
from typing import Any

from tinygrad_seq.backend import host, modules, quiet
from tinygrad_seq.backprop import searched, walk
from tinygrad_seq.flow.norms import gain
from tinygrad_seq.flow.plot import axes_for
from tinygrad_seq.graph import Node, Value, between


class Influence:
    """`map` (losses, states) of float64 on the host; `method` says what it cost."""

    def __init__(self, map: Any, method: str) -> None:
        self.map, self.method = map, method

    @property
    def shares(self) -> Any:
        """The map with every row scaled to sum to one: the share of each state in that loss (0 where it has none)."""
        sums = self.map.sum(axis=1, keepdims=True)
        return self.map / host.where(sums > 0, sums, 1.0)

    def __repr__(self) -> str:
        losses, count = self.map.shape
        lines = [f"influence of {count} states on {losses} losses, by {self.method}"]
        if self.map.size:
            row = self.map[-1]
            shown = range(0, count, max(1, count // 8))
            lines.append("  on the last loss: " + ", ".join(f"{k}: {row[k]:.3g}" for k in shown))
        return "\n".join(lines)

    def plot(self, axes: Any = None, decades: float = 6.0) -> Any:
        """The map as colours over so many powers of ten, white where it is exactly zero; returns the Figure."""
        axes = axes_for(axes, 5.5, 4.5)
        with quiet(divide="ignore"):
            powers = host.log10(self.map)
        top = max(powers.max(initial=-300.0), -300.0)
        shown = host.ma.masked_invalid(powers)
        image = axes.imshow(shown, vmin=top - decades, vmax=top, cmap="magma", aspect="auto", interpolation="nearest")
        axes.set(xlabel="state k", ylabel="loss t", title="influence of state k on loss t")
        axes.figure.colorbar(image, ax=axes, label="power of ten")
        return axes.figure


def influence(losses: Any, states: Any) -> Influence:
    """The map of |dL_t / dh_k|, for every loss t and every state k: exactly zero where a state does not reach a loss.

    `losses`: a Tensor or several; `states`: several (from `flow.states`), or one Tensor of which each slice [k] counts,
    such as an input (T, ...) that requires a gradient: the share of x_k in y_t. |.| is the spectral norm of the
    Jacobian over all elements, for a loss of one element the length of its gradient. One walk goes back from every
    element of every loss, so T losses at T states cost of the order of T^2 steps, as the map itself does.
    What fades below 1e-45 is zero in float32: make the network float64 to see further. Neither the graph nor any
    `.grad` is changed. Raises RuntimeError for what requires no gradient, or a freed graph.

    >>> import tinygrad_seq as ts
    >>> out, _ = ts.nn.GRU(3, 4)(ts.randn(6, 2, 3))
    >>> h = ts.flow.states(out)
    >>> found = ts.flow.influence([h_t.sum() for h_t in h], h)
    >>> found.map.shape, found.map[2, 3].item()
    ((6, 6), 0.0)
    """
    sliced = isinstance(states, Value)
    ends = nodes_of("losses", [losses] if isinstance(losses, Value) else losses)
    sources = nodes_of("states", [states] if sliced else states)
    count = (sources[0].shape or (0,))[0] if sliced else len(sources)
    result = host.zeros((len(ends), count))
    walks = 0
    for t, (end, loss) in enumerate(zip(ends, [losses] if isinstance(losses, Value) else losses, strict=True)):
        nodes = between(searched([end]), sources)
        reached = set(nodes).intersection(sources)
        if not reached:
            continue
        xp, size = modules[type(loss.array)], loss.array.size
        rows: list[dict[Node, Any]] = []
        for element in range(size):
            seed = (xp.arange(size) == element).astype(loss.array.dtype).reshape(end.shape)
            rows.append(walk(nodes, {end: seed}, False, sources))
        walks += size
        for k in range(count):
            source = sources[0] if sliced else sources[k]
            if source in reached:
                zero = xp.zeros(source.shape, source.dtype)
                jacobian = [row.get(source, zero) for row in rows]
                result[t, k] = gain([row[k] for row in jacobian] if sliced else jacobian)
    each = "" if walks <= len(ends) else ", one for each element"
    return Influence(result, f"{walks} walks back from {len(ends)} losses{each}")


def nodes_of(what: str, values: Sequence[Any]) -> list[Node]:
    """The nodes of Tensors that require a gradient."""
    for i, value in enumerate(values):
        if not isinstance(value, Value) or value.node is None or not value.node.requires_grad:
            raise RuntimeError(f"influence: {what}[{i}] must be a recorded Tensor, got {value!r:.60}")
    return [value.node for value in values]
