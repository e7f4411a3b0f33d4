"""The laws themselves. A law is a function of (function, case): it returns nothing, or raises AssertionError."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from tinygrad_seq.checks.gradcheck import as_list, gradcheck, gradgradcheck
from tinygrad_seq.engine.backend import float32, float64, host
from tinygrad_seq.engine.backprop import grad, starting_gradients, walked
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.graph import ancestors, leaf
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.testing.cases import Case

Arrays: TypeAlias = Sequence[Any]
Layout: TypeAlias = Callable[[Any], Any]  # array -> the same numbers, elsewhere in memory
Function: TypeAlias = Callable[..., Any]  # Tensors -> a Tensor, or a list of them

# ------------------------------------------------------------------------------------------- what the laws are made of


def floats(array: Any) -> bool:
    """Return whether an array or a Tensor is floating."""
    return bool(array.dtype.kind == "f")


def leaves(arrays: Arrays, device: str | None = None) -> list[Tensor]:
    """Return Tensors of the arrays; the floating ones require a gradient."""
    return [tensor(array, device=device, requires_grad=floats(array)) for array in arrays]


def wanted(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the Tensors that require a gradient."""
    return [x for x in tensors if x.requires_grad]


def host_arrays(tensors: Any) -> list[Any]:
    """Return the values of one Tensor, or of several, as a list."""
    return [x.numpy() for x in as_list(tensors)]


def like(rng: Any, arrays: Arrays) -> list[Any]:
    """Return random directions for arrays: normal numbers for floats, 0 for the others."""
    return [rng.normal(size=a.shape) if floats(a) else host.zeros(a.shape, a.dtype) for a in arrays]


def require(holds: bool, sentence: str) -> None:
    """Raise AssertionError with the sentence unless it holds; an `assert` would be silent under `python -O`."""
    if not holds:
        raise AssertionError(sentence)


def assert_same(found: Arrays, expected: Arrays) -> None:
    """Raise unless arrays are equal bit for bit, in shape and dtype, too."""
    for a, b in zip(map(host.asarray, found), map(host.asarray, expected), strict=True):
        require((a.shape, a.dtype) == (b.shape, b.dtype), f"{a.dtype} {a.shape} is not {b.dtype} {b.shape}")
        host.testing.assert_array_equal(a, b)


def assert_near(found: Arrays, expected: Arrays, dtype: Any = float64) -> None:
    """Raise unless arrays are equal but for rounding: 64 units in the last place of the largest number."""
    for a, b in zip(map(host.asarray, found), map(host.asarray, expected), strict=True):
        require(a.shape == b.shape, f"shape {a.shape} is not {b.shape}")
        scale = max(1.0, float(host.max(host.abs(b), initial=0.0)))
        host.testing.assert_allclose(a, b, rtol=0, atol=64 * scale * host.finfo(dtype).eps)


def in_precision(dtype: Any, arrays: Arrays) -> tuple[Any, ...]:
    """Return the arrays, the floating ones in this dtype."""
    return tuple(array.astype(dtype) if floats(array) else array for array in arrays)


def applied(function: Function, case: Case) -> tuple[list[Tensor], list[Tensor], list[Any]]:
    """Apply the function; return the arguments that require a gradient, the outputs, and random upstream gradients."""
    tensors = leaves(case.arrays)
    outputs = as_list(function(*tensors, **case.static))
    return wanted(tensors), outputs, like(case.rng(), outputs)


def results(function: Function, case: Case, layout: Layout) -> list[Any]:
    """Return outputs and gradients, where arguments and upstream gradients have this layout in memory."""
    tensors = [make_tensor(layout(array)) for array in case.arrays]
    for x in tensors:
        leaf(x, floats(x))
    outputs = as_list(function(*tensors, **case.static))
    upstream = [make_tensor(layout(u)) for u in like(case.rng(), outputs)]
    for y in outputs:
        y.array.flags.writeable = False  # no rule may write to an output that was saved
    live = [i for i, y in enumerate(outputs) if y.requires_grad]
    gradients = grad([outputs[i] for i in live], wanted(tensors), [upstream[i] for i in live]) if live else []
    return host_arrays([*outputs, *gradients])


# ---------------------------------------------------------------------------------------------------------------- laws


def values_match(function: Function, case: Case, reference: Callable[..., Any]) -> None:
    """Check values, shapes and dtypes against a reference on NumPy arrays, in double and in single precision.

    >>> import numpy as np, tinygrad_seq as ts
    >>> values_match(ts.log, Case((np.array([0.5, 2.0]),)), np.log)
    """
    exact = [host.asarray(a) for a in as_list(reference(*in_precision(float64, case.arrays), **case.static))]
    for dtype in (float64, float32):
        arrays = in_precision(dtype, case.arrays)
        outputs = host_arrays(function(*map(tensor, arrays), **case.static))
        expected = [host.asarray(a) for a in as_list(reference(*arrays, **case.static))]
        kinds = [[(a.shape, a.dtype) for a in side] for side in (outputs, expected)]
        require(kinds[0] == kinds[1], f"shapes and dtypes are {kinds[0]}, the reference's {kinds[1]}")
        for a, b in zip(outputs, exact, strict=True):
            assert_near([a], [b], dtype) if floats(a) else assert_same([a], [b.astype(a.dtype)])


