"""Weights from Keras: the numbers frozen here are what Keras 3.15.1 itself answered, for the same weights.

It answered in single precision, so they are held to that. The weights are `numbers(k, *shape)` for the k-th array of
`get_weights()`, the input is `numbers(9, 1, 3, 2)`, and every layer has two units. The same layers are then held
against Keras's published equations, in plain NumPy, at sizes that Hypothesis draws.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import seeds, small

import tinygrad_seq as ts
from tinygrad_seq import nn


def numbers(k, *shape):
    return np.round(16 * np.sin(0.7 * np.arange(np.prod(shape)) + k)).reshape(shape) / 16


BIAS_TWICE = [(2, 6), (2, 6), (2, 6)]
FROZEN = {
    "SimpleRNN": (
        lambda: nn.RNN(2, 2), [(2, 2), (2, 2), (2,)],
        [[0.59637356, 0.45595089], [0.62643069, -0.30990654], [0.82456499, 0.50811583]],
    ),
    "SimpleRNN relu": (
        lambda: nn.RNN(2, 2, nonlinearity="relu"), [(2, 2), (2, 2), (2,)],
        [[0.6875, 0.49218750], [0.83447266, 0.0], [1.55300903, 0.78759766]],
    ),
    "SimpleRNN without bias": (
        lambda: nn.RNN(2, 2, bias=False), [(2, 2), (2, 2)],
        [[-0.24491866, 0.05463305], [-0.82150739, -0.92524791], [-0.87779635, -0.87725085]],
    ),
    "LSTM": (
        lambda: nn.LSTM(2, 2), [(2, 8), (2, 8), (8,)],
        [[-0.22025280, -0.26569036], [-0.54931164, -0.13074726], [-0.41156974, 0.03143878]],
    ),
    "GRU": (
        lambda: nn.GRU(2, 2), BIAS_TWICE,
        [[-0.15048249, -0.15200256], [-0.26596938, -0.29913035], [-0.41460228, -0.37624174]],
    ),
    "GRU reset before": (
        lambda: nn.GRU(2, 2, reset_after=False), [(2, 6), (2, 6), (6,)],
        [[-0.18572748, -0.22164556], [-0.29030655, -0.41952891], [-0.42899278, -0.42808012]],
    ),
    "GRU without bias": (
        lambda: nn.GRU(2, 2, bias=False), [(2, 6), (2, 6)],
        [[-0.01565670, -0.14581212], [-0.21789296, -0.32041840], [-0.25638328, -0.00557910]],
    ),
    "Bidirectional LSTM": (
        lambda: nn.LSTM(2, 2, bidirectional=True), [(2, 8), (2, 8), (8,)] * 2,
        [[-0.22025280, -0.26569036, 0.20761725, 0.25194752],
         [-0.54931164, -0.13074726, 0.11151635, 0.06471138],
         [-0.41156974, 0.03143878, 0.09235780, 0.06241962]],
    ),
    "Bidirectional GRU": (
        lambda: nn.GRU(2, 2, bidirectional=True), BIAS_TWICE * 2,
        [[-0.15048249, -0.15200256, 0.75455814, 0.83505217],
         [-0.26596938, -0.29913035, 0.87648183, 0.87891778],
         [-0.41460228, -0.37624174, 0.55260599, 0.45331928]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("layer, shapes, expected", FROZEN.values(), ids=FROZEN)
def test_what_keras_answered(layer, shapes, expected):
    made = layer().to("float64")
    nn.from_keras(made, [numbers(k, *shape) for k, shape in enumerate(shapes)])
    out, _ = made(ts.tensor(numbers(9, 1, 3, 2).swapaxes(0, 1)))
    np.testing.assert_allclose(out.numpy()[:, 0], expected, rtol=0, atol=4 * np.finfo(np.float32).eps)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def keras_simple(w, u, b, x, h):
    return np.tanh(x @ w + b + h @ u)


def keras_gru(w, u, b, x, h):
    size = h.shape[-1]
    of_x, of_h = b if b.ndim == 2 else (b, 0 * b)
    x_z, x_r, x_h = np.split(x @ w + of_x, 3, -1)
    h_z, h_r, h_h = np.split(h @ u + of_h, 3, -1)
    z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
    new = np.tanh(x_h + (r * h_h if b.ndim == 2 else (r * h) @ u[:, 2 * size :]))
    return z * h + (1 - z) * new


def keras_lstm(w, u, b, x, state):
    h, c = np.split(state, 2, -1)
    i, f, g, o = np.split(x @ w + h @ u + b, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return np.concatenate([sigmoid(o) * np.tanh(c), c], -1)


EQUATIONS = {
    "SimpleRNN": (nn.RNN, {}, keras_simple, 1, False),
    "LSTM": (nn.LSTM, {}, keras_lstm, 4, False),
    "GRU": (nn.GRU, {}, keras_gru, 3, True),
    "GRU reset before": (nn.GRU, {"reset_after": False}, keras_gru, 3, False),
}


@pytest.mark.parametrize("layer, options, equation, gates, twice", EQUATIONS.values(), ids=EQUATIONS)
@given(seed=seeds, inputs=small, hidden=small, steps=small, layers=st.integers(1, 2))
def test_what_keras_documents(layer, options, equation, gates, twice, seed, inputs, hidden, steps, layers):
    rng, weights = np.random.default_rng(seed), []
    x = ys = rng.normal(size=(steps, 2, inputs))
    for _ in range(layers):
        rows = gates * hidden
        own = [rng.normal(size=s) for s in [(ys.shape[-1], rows), (hidden, rows), (2, rows) if twice else (rows,)]]
        state, shown = np.zeros((2, hidden * (2 if layer is nn.LSTM else 1))), []
        for x_t in ys:
            state = equation(*own, x_t, state)
            shown.append(state[:, :hidden])
        ys = np.array(shown)
        weights += own
    made = layer(inputs, hidden, num_layers=layers, **options).to("float64")
    nn.from_keras(made, weights)
    np.testing.assert_allclose(made(ts.tensor(x))[0].numpy(), ys, rtol=0, atol=1e-12)


def test_dense_and_embedding():
    kernel, bias, table, x = numbers(0, 2, 3), numbers(1, 3), numbers(2, 4, 3), numbers(3, 5, 2)
    dense, plain = nn.Linear(2, 3).to("float64"), nn.Linear(2, 3, bias=False).to("float64")
    embedding = nn.Embedding(4, 3).to("float64")
    nn.from_keras(dense, [kernel, bias])
    nn.from_keras(plain, [kernel])
    nn.from_keras(embedding, [table])
    np.testing.assert_allclose(dense(ts.tensor(x)).numpy(), x @ kernel + bias, rtol=0, atol=1e-15)
    np.testing.assert_allclose(plain(ts.tensor(x)).numpy(), x @ kernel, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(embedding(ts.tensor([3, 0])).numpy(), table[[3, 0]])


LSTM = [(2, 12), (3, 12), (12,)]
WRONG = {
    "no bias": (ValueError, r"LSTM\(2, 3\) needs kernel of layer 0 \(2, 12\), .*bias of layer 0 \(12,\), got",
                nn.LSTM(2, 3), LSTM[:2]),
    "a bias too many": (ValueError, r"got arrays of shape", nn.LSTM(2, 3, bias=False), LSTM),
    "other units": (ValueError, r"recurrent_kernel of layer 0 \(4, 16\)", nn.LSTM(2, 4), LSTM),
    "one direction of two": (ValueError, r"kernel of layer 0_reverse", nn.LSTM(2, 3, bidirectional=True), LSTM),
    "the other reset": (ValueError, r"reset_after=True", nn.GRU(2, 3), [(2, 9), (3, 9), (9,)]),
    "turned": (ValueError, r"Linear\(2, 3\) needs kernel \(2, 3\), bias \(3,\), got", nn.Linear(2, 3), [(3, 2), (3,)]),
    "no such layer": (TypeError, r"no layer like LSTM", nn.LSTM(2, 3, proj_size=1), LSTM),
    "no such module": (TypeError, r"no layer like GRUCell", nn.GRUCell(2, 3), LSTM),
}  # fmt: skip


@pytest.mark.parametrize("kind, message, layer, shapes", WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_said_and_changes_nothing(kind, message, layer, shapes):
    before = layer.state_dict()
    with pytest.raises(kind, match=f"from_keras: .*{message}"):
        nn.from_keras(layer, [numbers(k, *shape) for k, shape in enumerate(shapes)])
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
