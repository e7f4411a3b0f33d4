"""A warning of a layer or a loss shows the line of the user's program that led to it, however deep it arose."""

import inspect
import warnings

import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn


class Listed(nn.Module):
    def __init__(self):
        self.layers = [nn.Linear(2, 2)]


def softmax():
    return nn.Parameter(ts.zeros(2, 3)).softmax(-1)


def evaluated(layer):
    with ts.no_grad():
        return layer(ts.ones(4, 2, 3))


CALLS = {
    "a loss": lambda: nn.cross_entropy(softmax(), [0, 1]),
    "its module": lambda: nn.CrossEntropyLoss()(softmax(), [0, 1]),
    "of two classes": lambda: nn.BCEWithLogitsLoss()(softmax(), ts.ones(2, 3)),
    "of log probabilities": lambda: nn.NLLLoss()(softmax(), [0, 1]),
    "dropout": lambda: evaluated(nn.Dropout(0.5)),
    "dropout in a Sequential": lambda: evaluated(nn.Sequential(nn.Sequential(nn.Dropout(0.5)))),
    "dropout between layers": lambda: evaluated(nn.LSTM(3, 4, 2, dropout=0.5)),
    "dropout of one layer": lambda: nn.LSTM(3, 4, dropout=0.5),
    "a plain list": lambda: list(Listed().parameters()),
    "a plain list that is saved": lambda: Listed().state_dict(),
}


@pytest.mark.parametrize("call", CALLS)
def test_it_shows_the_line_outside_the_package(call):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        CALLS[call]()
    lines, first = inspect.getsourcelines(evaluated)
    (warning,) = found
    assert warning.filename == __file__
    in_helper = first <= warning.lineno < first + len(lines)
    assert in_helper or warning.lineno == CALLS[call].__code__.co_firstlineno
