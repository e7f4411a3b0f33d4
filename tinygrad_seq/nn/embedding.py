"""Tokens as vectors: Embedding gives rows of a learned table, OneHot rows of zeros with a single one."""

from typing import Any

from tinygrad_seq.engine.arguments import at_least, flag
from tinygrad_seq.engine.backend import as_dtype, on_device_of
from tinygrad_seq.engine.creation import zeros
from tinygrad_seq.engine.functions.selection import checked_ids, one_hot
from tinygrad_seq.engine.ops import indexing
from tinygrad_seq.engine.ops.elementwise import where
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.derived import Derived
from tinygrad_seq.nn.init import normal_
from tinygrad_seq.nn.module import Module, Parameter
from tinygrad_seq.nn.parameter import made


class Embedding(Module):
    """Look up a row for each token: y = weight[ids], which is OneHot(ids) @ weight without the zeros.

    ids (...) of integers in [0, num_embeddings) -> y (..., embedding_dim); `weight` starts from N(0, 1). Its gradient
    adds each position's gradient to the row that was looked up; the row of `padding_idx` (negative: from the end)
    starts from zero and gets none. Raises IndexError for an id out of range, naming its position.

    >>> import tinygrad_seq as ts
    >>> ts.nn.Embedding(10, 4)(ts.tensor([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    num_embeddings = Derived(lambda layer: layer.weight.shape[0])
    embedding_dim = Derived(lambda layer: layer.weight.shape[1])

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None) -> None:
        at_least(1, "Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.padding_idx = row_number("Embedding", padding_idx, num_embeddings)
        self.weight = normal_(Parameter(zeros(num_embeddings, embedding_dim)))
        if self.padding_idx is not None:
            with on_device_of(self.weight.array):
                self.weight.array[self.padding_idx] = 0.0  # ours alone so far

    @classmethod
    def from_pretrained(cls, weight: Any, freeze: bool = True, padding_idx: int | None = None) -> "Embedding":
        """Return an Embedding of these rows (num_embeddings, embedding_dim), copied; with `freeze` they do not learn.

        Raises ValueError for another number of axes, for integers, and for a `padding_idx` that is no row.

        >>> import tinygrad_seq as ts
        >>> ts.nn.Embedding.from_pretrained(ts.eye(3))([2]).tolist()
        [[0.0, 0.0, 1.0]]
        """
        place = "Embedding.from_pretrained"
        flag(place, freeze=freeze)
        table = made(f"{place}: weight", weight)
        if table.ndim != 2 or 0 in table.shape or table.dtype.kind != "f":
            raise ValueError(
                f"{place}: weight must be floating, of shape (num_embeddings, embedding_dim), got {table.dtype} of "
                f"{table.shape}"
            )
        layer = cls.__new__(cls)
        layer.padding_idx = row_number(place, padding_idx, len(table))
        layer.weight = Parameter(table, requires_grad=not freeze)
        return layer

    def forward(self, ids: Any) -> Tensor:
        checked = checked_ids("Embedding", ids, len(self.weight), self.weight)
        rows = indexing.take(self.weight, checked)
        if self.padding_idx is None:
            return rows
        with on_device_of(checked.array):
            learned: Tensor = make_tensor((checked.array != self.padding_idx)[..., None])
        return where(learned, rows, rows.detach())

    def describe(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return "{}, {}".format(*self.weight.shape) + padding


def row_number(place: str, padding_idx: int | None, count: int) -> int | None:
    """Return the padding row counted from the front; raise ValueError if there is no such row."""
    if padding_idx is None:
        return None
    return at_least(-count, place, most=count - 1, padding_idx=padding_idx)[0] % count


class OneHot(Module):
    """Compute y[..., k] = 1 where k is the id, else 0. An Embedding is this, multiplied with its weight.

    ids (...) of integers in [0, num_classes) -> y (..., num_classes) of `dtype`, where the ids are. Raises IndexError
    for an id out of range, naming its position.

    >>> import tinygrad_seq as ts
    >>> ts.nn.OneHot(3)([[2, 0]]).tolist()
    [[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]
    """

    def __init__(self, num_classes: int, dtype: Any = "float32") -> None:
        at_least(1, "OneHot", num_classes=num_classes)
        self.num_classes, self.dtype = num_classes, as_dtype(dtype, "OneHot: ")

    def forward(self, ids: Any) -> Tensor:
        y: Tensor = one_hot(ids, self.num_classes, self.dtype)
        return y

    def describe(self) -> str:
        return f"{self.num_classes}"
