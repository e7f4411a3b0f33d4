"""Every picture of the gallery, and of any program, can be read: no line runs through what it has nothing to do with,
no words leave their box or lie on others.
"""

import random
from itertools import pairwise

import numpy as np
import pytest
from legible import box_of, crossings, faults, samples
from pictures import figures, picture
from test_any_graph import run

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.render.strokes import stroke
from tinygrad_seq.drawing.view.grouped import grouped

GALLERY = figures().gallery.GALLERY
MEETING = ("lines upon each other", "arrows on one spot")  # what may be where very many lines are
OPS = ["tanh", "×", "+", "concat", "split", "detach", "weight", "name", "stack"]


@pytest.mark.parametrize("name", GALLERY)
def test_a_picture_of_the_gallery_can_be_read(name):
    assert list(faults(picture(name).placed)) == []


@pytest.mark.parametrize("name", ["micrograd", "minimal_gated_unit", "gru", "gru_rolled", "gru_backward"])
def test_lines_cross_steeply(name):
    """A row is the higher, the further sideways lines go that cross in it."""
    angles = list(crossings(picture(name).placed))
    assert angles and min(angles) > 25


@pytest.mark.parametrize("name", ["tanh_3", "lstm_lengths", "lstm_backward"])
def test_no_lines_cross_where_they_need_not(name):
    assert list(crossings(picture(name).placed)) == []


@pytest.mark.parametrize("name", ["gru", "gru_rolled", "minimal_gated_unit", "micrograd"])
def test_a_long_line_is_straight_where_it_has_room(name):
    """Between its ends it turns once at most."""
    ways = [[round(x, 1) for x, _, through in at.points[1:-1] if through == "v"] for at in picture(name).placed.edges]
    assert max(map(len, ways)) >= 4 and max(len(set(way)) for way in ways) <= 2


@pytest.mark.parametrize("name", ["minimal_gated_unit", "one_to_many", "gru_lengths"])
def test_a_line_does_not_creep_to_its_corner(name):
    """It is straight, and turns at the end."""
    turns = 0
    for at in picture(name).placed.edges:
        for (_, before), (kind, points) in pairwise(stroke(at, None).line):
            if kind == "Q":
                (x, y), (to_x, to_y) = before[-1], points[-1]
                assert abs(to_x - x) <= 2.01 * abs(to_y - y) and abs(to_y - y) <= 2.01 * abs(to_x - x)
                turns += 1
    assert turns


@pytest.mark.parametrize("name", GALLERY)
def test_a_line_leaves_a_box_beside_those_that_enter_it(name):
    """Where both are at one side, or else one line seems to go on as the other."""
    placed = picture(name).placed
    boxes = {at.item.id: box_of(at) for at in placed.items if not at.is_round}
    entered = grouped((at.edge.target, at.points[-1][:2]) for at in placed.edges)
    for at in placed.edges:
        x, y, _ = at.points[0]
        left, _, right, _ = boxes.get(at.edge.source, (x, y, x, y))
        near = [abs(x - to_x) for to_x, to_y in entered[at.edge.source] if left < to_x < right and abs(y - to_y) < 1]
        assert min(near, default=9) > 8


def test_what_a_line_says_stands_beside_it():
    layer, head = nn.RNN(2, 4), nn.Linear(4, 1)
    placed = draw(head(layer(ts.ones(4, 1, 2))[0][-1]), view="rolled").placed
    (at,) = (at for at in placed.edges if at.word == "t = 3")
    x, y, _ = at.mark
    assert 8 < np.hypot(*(samples(stroke(at, None)) - (x, y - 9)).T).min() < 40


def test_a_state_keeps_off_the_box_that_it_leaves():
    placed = picture("one_to_many").placed
    boxes = {at.item.id: box_of(at) for at in placed.items if at.item.label == "y"}
    ways = [(at, boxes[at.edge.source]) for at in placed.edges if at.edge.through_time and at.edge.source in boxes]
    assert len(ways) == 2
    for at, (left, top, right, _bottom) in ways:
        x, y = samples(stroke(at, None)).T
        assert top - min(y[(left < x) & (x < right)]) >= 8


def test_lines_rise_straight_from_steps_to_what_is_over_all_of_them():
    placed = picture("lstm_lengths").placed
    (layer,) = (at for at in placed.clusters if at.cluster.label == "layer 0")
    (stack,) = (at.item.id for at in placed.items if at.item.symbol == "stack")
    above = [[x for x, y, _ in at.points if y < layer.top + 1] for at in placed.edges if at.edge.target == stack]
    assert len(above) == 3 and all(max(found) - min(found) < 1 for found in above)


def test_a_line_into_a_gap_is_straight():
    placed = draw(nn.LSTM(3, 4)(nn.Embedding(9, 3)(np.arange(9)[:, None]))[0].sum()).placed
    (way,) = (at.points for at in placed.edges if at.edge.target.endswith("...#") and at.edge.role == "data")
    assert len({round(x, 3) for x, *_ in way}) == 1


