"""PyTorch as an oracle: twenty steps of every optimiser with its options drawn together, and of every schedule.

Needs the extra `parity`; where torch is not installed the whole file is skipped, visibly.
"""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import tinygrad_seq as ts
from tinygrad_seq import nn, optim

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[parity]'")
seeds, flags = st.integers(0, 2**32 - 1), st.booleans()
rates, decays, momenta = st.floats(1e-4, 0.5), st.sampled_from([0.0, 0.01, 0.3]), st.sampled_from([0.0, 0.5, 0.9])
betas = st.tuples(st.floats(0, 0.99), st.floats(0.1, 0.999))
adam = {"lr": rates, "betas": betas, "eps": st.sampled_from([1e-8, 1e-3]), "weight_decay": decays, "amsgrad": flags}
OPTIONS = {
    "SGD": {"lr": rates, "momentum": momenta, "dampening": st.floats(0, 1), "weight_decay": decays, "nesterov": flags},
    "Adam": adam,
    "AdamW": adam,
    "RMSprop": {"lr": rates, "alpha": st.floats(0.1, 0.99), "eps": st.sampled_from([1e-8, 1e-3]),
                "weight_decay": decays, "momentum": momenta, "centered": flags},
    "Adagrad": {"lr": rates, "lr_decay": decays, "weight_decay": decays, "eps": st.sampled_from([1e-10, 1e-3]),
                "initial_accumulator_value": st.floats(0, 2)},
}  # fmt: skip


def twenty_steps(make, make_torch, seed, shape=(3, 2)):
    """Both optimisers on the same gradients, some of them missing; the schedule, if any, steps every third time."""
    rng = np.random.default_rng(seed)
    start = rng.normal(size=shape)
    p, q = nn.Parameter(start), torch.nn.Parameter(torch.tensor(start))
    (ours, *schedule), (theirs, *torch_schedule) = make([p]), make_torch([q])
    for step in range(20):
        gradient = rng.normal(size=shape)
        p.grad, q.grad = (ts.tensor(gradient), torch.tensor(gradient)) if rng.random() < 0.9 else (None, None)
        ours.step()
        theirs.step()
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-12, atol=1e-12)
        if step % 3 == 2:
            for one in (*schedule, *torch_schedule):
                one.step()
        for one, other in zip(schedule, torch_schedule, strict=True):
            np.testing.assert_allclose(one.get_last_lr(), other.get_last_lr(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", OPTIONS)
@given(data=st.data(), seed=seeds, shape=npst.array_shapes(min_dims=0, max_dims=2, max_side=3))
def test_optimisers(name, data, seed, shape):
    options = data.draw(st.fixed_dictionaries({}, optional=OPTIONS[name]))
    if options.get("nesterov"):
        options["momentum"], options["dampening"] = options.get("momentum") or 0.9, 0.0
    twenty_steps(lambda p: [getattr(optim, name)(p, **options)], lambda p: [getattr(torch.optim, name)(p, **options)],
                 seed, shape)


@pytest.mark.parametrize("name", OPTIONS)
@given(data=st.data(), seed=seeds, lrs=st.tuples(rates, rates), decay=decays)
def test_groups(name, data, seed, lrs, decay):
    """Two groups, of which the second decays; every second step both rates fall. Momentum etc. are common."""
    options = data.draw(st.fixed_dictionaries({}, optional=OPTIONS[name]))
    if options.get("nesterov"):
        options["momentum"], options["dampening"] = options.get("momentum") or 0.9, 0.0
    rng = np.random.default_rng(seed)
    starts = [rng.normal(size=(3, 2)) for _ in lrs]
    ours, theirs = [nn.Parameter(a) for a in starts], [torch.nn.Parameter(torch.tensor(a)) for a in starts]

    def make(module, schedules, parameters):
        groups = [{"params": [p], "lr": lr} for p, lr in zip(parameters, lrs)]
        groups[1]["weight_decay"] = decay
        optimizer = getattr(module, name)(groups, **options)
        return optimizer, schedules.LambdaLR(optimizer, [lambda t: 1 / (t + 1), lambda t: 0.5**t])

    made = [make(optim, optim, ours), make(torch.optim, torch.optim.lr_scheduler, theirs)]
    for step in range(20):
        for p, q in zip(ours, theirs):
            gradient = rng.normal(size=(3, 2))
            p.grad, q.grad = ts.tensor(gradient), torch.tensor(gradient)
        for optimizer, schedule in made:
            optimizer.step()
            if step % 2:
                schedule.step()
        for p, q in zip(ours, theirs):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-12, atol=1e-12)


@given(seed=seeds, lr=rates, size=st.integers(1, 6), gamma=st.floats(0.01, 1), lowest=st.floats(0, 0.1))
def test_schedules(seed, lr, size, gamma, lowest):
    def with_schedule(module, schedules, schedule, *options):
        def make(parameters):
            optimizer = module.SGD(parameters, lr=lr)
            return optimizer, getattr(schedules, schedule)(optimizer, *options)

        return make

    for options in [("StepLR", size, gamma), ("CosineAnnealingLR", size, lowest), ("ExponentialLR", gamma),
                    ("LambdaLR", lambda t: gamma / (t + size))]:
        twenty_steps(with_schedule(optim, optim, *options),
                     with_schedule(torch.optim, torch.optim.lr_scheduler, *options), seed)


@given(seed=seeds, norm=st.sampled_from([1.0, 2.0, 3.5, float("inf")]), limit=st.sampled_from([0.1, 1.0, 100.0]))
def test_clipping_by_norm(seed, norm, limit):
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in ((3,), (2, 2))]
    ours, theirs = [nn.Parameter(a) for a in arrays], [torch.nn.Parameter(torch.tensor(a)) for a in arrays]
    for p, q, a in zip(ours, theirs, arrays, strict=True):
        p.grad, q.grad = ts.tensor(a * 2), torch.tensor(a * 2)
    before = optim.clip_grad_norm_(ours, limit, norm)
    assert before == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, limit, norm).item(), rel=1e-12)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-12, atol=1e-12)


