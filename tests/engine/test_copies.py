"""Copies of leaves, deep, shallow or through pickle: the same values, and what was said of them; never their graph."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn

COPIES = [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]


@pytest.mark.parametrize("copied", COPIES)
def test_a_leaf_is_copied_with_its_name_and_gradient_and_learns_on_its_own(copied):
    x = nn.Parameter([1.0, 2.0]).named("w")
    (x * x).sum().backward()
    twin = copied(x)
    assert type(twin) is nn.Parameter and twin.name == "w" and twin.requires_grad
    assert (twin.tolist(), twin.grad.tolist(), twin.dtype) == ([1.0, 2.0], [2.0, 4.0], x.dtype)
    (twin * 3.0).sum().backward()
    assert (twin.grad.tolist(), x.grad.tolist()) == ([5.0, 7.0], [2.0, 4.0])


@pytest.mark.parametrize("copied", COPIES)
def test_a_constant_is_copied_and_a_result_is_not(copied):
    assert copied(ts.arange(3)).tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError, match=r"leaves.*detach"):
        copied(nn.Parameter([1.0]) * 2.0)


@pytest.mark.parametrize("copied", COPIES[1:])
@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_layer_is_copied_whole(copied, layer):
    made, x = layer(2, 3, num_layers=2), ts.randn(4, 5, 2)
    twin = copied(made)
    np.testing.assert_array_equal(twin(x)[0].numpy(), made(x)[0].numpy())
    twin.weight_hh_l0.assign(made.weight_hh_l0 * 2.0)
    assert (twin(x)[0].numpy() != made(x)[0].numpy()).any()
