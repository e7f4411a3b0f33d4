"""What a picture says: each op what it reads, each array where it comes in, each number where it belongs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import KINDS
from pictures import items, numbers

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.render import colours as palette

reshapes = {
    "stack": lambda x: ts.stack([x])[0], "unstack": lambda x: x.reshape(1, -1).unstack()[0],
    "split": lambda x: x.split(1)[0],
    "reshape": lambda x: x.reshape(2, 3).reshape(-1), "flip": lambda x: x[::-1], "part": lambda x: x.split(2)[0],
    "pair": lambda x: ts.stack([x, x])[0], "broadcast": lambda x: x * ts.ones(2, 6), "slice": lambda x: x[1:],
    "copies": lambda x: ts.stack([x, x]), "one of many": lambda x: ts.stack([x.tanh(), x, x.tanh()], 1).unstack(1)[-2],
    "halves": lambda x: ts.stack([x[:3], x[3:]]).split(1)[0], "of another axis": lambda x: ts.stack([x, x], 1)[1],
}  # fmt: skip


@pytest.mark.parametrize("how", reshapes)
def test_what_only_gives_another_shape_is_not_drawn(how):
    """The line leads past it; what has other numbers, or the same ones in another order, is drawn."""
    x = ts.tensor(numbers(6), requires_grad=True).named("x").exp()
    y = reshapes[how](x)
    drawn = {item.symbol for item in items(draw(y.cos()).view) if item.role == "op"}
    same = y.size == x.size and np.array_equal(y.numpy().reshape(-1), x.numpy())
    assert (drawn - {"tanh"} == {"exp"}) == same
    assert {item.symbol for item in items(draw(y.named("y").cos()).view) if item.label == "y"} != set()


@given(kind=st.sampled_from(list(KINDS)), steps=st.integers(2, 3))
@settings(max_examples=9, deadline=None)
def test_a_thought_goes_straight_from_the_encoder_to_the_decoder(kind, steps):
    encoder, decoder = (KINDS[kind].layer(2, 3, **KINDS[kind].options) for _ in range(2))
    state = encoder(ts.tensor(numbers(steps, 2, 2)))[1]
    drawing = draw(decoder(ts.tensor(numbers(steps, 2, 2)), state)[0])
    drawn = {item.id: item for item in items(drawing.view)}
    assert [item.symbol for item in drawn.values()].count("stack") == 1  # of what the decoder gives
    handed = {drawn[e.source].label for e in drawing.view.edges if e.role == "state" and not e.through_time}
    assert handed == ({"h", "c"} if "c" in {item.label for item in drawn.values()} else {"h"})


@pytest.mark.parametrize("view", ["unrolled", "rolled"])
def test_arrays_that_pick_are_inputs(view):
    """Ids, targets and masks: a node each, with a line to what picks by them; one beside each step that is drawn."""
    table, h = nn.Parameter(numbers(5, 4)).named("table"), ts.zeros(2, 4)
    for t in range(9):
        with ts.scope(step=t):
            h = (h + table[[t % 5, 1]]).tanh().named("h")
    loss = nn.cross_entropy(h, [1, 2]) + h[np.array([True, False])].sum()
    seen = draw(loss, view=view, show=None).view
    found = [(item.label, item.role) for item in items(seen) if item.label in ("ids", "targets", "mask")]
    steps = 1 if view == "rolled" else 4
    assert sorted(found) == sorted([("ids", "input")] * steps + [("targets", "input"), ("mask", "constant")])
    symbols = {item.id: item.symbol for item in items(seen)}
    picked = {edge.source: symbols[edge.target] for edge in seen.edges}
    assert all(symbol.startswith("[") for id, symbol in picked.items() if id.endswith("]"))
    (targets,) = (item for item in items(seen) if item.label == "targets")
    assert "input\n(2,) int64" in targets.tooltip


@given(kind=st.sampled_from(list(KINDS)), steps=st.integers(2, 4))
@settings(max_examples=9, deadline=None)
def test_a_mask_says_what_it_chooses(kind, steps):
    layer = KINDS[kind].layer(2, 3, **KINDS[kind].options)
    out, _ = layer(ts.tensor(numbers(steps, 2, 2)), lengths=[steps, 1])
    drawing = draw(out.named("out"), steps=(9, 9))
    said = [item.formula for item in items(drawing.view) if item.symbol == "where"]
    assert said.count("h if mask\nelse old h") == steps - 1
    assert sum(words.startswith("stack if mask\nelse ") for words in said) == 1
    chosen = {at.item.id: at.y for at in drawing.placed.items if at.item.symbol == "where"}
    old = [at for at in drawing.placed.edges if at.edge.role == "state" and at.edge.target in chosen]
    assert old and all(at.points[-1][1] <= chosen[at.edge.target] + 4 for at in old)  # from the left, or from above


def test_a_step_that_is_named_by_a_text_is_called_so():
    h = ts.tensor(numbers(2, 3), requires_grad=True)
    for word in ("to", "be"):
        with ts.scope(step=word):
            h = h.tanh()
    assert [cluster.label for cluster in draw(h).view.top.inner] == ["to", "be"]


def test_a_title_stands_above_and_on_the_page():
    x = ts.tensor(2.0, requires_grad=True).named("x")
    drawing = draw(x * x, title="A <square>")
    assert all("A &lt;square&gt;" in text for text in (drawing.svg, drawing.html)) and "A <square>" in drawing.dot
    with pytest.raises(TypeError, match=r"draw: title must be a str, got 3"):
        draw(x, title=3)


@pytest.mark.parametrize("count", [3, 60])
def test_where_numbers_are_shown_their_colours_are_the_only_ones(count):
    """Of a few that were given the numbers stand on the nodes, too; a gap says how far its own reach."""
    w, h, states = nn.Parameter(numbers(3, 3)).named("w"), ts.ones(2, 3), []
    for t in range(60):
        with ts.scope(step=t):
            h = (h @ w).tanh().named("h")
            states.append(h)
    shown = {state: float(t + 1) for t, state in enumerate(states[-count:])}
    drawing = draw(h.sum(), show=shown)
    known = {item.id: item.value for item in items(drawing.view)}
    scale = drawing.view.scale
    for placed in drawing.placed.items:
        hot, _ = palette.heat(placed.item.value, scale)
        assert palette.pale(placed.item, scale) != bool(hot) or placed.item.role == "middle"
        assert not hot or f'id="{placed.item.id}"' in drawing.svg
    assert drawing.svg.count(" shown") == sum(value is not None for value in known.values())
    (gap,) = (item for item in items(drawing.view) if item.role == "middle")
    assert gap.label.endswith("value 1 … 2" if count == 3 else "value 4 … 6e+01")
    assert any(item.numbers == f"{count}" for item in items(drawing.view)) == (count == 3)
