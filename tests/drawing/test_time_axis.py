"""Where things stand tells what they are: time runs to the right, from loop to loop, too; layers and results above."""

import re
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legible import samples
from networks import KINDS
from pictures import figures, items, picture

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.render.strokes import stroke
from tinygrad_seq.drawing.view.grouped import grouped

GALLERY = figures().gallery.GALLERY


class Placed:
    """A picture, with what is where by id."""

    def __init__(self, drawing):
        self.drawing, self.view = drawing, drawing.view
        self.items = {at.item.id: at for at in drawing.placed.items}
        self.clusters = {at.cluster.id: at for at in drawing.placed.clusters}

    def left_to_right(self, named):
        """Whether clusters stand beside each other, at the same height, in this order."""
        found = [self.clusters[cluster.id] for cluster in named]
        return all(a.right < b.left and a.bottom == b.bottom for a, b in pairwise(found))


@given(count=st.integers(2, 4), steps=st.integers(2, 3), kind=st.sampled_from(list(KINDS)), scoped=st.booleans())
@settings(max_examples=15, deadline=None)
def test_windows_stand_on_one_time_axis(count, steps, kind, scoped):
    layer = ts.truncated(KINDS[kind].layer(2, 3, **KINDS[kind].options))
    outs = []
    for number in range(count):
        with ts.scope(**({"window": number} if scoped else {})):
            outs.append(layer(ts.zeros(steps, 1, 2)))
    placed = Placed(draw(ts.concatenate(outs)))
    assert placed.left_to_right([step for loop in placed.view.loops for step in loop])
    assert f"{count * steps} steps in {count} windows" in placed.drawing.svg
    cuts = [edge for edge in placed.view.edges if edge.role == "cut"]
    assert len(cuts) >= count - 1
    assert all(placed.items[edge.source].x < placed.items[edge.target].x for edge in cuts)


@given(kinds=st.tuples(*2 * [st.sampled_from(list(KINDS))]), steps=st.tuples(st.integers(1, 4), st.integers(2, 4)),
       layers=st.integers(1, 2))  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_an_encoder_stands_left_of_its_decoder(kinds, steps, layers):
    reader, writer = (KINDS[kind].layer(2, 3, num_layers=layers, **KINDS[kind].options) for kind in kinds)
    _, thought = reader(ts.zeros(steps[0], 1, 2))
    hidden = thought[0] if isinstance(thought, tuple) else thought
    placed = Placed(draw(writer(ts.zeros(steps[1], 1, 2), (hidden, hidden) if kinds[1] == "lstm" else hidden)[0]))
    loops = placed.view.loops
    assert len(loops) == 2 * layers
    for before, after in zip(loops[:layers], loops[layers:]):
        assert placed.clusters[before[-1].id].right < placed.clusters[after[0].id].left
    assert f", {steps[0]} + {steps[1]} steps" in placed.drawing.svg
    for i in range(layers - 1):  # but layers stand above each other
        assert placed.clusters[loops[i][0].id].top > placed.clusters[loops[i + 1][0].id].bottom


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_layers_are_no_sequence(layer, both, steps):
    out, _ = layer(2, 3, num_layers=3, bidirectional=both)(ts.zeros(steps, 1, 2))
    placed = Placed(draw(out))
    firsts = [placed.clusters[loop[0].id] for loop in placed.view.loops]
    assert not placed.drawing.placed.sequences and (both or len({first.left for first in firsts}) == 1)
    layers = [[first for first in firsts if f"/layer-{i}/" in first.cluster.id] for i in range(3)]
    assert all(len(found) == 1 + both for found in layers)
    assert all(a.top > b.bottom for below, above in pairwise(layers) for a in below for b in above)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_both_directions_stand_side_by_side_where_there_is_room(steps):
    out, _ = nn.RNN(2, 3, bidirectional=True)(ts.zeros(steps, 1, 2))
    placed = Placed(draw(out))
    forward, reverse = ([placed.clusters[card.id] for card in loop] for loop in placed.view.loops)
    beside = max(card.right for card in forward) < min(card.left for card in reverse)
    assert beside == (steps < 4) and beside != (forward[0].top > reverse[0].bottom)


def test_what_picks_a_step_of_a_sequence_is_a_layer():
    """The second loop reads the first one step by step, out of one Tensor."""
    first, second = nn.RNN(2, 3), nn.RNNCell(3, 3)
    out, h = first(ts.zeros(4, 1, 2))[0], ts.zeros(1, 3)
    for t in range(4):
        with ts.scope(step=t):
            h = second(out[t], h)
    assert not draw(h).placed.sequences


def test_loops_in_loops_run_to_the_right():
    placed = Placed(picture("words_of_characters"))
    assert len(placed.view.loops) == 3
    assert all(placed.left_to_right(loop) for loop in placed.view.loops)
    assert not placed.drawing.placed.sequences and "2 steps of 2 each" in placed.drawing.svg


