"""Cross entropy against its formula in plain NumPy, with every option, over any leading shape, at any size.

The loss of a position is the log of the sum of the exponentials, less the target's logit; its gradient is the softmax,
less the target. It stays finite, exact and silent where a logit is 1e4, and a position that is ignored counts for
nothing, whatever its logits hold.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from laws import assert_near, assert_same
from networks import gradients, leaf, seeds

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors

shapes = npst.array_shapes(min_dims=0, max_dims=3, max_side=3)
smoothings = st.sampled_from([0.0, 0.1, 0.5, 1.0])


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def wanted(targets, classes, smoothing):
    """The distribution that each target stands for."""
    one_hot = np.eye(classes)[np.where((targets >= 0) & (targets < classes), targets, 0)]
    return one_hot * (1 - smoothing) + smoothing / classes


def formula(logits, targets, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """The loss and its gradient (for "none": of its sum)."""
    counted = targets != ignore_index
    target = wanted(targets, logits.shape[-1], label_smoothing)
    each = -(target * log_softmax(logits)).sum(-1) * counted
    share = counted / counted.sum() if reduction == "mean" else counted.astype(float)
    gradient = (np.exp(log_softmax(logits)) - target) * share[..., None]
    return each if reduction == "none" else (each * share).sum(), gradient


@st.composite
def cases(draw, shapes=shapes):
    """Logits, and targets of which some may be ignored, but not all."""
    rng, shape, classes = np.random.default_rng(draw(seeds)), draw(shapes), draw(st.integers(1, 5))
    ignored = draw(st.sampled_from([-100, -1, 0, classes - 1, 7]))
    targets = np.asarray(rng.integers(0, classes, shape))
    targets = np.where(rng.random(shape) < draw(st.sampled_from([0.0, 0.4])), ignored, targets)
    if np.all(targets == ignored):
        ignored, targets = -100, np.asarray(rng.integers(0, classes, shape))
    return rng.normal(size=(*shape, classes)) * draw(st.sampled_from([1.0, 30.0])), targets, ignored


@given(case=cases(), reduction=st.sampled_from(["mean", "sum", "none"]), smoothing=smoothings)
def test_the_loss_and_its_gradient_are_the_formula(case, reduction, smoothing):
    logits, targets, ignored = case
    options = {"ignore_index": ignored, "reduction": reduction, "label_smoothing": smoothing}
    x = leaf(logits)
    loss = nn.cross_entropy(x, ts.tensor(targets), **options)
    value, gradient = formula(logits, targets, **options)
    assert_near([loss.numpy()], [np.asarray(value)])
    assert_near(gradients([loss], [np.ones(loss.shape)], x), [gradient])
    assert_same([nn.CrossEntropyLoss(**options)(leaf(logits), targets).numpy()], [loss.numpy()])


@given(case=cases())
def test_the_gradient_of_the_mean_is_softmax_minus_one_hot_over_n(case):
    logits, targets, _ = case
    targets = targets % logits.shape[-1]
    x = leaf(logits)
    nn.cross_entropy(x, targets).backward()
    assert_near([x.grad.numpy()], [(x.softmax(-1).numpy() - np.eye(logits.shape[-1])[targets]) / targets.size])


@given(case=cases(), kind=st.sampled_from(["int8", "uint8", "int32", "int64", "list"]))
def test_targets_of_any_whole_kind_are_taken(case, kind):
    logits, targets, _ = case
    targets = targets % logits.shape[-1]
    other = targets.tolist() if kind == "list" else targets.astype(kind)
    loss = nn.cross_entropy(leaf(logits), other)
    assert_same([loss.numpy()], [nn.cross_entropy(leaf(logits), targets).numpy()])
    picks = [node.static["index"] for node in ancestors([loss.node]) if node.op and node.op.name == "getitem"]
    assert all(index[-1].dtype.itemsize >= 4 for index in picks)  # a device compares within the type of the ids


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(seed=seeds, shape=shapes, classes=st.integers(2, 5), smoothing=smoothings)
def test_extreme_logits_are_finite_exact_and_silent(dtype, seed, shape, classes, smoothing):
    """(The suite makes a warning an error.)"""
    rng = np.random.default_rng(seed)
    logits, targets = rng.choice([-1e4, 0.0, 1e4], (*shape, classes)), np.asarray(rng.integers(0, classes, shape))
    x = leaf(logits.astype(dtype))
    loss = nn.cross_entropy(x, targets, label_smoothing=smoothing)
    value, gradient = formula(logits, targets, label_smoothing=smoothing)
    assert loss.dtype == dtype
    np.testing.assert_allclose(loss.numpy(), value, rtol=64 * np.finfo(dtype).eps)
    assert_near(gradients([loss], [np.ones(())], x), [gradient.astype(dtype)], dtype)


@pytest.mark.parametrize("junk", [np.nan, np.inf, -np.inf])
@given(case=cases(shapes=npst.array_shapes(min_dims=1, max_dims=2, min_side=2, max_side=3)), smoothing=smoothings,
       at=st.integers(0, 4), reduction=st.sampled_from(["mean", "sum"]))
def test_an_ignored_position_counts_for_nothing_whatever_it_holds(junk, case, smoothing, at, reduction):
    """The loss is that of the other positions alone: a masked class or an overflow in the padding must not reach it."""
    logits, targets, _ = case
    targets = targets % logits.shape[-1]
    targets.flat[0] = -100
    counted = targets != -100
    spoiled = logits.copy()
    spoiled.reshape(-1, logits.shape[-1])[0, at % logits.shape[-1]] = junk
    found = []
    for array, ids in ((spoiled, targets), (logits[counted], targets[counted])):
        x = leaf(array)
        loss = nn.cross_entropy(x, ids, label_smoothing=smoothing, reduction=reduction)
        (g,) = gradients([loss], [np.ones(())], x)
        found.append([loss.numpy(), g[ids != -100]])
    assert_same(*found)


@given(seed=seeds, classes=st.integers(1, 4), count=st.integers(1, 4))
def test_nothing_but_ignored_positions_is_nan_for_the_mean_and_0_for_the_sum(seed, classes, count):
    """As in PyTorch, and silently: the mean of nothing is not a number."""
    logits, targets = np.random.default_rng(seed).normal(size=(count, classes)), np.full(count, -100)
    x = leaf(logits)
    total = nn.cross_entropy(x, targets, reduction="sum")
    assert total.item() == 0
    assert_same(gradients([total], [np.ones(())], x), [np.zeros_like(logits)])
    assert_same([nn.cross_entropy(leaf(logits), targets, reduction="none").numpy()], [np.zeros(count)])
    assert np.isnan(nn.cross_entropy(leaf(logits), targets).item())


@given(case=cases(shapes=npst.array_shapes(min_dims=1, max_dims=3, max_side=3)), data=st.data())
def test_a_target_out_of_range_is_an_error_that_names_its_position(case, data):
    logits, targets, _ = case
    classes = logits.shape[-1]
    targets = targets % classes
    position = tuple(data.draw(st.integers(0, n - 1)) for n in targets.shape)
    targets[position] = wrong = data.draw(st.sampled_from([-1, -2, classes, classes + 5, 10**6]))
    text = ", ".join(map(str, position)) + ("," if len(position) == 1 else "")
    with pytest.raises(IndexError, match=rf"^cross_entropy: .*{wrong} at position \({text}\).*{classes}"):
        nn.cross_entropy(leaf(logits), targets)


@pytest.mark.parametrize("kind, says, call", [
    (ValueError, r"\(3, 1, 4\).*\(3, 1\).*\(1, 3\)", lambda: nn.cross_entropy(ts.zeros(3, 1, 4), [[0, 0, 0]])),
    (ValueError, r"\(2, 4\).*\(2,\).*\(2, 4\)", lambda: nn.cross_entropy(ts.zeros(2, 4), np.zeros((2, 4), int))),
    (ValueError, r"\(\)", lambda: nn.cross_entropy(ts.tensor(1.0), 0)),
    (ValueError, r"reduction.*'average'", lambda: nn.cross_entropy(ts.zeros(2, 4), [0, 1], reduction="average")),
    (ValueError, r"label_smoothing.*1\.5", lambda: nn.cross_entropy(ts.zeros(2, 4), [0, 1], label_smoothing=1.5)),
    (ValueError, r"label_smoothing.*-0\.1", lambda: nn.cross_entropy(ts.zeros(2, 4), [0, 1], label_smoothing=-0.1)),
    (TypeError, r"integers.*float", lambda: nn.cross_entropy(ts.zeros(2, 4), np.array([0.0, 1.0]))),
    (TypeError, r"Tensor.*ndarray", lambda: nn.cross_entropy(np.zeros((2, 4)), [0, 1])),
])  # fmt: skip
def test_wrong_input_is_said(kind, says, call):
    with pytest.raises(kind, match=rf"(?s)^cross_entropy\b.*{says}") as caught:
        call()
    assert type(caught.value) is kind
