"""Gradients compared with finite differences.

A whole Jacobian costs two evaluations per input element; a random direction costs two at any size, and a wrong rule
is wrong along almost every direction. So outputs are weighted by a random u, inputs are moved along a random v, and
the number (u . f(x + eps v) - u . f(x - eps v)) / (2 eps) is compared with u . J v from the graph.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_seq.engine.arguments import as_number, at_least
from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.backprop import grad
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.tensor import Tensor


def as_list(value: Any) -> list[Any]:
    """Return one value, or several, as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def outputs_of(function: Callable[..., Any], inputs: Sequence[Any]) -> list[Tensor]:
    """Return the results of a function as a list of Tensors."""
    outputs = as_list(function(*inputs))
    for y in outputs:
        if not isinstance(y, Tensor):
            raise TypeError(f"gradcheck: the function must give a Tensor, or a list of them, got {type(y).__name__}")
    return outputs


def same(outputs: list[Tensor], others: list[Tensor], atol: float, rtol: float) -> bool:
    """Return whether the outputs of two calls have the same shapes and values, but for rounding."""
    return [y.shape for y in outputs] == [y.shape for y in others] and all(
        host.allclose(y.numpy(), other.numpy(), rtol, atol, equal_nan=True) for y, other in zip(outputs, others)
    )


def checked_inputs(op: str, function: Any, inputs: Any) -> tuple[list[Any], list[int]]:
    """Return the inputs, and which of them require a gradient; refuse what is no function, and inputs without one."""
    if not callable(function):
        raise TypeError(f"{op}: expected a function and its inputs, got {type(function).__name__} {function!r:.60}")
    values = as_list(inputs)
    moving = [i for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad]
    if not moving:
        raise ValueError(f"{op}: no input requires a gradient")
    return values, moving


def gradcheck(
    function: Callable[..., Any],
    inputs: Tensor | Sequence[Tensor],
    eps: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-4,
    directions: int = 3,
    seed: int = 0,
) -> bool:
    """Check the gradients of `function(*inputs)` against central finite differences along random directions.

    The inputs that require a gradient must be float64 (float32 has too few digits for a difference). Returns True;
    raises AssertionError with both numbers if they differ by more than atol + rtol * |numeric|. If the function gives
    other values when it is called again, the AssertionError says so.

    >>> import tinygrad_seq as ts
    >>> x = ts.tensor([0.5, -1.0], dtype="float64", requires_grad=True)
    >>> ts.gradcheck(lambda x: x.tanh() * x, x)
    True
    """
    values, moving = checked_inputs("gradcheck", function, inputs)
    at_least(1, "gradcheck", directions=directions)
    for name, value in {"eps": eps, "atol": atol, "rtol": rtol}.items():
        if not 0 <= as_number("gradcheck", name, value) < math.inf or (name == "eps" and value == 0):
            least = "positive" if name == "eps" else "at least 0"
            raise ValueError(f"gradcheck: {name} must be {least} and finite, got {value!r}")
    if len({id(values[i]) for i in moving}) < len(moving):
        raise ValueError("gradcheck: one Tensor is there as two inputs, which cannot be moved apart: give a copy")
    for i in moving:
        if values[i].dtype != host.float64:
            raise TypeError(f"gradcheck: input {i} is {values[i].dtype}, finite differences need float64")
    eps, generator = float(eps), host.random.default_rng(seed)

    def draw(like: Tensor) -> Any:
        return generator.standard_normal(like.shape)

    first = outputs_of(function, values)
    outputs = [y for y in first if y.dtype.kind == "f"]
    weights = [tensor(draw(y), device=y.device) for y in outputs]
    live = [i for i, y in enumerate(outputs) if y.requires_grad]
    if not live:
        raise ValueError("gradcheck: no output requires a gradient: the function lost it on the way")
    pairs = [outputs[i] for i in live], [values[i] for i in moving], [weights[i] for i in live]
    gradients = grad(*pairs, allow_unused=True)

    def weighted(shift: float, along: list[Any]) -> float:
        moved = list(values)
        for i, v in zip(moving, along, strict=True):
            moved[i] = tensor(values[i].numpy() + shift * v, device=values[i].device, requires_grad=True)
        results = [y for y in outputs_of(function, moved) if y.dtype.kind == "f"]
        if [y.shape for y in results] != [u.shape for u in weights]:
            return math.nan
        return float(sum((u.numpy() * y.numpy()).sum() for u, y in zip(weights, results)))

    for _ in range(directions):
        along = [draw(values[i]) for i in moving]
        numeric = (weighted(eps, along) - weighted(-eps, along)) / (2 * eps)
        exact = float(sum((g.numpy() * v).sum() for g, v in zip(gradients, along, strict=True) if g is not None))
        if not abs(exact - numeric) <= atol + rtol * abs(numeric):  # true of NaN, too
            for again in (outputs_of(function, values) for _ in range(8)):
                if not same(first, again, eps * atol, eps * rtol):  # smaller noise would still be large in a difference
                    raise AssertionError(
                        "gradcheck: the function is not deterministic, called again it gave other values for the same "
                        "inputs: seed its random numbers inside it, or switch dropout off with .eval()"
                    )
            raise AssertionError(
                f"gradcheck: along a random direction the graph says {exact!r}, finite differences {numeric!r}"
            )
    return True


def gradgradcheck(function: Callable[..., Any], inputs: Tensor | Sequence[Tensor], **options: Any) -> bool:
    """Check second derivatives: `gradcheck` of the gradient itself. Options are those of `gradcheck`.

    >>> import tinygrad_seq as ts
    >>> x = ts.tensor([0.5, -1.0], dtype="float64", requires_grad=True)
    >>> ts.gradgradcheck(lambda x: x.tanh() * x, x)
    True
    """
    values, _ = checked_inputs("gradgradcheck", function, inputs)
    generator = host.random.default_rng(options.get("seed", 0) + 1)
    outputs = [y for y in outputs_of(function, values) if y.requires_grad]
    weights = [tensor(generator.standard_normal(y.shape), device=y.device, requires_grad=True) for y in outputs]

    def gradient(*arguments: Any) -> list[Any]:
        inner, upstream = arguments[: len(values)], arguments[len(values) :]
        results = [y for y in outputs_of(function, inner) if y.requires_grad]
        moving = [x for x in inner if isinstance(x, Tensor) and x.requires_grad]
        found = grad(results, moving, list(upstream), create_graph=True, allow_unused=True)
        return [g for g in found if g is not None]

    return gradcheck(gradient, [*values, *weights], **options)
