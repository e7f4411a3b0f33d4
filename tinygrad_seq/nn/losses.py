"""Losses: how wrong a network is, as one number."""

from typing import Any

from tinygrad_seq.backend import modules
from tinygrad_seq.creation import tensor
from tinygrad_seq.nn.module import Module
from tinygrad_seq.ops.composite import checked_ids, getitem, log_softmax
from tinygrad_seq.ops.indexing import scatter
from tinygrad_seq.record import handle
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
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must be between 0 and 1, got {label_smoothing}")
    if not isinstance(logits, Tensor):
        raise TypeError(f"cross_entropy: logits must be a Tensor, got {type(logits).__name__}")
    if logits.dtype.kind != "f":
        raise TypeError(f"cross_entropy: logits must be floating, got {logits.dtype}: convert them with .to('float32')")
    if not isinstance(targets, Tensor):
        targets = tensor(targets, device=logits.device)
    if not logits.shape or logits.shape[:-1] != targets.shape:
        raise ValueError(
            f"cross_entropy: logits {logits.shape} want targets of shape {logits.shape[:-1]}, got {targets.shape}"
        )
    classes, xp = logits.shape[-1], modules[type(logits.array)]
    counted = targets.array != ignore_index
    checked_ids("cross_entropy", handle(xp.where(counted, targets.array, 0)), classes)
    (positions,) = xp.nonzero(counted.reshape(-1))
    ids = targets.array.reshape(-1)[positions]
    rows = logits.reshape(-1, classes)
    if len(positions) < len(rows):  # leave the ignored out before anything is computed: they may hold anything
        rows = getitem(rows, handle(positions))
    log_probability = log_softmax(rows)
    loss = -getitem(log_probability, (handle(xp.arange(len(ids))), handle(ids)))
    if label_smoothing:
        loss = loss * (1.0 - label_smoothing) - log_probability.mean(1) * label_smoothing
    if reduction == "none":
        return scatter(loss, shape=counted.reshape(-1).shape, indices=(positions,)).reshape(targets.shape)
    total = loss.sum()
    if reduction == "sum":
        return total
    return total / float(len(ids)) if len(ids) else total * float("nan")


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