def gradient_is_the_slope(function: Function, case: Case) -> None:
    """Check that the gradient agrees with finite differences along random directions.

    >>> import numpy as np, tinygrad_seq as ts
    >>> gradient_is_the_slope(ts.log, Case((np.array([0.5, 2.0]),)))
    """
    gradcheck(lambda *x: function(*x, **case.static), leaves(case.arrays), eps=1e-5, rtol=1e-6, seed=case.seed)


def second_gradient_is_the_slope(function: Function, case: Case) -> None:
    """Check the gradient's own gradient, by the arguments and by the upstream gradient, with finite differences.

    >>> import numpy as np, tinygrad_seq as ts
    >>> second_gradient_is_the_slope(ts.log, Case((np.array([0.5, 2.0]),)))
    """
    gradgradcheck(lambda *x: function(*x, **case.static), leaves(case.arrays), eps=1e-5, rtol=1e-6, seed=case.seed)


def gradient_is_linear(function: Function, case: Case) -> None:
    """Check that the gradient for a u + b v is a times that for u plus b times that for v.

    >>> import numpy as np, tinygrad_seq as ts
    >>> gradient_is_linear(ts.log, Case((np.array([0.5, 2.0]),)))
    """
    inputs, outputs, u = applied(function, case)
    (a, b), v = case.rng(2).normal(size=2), like(case.rng(3), outputs)

    def gradients(upstream: Arrays) -> list[Any]:
        return host_arrays(grad(outputs, inputs, upstream, retain_graph=True))

    mixed = gradients([a * x + b * y for x, y in zip(u, v, strict=True)])
    assert_near(mixed, [a * x + b * y for x, y in zip(gradients(u), gradients(v), strict=True)])


def recorded_is_raw(function: Function, case: Case) -> None:
    """Check that the gradient has the same bits with `create_graph`, and no history without it.

    >>> import numpy as np, tinygrad_seq as ts
    >>> recorded_is_raw(ts.log, Case((np.array([0.5, 2.0]),)))
    """
    inputs, outputs, upstream = applied(function, case)
    recorded = grad(outputs, inputs, upstream, create_graph=True)
    raw = grad(outputs, inputs, upstream)
    assert_same(host_arrays(recorded), host_arrays(raw))
    require(all(gradient.node is None for gradient in raw), "a raw gradient has a history")


def single_stays_single(function: Function, case: Case) -> None:
    """Check that float32 arguments give float32 outputs and gradients, even before the walk casts what a rule gives.

    >>> import numpy as np, tinygrad_seq as ts
    >>> single_stays_single(ts.log, Case((np.array([0.5, 2.0]),)))
    """
    met: list[Any] = []
    for recorded in (True, False):
        _, outputs, upstream = applied(function, replace(case, arrays=in_precision(float32, case.arrays)))
        start = starting_gradients(outputs, upstream, recorded)
        gives = lambda _uses, _parent, g: met.append(getattr(g, "dtype", float32))  # parts give a list
        walked(ancestors(start, constants=False), start, recorded, (), gives)
        made = [y.dtype for y in outputs]
        require({float32}.issuperset(made + met), f"float32 arguments give {made}, and gradients {met}")


def backwards(array: Any) -> Any:
    """Return the array, reversed along every axis."""
    return array[(slice(None, None, -1),) * array.ndim + (...,)]


LAYOUTS: Sequence[Layout] = (
    lambda a: a.copy(order="F"),
    lambda a: backwards(backwards(a).copy()),
    lambda a: host.stack([a, a], axis=-1)[..., 0],  # every other number
)
ONE_NUMBER: Layout = lambda a: host.broadcast_to(a[(slice(1),) * a.ndim + (...,)], a.shape)  # everywhere


def any_layout_will_do(function: Function, case: Case) -> None:
    """Check that the layout of arguments and upstream gradients in memory changes no value and no gradient.

    >>> import numpy as np, tinygrad_seq as ts
    >>> any_layout_will_do(ts.log, Case((np.array([0.5, 2.0]),)))
    """
    plain = results(function, case, lambda a: a.copy(order="C"))
    for layout in LAYOUTS:
        assert_near(results(function, case, layout), plain)
    assert_near(*(results(function, case, made) for made in (ONE_NUMBER, lambda a: ONE_NUMBER(a).copy(order="C"))))


def nothing_is_written(function: Function, case: Case) -> None:
    """Check that neither forward nor rules write to arguments, outputs or upstream gradients: all are read-only.

    >>> import numpy as np, tinygrad_seq as ts
    >>> nothing_is_written(ts.log, Case((np.array([0.5, 2.0]),)))
    """
    try:
        results(function, case, lambda a: host.broadcast_to(a, a.shape))  # a read-only view
    except ValueError as error:
        require("read-only" not in str(error), f"an array that belongs to others was written to: {error}")
        raise


LAWS = (
    gradient_is_the_slope,
    gradient_is_linear,
    recorded_is_raw,
    second_gradient_is_the_slope,
    single_stays_single,
    nothing_is_written,
    any_layout_will_do,
)


def check(function: Function, case: Case, reference: Callable[..., Any] | None = None) -> None:
    """Check all laws: values (given a reference on NumPy arrays), gradients of first and second order, dtype, memory.

    Arrays are float64. Raises AssertionError where a law is broken, naming what was found and what was expected.

    >>> import numpy as np, tinygrad_seq as ts
    >>> check(ts.multiply, Case((np.ones((2, 3)), np.full(3, 0.5))), reference=np.multiply)
    """
    if reference is not None:
        values_match(function, case, reference)
    for law in LAWS:
        law(function, case)
