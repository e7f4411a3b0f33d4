"""Layers and cells against PyTorch: the same weights, inputs and options give the same outputs, states and
gradients in float64.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import tinygrad_seq as ts
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


@given(seed=seeds, before=npst.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3),
       shape=npst.array_shapes(max_dims=2, max_side=4), affine=st.booleans(), bias=st.booleans(),
       eps=st.sampled_from([1e-5, 0.5]))  # fmt: skip
def test_layer_norm(seed, before, shape, affine, bias, eps):
    rng, options = np.random.default_rng(seed), {"eps": eps, "elementwise_affine": affine, "bias": bias}
    theirs = torch.nn.LayerNorm(shape, **options)
    for parameter in theirs.parameters():
        torch.nn.init.uniform_(parameter)
    ours, theirs = pair(nn.LayerNorm(shape, **options), theirs)
    (x, tx), weights = leaf(rng.normal(size=(*before, *shape))), rng.normal(size=(*before, *shape))
    y, ty = ours(x), theirs(tx)
    close(y, ty)
    (y * weights).sum().backward()
    (ty * torch.tensor(weights)).sum().backward()
    for p, q in [(x, tx), *zip(ours.parameters(), theirs.parameters(), strict=True)]:
        close(p.grad, q.grad)


@given(seed=seeds, shape=npst.array_shapes(min_dims=1, max_dims=3, max_side=3), data=st.data())
def test_activations(seed, shape, data):
    x, tx = leaf(np.random.default_rng(seed).normal(size=shape) * 5)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    for name, ours, theirs in [
        ("Tanh", {}, {}), ("Sigmoid", {}, {}), ("ReLU", {}, {}),
        ("Softmax", {"axis": axis}, {"dim": axis}), ("LogSoftmax", {"axis": axis}, {"dim": axis}),
    ]:  # fmt: skip
        close(getattr(nn, name)(**ours)(x), getattr(torch.nn, name)(**theirs)(tx))


class Norm(nn.Module):
    """As much of PyTorch's BatchNorm1d as its state has."""

    def __init__(self, size):
        self.weight, self.bias = nn.Parameter(ts.ones(size)), nn.Parameter(ts.zeros(size))
        self.running_mean, self.running_var = nn.Buffer(ts.zeros(size)), nn.Buffer(ts.ones(size))
        self.num_batches_tracked = nn.Buffer(0)


def test_a_state_with_buffers():
    """Its names and their order, its dtypes, and what `.to` does to them."""
    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    theirs(torch.randn(5, 2))
    ours = nn.Sequential(nn.Linear(2, 3), Norm(3))
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    for model, other in ((ours, theirs), (ours.to("float64"), theirs.double())):
        assert list(model.state_dict()) == list(other.state_dict())
        for found, expected in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
            assert found.dtype == expected.numpy().dtype
            close(found, expected, 0.0)
    assert [name for name, _ in ours.named_buffers()] == [name for name, _ in theirs.named_buffers()]
