"""What the parity tests share: PyTorch (or a visible skip), and one array as a leaf of either library."""

import numpy as np
import pytest

import tinygrad_seq as ts

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[parity]'")


def leaf(array):
    """Ours and PyTorch's; floating ones require a gradient. torch.from_numpy wants rows in order and no views."""
    array = np.array(array)
    floats = array.dtype.kind == "f"
    return ts.tensor(array, requires_grad=floats), torch.tensor(array, requires_grad=floats)


def close(found, expected, tolerance=1e-9):
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance)
