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
from tinygrad_seq.engine.callers import known_arguments
from tinygrad_seq.engine.commit import commit
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.tensor import Tensor


def as_list(value: Any) -> list[Any]:
    """Return one value, or several, as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def outputs_of(op: str, function: Callable[..., Any], inputs: Sequence[Any]) -> list[Tensor]:
    """Return the results of a function as a list of Tensors."""
    outputs = as_list(function(*inputs))
    for y in outputs:
        if not isinstance(y, Tensor):
            raise TypeError(f"{op}: the function must give a Tensor, or a list of them, got {type(y).__name__}")
    return outputs


def same(outputs: list[Tensor], others: list[Tensor], atol: float, rtol: float) -> bool:
    """Return whether the outputs of two calls have the same shapes and values, but for rounding."""
    return [y.shape for y in outputs] == [y.shape for y in others] and all(
        host.allclose(y.numpy(), other.numpy(), rtol, atol, equal_nan=True) for y, other in zip(outputs, others)
    )


def checked_inputs(op: str, function: Any, inputs: Any, eps: Any, seed: Any) -> list[Any]:
    """Return the inputs as a list; raise if they cannot be moved, or if another argument is something else."""
    if not callable(function):
        raise TypeError(f"{op}: expected a function and its inputs, got {type(function).__name__} {function!r:.60}")
    if isinstance(eps, Tensor):
        raise TypeError(f"{op}: pass the inputs as a list: {op}(function, [x, y])")
    at_least(0, op, 2**63, seed=seed)
    values = as_list(inputs)
    moving = moving_inputs(values)
    if not moving:
        raise ValueError(f"{op}: no input requires a gradient")
    if len({id(values[i]) for i in moving}) < len(moving):
        raise ValueError(f"{op}: one Tensor is there as two inputs, which cannot be moved apart: give a copy")
    for i in moving:
        if values[i].dtype != host.float64:
            raise TypeError(f"{op}: input {i} is {values[i].dtype}, finite differences need float64")
    return values


def moving_inputs(values: Sequence[Any]) -> list[int]:
    """Return the positions of the inputs that require a gradient."""
    return [i for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad]


@known_arguments
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

    With u weights of the outputs and v a direction of the inputs, both random, and J the Jacobian from the graph:

        |u . J v - numeric| <= atol + rtol * |numeric|,   numeric = (u . f(x + eps v) - u . f(x - eps v)) / (2 eps)

    The inputs that require a gradient must be float64 (float32 has too few digits for a difference). Returns True;
    raises AssertionError with both numbers if they differ by more. If the function gives other values when it is called
    again, the AssertionError says so. Raises TypeError or ValueError for arguments that cannot be checked.

    The Tensors themselves are moved, and put back. So parameters of a layer that the function calls are checked, too,
    if they are among the inputs.

    >>> import tinygrad_seq as ts
    >>> x = ts.tensor([0.5, -1.0], dtype="float64", requires_grad=True)
    >>> ts.gradcheck(lambda x: x.tanh() * x, x)
    True
    >>> layer = ts.nn.Linear(2, 3).to("float64")
    >>> ts.gradcheck(lambda x, *parameters: layer(x), [x, *layer.parameters()])
    True
    """
    values = checked_inputs("gradcheck", function, inputs, eps, seed)
    return agree("gradcheck", function, values, eps, atol, rtol, directions, seed)


