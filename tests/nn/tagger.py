"""A model with parts of all kinds, for the tests of modules."""

import numpy as np

import tinygrad_seq as ts
from tinygrad_seq import nn


class Tagger(nn.Module):
    """Ids (T, B) -> logits (T, B, 3), with a scale of its own."""

    def __init__(self, layer=nn.LSTM):
        self.embedding = nn.Embedding(5, 2)
        self.encoder = layer(2, 3)
        self.head = nn.Linear(3, 3)
        self.scale = nn.Parameter([2.0])
        self.size = 7  # what is no parameter and no module is nobody's business

    def forward(self, ids):
        return self.head(self.encoder(self.embedding(ids))[0]) * self.scale


NAMES = ["scale", "embedding.weight", "encoder.weight_ih_l0", "encoder.weight_hh_l0", "encoder.bias_ih_l0",
         "encoder.bias_hh_l0", "head.weight", "head.bias"]  # fmt: skip
IDS = np.array([[0, 1], [4, 4], [2, 0]])


def values(module):
    return [parameter.numpy().copy() for parameter in module.parameters()]


def trained(module):
    """After one step of gradient descent."""
    nn.cross_entropy(module(IDS), IDS % 3).backward()
    ts.optim.SGD(module.parameters(), lr=0.5).step()
