"""Gradient clipping: the cure for exploding gradients (Pascanu et al., 2013)."""

import math
from collections.abc import Iterable, Iterator

from tinygrad_seq.engine.backend import Array, anywhere, check_device, modules, on_device_of, quiet
from tinygrad_seq.engine.callers import known_arguments, warn
from tinygrad_seq.engine.commit import Change, commit
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.nn.module import Parameter
from tinygrad_seq.optim.validation import checked_parameters, nonnegative


def with_gradients(place: str, parameters: Iterable[Parameter]) -> list[tuple[Parameter, Array]]:
    """Return the parameters that have a gradient, each once, and the gradients; warn of an iterator that is used up."""
    found = dict.fromkeys(checked_parameters(place, parameters))
    if not found and isinstance(parameters, Iterator):
        warn(f"{place}: the iterator of parameters is empty, or used up: nothing is clipped")
    return [(parameter, parameter.grad.array) for parameter in found if parameter.grad is not None]


def replace(clipped: Iterable[tuple[Parameter, Array]]) -> None:
    """Set other gradients of parameters; one that a step has used already stays marked as used."""
    changes: list[Change] = []
    for parameter, g in clipped:
        new = make_tensor(g)
        new.stale = getattr(parameter.grad, "stale", "")
        changes.append((parameter, "stored_grad", new))
    commit(changes)


@known_arguments
def clip_grad_norm_(parameters: Iterable[Parameter], max_norm: float, norm_type: float = 2.0) -> float:
    """Scale all gradients together so that their joint norm is at most `max_norm`; return the norm before.

    g <- g * min(1, max_norm / (|g| + 1e-6)), PyTorch's formula, over the gradients of all parameters as one vector,
    in which a parameter that is listed twice counts once.
    `norm_type` p > 0 is the norm (sum |g|^p)^(1/p), with inf the largest |g|; with `max_norm` inf nothing is
    scaled. Raises RuntimeError where the norm is not finite, ValueError for a `max_norm` below 0 or a `norm_type` that
    is not positive, TypeError for anything but a list of parameters; then nothing is changed.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.Parameter([3.0, 4.0])
    >>> (w * w).sum().backward()
    >>> ts.optim.clip_grad_norm_([w], 1.0)
    10.0
    """
    max_norm = nonnegative("clip_grad_norm_", "max_norm", max_norm, None)
    norm_type = nonnegative("clip_grad_norm_", "norm_type", norm_type, None)
    if norm_type == 0:
        raise ValueError("clip_grad_norm_: norm_type must be positive, or inf, got 0")
    held = with_gradients("clip_grad_norm_", parameters)
    for parameter, g in held:
        name = f"the gradient of {parameter.name or 'a parameter'}"
        check_device("clip_grad_norm_", name, g, "the first one", held[0][1])
    with on_device_of(held[0][1]) if held else anywhere:
        return clipped_norm(held, max_norm, norm_type)


def clipped_norm(held: list[tuple[Parameter, Array]], max_norm: float, norm_type: float) -> float:
    """Scale gradients, which are all on CuPy's current device, as `clip_grad_norm_` says; return the norm before."""
    sizes = [abs(g).reshape(-1) for _, g in held if g.size]
    if not sizes:
        return 0.0
    xp = modules[type(sizes[0])]
    flat = xp.concatenate(sizes).astype("float64")
    norm = top = flat.max()
    if norm_type != math.inf:  # divided by the largest, no power overflows
        with quiet(over="ignore", invalid="ignore"):
            unit = xp.where((top > 0) & xp.isfinite(top), top, 1.0)
            norm = unit * ((flat / unit) ** norm_type).sum() ** (1 / norm_type)
    number = norm.item()  # the one look at the device; in a program (see replay) the look is a check of its own
    if not (math.isfinite(number) if type(number) is float else xp.isfinite(norm)):
        why = f"norm_type={norm_type:g} is too small for it" if xp.isfinite(top) else "some gradient is not finite"
        page = "nan" if xp.isnan(norm) else "exploding-gradients"
        raise RuntimeError(
            f"clip_grad_norm_: the norm of the gradients is {number}: {why} "
            f"(python -m tinygrad_seq explain {page})"
        )
    if max_norm < math.inf:
        scale = xp.minimum(max_norm / (norm + 1e-6), 1.0)
        replace([(p, g * scale.astype(g.dtype)) for p, g in held])
    return number  # type: ignore[no-any-return]


@known_arguments
def clip_grad_value_(parameters: Iterable[Parameter], clip_value: float) -> None:
    """Hold every element of every gradient within [-clip_value, clip_value].

    Raises ValueError for a limit below 0 or that is not finite, TypeError for anything but a list of parameters; then
    nothing is changed.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.Parameter([3.0, -0.1])
    >>> (w * w).sum().backward()
    >>> ts.optim.clip_grad_value_([w], 1.0)
    >>> w.grad.tolist()
    [1.0, -0.20000000298023224]
    """
    clip_value = nonnegative("clip_grad_value_", "clip_value", clip_value)
    held = with_gradients("clip_grad_value_", parameters)
    clipped = []
    for parameter, g in held:
        with quiet(over="ignore"), on_device_of(g):  # a limit beyond float16 limits nothing
            clipped.append((parameter, g.clip(-clip_value, clip_value)))
    replace(clipped)
