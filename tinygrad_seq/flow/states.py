"""The states that a recurrent layer went through: handles on the nodes it recorded.

A slice of `out` is a new node that the recurrence does not know, and no gradient flows back in time through it. What
`influence` asks about are the states themselves; a cell names them ("h", "c"), and the loop numbers them.
"""

from typing import Any

from tinygrad_seq.engine.graph import Node, Value, ancestors
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.timeline import ScopeVisit, Timeline


def states(output: Any, name: str = "h", **where: Any) -> list[Any]:
    """What a cell called `name` at every step of the loop over time that `output` was made by, in order of time.

    `where` chooses among several loops by their scopes: layer=1, direction="reverse", module="encoder", or what your
    own `ts.scope` said. Each Tensor is the recorded state itself, value and node, so gradients with respect to it are
    what later steps send back; gates work as well ("forget"). Under `lengths` it is what the cell computed, padding
    included. The values are there until the graph is freed.
    Raises ValueError, listing the names there are, where none or several loops fit; TypeError for what is no Tensor,
    RuntimeError on a freed graph.

    >>> import tinygrad_seq as ts
    >>> out, _ = ts.nn.LSTM(3, 4, num_layers=2)(ts.randn(5, 2, 3))
    >>> c = ts.flow.states(out, "c", layer=1)
    >>> len(c), c[0].shape, c[0].name
    (5, (2, 4), 'c')
    """
    if not isinstance(output, Value):
        raise TypeError(f"states: the output must be a Tensor, got {type(output).__name__}: of (out, state) give out")
    if output.node is None:
        raise ValueError("states: the output was not recorded: no weight or input of it requires a gradient")
    found: dict[tuple[Any, ...], dict[str, list[tuple[ScopeVisit, Node]]]] = {}
    timeline = Timeline([node for node in ancestors([output.node], constants=False) if node.op is not None])
    for node, positions in timeline.positions.items():
        if node.name is not None and positions:
            step = positions[-1][0]
            named = found.setdefault((step.loop, *path_of(timeline.visit_of[node], step)), {})
            named.setdefault(node.name, []).append((step, node))
    around = {key: dict(key[1:]) for key in found}
    fit = [key for key, named in found.items() if name in named and where.items() <= around[key].items()]
    if len(fit) != 1:
        asked = ", ".join([repr(name), *(f"{key}={value!r}" for key, value in where.items())])
        there = "\n".join(
            "  " + ", ".join([*(f"{key}={value!r}" for key, value in around[loop].items()), *named])
            for loop, named in found.items()
        )
        many = f"{len(fit)} loops over time have {asked}: choose one by its scopes" if fit else f"no loop has {asked}"
        raise ValueError(f"states: {many}; the loops over time, and the names in them:\n{there or '  none'}")
    chosen = sorted(found[fit[0]][name], key=lambda entry: entry[0].order)
    if any(node.saved is None for _, node in chosen):
        raise RuntimeError("states: the graph was freed by an earlier backward, and the values with it")
    return [make_tensor(node.output, node) for _, node in chosen]


def path_of(visit: ScopeVisit | None, step: ScopeVisit) -> list[tuple[str, Any]]:
    """The scopes around a visit, outermost first, without the step."""
    entries = []
    while visit is not None and visit.outer is not None:
        if visit is not step:
            entries.append((visit.key, visit.value))
        visit = visit.outer
    return entries[::-1]
