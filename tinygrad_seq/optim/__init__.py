"""Optimisers with PyTorch's names, defaults and formulas; schedules of the learning rate, and gradient clipping."""

from typing import TYPE_CHECKING

from tinygrad_seq.engine.hints import refusing as _refusing
from tinygrad_seq.optim.adagrad import Adagrad
from tinygrad_seq.optim.adam import Adam, AdamW
from tinygrad_seq.optim.clipping import clip_grad_norm_, clip_grad_value_
from tinygrad_seq.optim.optimizer import Optimizer
from tinygrad_seq.optim.rmsprop import RMSprop
from tinygrad_seq.optim.schedule import CosineAnnealingLR, ExponentialLR, LambdaLR, StepLR
from tinygrad_seq.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LambdaLR",
    "Optimizer",
    "RMSprop",
    "StepLR",
    "clip_grad_norm_",
    "clip_grad_value_",
]

if not TYPE_CHECKING:  # a type checker would take it that every name exists
    __getattr__ = _refusing(__name__)
