"""Cross entropy and the negative log likelihood against PyTorch: values and gradients, all options with each other.

PyTorch has the classes on axis 1; rows (N, C) mean the same to both.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts
from parity.oracle import close, leaf, torch
from tinygrad_seq import nn

seeds, rows = st.integers(0, 2**32 - 1), st.integers(1, 4)
reductions = st.sampled_from(["mean", "sum", "none"])
smoothings = st.sampled_from([0.0, 0.1, 1.0])
either = st.booleans()
pytestmark = pytest.mark.filterwarnings("ignore:backward. the loss is nan")  # the mean over no target


def agree(ours, theirs, *pairs):
    """The loss, and the gradients of its sum."""
    close(ours, theirs)
    ours.sum().backward()
    theirs.sum().backward()
    for x, tx in pairs:
        close(x.grad, tx.grad)


def options(rng, classes, reduction, weighted, **others):
    """The same for either library."""
    weight = rng.uniform(0.1, 3.0, classes) if weighted else None
    ours = {"reduction": reduction, "weight": weight, **others}
    return ours, {**ours, "weight": None if weight is None else torch.tensor(weight)}


@given(seed=seeds, rows=rows, classes=st.integers(2, 5), reduction=reductions, smoothing=smoothings, weighted=either,
       ignored=st.sampled_from([-100, -1, 0, 1]))  # fmt: skip
def test_targets_that_are_integers(seed, rows, classes, reduction, smoothing, weighted, ignored):
    rng = np.random.default_rng(seed)
    array, targets = rng.normal(size=(rows, classes)) * 5, rng.integers(0, classes, rows)
    targets = np.where(rng.random(rows) < 0.3, ignored, targets)
    ours, theirs = options(rng, classes, reduction, weighted, ignore_index=ignored)
    there = torch.tensor(targets)
    x, tx = leaf(array)
    loss = nn.cross_entropy(x, targets, label_smoothing=smoothing, **ours)
    agree(loss, torch.nn.functional.cross_entropy(tx, there, label_smoothing=smoothing, **theirs), (x, tx))
    x, tx = leaf(array)
    agree(nn.nll_loss(x, targets, **ours), torch.nn.functional.nll_loss(tx, there, **theirs), (x, tx))


@given(seed=seeds, rows=rows, classes=st.integers(2, 5), reduction=reductions, smoothing=smoothings, weighted=either)
def test_targets_that_are_probabilities(seed, rows, classes, reduction, smoothing, weighted):
    rng = np.random.default_rng(seed)
    (x, tx), (q, tq) = leaf(rng.normal(size=(rows, classes)) * 5), leaf(rng.dirichlet(np.ones(classes), rows))
    ours, theirs = options(rng, classes, reduction, weighted, label_smoothing=smoothing)
    loss = nn.cross_entropy(x, q, **ours)
    agree(loss, torch.nn.functional.cross_entropy(tx, tq, **theirs), (x, tx), (q, tq))
    with pytest.raises(RuntimeError):
        torch.nn.functional.cross_entropy(tx, tq, ignore_index=0)
    with pytest.raises(ValueError):
        nn.cross_entropy(x, q, ignore_index=0)


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
def test_the_state_of_a_weighted_loss(name):
    theirs = getattr(torch.nn, name)(weight=torch.tensor([1.0, 3.0]))
    ours = getattr(nn, name)(weight=ts.ones(2))
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict()) == ["weight"]
    x = np.log([[0.25, 0.75], [0.5, 0.5]]).astype("float32")
    close(ours(ts.tensor(x), [0, 1]), theirs(torch.tensor(x), torch.tensor([0, 1])), 1e-6)
