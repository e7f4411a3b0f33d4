"""Backpropagation through time by hand: on paper, then in NumPy step by step, and equal to the graph's gradients.

The library writes it nowhere; these pages do. Each `..._by_hand` runs a network forward, keeps what it needs, and goes
back from the last step to the first, carrying the gradient of the state. The gradients of the weights are sums over
all steps. Then the textbook's form of s_t = tanh(W_x x_t + W_s s_{t-1}): the gradient of L_t is a sum over how far
back each use of W_s lies, each term with the ordered product of the Jacobians diag(1 - s_j^2) W_s between.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import gradients, leaf, runs, seeds, small

import tinygrad_seq as ts
from tinygrad_seq import nn


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def assert_equal_to_rounding(found, expected):
    """To 1e-12 of the largest number there."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * max(1.0, np.max(np.abs(b))))


def weight_gradients(at_gates_x, at_gates_h, x, h):
    """Of W_ih, W_hh, b_ih, b_hh: sums over all steps. h[t] is the state that entered step t."""
    return [
        sum(a.T @ x_t for a, x_t in zip(at_gates_x, x, strict=True)),
        sum(a.T @ h_t for a, h_t in zip(at_gates_h, h, strict=True)),
        sum(a.sum(0) for a in at_gates_x),
        sum(a.sum(0) for a in at_gates_h),
    ]


def rnn_by_hand(weights, x, states, upstream, nonlinearity="tanh"):
    w_ih, w_hh, b_ih, b_hh = weights
    (h,), (g_out, g_last) = states, upstream
    hs = [h]
    for x_t in x:
        a = x_t @ w_ih.T + b_ih + hs[-1] @ w_hh.T + b_hh
        hs.append(np.tanh(a) if nonlinearity == "tanh" else np.maximum(a, 0))
    steps = len(x)
    g_x, g_a, g_h = np.zeros_like(x), [None] * steps, g_last
    for t in reversed(range(steps)):
        g_h = g_h + g_out[t]  # h_t is shown, and carried on
        h_t = hs[t + 1]
        g_a[t] = g_h * (1 - h_t**2) if nonlinearity == "tanh" else g_h * (h_t > 0)
        g_x[t] = g_a[t] @ w_ih
        g_h = g_a[t] @ w_hh
    return [np.array(hs[1:]), hs[-1]], [*weight_gradients(g_a, g_a, x, hs[:-1]), g_x, g_h]


def lstm_by_hand(weights, x, states, upstream):
    w_ih, w_hh, b_ih, b_hh = weights
    (h, c), (g_out, g_last, g_c) = states, upstream
    hs, cs, gates = [h], [c], []
    for x_t in x:
        a_i, a_f, a_g, a_o = np.split(x_t @ w_ih.T + b_ih + hs[-1] @ w_hh.T + b_hh, 4, axis=1)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
        gates.append((i, f, g, o))
        cs.append(f * cs[-1] + i * g)
        hs.append(o * np.tanh(cs[-1]))
    steps = len(x)
    g_x, g_a, g_h = np.zeros_like(x), [None] * steps, g_last
    for t in reversed(range(steps)):
        i, f, g, o = gates[t]
        g_h = g_h + g_out[t]
        shown = np.tanh(cs[t + 1])
        g_o = g_h * shown
        g_c = g_c + g_h * o * (1 - shown**2)  # c_t is shown through h_t, and carried on by itself
        g_i, g_f, g_g = g_c * g, g_c * cs[t], g_c * i
        g_a[t] = np.hstack([g_i * i * (1 - i), g_f * f * (1 - f), g_g * (1 - g**2), g_o * o * (1 - o)])
        g_x[t] = g_a[t] @ w_ih
        g_h = g_a[t] @ w_hh
        g_c = g_c * f  # along the cell state nothing is multiplied but the forget gate
    return [np.array(hs[1:]), hs[-1], cs[-1]], [*weight_gradients(g_a, g_a, x, hs[:-1]), g_x, g_h, g_c]


