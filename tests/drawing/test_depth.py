"""`depth=n`: what lies deeper is folded into one item that says how many ops it holds; inputs stay, and nothing is
lost.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import by_hand, clusters, items, lstm, reading, steps_shown

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.view.model import leaves

makes = st.sampled_from([lstm, by_hand, reading, lambda t: lstm(t, num_layers=2, bidirectional=True)])


def ops_in(view):
    """All ops: drawn, left out, and folded away as their labels say."""
    count = sum(cluster.ops for cluster in clusters(view))
    for item in items(view):
        if item.label.endswith((" op", " ops")):
            count += int(item.label.split(" · ")[-1].split()[0])
        elif item.ordinal >= 0 and item.role not in leaves:
            count += 1
    return count


def depth_of(view):
    deepest, level = 0, [view.top]
    while level := [inner for cluster in level for inner in cluster.inner]:
        deepest += 1
    return deepest


@given(makes, st.integers(1, 9), st.integers(0, 5), st.sampled_from(["unrolled", "rolled"]))
def test_no_op_is_lost_and_nothing_is_deeper(make, steps, depth, view):
    output = make(steps)
    drawing = draw(output, view=view, depth=depth)
    whole, folded = draw(output, view=view).view, drawing.view
    assert ops_in(folded) == ops_in(whole)
    assert depth_of(folded) == min(depth, depth_of(whole))
    shown = {item.id for item in items(folded)}
    assert len(shown) == len(items(folded))
    assert all(edge.source in shown and edge.target in shown and edge.source != edge.target for edge in folded.edges)
    assert all(id in shown for id in (*folded.twins, *folded.twins.values(), *folded.backward))
    assert "digraph" in drawing.dot


def test_a_network_in_three_boxes():
    view = draw(reading(5), depth=1).view
    (reader,) = view.top.inner
    assert [item.label for item in reader.items] == ["embed · 1 op", "ids", "lstm · 142 ops", "head · 2 ops"]
    assert {item.label for item in view.top.items} >= {"Reader · 1 op"} or reader.label == "Reader"


def test_steps_folded_stand_beside_each_other_each_with_its_input_and_the_state_leads_on():
    drawing = draw(lstm(4), depth=2)
    view = drawing.view
    (outer,) = [cluster for cluster in clusters(view) if cluster.label.startswith("layer 0")]
    steps = [item for item in outer.items if item.role != "input"]
    assert [item.label for item in steps] == [f"t = {t} · 14 ops" for t in range(4)]
    read = {edge.target: edge.source for edge in view.edges if edge.role == "input"}
    assert [read[step.id] for step in steps] == [item.id for item in outer.items if item not in steps]
    states = [edge for edge in view.edges if edge.role == "state"]
    assert [(e.source[-1], e.target[-1]) for e in states] == [("0", "1"), ("1", "2"), ("2", "3")]
    placed = [place for place in drawing.placed.items if place.item in steps]
    assert len({place.y for place in placed}) == 1
    assert [place.item for place in sorted(placed, key=lambda place: place.x)] == steps


def test_a_gap_is_folded_with_all_its_ops():
    output = lstm(100)
    view = draw(output, depth=2).view
    assert "96 steps, same ops · 1344 ops" in {item.label for item in items(view)}
    assert steps_shown(draw(output, depth=3).view) == steps_shown(draw(output).view)


def test_however_deep_the_scopes():
    x = ts.tensor([1.0], requires_grad=True)
    entered = [ts.scope(module=f"m{i}") for i in range(3000)]
    for link in entered:
        link.__enter__()
    x = x.tanh()
    for link in reversed(entered):
        link.__exit__()
    assert len(items(draw(x, depth=5).view)) == 1 + 1


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="must not be negative"):
        draw(lstm(2), depth=-1)
    with pytest.raises(TypeError, match="depth an int"):
        draw(lstm(2), depth=1.5)
