"""Cross entropy against its formula in plain NumPy, with every option, over any leading shape, at any size.

The loss of a position is the log of the sum of the exponentials, less the target's logit; its gradient is the softmax,
less the target. It stays finite, exact and silent where a logit is 1e4, and a position that is ignored counts for
nothing, whatever its logits hold. The negative log likelihood is the same without the softmax, an index as a target the
same as all probability on it, and a weight of 2 the same as a position that is there twice.
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
reductions = st.sampled_from(["mean", "sum", "none"])


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def wanted(targets, classes, smoothing):
    """The distribution that each target stands for."""
    one_hot = np.eye(classes)[np.where((targets >= 0) & (targets < classes), targets, 0)]
    return one_hot * (1 - smoothing) + smoothing / classes


def formula(logits, targets, ignore_index=-100, reduction="mean", label_smoothing=0.0, weight=None):
    """The loss and its gradient (for "none": of its sum)."""
    counted, classes = targets != ignore_index, logits.shape[-1]
    weight = np.ones(classes) if weight is None else weight
    target = wanted(targets, classes, label_smoothing) * weight
    weighs = counted * weight[np.where(counted, targets, 0)]
    each = -(target * log_softmax(logits)).sum(-1) * counted
    share = counted / (weighs.sum() if reduction == "mean" else 1.0)
    gradient = (np.exp(log_softmax(logits)) * target.sum(-1, keepdims=True) - target) * share[..., None]
    return each if reduction == "none" else (each * share).sum(), gradient


def weights_of(logits):
    """A weight for each class."""
    return np.random.default_rng(logits.size).uniform(0.1, 3.0, logits.shape[-1])


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


@given(case=cases(), reduction=reductions, smoothing=smoothings, weighted=st.booleans())
def test_the_loss_and_its_gradient_are_the_formula(case, reduction, smoothing, weighted):
    logits, targets, ignored = case
    options = {"ignore_index": ignored, "reduction": reduction, "label_smoothing": smoothing,
               "weight": weights_of(logits) if weighted else None}
    x = leaf(logits)
    loss = nn.cross_entropy(x, ts.tensor(targets), **options)
    value, gradient = formula(logits, targets, **options)
    assert_near([loss.numpy()], [np.asarray(value)])
    assert_near(gradients([loss], [np.ones(loss.shape)], x), [gradient])
    assert_same([nn.CrossEntropyLoss(**options)(leaf(logits), targets).numpy()], [loss.numpy()])


@given(case=cases(), reduction=reductions, weighted=st.booleans())
def test_the_negative_log_likelihood_is_what_follows_the_softmax(case, reduction, weighted):
    """In values, gradients and what it says; and a module holds its options."""
    logits, targets, ignored = case
    options = {"ignore_index": ignored, "reduction": reduction, "weight": weights_of(logits) if weighted else None}
    found = []
    for loss_of in (
        lambda x: nn.cross_entropy(x, targets, **options),
        lambda x: nn.nll_loss(x.log_softmax(), targets, **options),
        lambda x: nn.NLLLoss(**options)(x.log_softmax(), targets),
    ):
        x = leaf(logits)
        loss = loss_of(x)
        found.append([loss.numpy(), *gradients([loss], [np.ones(loss.shape)], x)])
    assert_near(found[1], found[0])
    assert_same(found[2], found[1])


@given(case=cases(), reduction=reductions, smoothing=smoothings, weighted=st.booleans())
def test_an_index_is_all_probability_on_it(case, reduction, smoothing, weighted):
    """The mean over positions is another than over weights, so those of the mean are multiplied out."""
    logits, targets, _ = case
    classes, weight = logits.shape[-1], weights_of(logits) if weighted else None
    targets = targets % classes
    options = {"reduction": reduction, "label_smoothing": smoothing, "weight": weight}
    over = weight[targets].mean() if weighted and reduction == "mean" else 1.0
    found = []
    for target, scale in ((targets, over), (np.eye(classes)[targets], 1.0), (ts.tensor(np.eye(classes)[targets]), 1.0)):
        x = leaf(logits)
        loss = nn.cross_entropy(x, target, **options) * scale
        found.append([loss.numpy(), *gradients([loss], [np.ones(loss.shape)], x)])
    assert_near(found[0], found[1])
    assert_same(found[2], found[1])


@given(case=cases(), reduction=reductions, smoothing=smoothings, weighted=st.booleans(), seed=seeds)
def test_probabilities_as_targets_are_the_formula_and_have_gradients_too(case, reduction, smoothing, weighted, seed):
    logits, _, _ = case
    q = np.random.default_rng(seed).random(logits.shape)
    weight = weights_of(logits) if weighted else np.ones(logits.shape[-1])
    x, target = leaf(logits), leaf(q)
    loss = nn.cross_entropy(x, target, reduction=reduction, label_smoothing=smoothing, weight=weight)
    mixed = (q * (1 - smoothing) + smoothing / logits.shape[-1]) * weight
    each, share = -(mixed * log_softmax(logits)).sum(-1), max(1, q[..., 0].size) if reduction == "mean" else 1
    assert_near([loss.numpy()], [np.asarray(each if reduction == "none" else each.sum() / share)])
    by_logits = np.exp(log_softmax(logits)) * mixed.sum(-1, keepdims=True) - mixed
    by_target = -log_softmax(logits) * weight * (1 - smoothing)
    assert_near(gradients([loss], [np.ones(loss.shape)], x, target), [by_logits / share, by_target / share])


@given(case=cases(shapes=npst.array_shapes(min_dims=1, max_dims=1, max_side=4)))
def test_a_weight_of_2_is_a_position_that_is_there_twice(case):
    logits, targets, ignored = case
    times = np.random.default_rng(logits.size).integers(1, 4, logits.shape[-1])
    counted = targets != ignored
    twice = np.repeat(np.arange(len(targets)), np.where(counted, times[np.where(counted, targets, 0)], 1))
    options = {"ignore_index": ignored, "reduction": "mean"}
    weighted = nn.cross_entropy(leaf(logits), targets, weight=times, **options)
    repeated = nn.cross_entropy(leaf(logits[twice]), targets[twice], **options)
    assert_near([weighted.numpy()], [repeated.numpy()])


@given(seed=seeds, shape=shapes, classes=st.integers(2, 5), reduction=reductions, smoothing=smoothings)
def test_weights_and_probabilities_on_every_device(gpu, seed, shape, classes, reduction, smoothing):
    rng, found = np.random.default_rng(seed), []
    logits, q, weight = rng.normal(size=(*shape, classes)), rng.random((*shape, classes)), rng.random(classes)
    for device in ("cpu", "cuda"):
        criterion = nn.CrossEntropyLoss(reduction=reduction, label_smoothing=smoothing, weight=weight).to(device)
        for target in (q.argmax(-1), q):
            x = leaf(logits, device)
            loss = criterion(x, ts.tensor(target, device=device))
            found.append([loss.numpy(), *gradients([loss], [np.ones(loss.shape)], x)])
    assert_near(found[2], found[0])
    assert_near(found[3], found[1])


def test_the_weighted_mean_of_many_halves_does_not_overflow():
    """As the mean without weights: 70,000 ones add up to infinity in float16."""
    x = ts.zeros(70_000, 2, dtype="float16")
    targets = np.zeros(70_000, int)
    for weight in (None, [2.0, 1.0]):
        np.testing.assert_allclose(nn.cross_entropy(x, targets, weight=weight).item(), np.log(2), rtol=2e-3)


def test_the_weights_of_a_loss_are_its_buffer():
    """They go where the module goes, are saved with it, and serve logits of every dtype."""
    for make in (nn.CrossEntropyLoss, nn.NLLLoss):
        assert list(make().state_dict()) == []
        criterion = make(weight=ts.tensor([1.0, 3.0]))
        assert list(criterion.state_dict()) == ["weight"] and not list(criterion.parameters())
        criterion.load_state_dict({"weight": [2.0, 5.0]})
        x = ts.tensor([[1.0, 2.0]], dtype="float64").log_softmax()
        assert criterion(x, [1]).dtype == np.float64
        assert criterion.to("float64").weight.dtype == np.float64
        assert_same([criterion.weight.numpy()], [np.array([2.0, 5.0])])


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
       at=st.integers(0, 4), reduction=st.sampled_from(["mean", "sum"]), weighted=st.booleans())
def test_an_ignored_position_counts_for_nothing_whatever_it_holds(junk, case, smoothing, at, reduction, weighted):
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
        weight = weights_of(logits) if weighted else None
        loss = nn.cross_entropy(x, ids, label_smoothing=smoothing, reduction=reduction, weight=weight)
        (g,) = gradients([loss], [np.ones(())], x)
        found.append([loss.numpy(), g[ids != -100]])
        assert_same([g[ids == -100]], [np.zeros_like(g[ids == -100])])
    assert_near(*found)


@given(seed=seeds, classes=st.integers(1, 4), count=st.integers(1, 4))
def test_nothing_but_ignored_positions_is_nan_for_the_mean_and_0_for_the_sum(seed, classes, count):
    """As in PyTorch, and silently: the mean of nothing is not a number."""
    logits, targets = np.random.default_rng(seed).normal(size=(count, classes)), np.full(count, -100)
    x = leaf(logits)
    total = nn.cross_entropy(x, targets, reduction="sum")
    assert total.item() == 0
    assert_same(gradients([total], [np.ones(())], x), [np.zeros_like(logits)])
    assert_same([nn.cross_entropy(leaf(logits), targets, reduction="none").numpy()], [np.zeros(count)])
    for weight in (None, weights_of(logits)):
        assert np.isnan(nn.cross_entropy(leaf(logits), targets, weight=weight).item())


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
