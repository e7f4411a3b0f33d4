"""Whatever the graph and whatever the style: a picture is whole. Hypothesis writes the programs."""

import json
from contextlib import ExitStack

from hypothesis import example, given
from hypothesis import strategies as st
from pictures import clusters, items

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw
from tinygrad_seq.engine.graph import ancestors

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


def assert_whole(drawing):
    """Every edge, row, loop and frame of play is about something that is there, once."""
    view = drawing.view
    shown = [item.id for item in items(view)]
    assert len(set(shown)) == len(shown)
    names = set(shown)
    assert all(edge.source in names and edge.target in names for edge in view.edges)
    assert set(view.backward) <= names and len(set(view.backward)) == len(view.backward)
    assert view.twins.keys() | set(view.twins.values()) <= names
    boxes = [cluster.id for cluster in clusters(view)]
    assert len(set(boxes)) == len(boxes)
    assert all(cluster.id in boxes for loop in view.loops for cluster in loop)


@given(programs, styles)
def test_a_picture_is_whole(program, style):
    loss, weights = run(program)
    loss.backward(retain_graph=True, create_graph=style["backward"])
    drawing = draw(loss, **style)
    assert_whole(drawing)
    view = drawing.view
    assert "digraph" in drawing.dot and json.loads(drawing.json)
    assert drawing.json == draw(loss, **style).json and len(ts.diff(drawing, draw(loss, **style))) == 0
    if style["depth"] is None and not style["backward"]:
        hidden = sum(cluster.ops for cluster in clusters(view))
        drawn = {item.ordinal for item in items(view) if item.role in ("op", "gate", "state", "named", "output")}
        nodes = [n for n in ancestors([loss.node]) if n.op is not None]
        small = {"part", "contiguous", "transpose", "cast", "add", "split", "reshape", "getitem"}  # may be a weight's
        assert len(drawn) + hidden >= sum(node.op.name not in small for node in nodes)
    assert all(weight.grad is not None for weight in weights)


READ = {  # what of its history a step stacks, and a leaf beside it
    "grows": lambda past, leaf, t: [*past, leaf],
    "grows in front": lambda past, leaf, t: [leaf, *reversed(past)],
    "shrinks": lambda past, leaf, t: [past[-1], *[leaf] * max(5 - t, 1)],
    "by turns": lambda past, leaf, t: [*past[-1 - t % 2 :], leaf],
}


@given(st.sampled_from(sorted(READ)), st.integers(1, 5), st.sampled_from(["", "x", "h0"]), styles)
@example("grows", 3, "", {"view": "unrolled", "params": "proxies", "steps": (3, 1), "show": None, "backward": False})
def test_an_op_may_read_another_number_of_arguments_at_every_step(read, steps, name, style):
    """As attention over the states so far does."""
    w = ts.nn.Parameter([[0.5]]).named("w")

    def attending(steps):
        w.grad, h, past = None, ts.tensor([[1.0]]), []
        for t in range(steps):
            with ts.scope(step=t):
                past.append((h @ w).tanh().named("h"))
                leaf = ts.tensor([[0.5]]).named(name) if name else ts.tensor([[0.5]])
                h = ts.stack(READ[read](past, leaf, t)).mean(0)
        loss = h.sum()
        loss.backward(retain_graph=True, create_graph=style["backward"])
        return draw(loss, **style)

    drawing = attending(steps)
    assert_whole(drawing)
    assert drawing.svg and drawing.dot and drawing.html
    assert str(ts.diff(drawing, attending(steps))) == "no difference" != str(ts.diff(drawing, attending(steps + 1)))