@known_arguments
def gradgradcheck(
    function: Callable[..., Any],
    inputs: Tensor | Sequence[Tensor],
    eps: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-4,
    directions: int = 3,
    seed: int = 0,
) -> bool:
    """Check second derivatives: what `gradcheck` does, for the gradient itself as the function.

    The gradient u . J is a function of the inputs and of the weights u, and is checked by both. Returns and raises what
    `gradcheck` does.

    >>> import tinygrad_seq as ts
    >>> x = ts.tensor([0.5, -1.0], dtype="float64", requires_grad=True)
    >>> ts.gradgradcheck(lambda x: x.tanh() * x, x)
    True
    """
    values = checked_inputs("gradgradcheck", function, inputs, eps, seed)
    generator = host.random.default_rng(seed + 1)
    outputs = [y for y in outputs_of("gradgradcheck", function, values) if y.requires_grad]
    weights = [tensor(generator.standard_normal(y.shape), device=y.device, requires_grad=True) for y in outputs]

    def gradient(*arguments: Any) -> list[Any]:
        inner, upstream = arguments[: len(values)], arguments[len(values) :]
        results = [y for y in outputs_of("gradgradcheck", function, inner) if y.requires_grad]
        moving = [inner[i] for i in moving_inputs(inner)]
        found = grad(results, moving, list(upstream), create_graph=True, allow_unused=True)
        return [g for g in found if g is not None]

    return agree("gradgradcheck", gradient, [*values, *weights], eps, atol, rtol, directions, seed)


def agree(
    op: str,
    function: Callable[..., Any],
    values: list[Any],
    eps: float,
    atol: float,
    rtol: float,
    directions: int,
    seed: int,
) -> bool:
    """Return True if the gradients of a function agree with finite differences; raise AssertionError if they do not."""
    at_least(1, op, directions=directions)
    for name, value in {"eps": eps, "atol": atol, "rtol": rtol}.items():
        if not 0 <= as_number(op, name, value) < math.inf or (name == "eps" and value == 0):
            least = "positive" if name == "eps" else "at least 0"
            raise ValueError(f"{op}: {name} must be {least} and finite, got {value!r}")
    eps, generator, moving = float(eps), host.random.default_rng(seed), moving_inputs(values)

    def draw(like: Tensor) -> Any:
        return generator.standard_normal(like.shape)

    first = outputs_of(op, function, values)
    outputs = [y for y in first if y.dtype.kind == "f"]
    weights = [tensor(draw(y), device=y.device) for y in outputs]
    live = [i for i, y in enumerate(outputs) if y.requires_grad]
    if not live:
        raise ValueError(f"{op}: no output requires a gradient: the function lost it on the way")
    pairs = [outputs[i] for i in live], [values[i] for i in moving], [weights[i] for i in live]
    gradients = grad(*pairs, allow_unused=True)

    def weighted() -> float:
        results = [y for y in outputs_of(op, function, values) if y.dtype.kind == "f"]
        if [y.shape for y in results] != [u.shape for u in weights]:
            return math.nan
        return float(sum((u.numpy() * y.numpy()).sum() for u, y in zip(weights, results)))

    def weighted_at(shift: float, along: list[Any]) -> float:
        """Return what `weighted` does when the inputs are moved: the Tensors themselves, which are put back."""
        inputs = [values[i] for i in moving]
        before = [(x, "array", x.array) for x in inputs]
        moved = [(x, "array", tensor(x.numpy() + shift * v, device=x.device).array) for x, v in zip(inputs, along)]
        try:
            commit(moved)
            return weighted()  # a result may be an input itself
        finally:
            commit(before)

    for _ in range(directions):
        along = [draw(values[i]) for i in moving]
        numeric = (weighted_at(eps, along) - weighted_at(-eps, along)) / (2 * eps)
        exact = float(sum((g.numpy() * v).sum() for g, v in zip(gradients, along, strict=True) if g is not None))
        if not abs(exact - numeric) <= atol + rtol * abs(numeric):  # true of NaN, too
            for again in (outputs_of(op, function, values) for _ in range(8)):
                if not same(first, again, eps * atol, eps * rtol):  # smaller noise would still be large in a difference
                    raise AssertionError(
                        f"{op}: the function is not deterministic, called again it gave other values for the same "
                        "inputs: seed its random numbers inside it, or switch dropout off with .eval()"
                    )
            raise AssertionError(
                f"{op}: along a random direction the graph says {exact!r}, finite differences {numeric!r}"
            )
    return True
