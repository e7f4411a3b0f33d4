"""A padded batch is each sequence run alone: outputs, final states and every gradient, whatever the padding holds.

Drawn together: cell, layers, directions, batch first, lengths in any order and form (zero among them), dtype, and what
stands in the padding (1e30, infinities, NaN): in x past each length, in what flows back into `out` there, and in the
first state of a sequence without steps. On the strict double of CuPy too.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_near, assert_same, host
from networks import KINDS, flat, leaf, packed, runs, seeds, small

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors

RUBBISH = st.sampled_from([0.0, 1e30, -1e30, np.inf, -np.inf, np.nan])
FORMS = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "small array": lambda n: np.array(n, np.uint8),
    "Tensor": ts.tensor,
    "Tensor on the host": lambda n: ts.tensor(n, device="cpu"),
}


def time_by_batch(array, batch_first):
    return array.swapaxes(0, 1) if batch_first else array


def alone(layer, x, states, upstream, b, length):
    """Outputs and gradients of row b without its padding: (outputs, gradients of [x, *states, *parameters])."""
    inputs = [x[:length, b], *(s[:, b] for s in states)]
    sources = [*(leaf(array, "cpu") for array in inputs), *layer.to("cpu").parameters()]
    outputs = flat(layer(sources[0], packed(sources[1 : 1 + len(states)])))
    weights = [upstream[0][:length, b], *(u[:, b] for u in upstream[1:])]
    weights = [ts.tensor(u, device=y.device) for u, y in zip(weights, outputs, strict=True)]
    return host(outputs), host(ts.grad(outputs, sources, weights))


anything = given(
    data=st.data(), dtype=st.sampled_from(["float64", "float32"]), rubbish=RUBBISH, form=st.sampled_from(list(FORMS))
)


@anything
def test_a_padded_batch_is_each_sequence_alone(data, dtype, rubbish, form):
    check_against_each_alone("cpu", data, dtype, rubbish, FORMS[form])


@anything
def test_a_padded_batch_on_a_device_is_each_sequence_alone(gpu, data, dtype, rubbish, form):
    check_against_each_alone("cuda", data, dtype, rubbish, FORMS[form])


def check_against_each_alone(device, data, dtype, rubbish, form):
    run = data.draw(runs(longest=5, batch_first=data.draw(st.booleans(), label="batch first"), proj=True))
    layer, first = run.layer.to(dtype), run.layer.batch_first
    steps, batch = run.sizes["T"], run.sizes["B"]
    lengths = data.draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch), label="lengths")
    x, states = time_by_batch(run.x, first).astype(dtype), [s.astype(dtype) for s in run.states]
    upstream = [run.rng.normal(size=s).astype(dtype) for s in flat_shapes(layer, x, states, first)]
    real = np.arange(steps)[:, None] < lengths

    dirty = [np.where(real[:, :, None], x, x.dtype.type(rubbish))]
    dirty += [np.where(np.array(lengths)[:, None] > 0, s, s.dtype.type(rubbish)) for s in states]
    layer.to(device)
    sources = [leaf(a, device) for a in [time_by_batch(dirty[0], first), *dirty[1:]]]
    with ts.device(device):
        given = form(lengths)
    outputs = flat(layer(sources[0], packed(sources[1:]), lengths=given))
    flowing = [np.where(real[:, :, None], upstream[0], x.dtype.type(rubbish)), *upstream[1:]]
    flowing[0] = time_by_batch(flowing[0], first)
    weights = [ts.tensor(u, device=device) for u in flowing]
    found = host(ts.grad(outputs, [*sources, *layer.parameters()], weights))
    layer.batch_first = False

    out, *last = host(outputs)
    out, g_x, g_states = time_by_batch(out, first), time_by_batch(found[0], first), found[1 : 1 + len(states)]
    assert out.dtype == dtype and np.all(out[~real] == 0) and np.all(g_x[~real] == 0)
    total = [np.zeros_like(p.numpy()) for p in layer.parameters()]
    for b, length in enumerate(lengths):
        if not length:  # what came in goes out, and so does its gradient
            assert_same([s[:, b] for s in last], [s[:, b] for s in dirty[1:]])
            assert_same([g[:, b] for g in g_states], [u[:, b] for u in upstream[1:]])
            continue
        (y, *finals), (g, *gs) = alone(layer, x, states, upstream, b, length)
        assert_near([out[:length, b], *(s[:, b] for s in last)], [y, *finals], dtype)
        assert_near([g_x[:length, b], *(s[:, b] for s in g_states)], [g, *gs[: len(states)]], dtype)
        total = [a + g for a, g in zip(total, gs[len(states) :], strict=True)]
    assert_near(found[1 + len(states) :], total, dtype)


def flat_shapes(layer, x, states, batch_first):
    outputs = flat(layer(ts.tensor(time_by_batch(x, batch_first)), packed([ts.tensor(s) for s in states])))
    return [time_by_batch(outputs[0].numpy(), batch_first).shape, *(y.shape for y in outputs[1:])]


@given(run=runs())
def test_full_lengths_change_nothing(run):
    """Not a value, and not a node."""
    steps, batch = run.sizes["T"], run.sizes["B"]
    x, states = leaf(run.x), packed([leaf(s) for s in run.states])
    plain, full = flat(run.layer(x, states)), flat(run.layer(x, states, lengths=[steps] * batch))
    assert_same(host(plain), host(full))
    kinds = [[node.op.name for node in ancestors([y.node for y in ys]) if node.op] for ys in (plain, full)]
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("check", [ts.gradcheck, ts.gradgradcheck], ids=["first order", "second order"])
@given(data=st.data())
def test_a_padded_batch_against_finite_differences(check, data):
    run = data.draw(runs(layers=st.just(1), longest=3))
    lengths = data.draw(st.lists(st.integers(0, run.sizes["T"]), min_size=run.sizes["B"], max_size=run.sizes["B"]))
    states = [leaf(s) for s in run.states]
    assert check(lambda x, *s: flat(run.layer(x, packed(s), lengths=lengths)), [leaf(run.x), *states],
                 directions=1)


WRONG = {
    "too long": (ValueError, r"between 0 and the number of steps, 5, but lengths\[1\] is 6", [5, 6]),
    "negative": (ValueError, r"lengths\[0\] is -1", [-1, 2]),
    "too few": (ValueError, r"must be 2.*\(1,\)", [3]),
    "too many": (ValueError, r"must be 2.*\(3,\)", [3, 2, 1]),
    "two axes": (ValueError, r"must be 2.*\(2, 1\)", [[3], [2]]),
    "a number": (ValueError, r"must be 2.*\(\)", 3),
    "halves": (TypeError, r"ints, got float64: \[2.5, 1.0\]", [2.5, 1.0]),
    "truth": (TypeError, r"ints, got bool", [True, False]),
    "text": (TypeError, r"ints", ["a", "b"]),
    "ragged": (TypeError, r"2 ints", [[1], [1, 2]]),
    "none": (TypeError, r"ints, got object", [None, 2]),
}


@pytest.mark.parametrize("layer", [nn.RNN(3, 4), nn.LSTM(3, 4), nn.GRU(3, 4), nn.Recurrent(nn.GRUCell(3, 4))], ids=repr)
@pytest.mark.parametrize("kind, message, lengths", WRONG.values(), ids=WRONG)
def test_wrong_lengths_are_named(layer, kind, message, lengths):
    with pytest.raises(kind, match=rf"{type(layer).__name__}: lengths.*{message}"):
        layer(ts.zeros(5, 2, 3), lengths=lengths)


def test_one_sequence_and_no_sequences():
    x, layer = ts.randn(5, 3), nn.LSTM(3, 2)
    out, (h_n, c_n) = layer(x, lengths=[3])
    short, (h_3, c_3) = layer(x[:3])
    assert_same(host([out[:3], h_n, c_n]), host([short, h_3, c_3]))
    assert out.shape == (5, 2) and not out.numpy()[3:].any()
    assert layer(ts.zeros(5, 0, 3), lengths=[])[0].shape == (5, 0, 2)


@given(kind=st.sampled_from(list(KINDS)), seed=seeds, steps=small, reverse=st.booleans(), data=st.data())
def test_any_cell_over_time_with_lengths_is_the_layer(kind, seed, steps, reverse, data):
    """nn.Recurrent(cell) and one side of a network are the same loop."""
    ts.manual_seed(seed)
    made = KINDS[kind].layer(3, 2, bidirectional=True, **KINDS[kind].options)
    lengths = data.draw(st.none() | st.lists(st.integers(0, steps), min_size=2, max_size=2))
    x = ts.randn(steps, 2, 3, generator=np.random.default_rng(seed))
    out, *last = flat(made(x, lengths=lengths))
    side = slice(2, 4) if reverse else slice(0, 2)
    loop = nn.Recurrent(made.cells[0][reverse], reverse=reverse)
    assert_same(host(flat(loop(x, lengths=lengths))), host([out[:, :, side], *(s[int(reverse)] for s in last)]))
