"""Layers, each built from the ops, with PyTorch's names, shapes and formulas."""

from tinygrad_seq.nn import init
from tinygrad_seq.nn.cell import Cell
from tinygrad_seq.nn.embedding import Embedding
from tinygrad_seq.nn.gru import GRU, GRUCell
from tinygrad_seq.nn.keras import from_keras
from tinygrad_seq.nn.linear import Linear
from tinygrad_seq.nn.losses import CrossEntropyLoss, cross_entropy
from tinygrad_seq.nn.lstm import LSTM, LSTMCell
from tinygrad_seq.nn.module import Module, Parameter
from tinygrad_seq.nn.recurrent import Recurrent
from tinygrad_seq.nn.rnn import RNN, RNNCell

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "CrossEntropyLoss",
    "Embedding",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "Module",
    "Parameter",
    "RNNCell",
    "Recurrent",
    "cross_entropy",
    "from_keras",
    "init",
]