@pytest.mark.parametrize(("name", "beside"), [("lstm_lengths", "hchc"), ("gru_lengths", "hh")])
def test_a_masked_state_stands_beside_the_state(name, beside):
    """On its right; the gates stand right below, and what leads out of the step is straight."""
    placed = picture(name).placed
    at = {item.item.id: item for item in placed.items}
    pairs = [
        (at[edge.source], at[edge.target])
        for edge in placed.view.edges
        if at[edge.target].item.symbol == "where" and at[edge.source].item.role == "state" and not edge.through_time
    ]
    assert sorted(state.item.label for state, _ in pairs) == sorted(beside)
    assert all(masked.y == pytest.approx(state.y) and masked.x > state.x + 50 for state, masked in pairs)
    ids = {masked.item.id for _, masked in pairs}
    rising = [each.points[:3] for each in placed.edges if each.edge.source in ids and not each.edge.through_time]
    assert rising and all(abs(x - points[0][0]) < 0.5 for points in rising for x, *_ in points)
    entered = grouped((each.edge.target, each.points[-1][0]) for each in placed.edges)
    assert all(b - a > 12 for id in ids for a, b in pairwise(sorted(entered[id])))
    ends = [(at[edge.source], at[edge.target]) for edge in placed.view.edges]
    assert all(gate.y - state.y < 110 for gate, state in ends if (gate.item.label, state.item.label) == ("output", "h"))


@pytest.mark.parametrize(("name", "gaps"), [("lstm_1000", 1), ("lstm_100_both", 2)])
def test_what_leads_out_of_a_gap_keeps_off_what_goes_on_there(name, gaps):
    """The states that go on stand below each other; what is read of all steps has a line beside them."""
    placed = picture(name).placed
    chips = grouped((at.x, at) for at in placed.items if at.item.role == "passing" and at.item.id[-1] != "+")
    assert [len({at.y for at in found}) for found in chips.values()] in ([2 * gaps], [2] * gaps)
    ways = [at for at in placed.edges if at.edge.source.endswith("+")]
    assert len(ways) == gaps
    for at in ways:
        sides = [abs(x - chip.x) - chip.width / 2 for x, *_ in at.points for found in chips.values() for chip in found]
        assert min(sides) > 6


@pytest.mark.parametrize("count", [2, 6])
def test_states_of_one_height_leave_a_gap_below_each_other(count):
    cells, states = [nn.RNNCell(3, 3) for _ in range(count)], [ts.zeros(2, 3)] * count
    if count < 3:  # low steps
        cells = [lambda x, h, w=cell.weight_hh: (h @ w).tanh().named("p") for cell in cells]
    for t in range(6):
        with ts.scope(step=t):
            states = [cell(ts.ones(2, 3), state) for cell, state in zip(cells, states)]
    placed = draw(ts.concatenate(states).sum(), steps=(1, 1)).placed
    (gap,) = (at for at in placed.clusters if at.cluster.key == "gap")
    inside = [box_of(at) for at in placed.items if at.item in gap.cluster.items]
    (words,) = (at for at in placed.items if at.item.role == "middle")
    assert max(inside, key=lambda box: box[3]) == box_of(words)
    assert len(inside) == count + 1 and all(gap.top < top and bottom < gap.bottom for _, top, _, bottom in inside)
    assert [fault for fault in faults(placed) if fault[0] != "lines upon each other"] == []


def test_a_state_leaves_a_step_sideways_where_nothing_is_in_its_way():
    """Later steps hold more: there a mask keeps the old state."""
    placed = picture("lstm_lengths").placed
    (first,) = (at for at in placed.clusters if at.cluster.label == "t = 0")
    states = {at.item.id: at.y for at in placed.items if at.item.role == "state" and first.left < at.x < first.right}
    ways = [at for at in placed.edges if at.edge.source in states and at.edge.through_time]
    assert len(ways) == 4 and all(abs(y - states[at.edge.source]) < 0.1 for at in ways for _, y, _ in at.points[:2])


@pytest.mark.parametrize("name", ["rnn_both_2_layers", "lstm_rolled_layers", "gru_3_layers"])
def test_layers_stand_in_line(name):
    """Steps of one layer above those of another, and a line that joins two layers is straight."""
    placed = picture(name).placed
    lefts = {}
    for at in placed.clusters:
        if at.cluster.key == "step":
            lefts.setdefault(at.cluster.id.split("/layer-")[1][0], []).append(at.left)
    assert len(lefts) > 1 and all(found == pytest.approx(lefts["0"], abs=0.1) for found in lefts.values())
    joined = [at for at in placed.items if at.item.symbol == "concat" and at.item.role != "output"]
    ways = [edge.points[:2] for at in joined for edge in placed.edges if edge.edge.source == at.item.id]
    assert all(abs(x - to_x) < 1 for (x, *_), (to_x, *_) in ways)


