"""Optimisers with PyTorch's names, defaults and formulas, and gradient clipping."""

from tinygrad_seq.optim.adam import Adam
from tinygrad_seq.optim.clipping import clip_grad_norm_, clip_grad_value_
from tinygrad_seq.optim.optimizer import Optimizer
from tinygrad_seq.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer", "clip_grad_norm_", "clip_grad_value_"]
