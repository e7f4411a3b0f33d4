"""Whole recurrent networks against finite differences, in first and second order, by weights, inputs and first states.

A network may be right at every op and wrong as a whole: a state not carried, a gate taken from the wrong rows, a bias
added twice in backward. So RNN (tanh, and relu away from its kink), LSTM and GRU (both places of the reset gate) are
differentiated as functions of everything that enters them, in every arrangement: layers, directions, batch first, no
batch, no biases, no first state. The law is then held for a whole language model, from its ids to its loss. Each
example is another network with other numbers, so one random direction for each is enough.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import KINDS, as_function, calm, leaf, runs, seeds, small

import tinygrad_seq as ts
from tinygrad_seq import nn

ORDERS = pytest.mark.parametrize("check", [ts.gradcheck, ts.gradgradcheck], ids=["first order", "second order"])


@ORDERS
@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_network_by_its_weights_inputs_and_states(kind, check, data):
    run = data.draw(runs([kind], layers=st.integers(1, 2), longest=3))
    assert check(as_function(run.layer), [*run.layer.parameters(), leaf(run.x), *map(leaf, run.states)], directions=1)


@ORDERS
@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_network_with_the_batch_first_or_none_from_zeros(kind, check, data):
    run = data.draw(runs([kind], layers=st.just(1), longest=3, batch_first=True))
    x = run.x[0] if data.draw(st.booleans(), label="unbatched") else run.x
    assert check(as_function(run.layer), [*run.layer.parameters(), leaf(x)], directions=1)


@ORDERS
@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds, inputs=small, hidden=small, batch=st.sampled_from([(), (1,), (3,)]), bias=st.booleans())
def test_a_cell_by_its_weights_input_and_state(kind, check, seed, inputs, hidden, batch, bias):
    ts.manual_seed(seed)
    rng, relu = np.random.default_rng(seed), kind == "rnn relu"
    cell = KINDS[kind].cell(inputs, hidden, bias=bias or relu, **KINDS[kind].options).to("float64")
    if relu:
        calm(cell, rng)
    x = leaf(rng.uniform(-1, 1, (*batch, inputs)))
    states = [leaf(rng.uniform(-1, 1, (*batch, hidden))) for _ in range(cell.states)]
    assert check(as_function(cell), [*cell.parameters(), x, *states], directions=1)
    assert check(as_function(cell), [*cell.parameters(), x], directions=1)


class LanguageModel(nn.Module):
    """From ids to the loss of predicting each next one."""

    def __init__(self, ids, layer, characters, hidden):
        self.ids = ids
        self.embedding = nn.Embedding(characters, 2)
        self.recurrent = layer(2, hidden)
        self.head = nn.Linear(hidden, characters)

    def forward(self, scale):
        out, _ = self.recurrent(self.embedding(self.ids[:-1]) * scale)
        return nn.cross_entropy(self.head(out), self.ids[1:])


@ORDERS
@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
@given(seed=seeds, steps=small, batch=small, hidden=small, characters=st.integers(2, 4))
def test_a_language_model_by_all_its_weights(layer, check, seed, steps, batch, hidden, characters):
    ts.manual_seed(seed)
    ids = np.random.default_rng(seed).integers(0, characters, (steps + 1, batch))
    model = LanguageModel(ids, layer, characters, hidden).to("float64")
    assert len(list(model.parameters())) == 1 + 4 + 2
    assert check(as_function(model), [*model.parameters(), leaf(np.array(1.0))], directions=1)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_network_with_one_wrong_gradient_is_caught(kind, data):
    """The laws above can fail: one parameter's gradient made too large is noticed."""
    run = data.draw(runs([kind], layers=st.just(1), longest=3, bias=st.just(True)))
    wrong = data.draw(st.sampled_from([name for name, _ in run.layer.named_parameters()]))
    plain = as_function(run.layer)

    def function(*tensors):
        made = plain(*tensors)
        at = [name for name, _ in run.layer.named_parameters()].index(wrong)
        return [y + (tensors[at] - tensors[at].detach()).sum() * 100.0 for y in made]  # value as before, gradient not

    with pytest.raises(AssertionError, match="finite differences"):
        ts.gradcheck(function, [*run.layer.parameters(), leaf(run.x), *map(leaf, run.states)], directions=1)
