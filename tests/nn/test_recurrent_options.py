"""What the layers offer beside layers and directions: dropout between them, projection, first states that are learned.

Dropout is a number of each sample and step left out between two layers, nowhere else, only while training, and drawn
from the library's own generator. Weights may be shared or replaced after the layer was made.
"""

import copy
import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_near, assert_same, host
from networks import KINDS, flat, gradients, leaf, packed, runs, seeds

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.nn.dropout import dropout

LAYERS = pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])


@LAYERS
def test_the_arguments_come_in_the_documented_order(layer):
    made = layer(3, 4, 2, False, True, 0.5, True)
    assert repr(made) == (
        f"{layer.__name__}(3, 4, num_layers=2, bias=False, batch_first=True, dropout=0.5, bidirectional=True)"
    )
    assert not hasattr(made, "bias_ih_l0")
    names = list(inspect.signature(layer).parameters)
    assert names[:7] == [
        "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional",
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- dropout


@given(seed=seeds, p=st.floats(0.0, 1.0))
def test_dropout_keeps_the_mean_and_follows_the_seed(seed, p):
    x = leaf(np.ones((50, 40)))
    y = dropout(x, p, np.random.default_rng(seed))
    left = y.numpy() != 0
    np.testing.assert_array_equal(y.numpy()[left], 1 / (1 - p) if p < 1 else 0)
    assert abs(left.mean() - (1 - p)) < 6 * np.sqrt(p * (1 - p) / x.size) + 1e-12
    assert_same(host(ts.grad(y.sum(), x)), host(y))  # what is left out learns nothing
    assert_same(host(dropout(x, p, np.random.default_rng(seed))), host(y))


droppers = given(run=runs(["rnn", "lstm", "gru"], layers=st.integers(2, 3)), seed=seeds, p=st.sampled_from([0.1, 0.5]))


@droppers
def test_dropout_acts_between_layers_and_nowhere_else(run, seed, p):
    """The network is its layers one by one, with the same numbers left out in between."""
    run.layer.dropout = p
    ts.manual_seed(seed)
    outputs, leaves = run()
    both, rows = len(run.layer.directions), run.sizes["layers"] * len(run.layer.directions)
    steps, finals, draws = leaves[0], [], np.random.default_rng(seed)  # which is what manual_seed starts anew
    for number in range(run.sizes["layers"]):
        bias = hasattr(run.layer, "bias_ih_l0")
        single = type(run.layer)(steps.shape[-1], run.sizes["H"], bias=bias, bidirectional=both > 1)
        for name, _ in single.named_parameters():
            setattr(single, name, getattr(run.layer, name.replace("_l0", f"_l{number}")))
        own = slice(number * both, (number + 1) * both)
        steps, *final = flat(single(steps, packed([s[own] for s in leaves[1:]])))
        finals.append(final)
        if number < run.sizes["layers"] - 1:
            steps = dropout(steps, p, draws)
    by_hand = [steps, *(ts.concatenate(parts) for parts in zip(*finals, strict=True))]
    assert all(len(part) == rows for part in by_hand[1:])
    assert_same(host(outputs), host(by_hand))
    upstream = [run.rng.normal(size=y.shape) for y in outputs]
    assert_near(gradients(outputs, upstream, *leaves), gradients(by_hand, upstream, *leaves))


@droppers
def test_dropout_is_off_in_evaluation_and_draws_nothing(run, seed, p):
    plain = host(run()[0])
    run.layer.dropout = p
    run.layer.eval()
    ts.manual_seed(seed)
    assert_same(host(run()[0]), plain)
    after = ts.rand(3).tolist()
    ts.manual_seed(seed)
    assert ts.rand(3).tolist() == after
    run.layer.train()
    run.layer.dropout = 1.0  # everything left out: the layers above hear nothing of x
    ts.manual_seed(seed)
    assert_same(host(run(run.x + 1.0)[0][:1]), host(run(run.x)[0][:1]))


def test_dropout_on_a_device_draws_the_numbers_of_the_host(gpu):
    made = nn.LSTM(3, 4, num_layers=2, dropout=0.5, bidirectional=True)
    x = ts.randn(5, 2, 3)
    ts.manual_seed(3)
    here, _ = made(x)
    made.to("cuda")
    ts.manual_seed(3)
    there, _ = made(x.to("cuda"))
    assert there.device == "cuda:0"
    assert_near([there.numpy()], [here.numpy()], np.float32)


@LAYERS
def test_wrong_dropout_is_said(layer):
    with pytest.warns(UserWarning, match=rf"{layer.__name__}: dropout=0.5 acts between layers.*only one"):
        layer(3, 4, dropout=0.5)
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=rf"{layer.__name__}: dropout must be between 0 and 1.*{p}"):
            layer(3, 4, num_layers=2, dropout=p)


# ---------------------------------------------------------------------------------------------------------- projection


@given(run=runs(["lstm"], proj=True, longest=3))
def test_a_projected_lstm_is_its_cell_step_by_step(run):
    projected = run.kind.options["proj_size"] or run.sizes["H"]
    outputs, leaves = run()
    assert outputs[0].shape[-1] == projected * len(run.layer.directions)
    assert [s.shape[-1] for s in outputs[1:]] == [projected, run.sizes["H"]]
    cell, state = run.layer.cells[0][0], tuple(s[0] for s in leaves[1:])
    for x_t in leaves[0]:
        state = cell(x_t, state)
    assert_same(host(state), [s.numpy()[0] for s in outputs[1:]])


