"""Watch the health of a network while it learns: exploding gradients, saturated gates, growing states.

All of these can be seen long before the loss shows them. The values of gates are in the graph only until it is freed,
so the monitor runs the backward itself: it reads the graph (in some training steps, at some time steps), runs the
backward, and clips the gradients.
"""

from collections import defaultdict
from math import inf, prod
from typing import Any

from tinygrad_seq.engine.arguments import at_least
from tinygrad_seq.engine.backend import on_device_of
from tinygrad_seq.engine.graph import Node, ancestors
from tinygrad_seq.engine.norms import norm
from tinygrad_seq.engine.scope import place_of, step_of
from tinygrad_seq.flow.arguments import require_tensor
from tinygrad_seq.flow.show import ACCENT, QUIET, Plotted, finish, label_axes, new_figure, plot_lengths
from tinygrad_seq.nn.module import Module
from tinygrad_seq.optim.clipping import clip_grad_norm_
from tinygrad_seq.optim.validation import nonnegative

SATURATED = {"sigmoid": (0.05, 0.95), "tanh": (-0.95, 0.95)}  # outside these bounds a gate hardly learns
STYLES = ("-", "--", ":", "-.")  # of lines in a plot
LOOKS = 8  # the number of time steps of each sequence that are looked at


class Monitor(Plotted):
    """Run the backward of every training step, and keep measures of the network's health.

    `norms` are the joint gradient norms before clipping; `clipped` counts the training steps that were clipped. Every
    `every` training steps the named values of 8 time steps are looked at: `saturation[name]` is the share of a gate's
    values outside 0.05 to 0.95 (tanh: -0.95 to 0.95), `states[name]` the norm of the states h and c, (..., H), as a
    root mean square over the sequences; `looked` lists these training steps. A training step takes less than a tenth
    longer. Raises TypeError if `model` is not a Module, TypeError or ValueError for a `max_norm` below 0 or an `every`
    below 1.

    >>> import tinygrad_seq as ts
    >>> lstm = ts.nn.LSTM(3, 4)
    >>> monitor = ts.flow.Monitor(lstm, max_norm=1.0)
    >>> for _ in range(5):
    ...     lstm.zero_grad()
    ...     monitor.backward((lstm(ts.randn(6, 2, 3))[0] - 9.0).sum())  # instead of loss.backward() and clipping
    >>> len(monitor.norms), monitor.clipped, sorted(monitor.saturation)[1]
    (5, 5, 'LSTM, layer 0, forward: forget')
    """

    def __init__(self, model: Module, max_norm: float = inf, every: int = 10) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"Monitor: expected a Module, got {type(model).__name__} {model!r:.60}")
        (self.every,) = at_least(1, "Monitor", every=every)
        self.model, self.max_norm = model, nonnegative("Monitor", "max_norm", max_norm, None)
        self.norms: list[float] = []
        self.clipped = 0
        self.looked: list[int] = []
        self.saturation: dict[str, list[float]] = defaultdict(list)
        self.states: dict[str, list[float]] = defaultdict(list)

    def backward(self, loss: Any) -> None:
        """Run `loss.backward()`, then `clip_grad_norm_` with `max_norm`; raise what they raise.

        Raises TypeError if the loss is not a Tensor. A training step that raises is not counted.
        """
        require_tensor("Monitor.backward", "loss", loss)
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
        """Return the saturation of gates and the norms of states at a few time steps, by name.

        >>> import tinygrad_seq as ts
        >>> gru = ts.nn.GRU(3, 4)
        >>> saturation, states = ts.flow.Monitor(gru).look(gru(ts.randn(5, 2, 3))[0].sum())
        >>> sorted(saturation)[0], [(name, len(norms)) for name, norms in states.items()]
        ('GRU, layer 0, forward: new', [('GRU, layer 0, forward: h', 5)])
        """
        require_tensor("Monitor.look", "loss", loss)
        named: dict[str, list[Node]] = defaultdict(list)
        for node in ancestors([loss.node], constants=False) if loss.node is not None else ():
            if node.name is not None and step_of(node.scope) is not None and getattr(node.output, "size", False):
                place = place_of(entry for entry in node.scope.path() if entry[0] != "step")
                named[f"{place}: {node.name}"].append(node)
        saturation, states = defaultdict(list), defaultdict(list)
        for name, nodes in named.items():
            for i in {round(k * (len(nodes) - 1) / (LOOKS - 1)) for k in range(LOOKS)}:
                y, op = nodes[i].output, nodes[i].op.name
                if op in SATURATED:
                    low, high = SATURATED[op]
                    with on_device_of(y):
                        saturation[name].append(float(((y < low) | (y > high)).mean()))
                if op != "sigmoid" and nodes[i].name in ("h", "c"):
                    states[name].append(norm(y) / prod(y.shape[:-1]) ** 0.5)
        return saturation, states

    def __repr__(self) -> str:
        lines = [f"{len(self.norms)} training steps, {self.clipped} clipped at {self.max_norm:g}"]
        if self.norms:
            lines.append(f"  gradient norm: {self.norms[-1]:.3g} now, at most {max(self.norms):.3g}")
        lines += [f"  looked at in training step {step} of 0 … {len(self.norms) - 1}:" for step in self.looked[-1:]]
        lines += [f"    {name}: {100 * values[-1]:.0f} % saturated" for name, values in self.saturation.items()]
        lines += [f"    {name}: length {values[-1]:.3g}" for name, values in self.states.items()]
        return "\n".join(lines)

    def plot(self) -> Any:
        """Plot gradient norms, saturation and states, side by side, over the training steps; return the Figure."""
        figure = new_figure(11.0, 3.8)
        first, second, third = figure.subplots(1, 3)
        style = "-" if len(self.norms) > 1 else "o"  # one value is no line
        plot_lengths(first, range(len(self.norms)), self.norms, style, color=QUIET, linewidth=1)
        if self.clipped:
            first.axhline(self.max_norm, color=ACCENT, label=f"{self.clipped} of {len(self.norms)} clipped")
        finish(first, "training step", "", "length of the gradient")
        shares = {name: [100.0 * share for share in values] for name, values in self.saturation.items()}
        for axes, title, lines in ((second, "gates: % saturated", shares), (third, "states: length", self.states)):
            places = {name.rpartition(": ")[0] for name in lines}
            place = places.pop() if len(places) == 1 else ""  # said once
            for i, (name, values) in enumerate(lines.items()):  # there are ten colours
                style = STYLES[i // 10 % len(STYLES)] if len(values) > 1 else "o"
                axes.plot(self.looked[-len(values) :], values, style, label=name.removeprefix(f"{place}: "))
            label_axes(axes, "training step", "", title)
            if lines:
                axes.legend(frameon=False, fontsize=8, ncols=2, title=place, title_fontsize=8,
                            loc="upper center", bbox_to_anchor=(0.5, -0.18))  # fmt: skip
        second.set_ylim(-3, 103)
        third.set_ylim(bottom=0)
        return figure
