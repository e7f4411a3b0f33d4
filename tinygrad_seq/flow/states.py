"""Find the states that a recurrent layer went through, as Tensors of the nodes that it recorded.

A slice of `out` would not do: it is a new node that no later step reads, so no gradient flows back in time through it.
The states themselves are found by their names: the cells call them "h" and "c", and the loop numbers the steps.
"""

from typing import Any

from tinygrad_seq.engine.found_steps import timeline_of
from tinygrad_seq.engine.graph import Node, Value, ancestors
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.scope import Scope
from tinygrad_seq.engine.timeline import ScopeVisit

NAME_STEPS = "`with ts.scope(step=t):` in the body of a loop of your own says which step it is"
NO_NAMES = '  one or more, whose ops have no names: `h = cell(x, h).named("h")` in the body of the loop names the state'
NONE = f"  none: {NAME_STEPS}; what is computed in a ts.checkpoint is not kept"


def states(output: Any, name: str = "h", **where: Any) -> list[Any]:
    """Return what a cell called `name`, at every step of the loop that made `output`, in order of time.

    `where` chooses among several loops by their scopes: layer=1, direction="reverse", module="encoder", or the entries
    of your own `ts.scope`. Each Tensor is the recorded state itself, value and node, so its gradient is what later
    steps send back; gates work as well ("forget"). Under `lengths` it is what the cell computed, padding included. The
    values are kept until the graph is freed.

    Raises ValueError, listing the available names, if no loop or several loops fit; TypeError if `output` is not a
    Tensor, RuntimeError on a freed graph.

    >>> import tinygrad_seq as ts
    >>> out, _ = ts.nn.LSTM(3, 4, num_layers=2)(ts.randn(5, 2, 3))
    >>> c = ts.flow.states(out, "c", layer=1)
    >>> len(c), c[0].shape, c[0].name
    (5, (2, 4), 'c')
    """
    if not isinstance(output, Value):
        raise TypeError(f"states: the output must be a Tensor, got {type(output).__name__}: pass out of (out, state)")
    if not isinstance(name, str):
        raise TypeError(f"states: name must be the name of a state, such as 'h', got {name!r:.60}")
    if output.node is None or not output.node.requires_grad:
        raise ValueError("states: the output was not recorded: no weight or input of it requires a gradient")
    found: dict[tuple[Any, ...], dict[str, list[tuple[ScopeVisit, Node]]]] = {}  # loop -> name -> where it is computed
    timeline = timeline_of([node for node in ancestors([output.node], constants=False) if node.op is not None])
    for node, positions in timeline.positions.items():
        if node.name is not None and positions:
            step = positions[-1][0]
            outside, inside = split_at_step(node.scope)
            named = found.setdefault((step.loop, *outside, *inside), {})
            named.setdefault(node.name, []).append((step, node))
    fit = {key: named[name] for key, named in found.items() if name in named and where.items() <= dict(key[1:]).items()}
    if len(fit) != 1:
        asked = ", ".join([repr(name), *words_of(where.items())])
        listed = "\n".join("  " + ", ".join([*words_of(dict(key[1:]).items()), *named]) for key, named in found.items())
        alone = "call each in a scope of its own, `with ts.scope(part=1):`, and ask for part=1"
        advice = alone if len({key[1:] for key in fit}) < len(fit) else "choose one by its scopes"
        many = f"{len(fit)} loops over time have {asked}: {advice}" if fit else f"no loop has {asked}"
        listed = listed or (NO_NAMES if timeline.loops else NONE)
        raise ValueError(f"states: {many}; the loops over time, and the names in them:\n{listed}")
    (only,) = fit.values()
    chosen = sorted(only, key=lambda entry: entry[0].order)
    if any(node.saved is None for _, node in chosen):
        raise RuntimeError("states: the graph was freed by an earlier backward, and the values with it")
    return [make_tensor(node.output, node) for _, node in chosen]


def words_of(entries: Any) -> list[str]:
    """Return the entries of a scope as they are written in a call, such as layer=1."""
    return [f"{key}={value!r}" for key, value in entries]


def split_at_step(scope: Scope) -> tuple[tuple[tuple[str, Any], ...], tuple[tuple[str, Any], ...]]:
    """Return the entries of a scope that lie outside its innermost step, and those inside it."""
    path = scope.path()
    last = max([i for i, (key, _) in enumerate(path) if key == "step"], default=len(path))
    return path[:last], path[last + 1 :]
