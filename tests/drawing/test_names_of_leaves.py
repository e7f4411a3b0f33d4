"""A leaf is called what it is: "x" is an input, and nothing else."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import KINDS
from pictures import items, numbers

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw
from tinygrad_seq.drawing.view.model import leaves

losses = {
    "mse": lambda y: nn.mse_loss(y, numbers(*y.shape)),
    "bce": lambda y: nn.binary_cross_entropy_with_logits(y, abs(numbers(*y.shape)), pos_weight=numbers(y.shape[-1])),
    "ids": lambda y: nn.cross_entropy(y, np.zeros(y.shape[:-1], int), weight=numbers(y.shape[-1]), label_smoothing=0.1),
    "probabilities": lambda y: nn.cross_entropy(y, abs(numbers(*y.shape)), weight=numbers(y.shape[-1])),
}


def called(output, **options):
    """What the leaves without a gradient are called, and the roles of these."""
    view = draw(output, **options).view
    return {(item.label, item.role) for item in items(view) if item.role in leaves and item.role != "weight"}


@given(
    kind=st.sampled_from(list(KINDS)), steps=st.integers(1, 4), layers=st.integers(1, 2), padded=st.booleans(),
    loss=st.sampled_from(list(losses)), recorded=st.booleans(),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_where_the_input_has_a_name_nothing_is_called_x(kind, steps, layers, padded, loss, recorded):
    x = ts.tensor(numbers(steps, 2, 3), requires_grad=True).named("sentence")
    layer = KINDS[kind].layer(3, 4, num_layers=layers, dropout=0.5 * (layers > 1), **KINDS[kind].options)
    head = nn.Sequential(nn.Dropout(0.3), nn.LayerNorm(4), nn.Linear(4, 4))
    y = head(layer(x, lengths=[steps, 1] if padded else None)[0])
    found = losses[loss](y)
    if recorded:
        found.backward(create_graph=True)
    names = {label for label, _ in called(found, backward=recorded, steps=(9, 9))}
    assert "sentence" in names and "x" not in names
    assert {"targets", "mask of dropout"} <= names or loss == "ids"


y = nn.Linear(3, 2)


@pytest.mark.parametrize(
    "make, expected",
    [
        (lambda z: 1 - z, {("1", "constant")}),
        (lambda z: ts.full((2, 2), 3.0) - z * ts.full((2,), 0.5), {("3", "constant"), ("0.5", "constant")}),
        (lambda z: nn.Dropout(0.5)(z), {("mask of dropout", "constant")}),
        (lambda z: ts.where(ts.tensor(np.eye(2) > 0), z, 0.0), {("mask", "constant"), ("0", "constant")}),
        (lambda z: nn.mse_loss(z, ts.zeros(2, 2)), {("targets", "input"), ("4", "constant")}),
        (lambda z: nn.Embedding(3, 2)([0, 1]) + z, {("ids", "input")}),
        (lambda z: z - ts.tensor(numbers(2, 2)), {("const", "constant")}),  # nobody said what this is
        (lambda z: ts.concatenate([z, ts.tensor(numbers(2, 2))]), {("x", "input")}),
        (lambda z: nn.LSTMCell(2, 3)(z)[0], {("h0", "initial"), ("c0", "initial")}),
    ],
)
def test_constants_beside_a_result(make, expected):
    assert called(make(y(ts.tensor(numbers(2, 3))))) == expected | {("x", "input")}


def test_a_cell_that_is_called_by_hand_has_inputs_at_every_step():
    cell, h = nn.GRUCell(3, 2), ts.zeros(2, 2)
    for t in range(4):
        with ts.scope(step=t):
            h = cell(ts.tensor(numbers(2, 3)), h)
    assert called(h) == {("x", "input"), ("h0", "initial")}


def test_an_input_beside_the_state_of_the_step_before():
    rate, h = nn.Parameter([0.5]), nn.Parameter(numbers(3)).named("h0")
    for t in range(4):
        with ts.scope(step=t):
            h = (h + rate * (ts.tensor(numbers(3)) - h)).named("h")
    assert called(h) == {("x", "input")}


def test_what_belongs_to_others_keeps_its_name():
    x, targets = ts.tensor(numbers(2, 3)), ts.tensor(numbers(2, 2))
    for name in (None, "labels"):
        loss = nn.mse_loss(y(x), targets if name is None else targets.named(name))
        assert (name or "targets", "input") in called(loss) and targets.name == name
    auto = nn.Linear(3, 3)
    assert {label for label, _ in called(nn.mse_loss(auto(x), x))} >= {"x", "targets"} and x.name is None
    still = nn.mse_loss(y(x), y(x).detach())
    assert {label.partition(" · ")[2] for label, _ in called(still)} == {"", "detached"}


def test_what_a_recorded_backward_takes_from_the_forward_is_saved():
    w = nn.Parameter(numbers(3, 2)).named("w")
    loss = (ts.tensor(numbers(2, 3)) @ w).relu().exp().sum()
    loss.backward(create_graph=True)
    found = called(loss, backward=True)
    assert found == {("x", "input"), ("relu", "saved"), ("exp", "saved"), ("from the loss", "gradient")}
    w = nn.Parameter(numbers(2, 2)).named("w")
    total = w.tanh().sum()
    total.backward(create_graph=True)
    assert called(total, backward=True) == {("tanh w", "saved"), ("from the loss", "gradient")}


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_leaves_have_the_same_names_with_their_backward_beside_them(layer):
    layer = layer(3, 4)
    loss = layer(ts.tensor(numbers(2, 1, 3)))[0][-1].sum()
    loss.backward(create_graph=True)
    plain, both = (items(draw(loss, backward=backward).view) for backward in (False, True))
    named = Counter((item.role, item.label) for item in plain if "#leaf" in item.id)
    assert named == Counter((item.role, item.label) for item in both if "#leaf" in item.id and "grad" not in item.id)


def test_a_first_state_is_none_to_its_rule_either():
    w, u, h = nn.Parameter(numbers(3, 3)), nn.Parameter(numbers(3, 3)), ts.zeros(2, 3)
    for _ in range(4):
        h = (ts.tensor(numbers(2, 3)) @ w + h @ u).tanh()
    (h * h).sum().backward(create_graph=True)
    inside = [item.label for item in items(draw((h * h).sum(), backward=True).view) if "grad" in item.id]
    assert inside.count("start") == 1 and inside.count("x") == 4


@given(kind=st.sampled_from(list(KINDS)), lengths=st.lists(st.integers(1, 4), min_size=2, max_size=3))
def test_an_input_stays_an_input_where_sequences_end_early(kind, lengths):
    """The steps of a batch of unlike lengths hold other ops: the places in them tell little, the weights more."""
    layer = KINDS[kind].layer(2, 3, **KINDS[kind].options)
    out, _ = layer(ts.tensor(numbers(max(lengths), len(lengths), 2)), lengths=lengths)
    view = draw(out.sum(), steps=(9, 9)).view
    drawn = items(view)
    assert sum(item.label == "x" and item.role == "input" for item in drawn) == max(lengths)
    starts = {item.id for item in drawn if item.label == "h0"}
    reads = 1 + ("gru" in kind) + ("before" in kind)  # ops, each with its own beside it
    assert reads == len(starts) == sum(edge.source in starts for edge in view.edges)


def test_what_is_made_of_a_first_state_is_called_so():
    mix, h = nn.Linear(5, 3), ts.zeros(2, 3)
    for t in range(3):
        with ts.scope(step=t):
            h = 0.9 * h + mix(ts.concatenate([ts.tensor(numbers(2, 2, seed=t)), h], -1)).tanh()
    drawn = items(draw(h.sum()).view)
    assert {item.label for item in drawn if item.role == "initial"} == {"0.9 × start", "[x, start]"}
    assert sum(item.role == "input" for item in drawn) == 2


zeros = ts.zeros(2, 3)


def with_states(kind, first):
    """A network whose states are read more than one step later."""
    w, u, states = nn.Parameter(numbers(3, 3)), nn.Parameter(numbers(3, 3)), [first(), first()]
    for t in range(9):
        old = {"two back": states[-2], "four back": states[max(len(states) - 4, 0)], "slow": states[0]}[kind]
        with ts.scope(step=t):
            new = (states[-1] @ w + old @ u + ts.tensor(numbers(2, 3, seed=t))).tanh().named("h")
            if kind == "slow" and t % 3 == 2:
                states[0] = (old @ u + new).tanh().named("s")
        states.append(new)
    return (states[-1] * states[0] if kind == "slow" else states[-1]).sum()


@pytest.mark.parametrize("kind", ["two back", "four back", "slow"])
@pytest.mark.parametrize("first", [lambda: zeros, lambda: zeros + 0.0], ids=["one", "two"])
@pytest.mark.parametrize("name", [None, "begin"])
def test_a_first_state_is_one_in_every_step_that_reads_it(kind, first, name):
    """Whatever it is called, and however much later the next step reads a state in its place."""
    output = with_states(kind, first if name is None else lambda: first().named(name))
    drawn = items(draw(output, steps=(9, 9)).view)
    assert sum(item.role == "input" for item in drawn) == 9
    found = [item.label for item in drawn if item.role == "initial"]
    assert set(found) == ({name} if name else {"h0", "s0"} if kind == "slow" else {"h0"})
    assert len(found) == {"two back": 3, "four back": 5, "slow": 5}[kind]


def test_what_is_read_in_the_same_place_in_all_steps_is_no_first_state():
    w, u, h = nn.Parameter(numbers(3, 3)), nn.Parameter(numbers(3, 3)), ts.zeros(2, 3)
    x = h
    for t in range(4):
        with ts.scope(step=t):
            h = (x @ u + h @ w).tanh().named("h")
    drawn = [item.label for item in items(draw(h).view) if item.role in ("input", "initial")]
    assert Counter(drawn) == {"x": 4, "h0": 1}
