"""RNN, LSTM and GRU against PyTorch, to 1e-9 in float64, over all options drawn together.

Outputs, final states and every gradient: of the input, the first states and each parameter. A padded batch is held
against PyTorch's packed sequences, whose layers know no sequence of length zero; so lengths start at one here. Dropout
draws other numbers there than here: what can be compared is that nothing of it is left in evaluation, and that all of
it is at p = 1.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq import nn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[parity]'")
seeds, small, either = st.integers(0, 2**32 - 1), st.integers(1, 4), st.booleans()
KINDS = st.sampled_from(
    [("RNN", {"nonlinearity": "tanh"}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("GRU", {})]
)


def close(found, expected):
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-9)


def pair(ours, theirs):
    """Both in float64 with PyTorch's values, whose state_dict loads as it is."""
    theirs.double()
    ours.to("float64").load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    return ours, theirs


def leaf(array):
    return ts.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)


def flat(state):
    return list(state) if isinstance(state, tuple) else [state]


def packed(states):
    return None if not states else tuple(states) if len(states) > 1 else states[0]


def through(theirs, x, state, lengths, batch_first):
    """PyTorch's answer, by way of a packed sequence where there are lengths."""
    if lengths is None:
        return theirs(x, state)
    rnn = torch.nn.utils.rnn
    given = rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first, enforce_sorted=False)
    out, last = theirs(given, state)
    return rnn.pad_packed_sequence(out, batch_first, total_length=x.shape[1 if batch_first else 0])[0], last


@st.composite
def settings(draw):
    """The kind, its options, and the sizes of what it reads."""
    name, extra = draw(KINDS)
    steps, batch, inputs, hidden, layers = draw(small), draw(small), draw(small), draw(small), draw(st.integers(1, 3))
    options = {"num_layers": layers, "bias": draw(either), "batch_first": draw(either), "bidirectional": draw(either)}
    if layers > 1:
        options["dropout"] = draw(st.sampled_from([0.0, 0.5]))
    if name == "LSTM":
        extra = {"proj_size": draw(st.integers(0, hidden - 1))}
    lengths = draw(st.none() | st.lists(st.integers(1, steps), min_size=batch, max_size=batch))
    batched = lengths is not None or draw(either)
    return name, options | extra, (steps, batch, inputs, hidden), lengths, batched


@given(settings=settings(), training=either, given_state=either, seed=seeds)
def test_layers(settings, training, given_state, seed):
    name, options, (steps, batch, inputs, hidden), lengths, batched = settings
    rng, first = np.random.default_rng(seed), options["batch_first"]
    ours, theirs = pair(*(getattr(module, name)(inputs, hidden, **options) for module in (nn, torch.nn)))
    if training and options.get("dropout"):
        ours.dropout = theirs.dropout = 1.0
    ours.train(training)
    theirs.train(training)
    shape = ((batch, steps) if first else (steps, batch)) if batched else (steps,)
    x, tx = leaf(rng.normal(size=(*shape, inputs)))
    rows = (options["num_layers"] * (1 + options["bidirectional"]), *((batch,) if batched else ()))
    widths = [options.get("proj_size") or hidden, hidden][: 2 if name == "LSTM" else 1]
    states = [leaf(rng.normal(size=(*rows, width))) for width in widths] if given_state else []
    out, last = ours(x, packed([s for s, _ in states]), lengths=lengths)
    tout, tlast = through(theirs, tx, packed([s for _, s in states]), lengths, first)
    pairs = [(out, tout), *zip(flat(last), flat(tlast), strict=True)]
    weights = [rng.normal(size=y.shape) for y, _ in pairs]
    for y, ty in pairs:
        close(y, ty)
    sum(((y * w).sum() for (y, _), w in zip(pairs, weights, strict=True)), ts.tensor(0.0)).backward()
    sum((ty * torch.tensor(w)).sum() for (_, ty), w in zip(pairs, weights, strict=True)).backward()
    for p, q in [(x, tx), *states, *zip(ours.parameters(), theirs.parameters(), strict=True)]:
        close(p.grad, q.grad)


@given(kind=KINDS, seed=seeds, windows=st.integers(1, 4), size=small)
def test_windows_with_a_carried_state(kind, seed, windows, size):
    """ts.truncated is PyTorch's loop with detach."""
    name, extra = kind
    ours, theirs = pair(*(getattr(module, name)(2, 3, num_layers=2, **extra) for module in (nn, torch.nn)))
    x = np.random.default_rng(seed).normal(size=(windows * size, 2, 2))
    carried, state = ts.truncated(ours), None
    for start in range(0, len(x), size):
        window = x[start : start + size]
        out = carried(ts.tensor(window))
        tout, state = theirs(torch.tensor(window), state)
        close(out, tout)
        (out * out).sum().backward()
        (tout * tout).sum().backward()
        state = tuple(s.detach() for s in state) if name == "LSTM" else state.detach()
    for part, theirs_part in zip(flat(carried.state), flat(state), strict=True):
        close(part, theirs_part)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_both_warn_of_dropout_that_does_nothing(name):
    for module in (nn, torch.nn):
        with pytest.warns(UserWarning, match=r"dropout=0.5"):
            getattr(module, name)(2, 3, dropout=0.5)