@pytest.mark.parametrize("check", [ts.gradcheck, ts.gradgradcheck])
@given(data=st.data())
def test_a_projected_lstm_against_finite_differences(check, data):
    run = data.draw(runs(["lstm"], proj=True, layers=st.integers(1, 2), longest=2))
    states = [leaf(s) for s in run.states]
    assert check(lambda x, *s: flat(run.layer(x, packed(s))), [leaf(run.x), *states], directions=1)
    hidden = run.layer.cells[0][0].weight_hh
    assert check(lambda w: lent(run.layer, hidden, w, leaf(run.x), states), [leaf(hidden.numpy())], directions=1)


def lent(layer, parameter, value, x, states):
    before = parameter.array, parameter.node
    try:
        parameter.array, parameter.node = value.array, value.node
        return flat(layer(x, packed(states)))
    finally:
        parameter.array, parameter.node = before


@pytest.mark.parametrize("size", [-1, 4, 5])
def test_a_projection_is_smaller_than_what_it_projects(size):
    with pytest.raises(ValueError, match=rf"^LSTM: proj_size must be (less than hidden_size 4|at least 0).*{size}"):
        nn.LSTM(3, 4, proj_size=size)


# -------------------------------------------------------------------------------------- first states, shared parameters


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_first_state_is_learned_like_a_weight(kind, data):
    """A Parameter as h0 gets the gradient that finite differences find, and following it lowers the loss."""
    run = data.draw(runs([kind], layers=st.integers(1, 2), longest=3))
    first, x = [nn.Parameter(s) for s in run.states], ts.tensor(run.x)
    assert ts.gradcheck(lambda *states: flat(run.layer(x, packed(states))), first, directions=1)

    def loss():
        return (flat(run.layer(x, packed(first)))[0] - 0.3).pow(2.0).sum()

    before = loss()
    before.backward()
    if kind == "rnn relu" and not first[0].grad.numpy().any():
        return  # no unit is on
    for s in first:
        s.assign(s - 1e-4 * s.grad)
    assert loss().item() < before.item()


def test_one_learned_row_serves_the_whole_batch():
    made, row = nn.GRU(2, 3), nn.Parameter(np.zeros((1, 1, 3), np.float32))
    out, _ = made(ts.randn(4, 5, 2), row.broadcast_to(1, 5, 3))
    out.sum().backward()
    assert row.grad.shape == (1, 1, 3) and row.grad.numpy().any()


@LAYERS
def test_a_parameter_put_in_anothers_place_is_used(layer):
    """Weight tying: two layers share one matrix, which is listed once and gets both gradients."""
    made, x = layer(3, 3, num_layers=2), ts.randn(4, 2, 3)
    made.weight_hh_l1 = made.weight_hh_l0
    assert len(list(made.parameters())) == 7
    twin = copy.deepcopy(made)
    for name, value in made.state_dict().items():
        getattr(twin, name).assign(value)
    made(x)[0].sum().backward()
    apart = layer(3, 3, num_layers=2)
    apart.load_state_dict({**made.state_dict(), "weight_hh_l1": made.weight_hh_l0})
    out, _ = apart(x)
    out.sum().backward()
    assert_near([made.weight_hh_l0.grad.numpy()], [(apart.weight_hh_l0.grad.numpy() + apart.weight_hh_l1.grad.numpy())],
                np.float32)  # fmt: skip
    assert_same(host(twin(x)[0]), host(out))  # a copy shares as the original did
    assert twin.weight_hh_l1 is twin.weight_hh_l0 is not made.weight_hh_l0


@pytest.mark.parametrize("text", [
    "RNN(2, 3, nonlinearity='relu')", "LSTM(2, 3, num_layers=2, bias=False, dropout=0.5, proj_size=1)",
    "GRU(2, 3, batch_first=True, bidirectional=True, reset_after=False)",
])
def test_a_repr_is_the_call_that_makes_it(text):
    assert repr(eval(text, vars(nn))) == text


# ---------------------------------------------------------------------------------------------------- biases one by one


@given(run=runs(bias=st.just(True), layers=st.integers(1, 2)), data=st.data())
def test_a_bias_that_is_none_is_as_one_of_zeros_and_the_others_stay(run, data):
    names = [name for name, _ in run.layer.named_parameters() if "bias" in name]
    gone = data.draw(st.sets(st.sampled_from(names), min_size=1))
    zeros, back = copy.deepcopy(run.layer), copy.deepcopy(run.layer)
    outputs, gradient = [], []
    for name in gone:
        getattr(zeros, name).assign(getattr(zeros, name).numpy() * 0.0)
        setattr(run.layer, name, None)
    for layer in (run.layer, zeros):
        ys = flat(layer(ts.tensor(run.x), packed(list(map(ts.tensor, run.states)))))
        kept = [parameter for name, parameter in layer.named_parameters() if name not in gone]
        outputs.append(host(ys))
        gradient.append(gradients(ys, [np.ones(y.shape) for y in ys], *kept))
    assert_same(*outputs)
    assert_same(*gradient)
    assert not gone & set(run.layer.state_dict())
    for name in gone:  # given anew, it acts again
        setattr(run.layer, name, getattr(back, name))
    assert_same(*[host(flat(layer(ts.tensor(run.x)))) for layer in (run.layer, back)])


@LAYERS
def test_a_bias_may_be_given_later_and_what_is_deleted_is_gone(layer):
    made, other, x = layer(2, 3, bias=False), layer(2, 3), ts.ones(4, 1, 2)
    for name, parameter in other.named_parameters():
        setattr(made, name, parameter)
    assert_same(host(flat(made(x))), host(flat(other(x))))
    del made.weight_hh_l0
    with pytest.raises(AttributeError, match="weight_hh"):
        made(x)