@given(seed=seeds, limit=st.sampled_from([0.0, 0.1, 1.0, 100.0]))
def test_clipping_by_value(seed, limit):
    array = np.random.default_rng(seed).normal(size=(3, 2))
    p, q = nn.Parameter(array), torch.nn.Parameter(torch.tensor(array))
    p.grad, q.grad = ts.tensor(array * 2), torch.tensor(array * 2)
    optim.clip_grad_value_([p], limit)
    torch.nn.utils.clip_grad_value_([q], limit)
    np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


def test_defaults_are_pytorchs():
    for name in OPTIONS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            defaults = getattr(torch.optim, name)([torch.nn.Parameter(torch.zeros(1))]).defaults
        ours = getattr(optim, name)([nn.Parameter([0.0])]).defaults
        assert ours == {option: defaults[option] for option in ours}


CHAINED = {
    "LambdaLR": {"lr_lambda": lambda t: min(1.0, (t + 1) / 4)},
    "StepLR": {"step_size": 3, "gamma": 0.5},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingLR": {"T_max": 5, "eta_min": 1e-5},
}


@given(names=st.lists(st.sampled_from(list(CHAINED)[1:]), max_size=2), warm=st.booleans(), lr=rates,
       by_hand=st.dictionaries(st.integers(0, 19), rates, max_size=2))  # fmt: skip
def test_schedules_in_a_chain_and_rates_set_by_hand(names, warm, lr, by_hand):
    """After a LambdaLR only as far as no cosine rises again: to the rate that it found, and not the very first."""
    names = ["LambdaLR"] * warm + names

    def make(module, schedules, parameter):
        optimizer = module.SGD([parameter], lr=lr)
        made = [getattr(schedules, name)(optimizer, **CHAINED[name]) for name in names]
        optimizer.step()
        return optimizer, made

    one = make(optim, optim, nn.Parameter([1.0]))
    other = make(torch.optim, torch.optim.lr_scheduler, torch.nn.Parameter(torch.ones(1)))
    for step in range(5 if warm else 20):
        for optimizer, schedules in (one, other):
            if step in by_hand:
                optimizer.param_groups[0]["lr"] = by_hand[step]
            for schedule in schedules:
                schedule.step()
        found, expected = (optimizer.param_groups[0]["lr"] for optimizer, _ in (one, other))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
