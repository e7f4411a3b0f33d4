"""Losses of a choice between classes, which are the last axis: cross entropy, and the negative log likelihood.

Cross entropy is the negative log likelihood of a log_softmax, so both are one computation. Rows whose target is ignored
are zeros before any arithmetic, since they may hold NaN, and count for nothing after it. They stay in the arrays: their
number is data, which a GPU need not tell and a replayed program need not know.
"""

from collections.abc import Callable
from typing import Any

from tinygrad_seq.engine.arguments import an_int, one_of, probability
from tinygrad_seq.engine.backend import modules, on_device_of
from tinygrad_seq.engine.callers import known_arguments
from tinygrad_seq.engine.functions.reductions import log_softmax
from tinygrad_seq.engine.functions.selection import check_range, indices, looked_up_with
from tinygrad_seq.engine.ops.elementwise import where
from tinygrad_seq.engine.ops.indexing import getitem
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.losses import REDUCTIONS, as_tensor, called, check_arguments, reduced, warn_of_probabilities
from tinygrad_seq.nn.module import Module
from tinygrad_seq.nn.parameter import Buffer


@known_arguments
def nll_loss(
    log_probabilities: Tensor, targets: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Compute -weight[target] * log_probabilities[target], the negative log likelihood.

    log_probabilities (..., C), as `log_softmax` gives them; targets (...) of integers in [0, C). `weight` (C,) is how
    much each class counts, 1 if none is given. Positions whose target is `ignore_index` do not count. `reduction` is
    "mean" (the sum, divided by the sum of the targets' weights), "sum" or "none". Raises IndexError for a target out of
    range, naming its position.

    >>> import tinygrad_seq as ts
    >>> ts.nn.nll_loss(ts.tensor([[-1.0, -2.0], [-3.0, -4.0]]), [0, 1]).item()
    2.5
    """
    check_arguments("nll_loss", "log_probabilities", log_probabilities, reduction)
    warn_of_probabilities("nll_loss", "log probabilities: use log_softmax", log_probabilities)
    ids = targets_for("nll_loss", targets, log_probabilities, "integers")
    weight = class_weights("nll_loss", weight, log_probabilities)
    return loss_of_ids("nll_loss", "log_probabilities", log_probabilities, ids, weight, ignore_index, reduction)


@known_arguments
def cross_entropy(
    logits: Tensor,
    targets: Any,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    weight: Any = None,
) -> Tensor:
    """Compute -weight[target] * log softmax(logits)[target], in nats.

    logits (..., C), targets (...) of integers in [0, C): classes are the last axis, so (T, B, C) needs no reshape.
    `weight` (C,) is how much each class counts, 1 if none is given. Positions whose target is `ignore_index` do not
    count. `reduction` is "mean" (the sum, divided by the sum of the targets' weights), "sum" or "none". With
    `label_smoothing` e, the target is 1 - e on the class and e spread evenly over all C. Raises IndexError for a target
    out of range, naming its position.

    Floating targets (..., C) are probabilities q: the loss is -sum(q * weight * log softmax(logits)) over the classes,
    and "mean" is over the positions, whatever they weigh. Raises ValueError for an `ignore_index` that is a class.

    >>> import tinygrad_seq as ts
    >>> round(ts.nn.cross_entropy(ts.zeros(2, 4), ts.tensor([0, 3])).item(), 4)
    1.3863
    """
    op = "cross_entropy"
    check_arguments(op, "logits", logits, reduction)
    warn_of_probabilities(op, "logits, and does the softmax itself: leave it out", logits)
    smoothing = probability(op, "label_smoothing", label_smoothing)
    targets = targets_for(op, targets, logits, f"integers, or probabilities of the logits' shape {logits.shape}")
    weight = class_weights(op, weight, logits)
    if targets.dtype.kind != "f":
        return loss_of_ids(op, "logits", logits, targets, weight, ignore_index, reduction, log_softmax, smoothing)
    if index_to_ignore(op, ignore_index) >= 0:
        raise ValueError(f"{op}: ignore_index {ignore_index} is for targets that are integers, these are probabilities")
    target = targets.to(logits.dtype)
    if smoothing:
        target = target * (1.0 - smoothing) + smoothing / logits.shape[-1]
    target, log_probability = called("targets", target), log_softmax(logits)
    weighted = log_probability if weight is None else log_probability * weight
    return reduced(-(target * weighted).sum(-1), reduction)


def loss_of_ids(
    op: str,
    what: str,
    x: Tensor,
    targets: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    log_of: Callable[[Tensor], Tensor] = lambda rows: rows,
    smoothing: float = 0.0,
) -> Tensor:
    """Return the negative log likelihood of integers; `log_of` makes log probabilities of the rows of x."""
    ignore_index = index_to_ignore(op, ignore_index)
    if targets.dtype.itemsize < 4:
        targets = targets.to("int64")  # ignore_index or the number of classes may not fit into an int8
    if x.shape[:-1] != targets.shape:
        raise ValueError(f"{op}: {what} {x.shape} want targets of shape {x.shape[:-1]}, got {targets.shape}")
    classes, xp = x.shape[-1], modules[type(x.array)]
    rows = x.reshape(-1, classes)
    with on_device_of(x.array):
        ignored = targets.array == ignore_index
        some_ignored = check_range(op, targets.array, classes, ignored, "classes")
        ids = xp.where(ignored, 0, targets.array).reshape(-1)
        numbers = xp.arange(len(ids))
        counted = make_tensor(~ignored.reshape(-1))
        weight_of_ignored = make_tensor(xp.where(ignored.all(), xp.nan, 0.0).astype(x.dtype))  # the mean of none is NaN
    if some_ignored:  # their rows may hold NaN
        rows = where(counted.reshape(-1, 1), rows, 0.0)
    log_probability = looked_up_with(ids, log_of(rows))
    loss = -getitem(log_probability, index=(numbers, ids))
    weights = None if weight is None else called("weights", getitem(looked_up_with(ids, weight), index=ids))
    if weights is not None:
        loss = loss * weights
    if smoothing:
        weighted = log_probability if weight is None else log_probability * weight
        loss = loss * (1.0 - smoothing) - weighted.mean(1) * smoothing
    if some_ignored:
        loss = where(counted, loss, 0.0)
        weights = where(counted, 1.0 if weights is None else weights, weight_of_ignored)
    return loss.reshape(targets.shape) if reduction == "none" else reduced(loss, reduction, weights)


def index_to_ignore(op: str, ignore_index: Any) -> int:
    """Return ignore_index as an int; raise TypeError for anything else, such as weights, PyTorch's first argument."""
    if isinstance(ignore_index, list | tuple | None) or getattr(ignore_index, "shape", ()) != ():
        raise TypeError(f"{op}: ignore_index must be an int, got {ignore_index!r:.60}: for weights write weight=")
    return an_int(op, "ignore_index", ignore_index)


def targets_for(op: str, targets: Any, x: Tensor, expected: str) -> Tensor:
    """Return targets as a Tensor on the device of x: integers or, of the shape of x and where expected, floating."""
    array = targets.array if isinstance(targets, Tensor) else indices(op, targets)
    if not x.shape:
        raise ValueError(f"{op}: a Tensor of shape () has no axis of classes, which is the last one")
    floating = array.dtype.kind == "f" and expected != "integers"
    if array.dtype.kind not in "iu" and not (floating and array.shape == x.shape):
        kind = ValueError if floating and array.shape != x.shape[:-1] else TypeError
        raise kind(
            f"{op}: targets must be {expected}, got {array.dtype} of shape {array.shape} "
            "(python -m tinygrad_seq explain ids-are-floats)"
        )
    return as_tensor(op, "targets", targets if isinstance(targets, Tensor) else array, x.device)


def class_weights(op: str, weight: Any, x: Tensor) -> Tensor | None:
    """Return the weights of the classes in the dtype of x; raise ValueError unless there is one for each class."""
    if weight is None:
        return None
    found = as_tensor(op, "weight", weight, x.device)
    if found.shape != x.shape[-1:]:
        raise ValueError(f"{op}: weight must have a number for each class, of shape {x.shape[-1:]}, got {found.shape}")
    return called("weight", found.to(x.dtype))


def class_buffer(place: str, weight: Any) -> Buffer | None:
    """Return the weights of the classes as a Buffer; raise ValueError unless they have one axis."""
    if weight is None:
        return None
    found = Buffer(as_tensor(place, "weight", weight))
    if found.ndim != 1:
        raise ValueError(f"{place}: weight must have a number for each class, of shape (C,), got {found.shape}")
    return found


class NLLLoss(Module):
    """Compute `nll_loss`, as a module; `weight` is an nn.Buffer, which moves with the module and is saved with it.

    Raises TypeError or ValueError for an option that is none.

    >>> import tinygrad_seq as ts
    >>> ts.nn.NLLLoss(weight=[1.0, 3.0])(ts.tensor([[-1.0, -2.0], [-3.0, -4.0]]), [0, 1]).item()
    3.25
    """

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        one_of("NLLLoss", "reduction", reduction, REDUCTIONS)
        self.ignore_index, self.reduction = index_to_ignore("NLLLoss", ignore_index), reduction
        self.weight = class_buffer("NLLLoss", weight)

    def forward(self, log_probabilities: Tensor, targets: Any) -> Tensor:
        return nll_loss(log_probabilities, targets, self.weight, self.ignore_index, self.reduction)


class CrossEntropyLoss(Module):
    """Compute `cross_entropy`, as a module; `weight` is an nn.Buffer, which moves with the module and is saved with it.

    The first argument is `ignore_index`, not PyTorch's `weight`: write `weight=`. Raises TypeError or ValueError for an
    option that is none.

    >>> import tinygrad_seq as ts
    >>> round(ts.nn.CrossEntropyLoss()(ts.zeros(2, 4), ts.tensor([0, 3])).item(), 4)
    1.3863
    """

    def __init__(
        self,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        weight: Any = None,
    ) -> None:
        one_of("CrossEntropyLoss", "reduction", reduction, REDUCTIONS)
        self.ignore_index, self.reduction = index_to_ignore("CrossEntropyLoss", ignore_index), reduction
        self.label_smoothing = probability("CrossEntropyLoss", "label_smoothing", label_smoothing)
        self.weight = class_buffer("CrossEntropyLoss", weight)

    def forward(self, logits: Tensor, targets: Any) -> Tensor:
        return cross_entropy(
            logits, targets, self.ignore_index, self.reduction, self.label_smoothing, self.weight
        )
