"""What is left out of a picture: only steps that were checked to be the same step again."""

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import by_hand, clusters, items, loops_in_steps, lstm, needs_graphviz, numbers, steps_shown

import tinygrad_seq as ts
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.picture import WIDEST
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.engine.same_step import classify_steps
from tinygrad_seq.engine.timeline import Timeline


def test_a_thousand_steps_are_as_many_nodes_as_ten():
    ten, drawing = draw(lstm(10)).view, draw(lstm(1000))
    text = drawing.dot
    assert len(items(drawing.view)) == len(items(ten)) and len(drawing.view.edges) == len(ten.edges)
    assert steps_shown(drawing.view) == [["t = 0", "t = 1", "t = 2", "996 steps, same ops", "t = 999"]]
    assert "996 steps, same ops" in text and "t = 3 … 998" in text


@needs_graphviz
@pytest.mark.parametrize("options", [{}, {"steps": (20, 0)}, {"params": "shared"}, {"view": "rolled"}])
def test_graphviz_draws_twenty_steps(options, tmp_path):
    draw(lstm(20), **options).save(tmp_path / "x.pdf")
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")


def test_how_many_steps_to_show():
    output = lstm(10)
    assert steps_shown(draw(output, steps=(1, 2)).view) == [["t = 0", "t = 1", "6 steps, same ops", "t = 8", "t = 9"]]
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


def test_two_loops_in_one_place_stay_apart():
    w = ts.nn.Parameter(numbers(3, 3)).named("w")
    h = ts.tensor(numbers(2, 3))
    for t in [*range(3), *range(3)]:
        with ts.scope(step=t):
            h = (h @ w).tanh().named("h")
    assert steps_shown(draw(h).view) == [["t = 0", "t = 1", "t = 2"]] * 2


def test_loops_in_steps_and_ops_between_them():
    drawing = draw(loops_in_steps(12, 3), steps=(3, 1))
    assert steps_shown(drawing.view)[0] == ["t = 0", "t = 1", "t = 2", "8 steps, same ops", "t = 11"]


@pytest.mark.parametrize("inner", [1, 3, 5])
def test_fewer_steps_are_drawn_where_loops_make_a_picture_too_wide(inner):
    last = loops_in_steps(12, inner)
    wide, drawing = draw(last, steps=(3, 1)), draw(last)
    asked = (3, 1) if wide.width <= WIDEST else (1, 1)
    assert drawing.json == draw(last, steps=asked).json and (inner == 1) == (asked == (3, 1))
    assert draw(by_hand(30)).width < WIDEST  # one loop always is


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


@given(st.lists(st.booleans(), min_size=8, max_size=40))
def test_steps_of_several_kinds_fold_and_each_says_which_drawn_step_it_is_again(branches):
    w, u, h = ts.nn.Parameter(numbers(3, 3)), ts.nn.Parameter(numbers(3, 3, seed=1)), ts.tensor(numbers(2, 3))
    x = ts.tensor(numbers(len(branches), 2, 3), requires_grad=True).unstack()
    for t, branch in enumerate(branches):
        with ts.scope(step=t):
            h = ((h @ w) * (h @ u) if branch else h @ w + x[t]).tanh().named("h")
    view = draw(h.sum()).view
    (loop,) = view.loops
    drawn = [card.steps[0] for card in loop if card.key == "step"]
    of = {f"t = {t}": branch for t, branch in enumerate(branches)}
    for before, gap, after in zip(loop, loop[1:], loop[2:]):
        if gap.key == "gap":
            assert all(like in drawn and of[like] == of[step] for step, like in zip(gap.steps, gap.like, strict=True))
            kinds = len(set(gap.like))
            assert kinds == len({of[step] for step in gap.steps}) and (f"of {kinds} kinds" in gap.label) == (kinds > 1)
            (state,) = [item.id for item in gap.items if item.role == "passing"]
            ends = {(edge.source, edge.target) for edge in view.edges}
            assert any(target == state and source.startswith(before.id) for source, target in ends)
            assert any(source == state and target.startswith(after.id) for source, target in ends)
            assert {item.label for item in gap.items if item.id == state} == {f"h, {gap.steps[-1]}"}
    assert len(loop) <= 10  # three steps, a first one of either kind, a gap after each, and the last
    told = {line.split(": like t = ")[0]: line.split(": like t = ")[1] for gap in loop if gap.key == "gap"
            for line in gap.items[0].tooltip.splitlines()[1:]}  # fmt: skip
    said = {t: int(like) for steps, like in told.items() for t in spelled_out(steps)}
    assert said == {int(step[4:]): int(like[4:]) for gap in loop for step, like in zip(gap.steps, gap.like)}


@pytest.mark.parametrize("way", ["forward", "reverse"])
def test_what_goes_on_from_a_gap_says_from_which_steps(way):
    """Of c and h the next step reads the last one; of h the output reads them all."""
    view = draw(lstm(30, bidirectional=way == "reverse"), steps=(2, 1)).view
    gap = next(card for card in view.loops[-1] if card.key == "gap")
    last = {"forward": "28", "reverse": "2"}[way]
    said = [item.label for item in gap.items if item.role == "passing"]
    assert sorted(said) == sorted([f"c, t = {last}", f"h, t = {last}", "h, t = 2 … 28"])