@pytest.mark.parametrize("name", ["attention", "attention_over_steps"])
def test_attention_leads_from_an_encoder_on_the_left(name):
    placed = Placed(picture(name))
    ((first, _),) = placed.drawing.placed.sequences
    reader, writer = sorted(placed.view.loops, key=lambda loop: not loop[0].id.startswith(first))
    assert placed.left_to_right(reader) and placed.left_to_right(writer)
    assert placed.clusters[reader[-1].id].right < placed.clusters[writer[0].id].left


def test_a_decoder_stands_beside_its_encoder_and_looks_from_below():
    """What every step reads of all states leads over the encoder, down between the two, and comes in from below."""
    drawing = picture("attention")
    placed = Placed(drawing)
    ((first, _),) = drawing.placed.sequences
    reader, writer = sorted(placed.view.loops, key=lambda loop: not loop[0].id.startswith(first))
    left, right = placed.clusters[reader[-1].id], placed.clusters[writer[0].id]
    assert right.top < left.bottom < right.bottom + 40
    steps = tuple(f"{step.id}{end}" for step in writer for end in "#/")
    looks = [at for at in drawing.placed.edges if at.edge.role == "data" and at.edge.target.startswith(steps)]
    looks = [at for at in looks if not at.edge.source.startswith(steps)]
    for at in looks:
        assert all(left.right < x for x, y, _ in at.points if left.top < y < left.bottom)
        assert at.points[-1][1] < at.points[-2][1] < right.bottom + 40
    assert len(looks) == 2 * len(writer)


@given(kinds=st.tuples(*2 * [st.sampled_from(list(KINDS))]), steps=st.integers(2, 4))
@settings(max_examples=15, deadline=None)
def test_a_rolled_encoder_stands_left_of_its_decoder_too(kinds, steps):
    reader, writer = (KINDS[kind].layer(2, 3, **KINDS[kind].options) for kind in kinds)
    _, thought = reader(ts.zeros(steps, 1, 2))
    hidden = thought[0] if isinstance(thought, tuple) else thought
    out = writer(ts.zeros(3, 1, 2), (hidden, hidden) if kinds[1] == "lstm" else hidden)[0]
    placed = Placed(draw(out, view="rolled"))
    assert all(len(loop) == 1 for loop in placed.view.loops) and len(placed.drawing.placed.sequences) == 1
    (before,), (after,) = placed.view.loops
    assert placed.clusters[before.id].right < placed.clusters[after.id].left
    assert f", {steps} + 3 steps, rolled" in placed.drawing.svg


@pytest.mark.parametrize("steps", [2, 9])
def test_an_old_state_that_several_ops_of_a_rolled_step_read_rises_left_of_all_ops(steps):
    placed = Placed(draw(nn.GRU(3, 4)(ts.zeros(steps, 2, 3))[0], view="rolled"))
    (old,) = (id for id, at in placed.items.items() if at.item.label == "old h")
    lines = [at.points for at in placed.drawing.placed.edges if at.edge.source == old]
    *rising, (_, end, _) = max(lines, key=len)
    assert len(lines) == 2 and len(rising) > 5
    for x, y, _ in rising:
        beside = [at for at in placed.items.values() if end + at.height / 2 < at.y and abs(y - at.y) < at.height / 2]
        assert all(x < at.x - at.width / 2 for at in beside if at.item.id != old)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("layers", [1, 2])
def test_forward_stands_below_reverse_and_runs_beside_its_frame(kind, layers):
    options = KINDS[kind].options
    out = KINDS[kind].layer(2, 3, num_layers=layers, bidirectional=True, **options)(ts.zeros(3, 1, 2))[0]
    placed = Placed(draw(out))
    read = grouped((edge.target, edge.source) for edge in placed.view.edges)
    for joined in (found for target, found in read.items() if placed.items[target].item.symbol == "concat"):
        assert "forward" in read[joined[0]][0] and "reverse" in read[joined[1]][0]
        assert placed.items[joined[0]].y > placed.items[joined[1]].y
    frames = [at for at in placed.drawing.placed.clusters if at.cluster.key == "direction"]
    assert len(frames) == 2 * layers
    for at in placed.drawing.placed.edges:  # what comes out passes on the right where something goes in on the left
        ends = {frame.cluster.id for frame in frames if frame.cluster.id in f"{at.edge.source} {at.edge.target}"}
        for frame in frames:
            if frame.cluster.id not in ends:
                x, y = samples(stroke(at, None)).T
                beside = x[(frame.top < y) & (y < frame.bottom)]
                is_right = "forward" in at.edge.source and "layer-0" not in at.edge.source
                assert np.all(beside > frame.right if is_right else beside < frame.left)