def gru_by_hand(weights, x, states, upstream):
    w_ih, w_hh, b_ih, b_hh = weights
    (h,), (g_out, g_last) = states, upstream
    hs, gates = [h], []
    for x_t in x:
        x_r, x_z, x_n = np.split(x_t @ w_ih.T + b_ih, 3, axis=1)
        h_r, h_z, h_n = np.split(hs[-1] @ w_hh.T + b_hh, 3, axis=1)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        n = np.tanh(x_n + r * h_n)
        gates.append((r, z, n, h_n))
        hs.append((1 - z) * n + z * hs[-1])
    steps = len(x)
    g_x, from_x, from_h, g_h = np.zeros_like(x), [None] * steps, [None] * steps, g_last
    for t in reversed(range(steps)):
        r, z, n, h_n = gates[t]
        g_h = g_h + g_out[t]
        a_z = g_h * (hs[t] - n) * z * (1 - z)
        a_n = g_h * (1 - z) * (1 - n**2)
        a_r = a_n * h_n * r * (1 - r)
        from_x[t], from_h[t] = np.hstack([a_r, a_z, a_n]), np.hstack([a_r, a_z, a_n * r])
        g_x[t] = from_x[t] @ w_ih
        g_h = g_h * z + from_h[t] @ w_hh
    return [np.array(hs[1:]), hs[-1]], [*weight_gradients(from_x, from_h, x, hs[:-1]), g_x, g_h]


def gru_reset_before_by_hand(weights, x, states, upstream):
    w_ih, w_hh, b_ih, b_hh = weights
    (h,), (g_out, g_last) = states, upstream
    size = h.shape[1]
    w_gates, w_new, b_gates, b_new = w_hh[: 2 * size], w_hh[2 * size :], b_hh[: 2 * size], b_hh[2 * size :]
    hs, gates = [h], []
    for x_t in x:
        x_r, x_z, x_n = np.split(x_t @ w_ih.T + b_ih, 3, axis=1)
        h_r, h_z = np.split(hs[-1] @ w_gates.T + b_gates, 2, axis=1)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        n = np.tanh(x_n + (r * hs[-1]) @ w_new.T + b_new)
        gates.append((r, z, n))
        hs.append((1 - z) * n + z * hs[-1])
    g_x, g_w_ih, g_w_hh = np.zeros_like(x), np.zeros_like(w_ih), np.zeros_like(w_hh)
    g_b, g_h = np.zeros_like(b_ih), g_last
    for t in reversed(range(len(x))):
        r, z, n = gates[t]
        g_h = g_h + g_out[t]
        a_z = g_h * (hs[t] - n) * z * (1 - z)
        a_n = g_h * (1 - z) * (1 - n**2)
        g_seen = a_n @ w_new  # of reset * h_{t-1}, which the candidate sees
        a_r = g_seen * hs[t] * r * (1 - r)
        a_gates, a = np.hstack([a_r, a_z]), np.hstack([a_r, a_z, a_n])
        g_w_ih += a.T @ x[t]
        g_w_hh += np.vstack([a_gates.T @ hs[t], a_n.T @ (r * hs[t])])
        g_b += a.sum(0)
        g_x[t] = a @ w_ih
        g_h = g_h * z + g_seen * r + a_gates @ w_gates
    return [np.array(hs[1:]), hs[-1]], [g_w_ih, g_w_hh, g_b, g_b, g_x, g_h]


BY_HAND = {
    "rnn": rnn_by_hand,
    "rnn relu": lambda *run: rnn_by_hand(*run, nonlinearity="relu"),
    "lstm": lstm_by_hand,
    "gru": gru_by_hand,
    "gru reset before": gru_reset_before_by_hand,
}


@pytest.mark.parametrize("kind", BY_HAND)
@given(data=st.data())
def test_the_graph_gives_what_bptt_gives_by_hand(kind, data):
    once = st.just(1)
    run = data.draw(runs([kind], layers=once, bidirectional=st.just(False), bias=st.just(True), longest=12))
    outputs, leaves = run()
    parameters = list(run.layer.parameters())
    upstream = [run.rng.normal(size=y.shape) for y in outputs]
    found = gradients(outputs, upstream, *parameters, *leaves)

    values, expected = BY_HAND[kind]([p.numpy() for p in parameters], run.x, [s[0] for s in run.states],
                                     [upstream[0], *(g[0] for g in upstream[1:])])
    assert_equal_to_rounding([outputs[0].numpy(), *(y.numpy()[0] for y in outputs[1:])], values)
    states = len(run.states)
    assert_equal_to_rounding([*found[:-states], *(g[0] for g in found[-states:])], expected)


