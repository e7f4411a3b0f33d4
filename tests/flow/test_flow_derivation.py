"""The derivation on the blackboard: its terms are the items that the graph gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import seeds, small

import tinygrad_seq as ts
from tinygrad_seq import nn


def network(seed, inputs, hidden, bias=True):
    ts.manual_seed(seed)
    return nn.RNN(inputs, hidden, bias=bias).to("float64"), np.random.default_rng(seed)


@given(seed=seeds, steps=st.integers(1, 7), batch=small, inputs=small, hidden=small, bias=st.booleans())
def test_the_terms_are_the_items(seed, steps, batch, inputs, hidden, bias):
    rnn, rng = network(seed, inputs, hidden, bias)
    x, target = rng.normal(size=(steps, batch, inputs)), ts.tensor(rng.normal(size=(batch, hidden)))
    found = ts.flow.derivation(rnn, x, lambda h: ((h - target) ** 2).sum())
    np.testing.assert_allclose(found.terms, found.items, rtol=1e-12, atol=1e-12)
    out, _ = rnn(ts.tensor(x))
    ((out[-1] - target) ** 2).sum().backward()
    np.testing.assert_allclose(found.terms.sum(0), rnn.weight_hh_l0.grad.numpy(), rtol=1e-12, atol=1e-12)
    assert not found.items[-1].any(), "before the first step there is nothing to remember"


@given(seed=seeds, steps=st.integers(1, 7))
def test_for_one_unit_the_product_is_a_power_of_the_weight(seed, steps):
    rnn, rng = network(seed, 1, 1)
    x = rng.normal(size=(steps, 1))
    found = ts.flow.derivation(rnn, x)
    h = [0.0, *rnn(ts.tensor(x))[0].numpy().ravel()]
    w = rnn.weight_hh_l0.item()
    for k in range(1, steps + 1):
        slopes = np.prod([1 - h[t] ** 2 for t in range(steps - k + 1, steps + 1)])
        np.testing.assert_allclose(found.powers[k - 1], w ** (k - 1), rtol=1e-12)
        np.testing.assert_allclose(found.products[k - 1], w ** (k - 1) * slopes, rtol=1e-12)
        np.testing.assert_allclose(found.terms[k - 1], w ** (k - 1) * slopes * h[steps - k], rtol=1e-12)


@given(seed=seeds, hidden=small)
def test_a_product_is_the_derivative_of_the_last_state_by_a_pre_activation(seed, hidden):
    rnn, rng = network(seed, 2, hidden)
    x = rng.normal(size=(4, 1, 2))
    found, bias = ts.flow.derivation(rnn, x), rnn.bias_ih_l0
    out, _ = rnn(ts.tensor(x))
    jacobian = [ts.flow.itemize(out[-1, 0, i], bias).items[::-1] for i in range(hidden)]  # what reaches a_t reaches b
    np.testing.assert_allclose(found.products[:, 0], np.stack(jacobian, 1), rtol=1e-12, atol=1e-12)


def test_the_table_sets_them_side_by_side():
    rnn, rng = network(0, 2, 2)
    lines = repr(ts.flow.derivation(rnn, rng.normal(size=(8, 2)))).splitlines()
    assert len(lines) == 10
    assert lines[0].split("  ")[0] == "k" and "by formula" in lines[0] and "from graph" in lines[0]
    assert "D8 W D7 W D6" in lines[3] and "D8 W D7 W ... D1" in lines[8]
    assert "W^(k-1)" not in lines[0] and "W^(k-1)" in repr(ts.flow.derivation(network(0, 1, 1)[0], [[1.0]]))
    assert "|" in repr(ts.flow.derivation(network(0, 2, 5)[0], rng.normal(size=(3, 2))))


@pytest.mark.parametrize("other", [
    nn.RNN(2, 3, nonlinearity="relu"), nn.RNN(2, 3, num_layers=2), nn.RNN(2, 3, bidirectional=True), nn.GRU(2, 3),
    nn.RNN(2, 3, batch_first=True),
], ids=repr)  # fmt: skip
def test_it_is_for_the_network_of_the_formula(other):
    with pytest.raises(ValueError, match="derivation: "):
        ts.flow.derivation(other, np.zeros((3, 2)))


@pytest.mark.parametrize("loss", [lambda h: h, lambda h: 1.0, lambda h: None])
def test_it_is_of_one_number(loss):
    with pytest.raises(ValueError, match=r"^derivation: loss must return a Tensor of one element"):
        ts.flow.derivation(nn.RNN(2, 3), np.ones((4, 2)), loss)


@pytest.mark.parametrize("steps", [1, 4])
def test_a_loss_that_reads_the_weight_itself_is_another_formula(steps):
    rnn = nn.RNN(2, 3)
    w = rnn.weight_hh_l0
    for loss in (lambda h: (h @ w).sum(), lambda h: w.sum(), lambda h: (w * w).sum() + h.sum()):
        with pytest.raises(ValueError, match=r"^derivation: loss must depend on the last state alone"):
            ts.flow.derivation(rnn, np.ones((steps, 2)), loss)


def test_it_is_plotted():
    pytest.importorskip("matplotlib")
    (axes,) = ts.flow.derivation(network(0, 2, 3)[0], np.ones((5, 2))).plot().axes
    assert {line.get_label() for line in axes.lines} >= {"from the graph", "by the formula", "exactly 0"}