def test_what_has_no_name_says_what_made_it_on_its_way_out_of_a_gap():
    w, h, loss = ts.nn.Parameter(numbers(3, 3)), ts.zeros(2, 3), 0.0
    for x in ts.tensor(numbers(30, 2, 3)):
        h = (x + h @ w).tanh()
        loss = loss + (h * h).mean()
    (gap,) = (cluster for cluster in clusters(draw(loss).view) if cluster.key == "gap")
    assert {item.label for item in gap.items if item.role == "passing"} == {"tanh, step 28", "+, step 28"}


def test_masked_states_leave_a_gap_by_their_names():
    placed = draw(ts.nn.LSTM(3, 4)(ts.tensor(numbers(12, 3, 3)), lengths=[12, 12, 2])[0]).placed
    heights = {at.item.label: at.y for at in placed.items if at.item.role == "passing"}
    (step,) = (at.cluster for at in placed.clusters if at.cluster.label == "t = 3")
    drawn = {at.item.formula: at.y for at in placed.items if at.item in step.items}
    assert heights.keys() == {"c, t = 10", "h, t = 10", "h, t = 4 … 10"}
    for name in "ch":
        assert heights[f"{name}, t = 10"] == drawn[f"{name} if mask\nelse old {name}"]


def made_by(scale):
    @ts.primitive
    def act(xp, x):
        return x * scale

    act.vjps(lambda g, y, x: g * scale)
    return act


acts = [made_by(scale) for scale in (1.0, 2.0)]
hooks = [lambda g: g, lambda g: g * 2.0]


def hooked(h, hook):
    h.register_hook(hook)
    return h


def hooked_input(h, hook):
    x = ts.tensor(numbers(2, 3), requires_grad=True)
    kept.append(x)
    return h + hooked(x, hook)


kept = []
pairs = {  # a usual step, and one that differs
    "an op of the same name": [lambda h, act=act: act(h) for act in acts],
    "a hook": [lambda h, hook=hook: hooked(h * 0.5, hook) for hook in hooks],
    "a hook on a leaf": [lambda h, hook=hook: hooked_input(h, hook) for hook in hooks],
    "a function run again": [lambda h, f=f: ts.checkpoint(f, h) for f in (ts.tanh, ts.sigmoid)],
    "an array of exponents": [lambda h, e=e: h ** ts.tensor(e) for e in ([2.0, 3.0, 2.0], [3.0, 2.0, 2.0])],
    "a part": [lambda h, i=i: h * ts.split(h, 1, 1)[i] for i in (0, 1)],
    "a place": [lambda h, n=n: inside(h, "a" * 50 + n) for n in "xy"],
}


def inside(h, place):
    with ts.scope(block=place):
        return h * 0.5


@pytest.mark.parametrize("odd", [0, 1, 5, 11])
@pytest.mark.parametrize("view", ["unrolled", "rolled"])
@pytest.mark.parametrize("pair", pairs)
def test_what_differs_is_never_hidden(pair, view, odd):
    usual, other = pairs[pair]
    w, h = ts.nn.Parameter(numbers(3, 3)), ts.nn.Parameter(numbers(2, 3))
    for t in range(12):
        with ts.scope(step=t):
            h = (other if t == odd else usual)((h @ w).tanh()).sin()
    (loop,) = draw(h.sum(), view=view).view.loops
    assert [card.steps for card in loop if f"t = {odd}" in card.steps] == [[f"t = {odd}"]]


@pytest.mark.parametrize("moving", [lambda h, t: h.softmax(t % 3), lambda h, t: h.clip(-t - 1, t + 1)])
def test_axes_and_bounds_that_move_evenly_are_no_data(moving):
    h = ts.tensor(numbers(3, 3, 3), requires_grad=True)
    for t in range(3):
        with ts.scope(step=t):
            h = moving(h, t)
    assert [len(loop) for loop in draw(h.sum(), view="rolled").view.loops] == [3]


def test_a_gap_says_what_differs_from_the_steps_that_are_drawn():
    h, loss = ts.tensor(numbers(2, 3), requires_grad=True), 0.0
    for t in range(12):
        with ts.scope(step=t):
            h = h.tanh()
            loss = loss + h.sum() * (0.9 if t < 3 or t == 11 else 0.5)
    assert "constants differ" in draw(loss).svg


def test_masks_are_said_to_differ():
    drop, h = ts.nn.Dropout(0.5), ts.tensor(numbers(2, 3), requires_grad=True)
    for t in range(9):
        with ts.scope(step=t):
            h = drop(h.tanh())
    assert "masks differ" in draw(h.sum()).svg


@pytest.mark.parametrize("view", ["unrolled", "rolled"])
def test_an_output_is_never_left_out(view):
    states = []
    by_hand(12, lambda t, h: states.append(h) or h)
    outputs = [item.label for item in items(draw([states[5], states[-1]], view=view).view) if item.role == "output"]
    assert len(outputs) == 2


@pytest.mark.parametrize("declared", [True, False])
def test_a_state_of_a_loop_in_a_loop_that_two_ops_read(declared):
    w, h = ts.nn.Parameter(numbers(3, 3)), ts.tensor(numbers(2, 3))
    for i in range(4):
        with ts.scope(step=i) if declared else nullcontext():
            for j in range(3):
                with ts.scope(step=j) if declared else nullcontext():
                    h = h + (h @ w).tanh()
            h = h * 2.0
    assert sum(item.symbol == "@" for item in items(draw(h.sum(), view="rolled").view)) == 1


def spelled_out(steps):
    """Return the numbers in a text such as "0 … 3, 7"."""
    for part in steps.split(", "):
        first, _, last = part.partition(" … ")
        yield from range(int(first), int(last or first) + 1)
