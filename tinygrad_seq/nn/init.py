"""Starting values of parameters, drawn on the host so that a seed gives the same ones on every device.

The functions that end in an underscore, named as in PyTorch, give a Parameter a new array and return it; the old array
may be part of a graph.
"""

from collections.abc import Callable
from math import inf, sqrt
from typing import TYPE_CHECKING, Any

from tinygrad_seq.engine.arguments import as_number
from tinygrad_seq.engine.backend import host, to_device
from tinygrad_seq.engine.callers import known_arguments
from tinygrad_seq.engine.creation import zeros
from tinygrad_seq.engine.hints import refusing as _refusing
from tinygrad_seq.engine.random import chosen, uniform_draws
from tinygrad_seq.nn.module import Parameter

__all__ = [
    "constant_", "normal_", "orthogonal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip


def uniform(*shape: int, bound: float) -> Parameter:
    """Return a Parameter of draws from U(-bound, bound); PyTorch's layers take bound = 1 / sqrt(number of inputs)."""
    return uniform_(Parameter(zeros(shape)), -bound, bound)


@known_arguments
def constant_(parameter: Parameter, val: float) -> Parameter:
    """Fill a Parameter with one value. Raises TypeError for what is no number.

    >>> import tinygrad_seq as ts
    >>> ts.nn.init.constant_(ts.nn.Parameter([1.0, 2.0]), 0.5)
    Parameter([0.5, 0.5])
    """
    return fill("constant_", parameter, lambda shape: host.full(shape, as_number("constant_", "val", val), float))


@known_arguments
def zeros_(parameter: Parameter) -> Parameter:
    """Fill a Parameter with zeros. Raises TypeError for what is no Parameter.

    >>> import tinygrad_seq as ts
    >>> ts.nn.init.zeros_(ts.nn.Parameter([1.0, 2.0]))
    Parameter([0., 0.])
    """
    return fill("zeros_", parameter, host.zeros)


@known_arguments
def uniform_(parameter: Parameter, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Parameter:
    """Fill a Parameter with draws from U(a, b), in every dtype without b (unless a is b).

    Draws come from `generator`, a `numpy.random.default_rng(seed)`, or from the one that `ts.manual_seed` seeds. Raises
    ValueError unless a and b are finite, and a is not above b.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.init.uniform_(ts.nn.Parameter(ts.zeros(9)), -0.1, 0.1)
    >>> ts.max(ts.abs(w)).item() < 0.1
    True
    """
    a, b = as_number("uniform_", "a", a), as_number("uniform_", "b", b)
    if not -inf < a <= b < inf:
        raise ValueError(f"uniform_: a and b must be finite, and a not above b, got {a} and {b}")
    random = chosen("uniform_", generator)
    return fill("uniform_", parameter, lambda shape: uniform_draws(random, shape, parameter.dtype, a, b))


@known_arguments
def normal_(parameter: Parameter, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Parameter:
    """Fill a Parameter with draws from N(mean, std^2), of `generator` as in `uniform_`.

    Raises ValueError for a negative `std`.

    >>> import tinygrad_seq as ts
    >>> ts.nn.init.normal_(ts.nn.Parameter([7.0]), std=0.0)
    Parameter([0.])
    """
    mean, std = as_number("normal_", "mean", mean), as_number("normal_", "std", std)
    if not std >= 0:
        raise ValueError(f"normal_: std must not be negative, got {std}")
    random = chosen("normal_", generator)
    return fill("normal_", parameter, lambda shape: mean + std * random.standard_normal(shape))


@known_arguments
def xavier_uniform_(parameter: Parameter, gain: float = 1.0, generator: Any = None) -> Parameter:
    """Fill a weight (outputs, inputs) with draws from U(-a, a), a = gain * sqrt(6 / (inputs + outputs)).

    So that gradients keep their size from layer to layer (Glorot and Bengio, 2010). Draws come from `generator` as in
    `uniform_`. Raises ValueError for a negative gain, and for another number of axes.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.init.xavier_uniform_(ts.nn.Linear(3, 3).weight)
    >>> ts.max(ts.abs(w)).item() < 1.0
    True
    """
    bound = xavier("xavier_uniform_", parameter, gain, 6)
    return uniform_(parameter, -bound, bound, generator)


@known_arguments
def xavier_normal_(parameter: Parameter, gain: float = 1.0, generator: Any = None) -> Parameter:
    """Fill a weight (outputs, inputs) with draws from N(0, s^2), s = gain * sqrt(2 / (inputs + outputs)).

    So that gradients keep their size from layer to layer (Glorot and Bengio, 2010). Draws come from `generator` as in
    `uniform_`. Raises ValueError for a negative gain, and for another number of axes.

    >>> import tinygrad_seq as ts
    >>> ts.nn.init.xavier_normal_(ts.nn.Linear(3, 2).weight).shape
    (2, 3)
    """
    return normal_(parameter, 0.0, xavier("xavier_normal_", parameter, gain, 2), generator)


def xavier(name: str, parameter: Parameter, gain: float, n: int) -> float:
    """Return gain * sqrt(n / (inputs + outputs)) of a weight."""
    factor: float = as_number(name, "gain", gain)
    if not factor >= 0:
        raise ValueError(f"{name}: gain must not be negative, got {gain}")
    return factor * sqrt(n / sum(matrix_shape(name, parameter)))


@known_arguments
def orthogonal_(parameter: Parameter, gain: float = 1.0, generator: Any = None) -> Parameter:
    """Fill a weight with a random orthogonal matrix: W W^T = gain^2 I, or W^T W if it has more rows than columns.

    A state multiplied with it keeps its norm through the steps of a recurrence (Saxe et al., 2014). Every orthogonal
    matrix is equally likely: from the QR decomposition of normal draws (of `generator`, as in `uniform_`), with the
    signs of R's diagonal taken out. Raises ValueError for another number of axes.

    >>> import tinygrad_seq as ts
    >>> w = ts.nn.init.orthogonal_(ts.nn.RNN(2, 3).weight_hh_l0)
    >>> ts.max(ts.abs(w @ w.T - ts.eye(3))).item() < 1e-6
    True
    """
    rows, columns = matrix_shape("orthogonal_", parameter)
    gain = as_number("orthogonal_", "gain", gain)
    draw = chosen("orthogonal_", generator).standard_normal((rows, columns))
    q, r = host.linalg.qr(draw if rows >= columns else draw.T)
    q = q * host.sign(host.diag(r))
    return fill("orthogonal_", parameter, lambda _: gain * (q if rows >= columns else q.T))


def fill(name: str, parameter: Parameter, draw: Callable[[tuple[int, ...]], Any]) -> Parameter:
    """Fill a Parameter with the values that `draw` gives for its shape."""
    values = host.asarray(draw(check_parameter(name, parameter).shape), dtype=parameter.dtype)
    parameter.assign(to_device(values, parameter.device))
    return parameter


def matrix_shape(name: str, parameter: Parameter) -> tuple[int, int]:
    """Return (outputs, inputs), the shape of a weight; raise ValueError for another number of axes, or an empty one."""
    shape = check_parameter(name, parameter).shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name}: expected a weight of shape (outputs, inputs), got {shape}")
    return shape[0], shape[1]


def check_parameter(name: str, parameter: Any) -> Parameter:
    """Return the Parameter; raise TypeError for anything else."""
    if not isinstance(parameter, Parameter):
        raise TypeError(f"{name}: expected an nn.Parameter, got {type(parameter).__name__}")
    return parameter


if not TYPE_CHECKING:  # a type checker would take it that every name exists
    __getattr__ = _refusing(__name__)
