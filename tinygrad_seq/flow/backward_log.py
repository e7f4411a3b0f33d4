"""Log a backward: every call of a gradient rule, in order, and the norms of what it received and passed on.

The log is also a mapping from node to the norm of its gradient, in the order of the walk, so that a drawing can show
it. It keeps the arrays that were added to leaves: adding them up again, in order, gives the gradients.
"""

import math
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from tinygrad_seq.engine.backend import host, to_host
from tinygrad_seq.engine.backprop import searched, starting_gradients
from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.norms import norm
from tinygrad_seq.engine.ops.elementwise import add
from tinygrad_seq.engine.scope import Scope, step_of
from tinygrad_seq.engine.walk import Use, walk
from tinygrad_seq.flow.arguments import require_tensor
from tinygrad_seq.flow.show import ACCENT, INK, QUIET, NodeValues, Plotted, axes_for, finish, plot_lengths


@dataclass(frozen=True, slots=True)
class Frame:
    """Describe one call of the gradient rule of `op`, for `nodes` (several if the rule is a merged one).

    `incoming` is the norm of their gradients. The rule added a contribution of norm `outgoing[i]` to the gradient of
    `into[i]`; `first[i]` is True if nothing had been added to that gradient before, and `arrived[i]` is the
    contribution itself if it went into a leaf, else None. `scope` and `step` say where the op was called.

    >>> import tinygrad_seq as ts
    >>> w = ts.tensor([3.0, 4.0], requires_grad=True)
    >>> frame = ts.flow.record((w * w).sum()).frames[0]
    >>> frame.op, frame.incoming, frame.first, frame.step
    ('sum', 1.0, (True,), None)
    """

    op: str
    nodes: tuple[Node, ...]
    incoming: float
    into: tuple[Node, ...]
    outgoing: tuple[float, ...]
    first: tuple[bool, ...]
    arrived: tuple[Any, ...]

    @property
    def scope(self) -> Scope:
        """Return the scope in which the op was called."""
        return self.nodes[0].scope

    @property
    def step(self) -> Any:
        """Return the step in which the op was called, None outside all steps."""
        link = step_of(self.scope)
        return None if link is None else link.value

    def __repr__(self) -> str:
        path = "/".join(str(value) for _, value in self.scope.path())
        ends = [
            f"{'=' if first else '+='} {length:.3g} {node.name or (node.op.name if node.op else 'leaf')}"
            for node, length, first in zip(self.into, self.outgoing, self.first, strict=True)
        ]
        if len(ends) > 4:
            ends[2:-1] = [f"... {len(ends) - 3} more"]
        return f"{self.op:<12} {path:<24} {self.incoming:.3g} -> {', '.join(ends)}"


class Record(NodeValues, Plotted):
    """Map every node to the norm of its gradient, in the order of the walk; `frames` lists the calls of rules.

    >>> import tinygrad_seq as ts
    >>> w = ts.tensor([3.0, 4.0], requires_grad=True)
    >>> log = ts.flow.record((w * w).sum())
    >>> {node.op.name if node.op else "leaf": round(length, 2) for node, length in log.items()}
    {'sum': 1.0, 'multiply': 1.41, 'leaf': 10.0}
    """

    def __init__(self, norms: dict[Node, float], frames: list[Frame], start: dict[Node, Any]) -> None:
        super().__init__("|gradient|", norms)
        self.frames = frames
        self.start = {node: g for node, g in start.items() if node.op is None}

    def replay(self) -> dict[Node, Any]:
        """Return every leaf's gradient, on the host: the logged contributions, added up in their order."""
        total = dict(self.start)
        for call in self.frames:
            for node, contribution in zip(call.into, call.arrived, strict=True):
                if contribution is not None:
                    total[node] = add(total[node], contribution) if node in total else contribution
        return {node: host.array(to_host(g), dtype=node.dtype) for node, g in total.items()}

    def __repr__(self) -> str:
        lines = [repr(call) for call in self.frames]
        if len(lines) > 20:
            lines[10:-10] = [f"... {len(lines) - 20} more"]
        return "\n".join([f"backward of {len(self.frames)} calls of rules through {len(self)} nodes:", *lines])

    def plot(self, axes: Any = None) -> Any:
        """Plot every node's gradient in the order of the walk, named nodes and leaves marked; return the Figure."""
        axes = axes_for(axes, 8.0)
        kinds = [0 if node.op is None else 1 if node.name else 2 for node in self]
        lengths = host.array(list(self.values()))
        for kind, label, colour in ((2, "results", QUIET), (1, "named results", INK), (0, "leaves", ACCENT)):
            mine = [place for place, other in enumerate(kinds) if other == kind]
            if mine:
                plot_lengths(axes, mine, lengths[mine], "o", color=colour, label=label)
        return finish(axes, "place in the walk", "length of the gradient", "The backward, node by node")


def record(loss: Any) -> Record:
    """Return the backward of a loss as a log: the norm of each node's gradient, and a frame for each call of a rule.

    The order is that of the walk: every node comes after all its consumers. `replay()` gives each leaf's gradient from
    the log alone, bit for bit what `backward` would add to `.grad` (before hooks on leaves). The log keeps the arrays
    that were added to leaves, and of all others only the norms. Neither the graph nor any `.grad` is changed. Raises
    TypeError if the loss is not a Tensor, RuntimeError if the graph was freed.

    >>> import tinygrad_seq as ts
    >>> w = ts.tensor([3.0, 4.0], requires_grad=True)
    >>> log = ts.flow.record((w * w).sum())
    >>> [(frame.op, frame.outgoing[0]) for frame in log.frames]
    [('sum', 1.4142135623730951), ('multiply', 5.0), ('multiply', 5.0)]
    >>> log.replay()[w.node].tolist(), log[w.node]
    ([6.0, 8.0], 10.0)
    """
    require_tensor("record", "loss", loss)
    start = starting_gradients([loss], [None], False, "record")
    nodes = searched(start)
    norms: dict[Node, float] = {}
    reached = set(start)
    rows: list[tuple[Any, ...]] = []  # one for each contribution: its call of a rule, then what Frame says of it

    def observe(uses: list[Use], parent: Node, contribution: Any) -> None:
        for node, g in uses:
            if node not in norms:
                norms[node] = norm(g)
        users = tuple([node for node, _ in uses])
        call = users if users[0].op.joint is not None else len(rows)  # only a joint rule gives to several parents
        arrived = contribution if parent.op is None else None
        rows.append((call, users, parent, norm(contribution), parent not in reached, arrived))
        reached.add(parent)

    found = walk(nodes, start, False, observe=observe)
    frames = []
    for (_, users), group in groupby(rows, key=itemgetter(0, 1)):
        incoming = math.hypot(*[norms[node] for node in users])
        frames.append(Frame(users[0].op.name, users, incoming, *zip(*[row[2:] for row in group])))
    norms |= {node: norm(g) for node, g in found.items() if node not in norms}
    return Record({node: norms[node] for node in reversed(nodes) if node in norms}, frames, start)
