"""Wrong input of cross entropy and of its kin is an error that names the loss, the argument and what it is."""

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn


@pytest.mark.parametrize("kind, says, call", [
    (ValueError, r"\(3, 1, 4\).*\(3, 1\).*\(1, 3\)", lambda: nn.cross_entropy(ts.zeros(3, 1, 4), [[0, 0, 0]])),
    (ValueError, r"\(2, 4\).*\(2,\).*\(2, 4\)", lambda: nn.cross_entropy(ts.zeros(2, 4), np.zeros((2, 4), int))),
    (ValueError, r"\(\)", lambda: nn.cross_entropy(ts.tensor(1.0), 0)),
    (ValueError, r"reduction.*'average'", lambda: nn.cross_entropy(ts.zeros(2, 4), [0, 1], reduction="average")),
    (ValueError, r"label_smoothing.*1\.5", lambda: nn.cross_entropy(ts.zeros(2, 4), [0, 1], label_smoothing=1.5)),
    (ValueError, r"label_smoothing.*-0\.1", lambda: nn.cross_entropy(ts.zeros(2, 4), [0, 1], label_smoothing=-0.1)),
    (TypeError, r"integers.*float", lambda: nn.cross_entropy(ts.zeros(2, 4), np.array([0.0, 1.0]))),
    (ValueError, r"targets.*\(2, 4\).*\(2, 3\)", lambda: nn.cross_entropy(ts.zeros(2, 4), ts.zeros(2, 3))),
    (ValueError, r"targets.*\(2, 4\).*\(4,\)", lambda: nn.cross_entropy(ts.zeros(2, 4), ts.zeros(4))),
    (TypeError, r"targets.*integers.*object", lambda: nn.cross_entropy(ts.zeros(2, 4), None)),
    (TypeError, r"targets.*integers.*<U1", lambda: nn.cross_entropy(ts.zeros(2, 4), ["a", "b"])),
    (TypeError, r"targets.*integers.*bool", lambda: nn.cross_entropy(ts.zeros(2, 4), np.zeros((2, 4), bool))),
    (ValueError, r"ignore_index 0", lambda: nn.cross_entropy(ts.zeros(2, 4), ts.zeros(2, 4), ignore_index=0)),
    (TypeError, r"ignore_index.*'a'", lambda: nn.cross_entropy(ts.zeros(2, 4), ts.zeros(2, 4), ignore_index="a")),
    (ValueError, r"weight.*\(4,\).*\(3,\)", lambda: nn.cross_entropy(ts.zeros(2, 4), [0, 1], weight=ts.ones(3))),
    (ValueError, r"weight.*\(4,\).*\(1, 4\)", lambda: nn.cross_entropy(ts.zeros(2, 4), [0, 1], weight=ts.ones(1, 4))),
    (ValueError, r"weight.*\(4,\).*\(\)", lambda: nn.cross_entropy(ts.zeros(2, 4), [0, 1], weight=True)),
    (TypeError, r"weight.*numbers.*str", lambda: nn.cross_entropy(ts.zeros(2, 4), [0, 1], weight="a")),
    (TypeError, r"Tensor.*ndarray", lambda: nn.cross_entropy(np.zeros((2, 4)), [0, 1])),
])  # fmt: skip
def test_wrong_input_is_said(kind, says, call):
    with pytest.raises(kind, match=rf"(?s)^cross_entropy\b.*{says}") as caught:
        call()
    assert type(caught.value) is kind


