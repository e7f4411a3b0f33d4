"""A backward that can be played again: every call of a rule, in order, and what it passed on.

The log is a mapping from node to the length of its gradient, in the order of the walk, so that whatever shows numbers
at nodes can show it. Its frames keep what arrived at the leaves: adding that up again, in order, is the gradient.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tinygrad_seq.engine.backend import host, to_host
from tinygrad_seq.engine.backprop import Use, searched, starting_gradients, walk
from tinygrad_seq.engine.graph import Node, Value
from tinygrad_seq.engine.norms import norm
from tinygrad_seq.engine.scope import Scope
from tinygrad_seq.flow.plot import ACCENT, INK, axes_for, logarithmic


@dataclass(frozen=True, slots=True)
class Frame:
    """One call of a rule: of `op`, whose `nodes` (several for a merged rule) had gradients of length `incoming`.

    Node by node of `into` it added a contribution of length `outgoing`; `first` where nothing had arrived before.
    """

    op: str
    nodes: tuple[Node, ...]
    into: tuple[Node, ...]
    incoming: float
    outgoing: tuple[float, ...]
    first: tuple[bool, ...]
    arrived: tuple[Any, ...]  # the contribution itself where it went into a leaf, else None

    @property
    def scope(self) -> Scope:
        """Where the op was made."""
        return self.nodes[0].scope

    @property
    def step(self) -> Any:
        """The step it was made in, None outside all steps."""
        entries = [value for key, value in self.scope.path() if key == "step"]
        return entries[-1] if entries else None

    def __repr__(self) -> str:
        where = "/".join(str(value) for _, value in self.scope.path())
        ends = [
            f"{'=' if first else '+='} {length:.3g} {node.name or (node.op.name if node.op else 'leaf')}"
            for node, length, first in zip(self.into, self.outgoing, self.first, strict=True)
        ]
        if len(ends) > 4:
            ends[2:-1] = [f"... {len(ends) - 3} more"]
        return f"{self.op:<12} {where:<24} {self.incoming:.3g} -> {', '.join(ends)}"


class Record(Mapping[Node, float]):
    """The length of every node's gradient, in the order of the walk; `frames`: every call of a rule, in order."""

    label = "|gradient|"  # what a picture of it says

    def __init__(self, norms: dict[Node, float], frames: list[Frame], start: dict[Node, Any]) -> None:
        self.norms, self.frames = norms, frames
        self.start = {node: g for node, g in start.items() if node.op is None}

    def __getitem__(self, node: Node) -> float:
        return self.norms[node]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.norms)

    def __len__(self) -> int:
        return len(self.norms)

    def replay(self) -> dict[Node, Any]:
        """Every leaf's gradient, on the host, from the log alone: what arrived, added up in the order it did."""
        total = dict(self.start)
        for frame in self.frames:
            for node, contribution in zip(frame.into, frame.arrived, strict=True):
                if contribution is not None:
                    total[node] = total[node] + contribution if node in total else contribution
        return {node: host.array(to_host(g), dtype=node.dtype) for node, g in total.items()}

    def __repr__(self) -> str:
        shown = [repr(frame) for frame in self.frames]
        if len(shown) > 20:
            shown[10:-10] = [f"... {len(shown) - 20} more"]
        return "\n".join([f"backward of {len(self.frames)} calls of rules through {len(self)} nodes:", *shown])

    def plot(self, axes: Any = None) -> Any:
        """Every node's gradient by its place in the walk, named ones and leaves marked; returns the Figure."""
        axes = axes_for(axes, 8.0)
        nodes = list(self.norms)
        axes.plot(list(self.norms.values()), ".", color="0.7")
        for label, colour, mine in (
            ("named", INK, [i for i, node in enumerate(nodes) if node.op is not None and node.name]),
            ("leaves", ACCENT, [i for i, node in enumerate(nodes) if node.op is None]),
        ):
            axes.plot(mine, [self.norms[nodes[i]] for i in mine], ".", color=colour, label=label)
        axes.set(xlabel="place in the walk", ylabel="length of the gradient", title="The backward, node by node")
        axes.legend(frameon=False)
        logarithmic(axes)
        return axes.figure


def record(loss: Any) -> Record:
    """The backward of a loss as a log: node -> length of its gradient, and a frame for every call of a rule.

    The order is the walk's: every node after all its consumers. `replay()` gives each leaf's gradient from the log
    alone, bit for bit what `backward` would add to `.grad` (before hooks on leaves). The log keeps what arrived at the
    leaves, and lengths of the rest. Neither the graph nor any `.grad` is changed. Raises TypeError for a loss that is
    no Tensor, RuntimeError on a freed graph.

    >>> import tinygrad_seq as ts
    >>> w = ts.tensor([3.0, 4.0], requires_grad=True)
    >>> log = ts.flow.record((w * w).sum())
    >>> [(frame.op, frame.outgoing[0]) for frame in log.frames]
    [('sum', 1.4142135623730951), ('multiply', 5.0), ('multiply', 5.0)]
    >>> log.replay()[w.node].tolist(), log[w.node]
    ([6.0, 8.0], 10.0)
    """
    if not isinstance(loss, Value):
        raise TypeError(f"record: the loss must be a Tensor, got {type(loss).__name__} {loss!r:.60}")
    start = starting_gradients([loss], [None], False)
    nodes = searched(start)
    norms: dict[Node, float] = {}
    frames: list[Frame] = []
    reached = set(start)

    def hear(uses: list[Use], parent: Node, contribution: Any) -> None:
        users = tuple([node for node, _ in uses])
        for node, g in uses:
            if node not in norms:
                norms[node] = norm(g)
        arrived = contribution if parent.op is None else None
        passed: tuple[tuple[Any, ...], ...] = (parent,), (norm(contribution),), (parent not in reached,), (arrived,)
        reached.add(parent)
        before = frames[-1] if frames else None
        if before is not None and before.nodes == users and users[0].op.joint is not None:  # the same call
            old = frames.pop()
            passed = tuple(a + b for a, b in zip((old.into, old.outgoing, old.first, old.arrived), passed))
        into, outgoing, first, kept = passed
        incoming = math.hypot(*[norms[node] for node in users])
        frames.append(Frame(users[0].op.name, users, into, incoming, outgoing, first, kept))

    found = walk(nodes, start, False, observe=hear)
    norms |= {node: norm(g) for node, g in found.items() if node not in norms}
    return Record({node: norms[node] for node in reversed(nodes) if node in norms}, frames, start)