# ------------------------------------------------------------------------------------------------ the textbook's form


def textbook(seed, steps, inputs, hidden):
    """Weights, inputs, first state; all states s_0..s_T and the Jacobians of s_j by s_{j-1}, in plain NumPy."""
    rng = np.random.default_rng(seed)
    w_x, w_s = rng.normal(size=(hidden, inputs)), rng.normal(size=(hidden, hidden)) / hidden**0.5
    x, s = rng.normal(size=(steps, inputs)), [rng.normal(size=hidden)]
    for x_t in x:
        s.append(np.tanh(w_x @ x_t + w_s @ s[-1]))
    jacobians = [None, *(np.diag(1 - s_j**2) @ w_s for s_j in s[1:])]
    return w_x, w_s, x, s, jacobians, rng.normal(size=hidden)


def back(v, jacobians, k, t):
    """The gradient v of s_t, carried back to s_k: v^T J_t J_{t-1} ... J_{k+1}."""
    for j in range(t, k, -1):
        v = v @ jacobians[j]
    return v


@given(seed=seeds, steps=st.integers(1, 12), inputs=small, hidden=small, data=st.data())
def test_the_gradient_of_one_loss_is_a_sum_over_how_far_back_each_use_lies(seed, steps, inputs, hidden, data):
    w_x, w_s, x, s, jacobians, v = textbook(seed, steps, inputs, hidden)
    t = data.draw(st.integers(1, steps), label="t")
    uses = [back(v, jacobians, k, t) * (1 - s[k] ** 2) for k in range(1, t + 1)]  # by the sum inside the k-th tanh
    for_w_s = [np.outer(use, s[k - 1]) for k, use in enumerate(uses, 1)]
    for_w_x = [np.outer(use, x[k - 1]) for k, use in enumerate(uses, 1)]

    layer = nn.RNN(inputs, hidden, bias=False).to("float64")
    layer.weight_ih_l0.assign(w_x)
    layer.weight_hh_l0.assign(w_s)
    first = leaf(s[0][None])
    out, _ = layer(ts.tensor(x), first)
    loss = (out[t - 1] * ts.tensor(v)).sum()
    found = gradients([loss], [np.array(1.0)], layer.weight_hh_l0, layer.weight_ih_l0, first)
    assert_equal_to_rounding(found, [sum(for_w_s), sum(for_w_x), back(v, jacobians, 0, t)[None]])


@given(seed=seeds, steps=st.integers(1, 8), inputs=small, hidden=small)
def test_each_use_of_the_weight_has_its_own_term(seed, steps, inputs, hidden):
    w_x, w_s, x, s, jacobians, v = textbook(seed, steps, inputs, hidden)
    copies = [leaf(w_s) for _ in range(steps)]
    state = ts.tensor(s[0])
    for x_t, copy in zip(x, copies, strict=True):
        state = (ts.tensor(w_x @ x_t) + copy @ state).tanh()
    found = gradients([(state * ts.tensor(v)).sum()], [np.array(1.0)], *copies)
    terms = [np.outer(back(v, jacobians, k, steps) * (1 - s[k] ** 2), s[k - 1]) for k in range(1, steps + 1)]
    assert_equal_to_rounding(found, terms)


@given(seed=seeds, distance=st.integers(1, 30), w=st.floats(-1.5, 1.5))
def test_for_one_unit_the_product_is_a_power_of_the_weight(seed, distance, w):
    """ds_t/ds_0 = w^t * prod (1 - s_j^2): the power is why gradients vanish or explode."""
    layer = nn.RNN(1, 1, bias=False).to("float64")
    layer.weight_hh_l0.assign(np.array([[w]]))
    x = np.random.default_rng(seed).normal(size=(distance, 1)) * 0.1
    first = leaf([[0.1]])
    out, _ = layer(ts.tensor(x), first)
    (found,) = gradients([out[-1].sum()], [np.array(1.0)], first)
    expected = w**distance * np.prod(1 - out.numpy() ** 2)
    np.testing.assert_allclose(found, [[expected]], rtol=1e-12, atol=1e-300)
