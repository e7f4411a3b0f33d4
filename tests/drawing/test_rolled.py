"""The rolled view: one step for all that are the same, its state led back to it, and no step hidden that differs."""

from collections import Counter

import numpy as np
import pytest
from pictures import by_hand, clusters, items, loops_in_steps, lstm, numbers, steps_shown

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.render.strokes import stroke


def rolled(output):
    return draw(output, view="rolled").view


def delays(view):
    return [edge for edge in view.edges if edge.role == "delay"]


def run(layer, steps):
    return layer(ts.tensor(numbers(steps, 2, 3)))[0]


@pytest.mark.parametrize("kind, states", [(nn.RNN, 1), (nn.LSTM, 2), (nn.GRU, 1)])
@pytest.mark.parametrize("layers, both", [(1, False), (2, True)])
@pytest.mark.parametrize("steps", [2, 3, 30])
def test_one_step_and_one_delay_for_each_state(kind, states, layers, both, steps):
    view = rolled(run(kind(3, 4, num_layers=layers, bidirectional=both), steps))
    places = layers * (1 + both)
    assert [len(loop) for loop in view.loops] == [1] * places
    forward, reverse = f"t = 0 … {steps - 1} · × {steps}", f"t = {steps - 1} … 0 · × {steps}"
    assert [loop[0].label for loop in view.loops] == [forward, *[reverse] * both] * layers
    assert len(delays(view)) == states * places
    assert Counter(edge.label.split(", ")[1] for edge in delays(view)) == Counter(
        {"t−1": states * layers} | ({"t+1": states * layers} if both else {})
    )
    reads = 1 + (kind is nn.GRU)  # beside each op that reads it
    firsts = [item.label for item in items(view) if item.role == "initial"]
    assert firsts.count("h0 · first step") == places * reads and len(firsts) == places * (reads + states - 1)


def test_a_delay_leads_from_the_state_to_what_reads_it_and_says_so_in_dot():
    drawing = draw(lstm(9), view="rolled")
    names = {item.id: item.label or item.symbol for item in items(drawing.view)}
    assert {(names[e.source], names[e.target]) for e in delays(drawing.view)} == {("h", "@"), ("c", "×")}
    assert all(drawing.dot.count(f'label="{name}, t−1"') == 1 for name in "hc")


def test_a_thousand_steps_are_the_picture_of_two():
    two, thousand = rolled(lstm(2)), rolled(lstm(1000))
    assert len(items(two)) == len(items(thousand)) and len(two.edges) == len(thousand.edges)


def test_one_step_alone_has_no_delay():
    view = rolled(lstm(1))
    assert steps_shown(view) == [["t = 0"]] and not delays(view)


def test_what_only_some_steps_feed_or_are_read_by_is_said():
    out, (h, _) = nn.LSTM(3, 4)(ts.tensor(numbers(9, 2, 3)))
    view = rolled(h.sum())
    assert [edge.label for edge in view.edges if "t−1" not in edge.label and edge.label] == ["t = 8"]
    assert [edge.label for edge in rolled(out.sum()).edges if "t−1" not in edge.label and edge.label] == []


def test_a_first_step_that_does_something_else_has_its_own_card():
    w = nn.Parameter(numbers(3, 3)).named("w")
    h = ts.tensor(numbers(2, 3), requires_grad=True).named("x")
    for t in range(8):
        with ts.scope(step=t):
            h = (h.tanh() if t == 0 else (h @ w).tanh()).named("h")
    view = rolled(h)
    assert steps_shown(view) == [["t = 0", "t = 1 … 7 · × 7"]]
    assert len(delays(view)) == 2


@pytest.mark.parametrize(
    "odd, cards",
    [
        (lambda t, h: h.tanh().named("h") if t == 11 else h, 2),
        (lambda t, h: h * 2.0 if t in (3, 7, 11) else h, 2),
        (lambda t, h: h.named("other") if t == 11 else h, 2),
        (lambda t, h: h.exp() if t == 5 else h.relu() if t == 6 else h, 3),
    ],
)
def test_a_step_that_differs_has_its_own_card(odd, cards):
    view = rolled(by_hand(30, odd))
    (loop,) = view.loops
    assert len(loop) >= cards and sum(len(card.steps) for card in loop) == 30
    assert any("11" in card.label or "11" in " ".join(card.steps) or "t = 5" in card.label for card in loop)


@pytest.mark.parametrize("read", ["an input", "an older state"])
def test_a_step_that_reads_something_else_has_its_own_card(read):
    w = nn.Parameter(numbers(3, 3)).named("w")
    x = ts.tensor(numbers(2, 3), requires_grad=True).named("x")
    states = [x]
    for t in range(9):
        with ts.scope(step=t):
            last = states[-1] if t != 5 else x if read == "an input" else states[-3]
            states.append((last @ w).tanh().named("h"))
    (loop,) = rolled(ts.stack(states[1:])).loops
    assert sorted(len(card.steps) for card in loop) == [1, 8]


