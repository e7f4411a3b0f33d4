"""PyTorch as an oracle: the same weights, inputs and options give the same outputs, states and gradients in float64.

Needs the extra `parity`; where torch is not installed the whole file is skipped, visibly. What is compared at kinks and
poles is PyTorch's convention, infinities and NaN included.
"""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq import nn, optim

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[parity]'")
seeds, small = st.integers(0, 2**32 - 1), st.integers(1, 4)


def close(found, expected, tolerance=1e-9):
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance)


def pair(ours, theirs):
    """Both modules in float64 with PyTorch's values, whose state_dict loads as it is."""
    theirs.double()
    ours.to("float64").load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    return ours, theirs


def leaf(array):
    return ts.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)


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


OPTIMISERS = [
    ("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9}), ("SGD", {"momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}), ("Adam", {}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-6, "weight_decay": 0.1}),
]  # fmt: skip


@pytest.mark.parametrize("name, options", OPTIMISERS, ids=[f"{name} {options}" for name, options in OPTIMISERS])
@given(seed=seeds)
def test_twenty_steps(name, options, seed):
    rng = np.random.default_rng(seed)
    start = rng.normal(size=(3, 2))
    p, q = nn.Parameter(start), torch.nn.Parameter(torch.tensor(start))
    ours, theirs = getattr(optim, name)([p], **options), getattr(torch.optim, name)([q], **options)
    for _ in range(20):
        gradient = rng.normal(size=(3, 2))
        p.grad, q.grad = ts.tensor(gradient), torch.tensor(gradient)
        ours.step()
        theirs.step()
        close(p, q, 1e-12)


@given(seed=seeds, norm=st.sampled_from([1.0, 2.0, 3.5, float("inf")]), limit=st.sampled_from([0.1, 1.0, 100.0]))
def test_clipping(seed, norm, limit):
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in ((3,), (2, 2))]
    ours, theirs = [nn.Parameter(a) for a in arrays], [torch.nn.Parameter(torch.tensor(a)) for a in arrays]
    for p, q, a in zip(ours, theirs, arrays, strict=True):
        p.grad, q.grad = ts.tensor(a * 2), torch.tensor(a * 2)
    before = optim.clip_grad_norm_(ours, limit, norm)
    assert before == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, limit, norm).item(), rel=1e-12)
    for p, q in zip(ours, theirs, strict=True):
        close(p.grad, q.grad, 1e-12)


POINTS = [0.0, -0.0, 1.0, -1.0, 0.5, 20.0, -20.0, 100.0, -700.0, 1e4, -1e4, np.inf, -np.inf, np.nan]
UNARY = ["exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "abs", "neg"]
BINARY = ["add", "sub", "mul", "div", "pow", "maximum", "minimum"]


def at_points(function, tfunction, arrays):
    """Values and gradients at special points, infinities and NaN in the same places.

    To 1e-12, or to the rounding of numbers near one: at 20 the slope of sigmoid is what is left of 1 - 1.
    """
    ours, theirs = zip(*(leaf(array) for array in arrays), strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy speaks up at poles, PyTorch does not
        y, ty = function(*ours), tfunction(*theirs)
        y.backward(np.ones(y.shape))
    ty.backward(torch.ones_like(ty))
    for found, expected in [(y, ty), *((a.grad, b.grad) for a, b in zip(ours, theirs, strict=True))]:
        np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", UNARY)
def test_special_points(name):
    at_points(getattr(ts, name), getattr(torch, name), [np.array(POINTS)])


@pytest.mark.parametrize("name", BINARY)
def test_special_pairs(name):
    grid = [a.ravel() for a in np.meshgrid([0.0, 1.0, -1.0, 2.0, 3.0, 0.5, -2.0], [0.0, 1.0, -1.0, 2.0, 3.0, -0.5])]
    at_points(getattr(ts, name), getattr(torch, name), grid)


@pytest.mark.parametrize("name", ["sum", "mean", "logsumexp", "softmax", "log_softmax", "amax", "amin"])
@given(seed=seeds, tied=st.booleans())
def test_reductions(name, seed, tied):
    array = np.random.default_rng(seed).normal(size=(3, 4))
    array = np.round(array) if tied else array
    at_points(lambda x: getattr(ts, name.removeprefix("a"))(x, axis=1), lambda x: getattr(torch, name)(x, 1), [array])
