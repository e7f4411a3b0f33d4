"""The weights of these programs: of the same numbers everywhere, under the names of a formula."""

import numpy as np

from tinygrad_seq import nn


def weight(*shape, name=None):
    """A Parameter of the same numbers everywhere."""
    made = nn.Parameter(np.linspace(-0.5, 0.5, int(np.prod(shape))).reshape(shape).astype("float32"))
    return made.named(name) if name else made


def weight_of(number, name):
    """A Parameter of one number."""
    return nn.Parameter(number).named(name)


def short(kind, *sizes, of=""):
    """A recurrent layer or cell without biases, whose weights have names as in a formula: more goes on a sheet."""
    made = kind(*sizes, bias=False)
    for (_, found), name in zip(list(made.named_parameters()), "WU"):
        found.named(name + of)
    return made
