"""A detach is drawn: as a cut from where the value comes from, or, where that is not in the picture, as one it begins
with. Nothing of the history is kept for it.
"""

import gc

import pytest
from pictures import by_hand, items, numbers, steps_shown

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.engine.graph import Detached, Node


def cuts(view):
    names = {item.id: item.label or item.symbol for item in items(view)}
    return [(names[edge.source], names[edge.target]) for edge in view.edges if edge.role == "cut"]


def windows(layer, count=3, steps=2):
    run = ts.truncated(layer)
    return [run(x).sum() for x in ts.tensor(numbers(count * steps, 2, 3)).split(steps)]


@pytest.mark.parametrize("kind, states", [(nn.RNN, ["@"]), (nn.LSTM, ["@", "×"]), (nn.GRU, ["@", "−"])])
@pytest.mark.parametrize("layers", [1, 2])
def test_between_windows_each_state_is_cut(kind, states, layers):
    losses = windows(kind(3, 4, num_layers=layers))
    drawing = draw(losses[0] + losses[1] + losses[2])
    found = cuts(drawing.view)
    assert len(found) == 2 * layers * len(states)
    assert {target for _, target in found} == set(states) and {source for source, _ in found} <= {"h", "c"}
    assert drawing.dot.count("style=dashed") >= len(found)


@pytest.mark.parametrize("layer", [nn.LSTM(3, 4), nn.Recurrent(nn.LSTMCell(3, 4))])
def test_alone_a_window_begins_with_what_was_detached(layer):
    view = draw(windows(layer)[1]).view
    assert sorted(cuts(view)) == [
        ("c · detached" if isinstance(layer, nn.Recurrent) else "c0 · detached", "×"),
        ("h · detached" if isinstance(layer, nn.Recurrent) else "h0 · detached", "@"),
    ]
    detached = [item for item in items(view) if "detached" in item.label]
    assert all(item.role == "initial" and "no gradient goes on" in item.tooltip for item in detached)


def test_without_a_detach_there_is_no_cut():
    layer = nn.LSTM(3, 4)
    out, state = layer(ts.tensor(numbers(3, 2, 3)))
    more, _ = layer(ts.tensor(numbers(3, 2, 3)), state)
    assert cuts(draw(out.sum() + more.sum()).view) == []


@pytest.mark.parametrize("view", ["unrolled", "rolled"])
def test_a_step_that_cuts_is_never_hidden(view):
    states = []
    last = by_hand(30, lambda t, h: states.append(h) or (h.detach() if t == 11 else h))
    drawing = draw(last.sum() + states[11].sum(), view=view)
    assert "t = 12" in steps_shown(drawing.view)[0]
    assert ("h", "concat") in cuts(drawing.view)


def test_steps_that_all_cut_are_the_same_step_again():
    states = []
    by_hand(30, lambda t, h: states.append(h) or h.detach())
    view = draw(sum(states[1:], states[0]).sum()).view
    assert any("same ops" in label for label in steps_shown(view)[0])


@pytest.mark.parametrize("every", [1, 2, 3, 30])
def test_a_gap_with_a_cut_in_it_is_entered_by_one(every):
    """The state goes on through the gap, and the gradient does not."""
    states = []
    by_hand(24, lambda t, h: states.append(h) or (h.detach() if t % every == every - 1 else h))
    view = draw(sum(states[1:], states[0]).sum(), steps=(min(every, 4) + 1, 1)).view
    (gap,) = (cluster for cluster in view.loops[0] if cluster.key == "gap")
    inside = {item.id: item.label for item in gap.items}
    found = {edge.role for edge in view.edges if inside.get(edge.target, "").startswith("h, t") and edge.through_time}
    assert found == ({"cut"} if every < 24 else {"state"})


def test_a_weight_that_was_detached():
    w = nn.Parameter(numbers(3, 3)).named("w")
    turned = w.transpose()
    h = ts.tensor(numbers(2, 3))
    for t in range(4):
        with ts.scope(step=t):
            h = ((h @ turned) @ turned.detach()).tanh().named("h")
    assert len(cuts(draw(h).view)) == 4
    assert len(cuts(draw(h, view="rolled", params="shared").view)) == 1


def test_history_is_let_go_all_the_same():
    gc.collect()
    before = sum(issubclass(type(thing), Node) for thing in gc.get_objects())
    x = ts.tensor(numbers(3), requires_grad=True)
    for _ in range(50):
        x = x.tanh()
    cut = x.detach()
    del x
    assert sum(issubclass(type(thing), Node) for thing in gc.get_objects()) - before == 1
    assert type(cut.node) is Detached and not cut.requires_grad and cut.is_leaf


def test_detached_values_stay_constants():
    w = ts.tensor([2.0], requires_grad=True).named("w")
    y = w * w
    z = (y.detach() * w).sum()
    z.backward()
    assert w.grad.item() == 4.0
    assert ts.tensor([1.0]).detach().node is None
    again = y.detach().detach()
    assert again.node.origin == y.detach().node.origin
    with pytest.raises(RuntimeError, match="not made from"):
        y.detach().sum().backward()
    assert draw(y.detach()).view.top.items[0].label.endswith("detached")
