"""Whatever the graph and whatever the style: a picture is whole. Hypothesis writes the programs."""

import json
from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st
from pictures import clusters, items

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw
from tinygrad_seq.graph import ancestors

ops = st.sampled_from(["tanh", "×", "+", "concat", "split", "detach", "weight", "name", "stack"])
moves = st.sampled_from(["step", "module", "out", "again"])
lines = st.tuples(ops, st.integers(0, 9), st.integers(0, 9))
programs = st.lists(st.tuples(moves, st.lists(lines, max_size=4)), max_size=12)
styles = st.fixed_dictionaries(
    {
        "view": st.sampled_from(["unrolled", "rolled"]),
        "params": st.sampled_from(["proxies", "shared"]),
        "steps": st.tuples(st.integers(0, 2), st.integers(0, 2)),
        "depth": st.none() | st.integers(0, 3),
        "show": st.sampled_from([None, "gradient"]),
        "backward": st.booleans(),
    }
)


def run(program):
    """A loss, and the parameters it was made from: every move enters or leaves a scope, then come the ops."""
    weights = [ts.nn.Parameter([0.5, -0.5]).named(name) for name in ("w", "v")]
    values = [weights[0] * 1.0, ts.tensor([1.0, 2.0], requires_grad=True).named("x")]
    with ExitStack() as top:
        open_scopes, time, body = [], 0, []
        for move, found in program:
            if move in ("out", "again") and open_scopes:
                open_scopes.pop().close()
            if move in ("step", "module", "again"):
                inner = top.enter_context(ExitStack())
                inner.enter_context(ts.scope(step=time) if move != "module" else ts.scope(module=f"m{time % 2}"))
                open_scopes.append(inner)
                time += 1
            body = body if move == "again" else found
            for op, i, j in body:
                values.append(apply(op, values[-1 - i % len(values)], values[-1 - j % len(values)], weights[j % 2]))
        while open_scopes:
            open_scopes.pop().close()
    return sum((value.sum() for value in values[-3:]), (values[0] * weights[1]).sum()), weights


def apply(op, x, y, weight):
    if op == "concat":
        return ts.concatenate([x, y])[:2]
    if op == "stack":
        return ts.stack([x, y, x]).sum(0)
    if op == "split":
        first, second = x.split(1)
        return ts.concatenate([second, first])
    if op == "name":
        return (x + 1.0).named("h")
    if op in ("tanh", "detach"):
        return getattr(x, op)()
    return x * y if op == "×" else x * weight if op == "weight" else x + y


@given(programs, styles)
def test_a_picture_is_whole(program, style):
    loss, weights = run(program)
    loss.backward(retain_graph=True, create_graph=style["backward"])
    drawing = draw(loss, **style)
    view = drawing.view
    shown = [item.id for item in items(view)]
    assert len(set(shown)) == len(shown)
    names = set(shown)
    assert all(edge.source in names and edge.target in names for edge in view.edges)
    assert set(view.backward) <= names and len(set(view.backward)) == len(view.backward)
    assert all(id in names for line in (*view.rows, *view.shelves) for id in line)
    boxes = [cluster.id for cluster in clusters(view)]
    assert len(set(boxes)) == len(boxes)
    assert all(cluster.id in boxes for loop in view.loops for cluster in loop)
    assert "digraph" in drawing.dot and json.loads(drawing.json)
    assert drawing.json == draw(loss, **style).json and len(ts.diff(drawing, draw(loss, **style))) == 0
    if style["depth"] is None and not style["backward"]:
        hidden = sum(cluster.ops for cluster in clusters(view))
        drawn = {item.ordinal for item in items(view) if item.role in ("op", "gate", "state", "named", "output")}
        nodes = [n for n in ancestors([loss.node]) if n.op is not None]
        small = {"part", "contiguous", "transpose", "cast", "add", "split", "reshape", "getitem"}  # may be a weight's
        assert len(drawn) + hidden >= sum(node.op.name not in small for node in nodes)
    assert all(weight.grad is not None for weight in weights)
