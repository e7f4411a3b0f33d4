"""Losses: how wrong a network is, as one number."""

from typing import Any

from tinygrad_seq.backend import modules
from tinygrad_seq.creation import tensor
from tinygrad_seq.nn.module import Module
from tinygrad_seq.ops.composite import checked_ids, getitem, log_softmax
from tinygrad_seq.tensor import Tensor


def cross_entropy(
    logits: Tensor, targets: Any, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
) -> Tensor:
    """-log softmax(logits)[target], in nats.

    logits (..., C), targets (...) of integers in [0, C): classes are the last axis, so (T, B, C) needs no reshape.
    Positions whose target is `ignore_index` count for nothing. `reduction` is "mean", "sum" or "none". With
    `label_smoothing` e, the target is 1 - e on the class and e spread evenly over all C. Raises IndexError for a target
    out of range, naming its position.

    >>> import tinygrad_seq as ts
    >>> round(ts.nn.cross_entropy(ts.zeros(2, 4), ts.tensor([0, 3])).item(), 4)
    1.3863
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"cross_entropy: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    if not isinstance(targets, Tensor):
        targets = tensor(targets, device=logits.device)
    if logits.shape[:-1] != targets.shape:
        raise ValueError(
            f"cross_entropy: logits {logits.shape} want targets of shape {logits.shape[:-1]}, got {targets.shape}"
        )
    classes = logits.shape[-1]
    xp = modules[type(logits.array)]
    ids = targets.array.reshape(-1)
    counted = ids != ignore_index
    used = xp.where(counted, ids, 0)
    checked_ids("cross_entropy", tensor(used.reshape(targets.shape)), classes)
    log_probability = log_softmax(logits).reshape(-1, classes)
    loss = -getitem(log_probability, (tensor(xp.arange(len(used))), tensor(used)))
    if label_smoothing:
        loss = loss * (1.0 - label_smoothing) - log_probability.mean(1) * label_smoothing
    if not bool(counted.all()):
        loss = loss * tensor(counted.astype(logits.dtype))
    if reduction == "none":
        return loss.reshape(targets.shape)
    return loss.sum() / float(counted.sum()) if reduction == "mean" else loss.sum()


class CrossEntropyLoss(Module):
    """`cross_entropy` as a module.

    >>> import tinygrad_seq as ts
    >>> round(ts.nn.CrossEntropyLoss()(ts.zeros(2, 4), ts.tensor([0, 3])).item(), 4)
    1.3863
    """

    def __init__(self, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        self.options: dict[str, Any] = {
            "ignore_index": ignore_index,
            "reduction": reduction,
            "label_smoothing": label_smoothing,
        }

    def forward(self, logits: Tensor, targets: Any) -> Tensor:
        return cross_entropy(logits, targets, **self.options)