def test_many_orders_are_tried_for_few_crossings():
    assert len(list(crossings(picture("micrograd").placed))) == 7


def test_what_leads_out_crosses_nothing_beside_it():
    """∂h goes on to the step before, above ∂W and ∂U."""
    assert len(list(crossings(picture("gru_backward").placed))) == 10


def test_what_leads_out_keeps_its_height_where_more_leads_out():
    """In the backward of a step ∂c and ∂h go on, each beside what it is made of, on lines far from each other."""
    layer = nn.LSTM(4, 8, num_layers=2, bias=False)
    loss = layer(ts.ones(2, 2, 4))[0].sum()
    loss.backward(create_graph=True)
    assert list(faults(draw(loss, backward=True).placed)) == []


def test_what_many_read_stands_near_them():
    """∂ reset and ∂ update side by side, right below what joins them."""
    placed = picture("gru_backward").placed
    heights = grouped((at.item.label, at.y) for at in placed.items)
    assert heights["∂ reset"] == heights["∂ update"] and len(set(heights["∂ update"])) == 1


def test_a_saved_value_is_level_with_what_reads_it():
    """Also where other steps say it in other words."""
    placed = picture("gru_backward").placed
    y = {at.item.id: at.y for at in placed.items}
    said = {at.item.label for at in placed.items if at.item.role == "saved"}
    assert {"new, from U", "h0 − new", "old h − new"} <= said
    saved = [(y[edge.source], y[edge.target]) for edge in placed.view.edges if edge.role == "saved"]
    assert all(at == pytest.approx(reader) for at, reader in saved)


def in_each_step(h, w):
    for t in range(3):
        with ts.scope(step=t):
            h = (ts.stack([h] * 6).sum(0) @ w).tanh().named("h")
    return h


@pytest.mark.parametrize("count", [8, 40])
def test_an_op_that_reads_many_is_reached_by_all_of_them(count):
    weights = [nn.Parameter(ts.ones(3, 3)).named(f"w{i}") for i in range(count)]
    for output in (ts.stack(weights).sum(), in_each_step(weights[0], weights[1])):
        assert [fault for fault in faults(draw(output).placed) if fault[0] not in MEETING] == []
    assert count > 8 or faults(draw(ts.stack(weights).sum()).placed) == []


def drawn(seed, backward):
    """A random program, in a random style."""
    rng = random.Random(seed)
    program = [
        (
            rng.choice(["step", "module", "out", "again"]),
            [(rng.choice(OPS), rng.randint(0, 9), rng.randint(0, 9)) for _ in range(rng.randint(0, 4))],
        )
        for _ in range(rng.randint(1, 12))
    ]
    view, params = rng.choice(["unrolled", "rolled"]), rng.choice(["proxies", "shared"])
    steps, depth = (rng.randint(0, 2), rng.randint(0, 2)), rng.choice([None, None, 1, 2])
    loss, _weights = run(program)  # which hold the gradients
    if backward:
        loss.backward(create_graph=True)
    return draw(loss, view=view, params=params, steps=steps, depth=depth, backward=backward)


FEW = [*range(20), 169, 230, 536, 550]  # in the last ones lines and words have little room
MANY = pytest.param(range(20, 300), marks=pytest.mark.slow)


@pytest.mark.parametrize("seeds", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("backward", [False, True])
def test_a_picture_of_a_random_program_can_be_read(seeds, backward):
    """In what is wired at random, lines may meet lines."""
    found = {seed: faults(drawn(seed, backward).placed) for seed in seeds}
    assert [(seed, *fault) for seed, all in found.items() for fault in all if fault[0] not in MEETING] == []


def test_the_words_of_a_gap_have_room_in_low_steps():
    w, h = nn.Parameter(np.ones((3, 3))), ts.ones(1, 3)
    for t in range(14):
        with ts.scope(step=t):
            h = ((h @ w).tanh() if t % 3 else (h @ w).sigmoid()).named("h")
    placed = draw(h.sum()).placed
    (gap,) = (at for at in placed.clusters if at.cluster.key == "gap")
    (words,) = (box_of(at) for at in placed.items if at.item.role == "middle")
    assert gap.top <= words[1] < words[3] <= gap.bottom and faults(placed) == []


@pytest.mark.parametrize("kind", ["constant", "input"])
def test_leaves_whose_names_differ_by_step_stand_alike(kind):
    w, h = nn.Parameter(np.ones((3, 3))), ts.ones(1, 3)
    for t in range(5):
        with ts.scope(step=t):
            new = 0.1 * t if kind == "constant" else ts.ones(1, 3).named(f"x{t}") @ w
            h = (h @ w + new).tanh().named("h")
    placed = draw(h.sum()).placed
    lefts = [at.left for at in placed.clusters if at.cluster.key == "step"]
    leaves = [at.x for at in placed.items if at.item.role == kind]
    assert len(leaves) == 5 and len({round(x - left, 3) for x, left in zip(leaves, lefts)}) == 1
