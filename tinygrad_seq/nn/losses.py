"""Losses: how wrong a network is, as one number."""

from typing import Any

from tinygrad_seq.engine.arguments import ints, probability
from tinygrad_seq.engine.backend import modules
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.functions.reductions import log_softmax
from tinygrad_seq.engine.functions.selection import checked_ids, getitem, indices
from tinygrad_seq.engine.ops.elementwise import softplus
from tinygrad_seq.engine.ops.indexing import scatter
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.module import Module


def cross_entropy(
    logits: Tensor, targets: Any, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
) -> Tensor:
    """Compute -log softmax(logits)[target], in nats.

    logits (..., C), targets (...) of integers in [0, C): classes are the last axis, so (T, B, C) needs no reshape.
    Positions whose target is `ignore_index` do not count. `reduction` is "mean", "sum" or "none". With
    `label_smoothing` e, the target is 1 - e on the class and e spread evenly over all C. Raises IndexError for a target
    out of range, naming its position.

    >>> import tinygrad_seq as ts
    >>> round(ts.nn.cross_entropy(ts.zeros(2, 4), ts.tensor([0, 3])).item(), 4)
    1.3863
    """
    check_arguments("cross_entropy", "logits", logits, reduction)
    label_smoothing = probability("cross_entropy", "label_smoothing", label_smoothing)
    (ignore_index,) = ints("cross_entropy: ignore_index", (ignore_index,))
    if not isinstance(targets, Tensor):
        targets = tensor(indices("cross_entropy", targets), device=logits.device)
    if targets.dtype.kind not in "iu":
        raise TypeError(f"cross_entropy: targets must be integers, got {targets.dtype}")
    if targets.dtype.itemsize < 4:
        targets = targets.to("int64")  # ignore_index or the number of classes may not fit into an int8
    if not logits.shape:
        raise ValueError("cross_entropy: logits of shape () have no axis of classes, which is the last one")
    if logits.shape[:-1] != targets.shape:
        raise ValueError(
            f"cross_entropy: logits {logits.shape} want targets of shape {logits.shape[:-1]}, got {targets.shape}"
        )
    classes, xp = logits.shape[-1], modules[type(logits.array)]
    counted = targets.array != ignore_index
    checked_ids("cross_entropy", make_tensor(xp.where(counted, targets.array, 0)), classes)
    (positions,) = xp.nonzero(counted.reshape(-1))
    ids = targets.array.reshape(-1)[positions]
    rows = logits.reshape(-1, classes)
    if len(positions) < len(rows):  # ignored rows take no part in any arithmetic: they may hold NaN
        rows = getitem(rows, make_tensor(positions))
    log_probability = log_softmax(rows)
    loss = -getitem(log_probability, (make_tensor(xp.arange(len(ids))), make_tensor(ids)))
    if label_smoothing:
        loss = loss * (1.0 - label_smoothing) - log_probability.mean(1) * label_smoothing
    if reduction == "none":
        return scatter(loss, shape=counted.reshape(-1).shape, indices=(positions,)).reshape(targets.shape)
    return reduced(loss, reduction)


def mse_loss(predictions: Tensor, targets: Any, reduction: str = "mean") -> Tensor:
    """Compute the squared error (prediction - target)^2.

    predictions and targets of the same shape; targets are taken in the predictions' dtype. `reduction` is "mean", "sum"
    or "none". Raises ValueError for targets of another shape: nothing is broadcast.

    >>> import tinygrad_seq as ts
    >>> ts.nn.mse_loss(ts.tensor([1.0, 2.0]), [1.0, 4.0]).item()
    2.0
    """
    check_arguments("mse_loss", "predictions", predictions, reduction)
    error = predictions - targets_like("mse_loss", "predictions", predictions, targets)
    return reduced(error * error, reduction)


def binary_cross_entropy_with_logits(
    logits: Tensor, targets: Any, reduction: str = "mean", pos_weight: float | None = None
) -> Tensor:
    """Compute -target * log sigmoid(logit) - (1 - target) * log(1 - sigmoid(logit)), in nats.

    logits and targets of the same shape; a target is 0, 1 or a probability between. `reduction` is "mean", "sum" or
    "none". `pos_weight` multiplies the first term: how much a missed 1 counts. Raises ValueError for targets of another
    shape.

    >>> import tinygrad_seq as ts
    >>> round(ts.nn.binary_cross_entropy_with_logits(ts.zeros(2), [0, 1]).item(), 4)
    0.6931
    """
    op = "binary_cross_entropy_with_logits"
    check_arguments(op, "logits", logits, reduction)
    target = targets_like(op, "logits", logits, targets)
    missed, false = softplus(-logits) * target, softplus(logits) * (1.0 - target)
    return reduced(missed + false if pos_weight is None else missed * pos_weight + false, reduction)


def check_arguments(op: str, what: str, x: Any, reduction: str) -> None:
    """Raise unless x is a floating Tensor and the reduction is one of the three."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{op}: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    if not isinstance(x, Tensor):
        raise TypeError(f"{op}: {what} must be a Tensor, got {type(x).__name__}")
    if x.dtype.kind != "f":
        raise TypeError(f"{op}: {what} must be floating, got {x.dtype}: convert with .to('float32')")


def targets_like(op: str, what: str, x: Tensor, targets: Any) -> Tensor:
    """Return the targets as a Tensor of x's dtype; raise ValueError for another shape than x's."""
    found = targets if isinstance(targets, Tensor) else tensor(targets, device=x.device)
    if found.shape != x.shape:
        raise ValueError(f"{op}: {what} {x.shape} want targets of the same shape, got {found.shape}")
    return found.to(x.dtype)


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """Return the losses, their sum or their mean; the mean of none is NaN."""
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.mean() if losses.size else losses.sum() * float("nan")


class CrossEntropyLoss(Module):
    """Compute `cross_entropy`, as a module.

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


class MSELoss(Module):
    """Compute `mse_loss`, as a module.

    >>> import tinygrad_seq as ts
    >>> ts.nn.MSELoss()(ts.tensor([1.0, 2.0]), [1.0, 4.0]).item()
    2.0
    """

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def forward(self, predictions: Tensor, targets: Any) -> Tensor:
        return mse_loss(predictions, targets, self.reduction)


class BCEWithLogitsLoss(Module):
    """Compute `binary_cross_entropy_with_logits`, as a module.

    >>> import tinygrad_seq as ts
    >>> round(ts.nn.BCEWithLogitsLoss()(ts.zeros(2), [0, 1]).item(), 4)
    0.6931
    """

    def __init__(self, reduction: str = "mean", pos_weight: float | None = None) -> None:
        self.reduction, self.pos_weight = reduction, pos_weight

    def forward(self, logits: Tensor, targets: Any) -> Tensor:
        return binary_cross_entropy_with_logits(logits, targets, self.reduction, self.pos_weight)
