"""PyTorch as an oracle: squared error and binary cross entropy, values and gradients, at any size of logit.

Needs the extra `parity`; where torch is not installed the whole file is skipped, visibly.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import tinygrad_seq as ts
from tinygrad_seq import nn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[parity]'")


@given(seed=st.integers(0, 2**32 - 1), shape=npst.array_shapes(max_dims=3, max_side=3),
       reduction=st.sampled_from(["mean", "sum", "none"]), size=st.sampled_from([1.0, 30.0, 1e4]),
       weight=st.sampled_from([None, 0.5, 3.0]), soft=st.booleans())  # fmt: skip
def test_losses(seed, shape, reduction, size, weight, soft):
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=shape) * size, rng.random(shape)
    z = z if soft else np.round(z)
    positive = None if weight is None else torch.tensor(weight, dtype=torch.float64)
    for name, options, torch_options in [
        ("mse_loss", {}, {}),
        ("binary_cross_entropy_with_logits", {"pos_weight": weight}, {"pos_weight": positive}),
    ]:
        ours, theirs = ts.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        loss = getattr(nn, name)(ours, z, reduction=reduction, **options)
        torch_loss = getattr(torch.nn.functional, name)(theirs, torch.tensor(z), reduction=reduction, **torch_options)
        np.testing.assert_allclose(loss.numpy(), torch_loss.detach().numpy(), rtol=1e-12, atol=1e-12)
        loss.sum().backward()
        torch_loss.sum().backward()
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-12, atol=1e-12)
