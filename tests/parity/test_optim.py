"""Optimisers and clipping against PyTorch: the same gradients give the same parameters, step after step, in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts
from parity.oracle import close, torch
from tinygrad_seq import nn, optim

seeds = st.integers(0, 2**32 - 1)

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
