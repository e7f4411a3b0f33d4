"""Linear against what it stands for, a product with the transposed weight; and what every layer says of wrong input.

And every layer, a loss and an optimiser's step on a GPU: the same numbers as on the CPU, and nothing comes back to the
host on the way. The GPU is the strict double of CuPy, and (marked `gpu`) a real one where there is one.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from laws import assert_near, host
from networks import flat, gradients, leaf, runs, seeds, small

import tinygrad_seq as ts
from tinygrad_seq import nn

leading = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


@given(seed=seeds, shape=leading, inputs=small, outputs=small, bias=st.booleans())
def test_linear_is_a_product_on_the_last_axis(seed, shape, inputs, outputs, bias):
    rng = np.random.default_rng(seed)
    layer = nn.Linear(inputs, outputs, bias=bias).to("float64")
    x, upstream = leaf(rng.normal(size=(*shape, inputs))), rng.normal(size=(*shape, outputs))
    y = layer(x)
    weight = layer.weight.numpy()
    assert_near([y.numpy()], [x.numpy() @ weight.T + (layer.bias.numpy() if bias else 0)])
    rows, wanted = x.numpy().reshape(-1, inputs), upstream.reshape(-1, outputs)
    expected = [upstream @ weight, wanted.T @ rows, *([wanted.sum(0)] if bias else [])]
    assert_near(gradients([y], [upstream], x, *layer.parameters()), expected)


@given(seed=seeds, inputs=st.integers(1, 50))
def test_weights_are_drawn_from_the_range_that_is_promised(seed, inputs):
    """Every draw within the bound, some near either end: right draws miss an end once in 10^45."""
    ts.manual_seed(seed)
    layer = nn.Linear(inputs, 1000)
    for weights in (layer.weight.numpy(), layer.bias.numpy()):
        extremes = np.array([weights.min(), weights.max()]) * inputs**0.5
        assert np.all(np.abs(extremes) <= np.float32(1.0 + 1e-6))
        np.testing.assert_allclose(extremes, [-1.0, 1.0], atol=0.2)


@pytest.mark.parametrize("kind, says, call", [
    (ValueError, r"Linear.*\(\.\.\., 3\).*\(2, 4\)", lambda: nn.Linear(3, 2)(ts.zeros(2, 4))),
    (ValueError, r"Linear.*\(\)", lambda: nn.Linear(3, 2)(ts.zeros())),
    (TypeError, r"Linear.*float64.*float32.*\.to", lambda: nn.Linear(3, 2)(ts.zeros(2, 3, dtype="float64"))),
    (TypeError, r"Linear.*int64.*float32", lambda: nn.Linear(3, 2)(ts.tensor([1, 2, 3]))),
    (TypeError, r"Linear.*Tensor.*list", lambda: nn.Linear(2, 2)([1.0, 2.0])),
    (ValueError, r"Linear.*0", lambda: nn.Linear(0, 2)),
    (ValueError, r"RNN.*\(T, B, 3\).*\(5, 2, 4\)", lambda: nn.RNN(3, 2)(ts.zeros(5, 2, 4))),
    (ValueError, r"GRU.*\(B, T, 3\).*\(3,\)", lambda: nn.GRU(3, 2, batch_first=True)(ts.zeros(3))),
    (ValueError, r"LSTM.*no steps.*\(0, 2, 3\)", lambda: nn.LSTM(3, 2)(ts.zeros(0, 2, 3))),
    (ValueError, r"LSTM: the first state must be a tuple of 2 Tensors, got Tensor",
     lambda: nn.LSTM(3, 2)(ts.zeros(5, 2, 3), ts.zeros(1, 2, 2))),
    (ValueError, r"RNN.*\(1, 2, 2\).*\(2, 2\)", lambda: nn.RNN(3, 2)(ts.zeros(5, 2, 3), ts.zeros(2, 2))),
    (TypeError, r"RNN.*float64.*float32.*\.to", lambda: nn.RNN(3, 2)(ts.zeros(5, 2, 3, dtype="float64"))),
    (TypeError, r"GRU.*float64.*float32", lambda: nn.GRU(3, 2)(ts.zeros(5, 3), ts.zeros(1, 2, dtype="float64"))),
    (TypeError, r"RNN.*Tensor.*ndarray", lambda: nn.RNN(3, 2)(np.zeros((5, 2, 3)))),
    (ValueError, r"RNN: hidden_size must be at least 1.*0", lambda: nn.RNN(3, 0)),
    (ValueError, r"num_layers.*0", lambda: nn.RNN(3, 2, num_layers=0)),
    (ValueError, r"sin", lambda: nn.RNN(3, 2, nonlinearity="sin")),
    (ValueError, r"LSTMCell.*\(B, 3\).*\(2, 4\)", lambda: nn.LSTMCell(3, 2)(ts.zeros(2, 4))),
    (ValueError, r"LSTMCell.*state.*2", lambda: nn.LSTMCell(3, 2)(ts.zeros(4, 3), ts.zeros(4, 2))),
    (ValueError, r"GRUCell.*state.*\(4, 2\).*\(5, 2\)", lambda: nn.GRUCell(3, 2)(ts.zeros(4, 3), ts.zeros(5, 2))),
    (ValueError, r"GRUCell.*state", lambda: nn.GRUCell(3, 2)(ts.zeros(4, 3), ts.zeros(2))),
])  # fmt: skip
def test_wrong_input_is_said(kind, says, call):
    with pytest.raises(kind, match=rf"(?s){says}") as caught:
        call()
    assert type(caught.value) is kind


# ------------------------------------------------------------------------------------------------------------- devices


@given(run=runs())
def test_recurrent_layers_agree_on_both_devices(gpu, run):
    upstream, found = None, []
    for device in ("cpu", "cuda"):
        layer = run.layer.to(device)
        x, *states = leaves = [leaf(array, device) for array in (run.x, *run.states)]
        before = dict(gpu or {})
        outputs = flat(layer(x, tuple(states) if len(states) > 1 else states[0]))
        outputs_from_zeros = flat(layer(x))
        assert (gpu or {}).get("downloads", 0) == before.get("downloads", 0)
        assert {y.device for y in outputs} == {"cpu" if device == "cpu" else "cuda:0"}
        upstream = upstream or [run.rng.normal(size=y.shape) for y in outputs]
        made = gradients(outputs, upstream, *leaves, *layer.parameters())
        found.append([*host(outputs), *host(outputs_from_zeros), *made])
    assert_near(*reversed(found))


MAKERS = {
    "Adam": lambda p: ts.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "AdamW": lambda p: ts.optim.AdamW(p, lr=0.01, amsgrad=True),
    "RMSprop": lambda p: ts.optim.RMSprop(p, momentum=0.9, centered=True, eps=0.1),
    "Adagrad": lambda p: ts.optim.Adagrad(p, initial_accumulator_value=0.1),
    "SGD": lambda p: ts.optim.SGD(p, 0.1, momentum=0.9),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@settings(max_examples=settings.default.max_examples // 5)  # an example is six steps, and the model is always the same
@given(seed=seeds, classes=small, steps=small, smoothing=st.sampled_from([0.0, 0.1]))
def test_training_goes_the_same_way_on_both_devices(gpu, make, seed, classes, steps, smoothing):
    """Embedding, LSTM, Linear, cross entropy, clipping, and an optimiser: three steps of each."""
    rng = np.random.default_rng(seed)
    ids, targets = rng.integers(0, 3, (steps, 2)), rng.integers(0, classes, (steps, 2))
    targets[0, 0] = -100
    found = []
    for device in ("cpu", "cuda"):
        ts.manual_seed(seed)
        parts = nn.Embedding(3, 2), nn.LSTM(2, 3), nn.Linear(3, classes)
        embedding, recurrent, head = (part.to("float64").to(device) for part in parts)
        parameters = [p for part in parts for p in part.parameters()]
        optimizer, losses = make(parameters), []
        for _ in range(3):
            loss = nn.cross_entropy(head(recurrent(embedding(ids))[0]), targets, label_smoothing=smoothing)
            optimizer.zero_grad()
            loss.backward()
            norm = ts.optim.clip_grad_norm_(parameters, 0.5)
            optimizer.step()
            losses += [np.array(loss.item()), np.array(norm)]
        assert {p.device for p in parameters} == {"cpu" if device == "cpu" else "cuda:0"}
        found.append([*losses, *(p.numpy() for p in parameters)])
    for there, here in zip(*reversed(found), strict=True):  # Adam divides by the gradient's size, so not to the bit
        np.testing.assert_allclose(there, here, rtol=1e-6, atol=1e-6)