@pytest.mark.parametrize("kind, says, call", [
    (ValueError, r"nll_loss.*probabilities \(2, 4\).*\(2,\).*\(3,\)", lambda: nn.nll_loss(ts.zeros(2, 4), [0, 1, 2])),
    (ValueError, r"nll_loss.*\(\) has no axis", lambda: nn.nll_loss(ts.tensor(1.0), 0)),
    (ValueError, r"nll_loss.*reduction.*'average'", lambda: nn.nll_loss(ts.zeros(2, 4), [0, 1], None, -1, "average")),
    (IndexError, r"nll_loss.*4 at position \(1,\).*4 classes", lambda: nn.nll_loss(ts.zeros(2, 4), [0, 4])),
    (TypeError, r"nll_loss.*integers.*float32", lambda: nn.nll_loss(ts.zeros(2, 4), ts.zeros(2, 4))),
    (TypeError, r"nll_loss.*integers.*object", lambda: nn.nll_loss(ts.zeros(2, 4), None)),
    (TypeError, r"nll_loss.*Tensor.*NoneType", lambda: nn.nll_loss(None, [0, 1])),
    (TypeError, r"nll_loss.*floating.*int64", lambda: nn.nll_loss(ts.tensor([[1, 2]]), [0])),
    (ValueError, r"nll_loss.*weight.*\(4,\).*\(5,\)", lambda: nn.NLLLoss(ts.ones(5))(ts.zeros(2, 4), [0, 1])),
    (TypeError, r"NLLLoss.*weight.*numbers.*str", lambda: nn.NLLLoss("mean")),
    (ValueError, r"NLLLoss.*weight.*\(C,\).*\(\)", lambda: nn.NLLLoss(3)),
    (ValueError, r"CrossEntropyLoss.*weight.*\(C,\).*\(2, 2\)", lambda: nn.CrossEntropyLoss(weight=ts.ones(2, 2))),
    (ValueError, r"CrossEntropyLoss.*weight.*regular", lambda: nn.CrossEntropyLoss(weight=[[1.0], [2.0, 3.0]])),
])  # fmt: skip
def test_wrong_input_of_the_others_is_said(kind, says, call):
    with pytest.raises(kind, match=rf"(?s)^{says}") as caught:
        call()
    assert type(caught.value) is kind


@pytest.mark.parametrize("kind, says, make", [
    (ValueError, r"CrossEntropyLoss: reduction.*'foo'", lambda: nn.CrossEntropyLoss(reduction="foo")),
    (ValueError, r"NLLLoss: reduction.*'foo'", lambda: nn.NLLLoss(reduction="foo")),
    (ValueError, r"CrossEntropyLoss: label_smoothing.*7", lambda: nn.CrossEntropyLoss(label_smoothing=7)),
    (TypeError, r"CrossEntropyLoss: label_smoothing.*'a'", lambda: nn.CrossEntropyLoss(label_smoothing="a")),
    (TypeError, r"NLLLoss: ignore_index must be an int, got 1\.5$", lambda: nn.NLLLoss(ignore_index=1.5)),
    (TypeError, r"NLLLoss: ignore_index.*True$", lambda: nn.NLLLoss(ignore_index=True)),
    *((TypeError, "CrossEntropyLoss: ignore_index.*: for weights write weight=$", lambda w=w: nn.CrossEntropyLoss(w))
      for w in (ts.tensor([1.0, 2.0]), np.ones(3), [1.0, 2.0], nn.Parameter([1.0]), None)),
])  # fmt: skip
def test_an_option_of_a_loss_that_is_none_is_said_when_it_is_made(kind, says, make):
    with pytest.raises(kind, match=rf"(?s)^{says}"):
        make()


@pytest.mark.parametrize("here, there", [("cpu", "cuda:0"), ("cuda:0", "cpu")])
def test_what_is_elsewhere_is_said(gpu, here, there):
    x = ts.zeros(2, 4, device=here)
    ids, q, weight = (ts.tensor(data, device=there) for data in ([0, 1], np.zeros((2, 4)), np.ones(4)))
    for name, call in (
        ("targets", lambda: nn.cross_entropy(x, ids)), ("targets", lambda: nn.cross_entropy(x, q)),
        ("targets", lambda: nn.nll_loss(x, ids)), ("weight", lambda: nn.cross_entropy(x, [0, 1], weight=weight)),
        ("targets", lambda: nn.mse_loss(x, q)), ("weight", lambda: nn.NLLLoss(weight)(x, [0, 1])),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=rf'_(entropy|loss): {name} on {there} .* rest on {here}.*\.to\("{here}"'):
            call()
