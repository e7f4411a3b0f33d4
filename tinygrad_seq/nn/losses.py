"""Losses: how wrong a network is, as one number. Here are those that compare number by number, and what all share."""

from itertools import zip_longest
from typing import Any

from tinygrad_seq.engine.arguments import one_of
from tinygrad_seq.engine.callers import known_arguments, warn
from tinygrad_seq.engine.graph import Detached
from tinygrad_seq.engine.ops.elementwise import softplus
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.parameter import Buffer, check_input, made

REDUCTIONS = ("mean", "sum", "none")


@known_arguments
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


@known_arguments
def binary_cross_entropy_with_logits(
    logits: Tensor, targets: Any, reduction: str = "mean", pos_weight: Any = None
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
    warn_of_probabilities(op, "logits, and does the sigmoid itself: leave it out", logits)
    target = targets_like(op, "logits", logits, targets)
    missed, false = softplus(-logits) * target, softplus(logits) * called("1 − targets", 1.0 - target)
    if isinstance(pos_weight, int | float):
        missed = missed * pos_weight
    elif pos_weight is not None:
        positive = as_tensor(op, "pos_weight", pos_weight, logits.device)
        pairs = zip_longest(positive.shape[::-1], logits.shape[::-1], fillvalue=1)
        if any(size not in (1, wide) for size, wide in pairs):
            raise ValueError(f"{op}: pos_weight of shape {positive.shape} does not broadcast to {logits.shape}")
        missed = missed * called("pos_weight", positive.to(logits.dtype))
    return reduced(missed + false, reduction)


def check_arguments(op: str, what: str, x: Any, reduction: str) -> None:
    """Raise unless x is a floating Tensor and the reduction is one of the three."""
    one_of(op, "reduction", reduction, REDUCTIONS)
    check_input(op, what, x, None)
    if x.dtype.kind != "f":
        raise TypeError(f"{op}: {what} must be floating, got {x.dtype}: convert with .to('float32')")


def warn_of_probabilities(op: str, wants: str, x: Tensor) -> None:
    """Warn of what a softmax or a sigmoid made, as the graph tells."""
    node = x.node
    while node is not None and node.op is not None and node.op.name in ("reshape", "transpose", "swapaxes"):
        node = node.parents[0]
    if node is None or node.op is None or node.op.name not in ("exp", "sigmoid"):
        return
    made = "a sigmoid" if node.op.name == "sigmoid" else "a softmax"
    before = node.parents[0].op
    if made == "a sigmoid" or (before is not None and before.name == "log_softmax"):
        warn(
            f"{op}: {made} made these numbers, but it takes {wants} "
            "(python -m tinygrad_seq explain softmax-before-cross-entropy)"
        )


def targets_like(op: str, what: str, x: Tensor, targets: Any) -> Tensor:
    """Return the targets as a Tensor of x's dtype; raise ValueError for another shape than x's."""
    found = as_tensor(op, "targets", targets, x.device)
    if found.shape != x.shape:
        raise ValueError(f"{op}: {what} {x.shape} want targets of the same shape, got {found.shape}")
    return called("targets", found.to(x.dtype))


def called(name: str, constant: Tensor) -> Tensor:
    """Return a Tensor under a name, for pictures, unless it has one, or a history."""
    node = constant.node
    has_own = node is not None and (node.requires_grad or node.name or isinstance(node, Detached))
    return constant if has_own else make_tensor(constant.array).named(name)  # its owner's Tensor stays without


def as_tensor(op: str, name: str, given: Any, device: str | None = None) -> Tensor:
    """Return an argument as a Tensor on a device; raise with its name for no numbers, or a Tensor that is elsewhere."""
    found = given if isinstance(given, Tensor) else made(f"{op}: {name}", given, None, device)
    if device not in (None, found.device):
        raise TypeError(f'{op}: {name} on {found.device} and the rest on {device}: move it with .to("{device}")')
    return found


def reduced(losses: Tensor, reduction: str, weights: Tensor | None = None) -> Tensor:
    """Return the losses, their sum, or their mean (sum over the sum of their weights); the mean of none is NaN."""
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    if not losses.size:
        return losses.sum() * float("nan")
    return losses.mean() if weights is None else losses.mean() / weights.mean()  # means do not overflow


class MSELoss(Module):
    """Compute `mse_loss`, as a module. Raises ValueError for another `reduction`.

    >>> import tinygrad_seq as ts
    >>> ts.nn.MSELoss()(ts.tensor([1.0, 2.0]), [1.0, 4.0]).item()
    2.0
    """

    def __init__(self, reduction: str = "mean") -> None:
        one_of("MSELoss", "reduction", reduction, REDUCTIONS)
        self.reduction = reduction

    def forward(self, predictions: Tensor, targets: Any) -> Tensor:
        return mse_loss(predictions, targets, self.reduction)


class BCEWithLogitsLoss(Module):
    """Compute `binary_cross_entropy_with_logits`, as a module; a `pos_weight` of several numbers is an nn.Buffer.

    Raises ValueError for another `reduction`.

    >>> import tinygrad_seq as ts
    >>> round(ts.nn.BCEWithLogitsLoss()(ts.zeros(2), [0, 1]).item(), 4)
    0.6931
    """

    def __init__(self, reduction: str = "mean", pos_weight: Any = None) -> None:
        one_of("BCEWithLogitsLoss", "reduction", reduction, REDUCTIONS)
        number = isinstance(pos_weight, int | float | None)
        self.reduction = reduction
        self.pos_weight = pos_weight if number else Buffer(as_tensor("BCEWithLogitsLoss", "pos_weight", pos_weight))

    def forward(self, logits: Tensor, targets: Any) -> Tensor:
        return binary_cross_entropy_with_logits(logits, targets, self.reduction, self.pos_weight)
