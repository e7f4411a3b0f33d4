"""Layers, cells and losses against PyTorch: the same weights, inputs and options give the same outputs, states and
gradients in float64.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from parity.oracle import close, leaf, torch
from tinygrad_seq import nn

seeds, small = st.integers(0, 2**32 - 1), st.integers(1, 4)


def pair(ours, theirs):
    """Both modules in float64 with PyTorch's values, whose state_dict loads as it is."""
    theirs.double()
    ours.to("float64").load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    return ours, theirs


def flat(state):
    return list(state) if isinstance(state, tuple) else [state]


KINDS = [("RNN", {"nonlinearity": "tanh"}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("GRU", {})]


@given(
    kind=st.sampled_from(KINDS), seed=seeds, sizes=st.tuples(small, small, small, small), layers=st.integers(1, 3),
    both=st.booleans(), batch_first=st.booleans(), bias=st.booleans(), given_state=st.booleans(), batched=st.booleans(),
)  # fmt: skip
def test_layers(kind, seed, sizes, layers, both, batch_first, bias, given_state, batched):
    name, extra = kind
    (steps, batch, inputs, hidden), rng = sizes, np.random.default_rng(seed)
    options = {"num_layers": layers, "bidirectional": both, "batch_first": batch_first, "bias": bias, **extra}
    ours, theirs = pair(*(getattr(module, name)(inputs, hidden, **options) for module in (nn, torch.nn)))
    shape = ((batch, steps) if batch_first else (steps, batch)) if batched else (steps,)
    x, tx = leaf(rng.normal(size=(*shape, inputs)))
    states = [leaf(rng.normal(size=(layers * (1 + both), *((batch,) if batched else ()), hidden))) for _ in range(2)]
    states = states[: 2 if name == "LSTM" else 1] if given_state else []
    h, th = [tuple(s[i] for s in states) if len(states) > 1 else (states[0][i] if states else None) for i in (0, 1)]
    (out, last), (tout, tlast) = ours(x, h), theirs(tx, th)
    loss, tloss = (out * out).sum(), (tout * tout).sum()
    for ours_last, theirs_last in zip(flat(last), flat(tlast), strict=True):
        close(ours_last, theirs_last)
        loss, tloss = loss + ours_last.sin().sum(), tloss + theirs_last.sin().sum()
    close(out, tout)
    loss.backward()
    tloss.backward()
    close(x.grad, tx.grad)
    for s, tensor in states:
        close(s.grad, tensor.grad)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad)


@given(kind=st.sampled_from(KINDS), seed=seeds, sizes=st.tuples(small, small, small), bias=st.booleans())
def test_cells(kind, seed, sizes, bias):
    name, extra = kind
    (batch, inputs, hidden), rng = sizes, np.random.default_rng(seed)
    make = [getattr(module, name + "Cell")(inputs, hidden, bias=bias, **extra) for module in (nn, torch.nn)]
    ours, theirs = pair(*make)
    x, tx = leaf(rng.normal(size=(batch, inputs)))
    states = [leaf(rng.normal(size=(batch, hidden))) for _ in range(2 if name == "LSTM" else 1)]
    h, th = [tuple(s[i] for s in states) if len(states) > 1 else states[0][i] for i in (0, 1)]
    for ours_part, theirs_part in zip(flat(ours(x, h)), flat(theirs(tx, th)), strict=True):
        close(ours_part, theirs_part)
        ours_part.sin().sum().backward(retain_graph=True)
        theirs_part.sin().sum().backward(retain_graph=True)
    for p, q in [(x, tx), *states, *zip(ours.parameters(), theirs.parameters(), strict=True)]:
        close(p.grad, q.grad)


@given(seed=seeds, rows=small, classes=st.integers(2, 5), smoothing=st.sampled_from([0.0, 0.1, 1.0]),
       reduction=st.sampled_from(["mean", "sum", "none"]), ignored=st.booleans())  # fmt: skip
def test_cross_entropy(seed, rows, classes, smoothing, reduction, ignored):
    rng = np.random.default_rng(seed)
    x, tx = leaf(rng.normal(size=(rows, classes)) * 5)
    targets = rng.integers(0, classes, rows)
    targets[0] = -100 if ignored and rows > 1 else targets[0]
    options = {"reduction": reduction, "label_smoothing": smoothing}
    loss = nn.cross_entropy(x, targets, **options)
    tloss = torch.nn.functional.cross_entropy(tx, torch.tensor(targets), **options)
    close(loss, tloss)
    loss.sum().backward()
    tloss.sum().backward()
    close(x.grad, tx.grad)
