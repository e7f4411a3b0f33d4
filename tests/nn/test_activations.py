"""Activations as modules are the functions of their names, in values and gradients, and have no state."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from laws import assert_same
from networks import gradients, leaf, seeds

import tinygrad_seq as ts
from tinygrad_seq import nn

PLAIN = {nn.Tanh: ts.tanh, nn.Sigmoid: ts.sigmoid, nn.ReLU: ts.relu}
ALONG = {nn.Softmax: ts.softmax, nn.LogSoftmax: ts.log_softmax}


def assert_is(module, function, x):
    """In a Sequential, too, where it stands by its number."""
    upstream, found = np.cos(np.arange(x.size)).reshape(x.shape), []
    for apply in (function, module, nn.Sequential(module)):
        here = leaf(x)
        y = apply(here)
        found.append([y.numpy(), *gradients([y], [upstream], here)])
    assert_same(found[1], found[0])
    assert_same(found[2], found[0])
    assert module.state_dict() == {}


@pytest.mark.parametrize("kind", PLAIN)
@given(seed=seeds, shape=npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
def test_elementwise(kind, seed, shape):
    assert_is(kind(), PLAIN[kind], np.asarray(np.random.default_rng(seed).normal(size=shape)))


@pytest.mark.parametrize("kind", ALONG)
@given(seed=seeds, shape=npst.array_shapes(min_dims=1, max_dims=3, max_side=4), data=st.data())
def test_along_an_axis(kind, seed, shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(seed).normal(size=shape)
    assert_is(kind(axis=axis), lambda x: ALONG[kind](x, axis), x)
    assert_same([kind()(leaf(x)).numpy()], [ALONG[kind](leaf(x), -1).numpy()])


def test_a_repr_says_which_axis():
    assert [repr(kind()) for kind in PLAIN] == ["Tanh()", "Sigmoid()", "ReLU()"]
    assert [repr(kind(axis=0)) for kind in ALONG] == ["Softmax(axis=0)", "LogSoftmax(axis=0)"]


@pytest.mark.parametrize("kind, says, call", [
    *[(TypeError, rf"^{kind.__name__}: x must be a Tensor.*{of}", lambda kind=kind, wrong=wrong: kind()(wrong))
      for kind in (*PLAIN, *ALONG) for of, wrong in (("NoneType", None), ("list", [1.0]), ("ndarray", np.ones(2)))],
    *[(IndexError, rf"^{kind.__name__}: axis {axis} .*2 dim", lambda kind=kind, axis=axis: kind(axis)(ts.ones(2, 3)))
      for kind in ALONG for axis in (2, -3, 10**9)],
    (IndexError, r"^Softmax: axis -1 .*0 dim", lambda: nn.Softmax()(ts.tensor(1.0))),
    (TypeError, r"^Softmax: axis must be an int.*'a'", lambda: nn.Softmax("a")),
    (TypeError, r"^LogSoftmax: axis must be an int.*None", lambda: nn.LogSoftmax(None)),
    (TypeError, r"^Softmax: axis must be an int.*1\.5", lambda: nn.Softmax(1.5)),
    (TypeError, r"dim", lambda: nn.Softmax(dim=1)),  # Python's own words
])  # fmt: skip
def test_wrong_input_is_said(kind, says, call):
    with pytest.raises(kind, match=says) as caught:
        call()
    assert type(caught.value) is kind
