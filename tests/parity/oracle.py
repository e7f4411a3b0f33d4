"""What the parity tests share: PyTorch (or a visible skip), and one array as a leaf of either library."""

import numpy as np
import pytest

import tinygrad_seq as ts

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[parity]'")


def leaf(array):
    """Ours and PyTorch's; floating ones require a gradient."""
    array = np.array(array)
    floats = array.dtype.kind == "f"
    return ts.tensor(array, requires_grad=floats), torch.tensor(array, requires_grad=floats)


def host(x):
    if isinstance(x, torch.Tensor):
        return x.detach().numpy(force=True)
    return x.numpy() if isinstance(x, ts.Tensor) else np.asarray(x)


def filled(gradients, inputs):
    """As arrays, with zeros for the gradients that are not there."""
    return [np.zeros(x.shape, host(x).dtype) if g is None else host(g) for g, x in zip(gradients, inputs, strict=True)]


def close(found, expected, tolerance=1e-9):
    np.testing.assert_allclose(host(found), host(expected), rtol=tolerance, atol=tolerance)
