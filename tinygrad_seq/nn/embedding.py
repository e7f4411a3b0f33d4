"""The embedding: a table of learned vectors, one row per token."""

from typing import Any

from tinygrad_seq.nn.init import normal
from tinygrad_seq.nn.module import Module
from tinygrad_seq.ops.composite import take
from tinygrad_seq.tensor import Tensor


class Embedding(Module):
    """y = weight[ids]: the row of each token; equal to one_hot(ids) @ weight without the zeros.

    ids (...) of integers in [0, num_embeddings) -> y (..., embedding_dim); `weight` starts from N(0, 1). Its gradient
    adds each position's gradient to the row that was looked up. Raises IndexError for an id out of range, naming its
    position.

    >>> import tinygrad_seq as ts
    >>> ts.nn.Embedding(10, 4)(ts.tensor([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        self.weight = normal(num_embeddings, embedding_dim)

    def forward(self, ids: Any) -> Tensor:
        return take(self.weight, ids)

    def describe(self) -> str:
        return "{}, {}".format(*self.weight.shape)
