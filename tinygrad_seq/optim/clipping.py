"""Gradient clipping: the cure for exploding gradients (Pascanu et al., 2013)."""

import math
import warnings
from collections.abc import Iterable, Iterator

from tinygrad_seq.engine.commit import commit
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.nn.module import Parameter
from tinygrad_seq.optim.validation import number, trainable


def with_gradients(place: str, parameters: Iterable[Parameter]) -> list[Parameter]:
    """Return the parameters that have a gradient; warn of an iterator that has nothing left to give."""
    found = trainable(place, parameters)
    if not found and isinstance(parameters, Iterator):
        warnings.warn(f"{place}: the iterator of parameters is empty, or used up: nothing is clipped", stacklevel=3)
    return [parameter for parameter in found if parameter.grad is not None]


def clip_grad_norm_(parameters: Iterable[Parameter], max_norm: float, norm_type: float = 2.0) -> float:
    """Scale all gradients together so that their joint norm is at most `max_norm`; returns the norm before.

    g <- g * min(1, max_norm / (|g| + 1e-6)), PyTorch's formula, over the gradients of all parameters as one vector.
    `norm_type` p > 0 is the norm (sum |g|^p)^(1/p), with inf the largest |g|; `max_norm` may be inf, to look only.
    Raises RuntimeError, and changes nothing, where the norm is not finite.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.Parameter([3.0, 4.0])
    >>> (w * w).sum().backward()
    >>> ts.optim.clip_grad_norm_([w], 1.0)
    10.0
    """
    max_norm = number("clip_grad_norm_", "max_norm", max_norm, None)
    norm_type = number("clip_grad_norm_", "norm_type", norm_type, None)
    if norm_type == 0:
        raise ValueError("clip_grad_norm_: norm_type must be positive, or inf, got 0")
    held = with_gradients("clip_grad_norm_", parameters)
    if not held:
        return 0.0
    sizes = [abs(p.grad.array).reshape(-1).astype("float64") for p in held if p.grad is not None]
    highest = [float(size.max()) for size in sizes if size.size]
    norm = top = math.nan if any(math.isnan(size) for size in highest) else max(highest, default=0.0)
    if norm_type != math.inf and 0 < top < math.inf:  # in units of the largest, so that no power overflows
        norm = top * sum(float(((size / top) ** norm_type).sum()) for size in sizes) ** (1 / norm_type)
    if not math.isfinite(norm):
        raise RuntimeError(f"clip_grad_norm_: the norm of the gradients is {norm}: some gradient is not finite")
    scale = max_norm / (norm + 1e-6)
    if scale < 1:
        commit([(p, "stored_grad", make_tensor(p.grad.array * scale)) for p in held if p.grad is not None])
    return norm


def clip_grad_value_(parameters: Iterable[Parameter], clip_value: float) -> None:
    """Hold every element of every gradient within [-clip_value, clip_value].

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.Parameter([3.0, -0.1])
    >>> (w * w).sum().backward()
    >>> ts.optim.clip_grad_value_([w], 1.0)
    >>> w.grad.tolist()
    [1.0, -0.20000000298023224]
    """
    clip_value = number("clip_grad_value_", "clip_value", clip_value)
    held = with_gradients("clip_grad_value_", parameters)
    limited = [(p, p.grad.array.clip(-clip_value, clip_value)) for p in held if p.grad is not None]
    commit([(p, "stored_grad", make_tensor(array)) for p, array in limited])
