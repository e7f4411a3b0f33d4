"""Layers, each built from the ops, with PyTorch's names, shapes and formulas."""

from typing import TYPE_CHECKING

from tinygrad_seq.engine.hints import refusing as _refusing
from tinygrad_seq.nn import init
from tinygrad_seq.nn.activations import LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from tinygrad_seq.nn.cell import Cell
from tinygrad_seq.nn.class_losses import CrossEntropyLoss, NLLLoss, cross_entropy, nll_loss
from tinygrad_seq.nn.container import ModuleList, Sequential
from tinygrad_seq.nn.dropout import Dropout, dropout
from tinygrad_seq.nn.embedding import Embedding, OneHot
from tinygrad_seq.nn.gru import GRU, GRUCell
from tinygrad_seq.nn.keras import from_keras
from tinygrad_seq.nn.layer_norm import LayerNorm
from tinygrad_seq.nn.linear import Linear
from tinygrad_seq.nn.losses import BCEWithLogitsLoss, MSELoss, binary_cross_entropy_with_logits, mse_loss
from tinygrad_seq.nn.lstm import LSTM, LSTMCell
from tinygrad_seq.nn.module import Module, Parameter
from tinygrad_seq.nn.parameter import Buffer
from tinygrad_seq.nn.recurrent import Recurrent
from tinygrad_seq.nn.rnn import RNN, RNNCell

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "BCEWithLogitsLoss",
    "Buffer",
    "Cell",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "GRUCell",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "ModuleList",
    "NLLLoss",
    "OneHot",
    "Parameter",
    "RNNCell",
    "ReLU",
    "Recurrent",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "from_keras",
    "init",
    "mse_loss",
    "nll_loss",
]

if not TYPE_CHECKING:  # a type checker would take it that every name exists
    __getattr__ = _refusing(__name__)
