"""The health of a network while it learns: does the gradient explode, are gates stuck, does the state grow?

Each shows long before the loss does. What a gate did is in the graph only until it is freed, so the monitor takes the
backward over: it looks at the graph (not every time, and not at every step), runs the backward, and clips.
"""

from collections import defaultdict
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.graph import Node, ancestors
from tinygrad_seq.engine.norms import norm
from tinygrad_seq.engine.scope import place_of
from tinygrad_seq.flow.plot import ACCENT, axes_for, logarithmic
from tinygrad_seq.nn.module import Module
from tinygrad_seq.optim.clipping import clip_grad_norm_

SATURATED = {"sigmoid": (0.05, 0.95), "tanh": (-0.95, 0.95)}  # beyond these a gate hardly learns
LOOKS = 8  # steps of each sequence that are looked at


class Monitor:
    """Runs the backward of every training step, and keeps what tells of its health.

    `norms` are the joint gradient norms before clipping, `clipped` counts the steps that were. Every `every` training
    steps it looks at the named values of 8 time steps: `saturation[name]`, the share of a gate's values beyond 0.05
    or 0.95 (tanh: +-0.95), and `states[name]`, the mean length of what else has a name, h and c; `looked` says when.
    A training step takes less than a tenth longer.

    >>> import tinygrad_seq as ts
    >>> lstm = ts.nn.LSTM(3, 4)
    >>> monitor = ts.flow.Monitor(lstm, max_norm=1.0)
    >>> for _ in range(5):
    ...     lstm.zero_grad()
    ...     monitor.backward((lstm(ts.randn(6, 2, 3))[0] - 9.0).sum())  # instead of loss.backward() and clipping
    >>> len(monitor.norms), monitor.clipped, sorted(monitor.saturation)[1]
    (5, 5, 'LSTM, layer 0, forward: forget')
    """

    def __init__(self, model: Module, max_norm: float = host.inf, every: int = 10) -> None:
        if type(every) is not int or every < 1:
            raise ValueError(f"Monitor: every must be a whole number of training steps, at least 1, got {every!r}")
        self.model, self.max_norm, self.every = model, max_norm, every
        self.norms: list[float] = []
        self.clipped = 0
        self.looked: list[int] = []
        self.saturation: dict[str, list[float]] = defaultdict(list)
        self.states: dict[str, list[float]] = defaultdict(list)

    def backward(self, loss: Any) -> None:
        """`loss.backward()`, then `clip_grad_norm_` with `max_norm`; raises what they raise."""
        looks = self.look(loss) if len(self.norms) % self.every == 0 else None
        loss.backward()
        size = clip_grad_norm_(self.model.parameters(), self.max_norm)
        if looks is not None:
            self.looked.append(len(self.norms))
            for kept, found in zip((self.saturation, self.states), looks, strict=True):
                for name, values in found.items():
                    kept[name].append(sum(values) / len(values))
        self.norms.append(size)
        self.clipped += size > self.max_norm

    def look(self, loss: Any) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
        """Saturations and lengths of states at a few steps, by name."""
        named: dict[tuple[str, str], list[Node]] = defaultdict(list)
        for node in ancestors([loss.node], constants=False) if loss.node is not None else ():
            if node.name is not None and node.output is not None:
                path = node.scope.path()
                around = [entry for entry in path if entry[0] != "step"]
                if len(around) < len(path):
                    named[place_of(around), node.name].append(node)
        saturation, states = defaultdict(list), defaultdict(list)
        for (place, name), nodes in named.items():
            for i in {round(k * (len(nodes) - 1) / max(LOOKS - 1, 1)) for k in range(LOOKS)}:
                y, op = nodes[i].output, nodes[i].op.name
                if op in SATURATED:
                    low, high = SATURATED[op]
                    saturation[f"{place}: {name}"].append(float(((y < low) | (y > high)).mean()))
                if op != "sigmoid" and name in ("h", "c"):
                    states[f"{place}: {name}"].append(norm(y) / max(len(y), 1) ** 0.5)
        return saturation, states

    def __repr__(self) -> str:
        lines = [f"{len(self.norms)} training steps, {self.clipped} clipped at {self.max_norm:g}"]
        if self.norms:
            lines.append(f"  gradient norm: {self.norms[-1]:.3g} now, at most {max(self.norms):.3g}")
        lines += [f"  {name}: {100 * values[-1]:.0f} % saturated" for name, values in self.saturation.items()]
        lines += [f"  {name}: length {values[-1]:.3g}" for name, values in self.states.items()]
        return "\n".join(lines)

    def plot(self) -> Any:
        """Gradient norms and where they were clipped, saturation, states: three plots over time; returns the Figure."""
        figure = axes_for(None, 11.0, 3.2).figure
        figure.clear()
        first, second, third = figure.subplots(1, 3)
        first.plot(self.norms, color="0.4", linewidth=1)
        if self.clipped:
            first.axhline(self.max_norm, color=ACCENT, label=f"{self.clipped} of {len(self.norms)} clipped")
            first.legend(frameon=False)
        logarithmic(first)
        first.set(title="gradient norm", xlabel="training step")
        for axes, title, lines in ((second, "share saturated", self.saturation), (third, "length", self.states)):
            for name, values in lines.items():
                axes.plot(self.looked[-len(values) :], values, label=name)
            axes.set(title=title, xlabel="training step")
            if lines is self.saturation:
                axes.set_ylim(-0.03, 1.03)
            if lines:
                axes.legend(frameon=False, fontsize=7)
        return figure