def test_dropout_in_some_steps_is_never_hidden():
    rng = np.random.default_rng(3)
    dropped = set(rng.choice(30, 9, replace=False).tolist())
    mask = ts.tensor(np.ones((2, 4), np.float32))
    view = rolled(by_hand(30, lambda t, h: (h * mask).named("h") if t in dropped else h))
    assert len(view.loops[0]) >= 2
    assert len({sum(item.role in ("op", "state") for item in c.items) for c in clusters(view) if c.key == "step"}) >= 2


def test_a_state_from_two_steps_back_is_another_delay():
    w = nn.Parameter(numbers(3, 3)).named("w")
    x = ts.tensor(numbers(2, 3))
    states = [x, x]
    for t in range(9):
        with ts.scope(step=t):
            last, before = states[-1], states[-2]
            states.append(((last @ w) * last + (before @ w) * before).tanh().named("h"))
    view = rolled(states[-1])
    assert sorted(edge.label for edge in delays(view)) == ["h, t−1", "h, t−2"]
    assert len({edge.target for edge in delays(view)}) == 2


def test_masked_states_come_back_by_their_names():
    view = rolled(nn.LSTM(3, 4)(ts.tensor(numbers(6, 3, 3)), lengths=[6, 4, 2])[0].sum())
    assert {edge.label for edge in delays(view)} == {"c, t−1", "h, t−1"}
    assert {item.label for item in items(view) if item.role == "passing"} == {"old c", "old h"}


def test_loops_in_a_step_are_rolled_too():
    view = rolled(loops_in_steps(6, 4, between=False))
    assert sum(item.symbol == "@" for item in items(view)) == 1


def test_every_op_is_drawn_or_stood_for():
    output = lstm(12, num_layers=2)
    whole, short = draw(output, steps=(12, 0)).view, rolled(output)
    count = lambda view: sum(item.ordinal >= 0 and item.role not in ("weight", "input", "initial", "constant")
                             for item in items(view)) + sum(c.ops for c in clusters(view))  # fmt: skip
    assert count(whole) == count(short) == count(draw(output).view)


def test_view_must_be_known():
    with pytest.raises(ValueError, match="view must be 'unrolled' or 'rolled'"):
        draw(lstm(2), view="folded")


def test_a_first_step_that_lacks_what_is_made_of_constants_is_no_other_step():
    """Of `concatenate([x, h])` nothing is recorded in the first step, whose state is zeros."""

    class Leaky(nn.Module):
        hidden_size = 4

        def __init__(self):
            self.mix = nn.Linear(7, 4)

        def forward(self, x, h):
            return 0.9 * h + 0.1 * self.mix(ts.concatenate([x, h], -1)).tanh()

    out, _ = nn.Recurrent(Leaky())(ts.zeros(5, 2, 3))
    assert steps_shown(rolled(out)) == [["t = 0 … 4 · × 5"]]


@pytest.mark.parametrize("view, text", [("unrolled", "· indices differ"), ("rolled", "· constants and indices differ")])
def test_what_differs_between_steps_that_are_the_same_is_said(view, text):
    cell, head, h, loss = nn.RNNCell(3, 4), nn.Linear(4, 5), ts.zeros(2, 4), 0.0
    for t in range(9):
        h = cell(ts.tensor(numbers(2, 3)), h)
        loss = loss + (0.9**t if view == "rolled" else 1.0) * nn.cross_entropy(head(h), [t % 5, (t + 1) % 5])
    svg = ts.draw(loss, view=view).svg
    assert text in svg or text.replace("constants and indices", "indices and constants") in svg


@pytest.mark.parametrize("params", ["proxies", "shared"])
def test_a_first_state_says_which_step_reads_it(params):
    w, x = nn.Parameter(numbers(3, 3)).named("w"), [ts.tensor(numbers(1, 3)).named(name) for name in ("a0", "b0")]
    for t in range(9):
        with ts.scope(step=t):
            x.append((x[-1] @ w + x[-2]).tanh().named("h"))
    view = draw(x[-1], view="rolled", params=params).view
    said = sorted(item.label for item in items(view) if item.role == "initial")
    assert said == ["a0 · first step", "b0 · first step", "b0 · t = 1"] if params == "proxies" else len(said) == 2


def test_a_weight_says_which_step_reads_it():
    w, h = nn.Parameter(numbers(3, 3)).named("w"), nn.Parameter(numbers(2, 3)).named("start")
    for t in range(5):
        with ts.scope(step=t):
            h = (h @ w).tanh().named("h")
    view = rolled(h.sum())
    assert {item.label for item in items(view) if item.role == "weight"} == {"w", "start · first step"}
    assert {edge.label for edge in view.edges if edge.role == "weight"} == {""}


def test_a_sum_of_losses_and_a_gradient_are_no_states():
    w, h, loss = nn.Parameter(numbers(3, 3)), ts.ones(2, 3), 0.0
    for t in range(9):
        with ts.scope(step=t):
            h = (h @ w).tanh().named("h")
            loss = loss + (h * h).mean()
    assert {edge.label: edge.carries for edge in delays(rolled(loss))} == {"h, t−1": "", "t−1": "data"}
    loss.backward(create_graph=True)
    placed = draw(loss, view="rolled", backward=True).placed
    coloured = {(at.edge.carries, stroke(at, None).role) for at in placed.edges if at.edge.role == "delay"}
    assert coloured == {("", "delay"), ("data", "data"), ("gradient", "gradient")}
