"""What is left out of a picture: only steps that were checked to be the same step again."""

import time

import pytest
from pictures import by_hand, items, loops_in_steps, lstm, needs_graphviz, numbers, steps_shown

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.engine.same_step import classify_steps
from tinygrad_seq.engine.timeline import Timeline


def test_a_thousand_steps_are_as_many_nodes_as_ten_and_quick():
    ten, thousand = draw(lstm(10)).view, lstm(1000)
    start = time.process_time()
    drawing = draw(thousand)
    text = drawing.dot
    assert time.process_time() - start < 2
    assert len(items(drawing.view)) == len(items(ten)) and len(drawing.view.edges) == len(ten.edges)
    assert steps_shown(drawing.view) == [["t = 0", "t = 1", "t = 2", "996 identical steps", "t = 999"]]
    assert "996 identical steps" in text and "t = 3 … 998" in text


@needs_graphviz
@pytest.mark.parametrize("options", [{}, {"steps": (20, 0)}, {"params": "shared"}, {"view": "rolled"}])
def test_graphviz_draws_twenty_steps(options, tmp_path):
    draw(lstm(20), **options).save(tmp_path / "x.pdf")
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")


def test_how_many_steps_to_show():
    output = lstm(10)
    assert steps_shown(draw(output, steps=(1, 2)).view) == [["t = 0", "t = 1", "6 identical steps", "t = 8", "t = 9"]]
    assert len(steps_shown(draw(output, steps=(10, 0)).view)[0]) == 10
    assert steps_shown(draw(lstm(5)).view) == [[f"t = {t}" for t in range(5)]]  # a box for one step would be no shorter


@pytest.mark.parametrize(
    "change",
    [
        lambda t, h: h.tanh().named("h") if t == 11 else h,
        lambda t, h: h * 2.0 if t == 11 else h * 1.0 if t < 0 else h,
        lambda t, h: h.named("other") if t == 11 else h,
    ],
)
def test_a_step_that_differs_is_never_left_out(change):
    shown = steps_shown(draw(by_hand(30, change)).view)[0]
    assert "t = 11" in shown and len(shown) < 12


def test_a_step_with_another_weight_of_the_same_name_is_never_left_out():
    w, other = (ts.nn.Parameter(numbers(3, 3, seed=i)).named("w") for i in range(2))
    h = ts.tensor(numbers(2, 3))
    for t in range(30):
        with ts.scope(step=t):
            h = (h @ (other if t == 20 else w)).tanh().named("h")
    assert "t = 20" in steps_shown(draw(h).view)[0]


@pytest.mark.parametrize("read", [lambda x, parts, at: parts[at], lambda x, parts, at: x[at : at + 1].sum(0)])
def test_a_step_that_reads_another_slice_is_never_left_out(read):
    x = ts.tensor(numbers(30, 3), requires_grad=True)
    parts, h = x.unstack(), ts.tensor(numbers(3))
    for t in range(30):
        with ts.scope(step=t):
            h = (h + read(x, parts, 14 if t == 15 else t)).tanh().named("h")
    shown = steps_shown(draw(h).view)[0]
    assert "t = 15" in shown and len(shown) < 12


def test_a_step_whose_state_is_used_once_more_is_never_left_out():
    states = []
    last = by_hand(30, lambda t, h: states.append(h) or h)
    assert "t = 17" in steps_shown(draw(last.sum() + states[17].sum()).view)[0]


def test_a_chain_without_scopes_is_drawn_whole_however_deep():
    x = ts.tensor([1.0], requires_grad=True)
    for _ in range(300):
        x = x.tanh()
    assert len(items(draw(x).view)) == 301
    for _ in range(10_000):
        x = x.tanh()
    assert draw(x).dot.count("->") == 10_300
    for _ in range(20_000):
        x = x.tanh()
    assert len(draw(x).view.edges) == 30_300


def test_two_loops_in_one_place_stay_apart():
    w = ts.nn.Parameter(numbers(3, 3)).named("w")
    h = ts.tensor(numbers(2, 3))
    for t in [*range(3), *range(3)]:
        with ts.scope(step=t):
            h = (h @ w).tanh().named("h")
    assert steps_shown(draw(h).view) == [["t = 0", "t = 1", "t = 2"]] * 2


def test_loops_in_steps_and_ops_between_them():
    drawing = draw(loops_in_steps(12, 3))
    assert steps_shown(drawing.view)[0] == ["t = 0", "t = 1", "t = 2", "8 identical steps", "t = 11"]


def test_same_again_is_about_ops_wiring_and_time():
    nodes = ancestors([by_hand(6).node])
    timeline = Timeline([node for node in nodes if node.op is not None])
    kinds = [classify_steps(timeline, nodes).kind[step] for step in timeline.loops[0]]
    assert len(set(kinds[1:5])) == 1 and kinds[0] != kinds[1] != kinds[5]


def test_a_step_with_a_hook_is_never_left_out():
    def hooked(t, h):
        if t == 17:
            h.register_hook(lambda g: g * 2.0)
        return h

    assert "t = 17" in steps_shown(draw(by_hand(30, hooked)).view)[0]


@pytest.mark.parametrize("odd", [lambda h: h**3, lambda h: h.clip(-1.0, 0.5), lambda h: h.softmax(0)])
def test_another_exponent_bound_or_axis_is_never_left_out(odd):
    usual = {0: lambda h: h**2, 1: lambda h: h.clip(-1.0, 1.0), 2: lambda h: h.softmax(1)}
    for other in usual.values():
        h = ts.tensor(numbers(3, 3), requires_grad=True)
        for t in range(30):
            with ts.scope(step=t):
                h = (odd if t == 20 else other)(h * 0.1) + 0.9**t
        assert "t = 20" in steps_shown(draw(h).view)[0]