@given(kind=st.sampled_from(list(KINDS)), layers=st.integers(1, 2), both=st.booleans(), steps=st.integers(2, 5))
@settings(max_examples=12, deadline=None)
def test_stacks_reach_over_all_steps_and_lines_to_them_stay_in_their_columns(kind, layers, both, steps):
    options = KINDS[kind].options | {"num_layers": layers, "bidirectional": both}
    x = ts.zeros(steps, 1, 2, requires_grad=True)
    placed = Placed(draw(KINDS[kind].layer(2, 3, **options)(x)[0], steps=(3, 1)))
    card_of = {item.id: card for loop in placed.view.loops for card in loop for item in card.items}
    seen = 0
    for at in placed.drawing.placed.edges:
        for step, joined, (x, _, _) in (
            (at.edge.source, at.edge.target, at.points[-1]),
            (at.edge.target, at.edge.source, at.points[0]),
        ):
            if step in card_of and placed.items[joined].item.symbol in ("stack", "unstack"):
                card, seen = placed.clusters[card_of[step].id], seen + 1
                assert card.left < x < card.right
    assert seen >= 2 * min(steps, 5)


def test_what_is_looked_at_again_and_again_stands_beside_each_use():
    placed = Placed(picture("attention_over_steps"))
    _, writer = placed.view.loops
    names = [f"read, t = {t}" for t in range(2)]
    for step in writer:
        assert sorted(item.label for item in step.items if item.role == "passing") == sorted(2 * names)
    inside = {item.id for step in writer for item in step.items}
    roles = {edge.role for edge in placed.view.edges if edge.target in inside and edge.source not in inside}
    assert roles == {"state"}


@given(count=st.integers(1, 3), chain=st.integers(1, 4))
@settings(max_examples=10, deadline=None)
def test_what_is_made_of_a_loop_stays_above_it(count, chain):
    layer, state, losses = nn.RNN(2, 3), None, []
    for _ in range(count):
        out, state = layer(ts.zeros(2, 1, 2), state)
        for _ in range(chain):
            out = out.tanh()
        losses.append(out.sum())
        state = state.detach()
    placed = Placed(draw(ts.stack(losses).named("loss")))
    xs = {round(at.x) for at in placed.items.values() if at.item.symbol == "tanh" and "step" not in at.item.id}
    assert len(xs) == count


@pytest.mark.parametrize("name", [name for name in GALLERY if not re.search("backward|tanh|1000|rolled", name)])
def test_a_result_stands_above_what_it_is_made_of_or_right_of_it(name):
    placed = Placed(picture(name))
    results = {item.id for item in items(placed.view) if item.role == "output"}
    for edge in placed.view.edges:
        if edge.target in results and edge.role not in ("weight", "constant", "initial", "delay"):
            source, target = placed.items[edge.source], placed.items[edge.target]
            assert source.y > target.y or source.x < target.x


forks = st.recursive(st.none(), lambda inner: st.tuples(inner, inner), max_leaves=12)


@given(forks.filter(lambda fork: fork is not None))
@settings(max_examples=15, deadline=None)
def test_a_tree_looks_like_one(fork):
    """Each op stands right above what it reads, the first operand on the left; words of one height stand in order."""
    w, words = nn.Parameter([0.5]).named("w"), []

    def meaning(fork):
        if fork is None:
            words.append(ts.tensor([1.0], requires_grad=True).named(f"word {len(words)}"))
            return words[-1]
        left, right = map(meaning, fork)
        return left * w + right

    placed = Placed(draw(meaning(fork), find=False))
    by_name = {at.item.label: at for at in placed.items.values()}
    found = [by_name[f"word {number}"] for number in range(len(words))]
    heights = sorted({at.y for at in placed.items.values() if at.item.role != "weight"})
    assert all(at.item.role != "weight" or at.y in heights for at in placed.items.values())
    for edge in placed.view.edges:
        below, above = placed.items[edge.source], placed.items[edge.target]
        assert edge.role == "weight" or heights.index(below.y) == heights.index(above.y) + 1
    assert all(at.x < other.x for at, other in combinations(found, 2) if at.y == other.y)
    read = [edge for edge in placed.view.edges if edge.role != "weight"]
    operands = grouped((edge.target, placed.items[edge.source].x) for edge in read)
    assert all(xs == sorted(xs) for xs in operands.values())


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
def test_the_backward_of_a_decoder_leads_back_to_its_encoder(kind):
    reader, writer = kind(2, 3), kind(2, 3)
    loss = writer(ts.zeros(2, 1, 2), reader(ts.zeros(2, 1, 2))[1])[0].sum()
    loss.backward(create_graph=True)
    placed = Placed(draw(loss, backward=True))
    assert len(placed.drawing.placed.sequences) == 1
    back = [edge for edge in placed.view.edges if edge.role == "gradient"]
    assert any(placed.items[edge.source].x - placed.items[edge.target].x > 200 for edge in back)
    assert placed.drawing.svg.count('class="edge gradient"') == len(back)
