"""Ops that act on each element, with broadcasting: arithmetic, functions, choices.

A rule may use the output `y` (tanh: 1 - y*y) or the inputs, whichever is at hand; the shapes are the engine's business.
At kinks and poles the conventions are PyTorch's: relu'(0) = 0, abs'(0) = 0, a tie in maximum is split in halves, clip
passes the gradient at its bounds (as PyTorch to 2.13; 2.14 gives 0 there). Where no gradient passes, a rule chooses 0
with `where` and never multiplies by it: 0 times the infinite slope of a sqrt behind it would be NaN. In a product, the
factors that make up the slope of the op come first: g * p alone can overflow where g * (p * x) does not.
"""

from functools import cache
from typing import Any

from tinygrad_seq.engine.backend import device_of, host
from tinygrad_seq.engine.primitive import primitive

# ------------------------------------------------------------------------------------------------------------ choice

@primitive
def where(xp: Any, condition: Any, x: Any, y: Any) -> Any:
    """Return x where the condition holds, else y, elementwise; the three broadcast.

    The gradient goes to the one that was chosen; the other gets 0, whatever comes in.

    >>> import tinygrad_seq as ts
    >>> ts.where(ts.tensor([True, False]), ts.tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    """
    return xp.where(condition, x, y)
where.vjps(
    None,
    lambda g, _z, condition, _x, _y: where(condition, g, 0.0),
    lambda g, _z, condition, _x, _y: where(condition, 0.0, g),
)

# -------------------------------------------------------------------------------------------------------- arithmetic

@primitive
def add(xp: Any, x: Any, y: Any) -> Any:
    """Return x + y, elementwise, as NumPy broadcasts.

    >>> import tinygrad_seq as ts
    >>> ts.add(ts.tensor([1.0, 2.0]), 3.0)
    tensor([4., 5.])
    """
    return x + y
add.vjps(lambda g, _z, _x, _y: g, lambda g, _z, _x, _y: g)

@primitive
def subtract(xp: Any, x: Any, y: Any) -> Any:
    """Return x - y, elementwise, as NumPy broadcasts.

    >>> import tinygrad_seq as ts
    >>> ts.subtract(3.0, ts.tensor([1.0, 2.0]))
    tensor([2., 1.])
    """
    return x - y
subtract.vjps(lambda g, _z, _x, _y: g, lambda g, _z, _x, _y: -g)

@primitive
def multiply(xp: Any, x: Any, y: Any) -> Any:
    """Return x * y, elementwise, as NumPy broadcasts.

    >>> import tinygrad_seq as ts
    >>> ts.multiply(ts.tensor([1.0, 2.0]), ts.tensor([3.0, 4.0]))
    tensor([3., 8.])
    """
    return x * y
multiply.vjps(lambda g, _z, _x, y: g * y, lambda g, _z, x, _y: g * x)

@primitive
def divide(xp: Any, x: Any, y: Any) -> Any:
    """Return x / y, elementwise; integers divide to float32.

    >>> import tinygrad_seq as ts
    >>> ts.divide(ts.tensor([1, 2]), 4)
    tensor([0.25, 0.5 ])
    """
    if xp.result_type(x, y).kind != "f":
        return xp.divide(x, y, dtype="float32", casting="unsafe")
    return x / y
divide.vjps(lambda g, _z, _x, y: g / y, lambda g, z, _x, y: -g * (z / y))

@primitive
def floor_divide(xp: Any, x: Any, y: Any) -> Any:
    """Return x // y, elementwise: x / y rounded down, so constant but for jumps, without gradient."""
    return xp.floor_divide(x, y)

@primitive
def remainder(xp: Any, x: Any, y: Any) -> Any:
    """Return x % y, elementwise, with the sign of y: x - y * (x // y)."""
    return xp.remainder(x, y)


def remainder_divisor(g: Any, _z: Any, x: Any, y: Any) -> Any:
    whole = floor_divide(x, y)
    return where(whole == 0.0, 0.0, -g) * whole


remainder.vjps(lambda g, _z, _x, _y: g, remainder_divisor)

@primitive
def negative(xp: Any, x: Any) -> Any:
    """Return -x, elementwise.

    >>> import tinygrad_seq as ts
    >>> ts.negative(ts.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    return -x
negative.vjps(lambda g, _y, _x: -g)

@primitive
def power(xp: Any, x: Any, p: Any) -> Any:
    """Return x ** p, elementwise, as NumPy broadcasts; NaN for x < 0 unless p is whole.

    >>> import tinygrad_seq as ts
    >>> ts.power(ts.tensor([2.0, 3.0]), 2)
    tensor([4., 9.])
    """
    return x**p


@cache
def smallest_normal(dtype: Any) -> float:
    """Return the smallest positive number of a floating dtype that has all its digits."""
    return float(host.finfo(dtype).smallest_normal)


def power_base(g: Any, _z: Any, x: Any, p: Any) -> Any:
    # Guard the inputs, not the result: 0 ** (0 - 1) would be inf, and inf * 0 is NaN in every further derivative.
    constant = p == 0.0
    if getattr(p, "requires_grad", False):  # p * x**(p - 1) has a slope in p even at p = 0, 1 / x: where that is finite
        constant = constant > (x >= smallest_normal(x.dtype))
    return where(constant, 0.0, g) * (p * power(where(constant, 1.0, x), p - 1.0))


def power_exponent(g: Any, z: Any, x: Any, p: Any) -> Any:
    zero = (x == 0.0) * (p >= 0.0)
    return where(zero, 0.0, g) * (z * log(where(zero, 1.0, x)))
power.vjps(power_base, power_exponent)

# --------------------------------------------------------------------------------------------------------- functions

@primitive
def exp(xp: Any, x: Any) -> Any:
    """Return e ** x, elementwise.

    >>> import tinygrad_seq as ts
    >>> ts.exp(ts.zeros(2))
    tensor([1., 1.])
    """
    return xp.exp(x)
exp.vjps(lambda g, y, _x: g * y)

@primitive
def log(xp: Any, x: Any) -> Any:
    """Return the natural logarithm, elementwise; -inf at 0, NaN below.

    >>> import tinygrad_seq as ts
    >>> ts.log(ts.tensor([1.0, 2.0]))
    tensor([0.       , 0.6931472])
    """
    return xp.log(x)
log.vjps(lambda g, _y, x: g / x)

@primitive
def sqrt(xp: Any, x: Any) -> Any:
    """Return the square root, elementwise; NaN below 0, and an infinite gradient at 0.

    >>> import tinygrad_seq as ts
    >>> ts.sqrt(ts.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return xp.sqrt(x)
sqrt.vjps(lambda g, y, _x: g / (y + y))

@primitive
def sin(xp: Any, x: Any) -> Any:
    """Return sin x, elementwise, of x in radians.

    >>> import tinygrad_seq as ts
    >>> ts.sin(ts.zeros(2))
    tensor([0., 0.])
    """
    return xp.sin(x)

@primitive
def cos(xp: Any, x: Any) -> Any:
    """Return cos x, elementwise, of x in radians.

    >>> import tinygrad_seq as ts
    >>> ts.cos(ts.zeros(2))
    tensor([1., 1.])
    """
    return xp.cos(x)
sin.vjps(lambda g, _y, x: g * cos(x))
cos.vjps(lambda g, _y, x: -g * sin(x))

@primitive
def tanh(xp: Any, x: Any) -> Any:
    """Return tanh x, elementwise, from -1 to 1: it keeps a recurrent state in bounds.

    >>> import tinygrad_seq as ts
    >>> ts.tanh(ts.tensor([0.0, 20.0]))
    tensor([0., 1.])
    """
    return xp.tanh(x)
tanh.vjps(lambda g, y, _x: g - g * y * y)

@cache
def ceiling_and_one(xp: Any, dtype: Any, device: str) -> tuple[Any, Any]:
    """Return 0-d arrays, which NumPy adds fast: an x where sigmoid(x) rounds to 1 and e**x is finite, and 1."""
    result = host.exp(host.zeros(1, dtype)).dtype
    return xp.asarray(10 if result.itemsize == 2 else 80, dtype), xp.asarray(1, result)

@primitive
def sigmoid(xp: Any, x: Any) -> Any:
    """Return 1 / (1 + e**-x), elementwise, from 0 to 1: how far a gate is open.

    >>> import tinygrad_seq as ts
    >>> ts.sigmoid(ts.tensor([0.0, 100.0]))
    tensor([0.5, 1. ])
    """
    ceiling, one = ceiling_and_one(xp, x.dtype, "cpu" if xp is host else device_of(x))
    e = xp.exp(xp.minimum(x, ceiling))
    return e / (e + one)  # keeps all its digits in the lower tail
sigmoid.vjps(lambda g, y, _x: g * (y - y * y))

@primitive
def softplus(xp: Any, x: Any) -> Any:
    """Return log(1 + e**x), which is -log(1 - sigmoid(x)): a smooth relu, and a part of binary losses."""
    return xp.logaddexp(x, x.dtype.type(0))
softplus.vjps(lambda g, _y, x: g * sigmoid(x))

@primitive
def relu(xp: Any, x: Any) -> Any:
    """Return max(x, 0), elementwise; its gradient at 0 is 0.

    >>> import tinygrad_seq as ts
    >>> ts.relu(ts.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return xp.maximum(x, 0)
relu.vjps(lambda g, y, _x: where(y, g, 0.0))

@primitive
def abs(xp: Any, x: Any) -> Any:
    """Return |x|, elementwise; its gradient at 0 is 0.

    >>> import tinygrad_seq as ts
    >>> ts.abs(ts.tensor([-1.0, 2.0]))
    tensor([1., 2.])
    """
    return xp.abs(x)
abs.vjps(lambda g, _y, x: where(x > 0.0, g, where(x < 0.0, -g, 0.0)))

# ------------------------------------------------------------------------------------------------------------ bounds

@primitive
def maximum(xp: Any, x: Any, y: Any) -> Any:
    """Return the larger of the two, elementwise; a tie halves the gradient.

    >>> import tinygrad_seq as ts
    >>> ts.maximum(ts.tensor([1.0, 4.0]), 3.0)
    tensor([3., 4.])
    """
    return xp.maximum(x, y)
maximum.vjps(lambda g, _z, x, y: larger(g, x, y), lambda g, _z, x, y: larger(g, y, x))

@primitive
def minimum(xp: Any, x: Any, y: Any) -> Any:
    """Return the smaller of the two, elementwise; a tie halves the gradient.

    >>> import tinygrad_seq as ts
    >>> ts.minimum(ts.tensor([1.0, 4.0]), 3.0)
    tensor([1., 3.])
    """
    return xp.minimum(x, y)
minimum.vjps(lambda g, _z, x, y: larger(g, y, x), lambda g, _z, x, y: larger(g, x, y))


def larger(g: Any, x: Any, y: Any) -> Any:
    """Return g where x > y, half of it at a tie, and all of it where x or y is NaN."""
    return where(x < y, 0.0, where(x == y, g * 0.5, g))

@primitive
def clip(xp: Any, x: Any, *, low: float | None, high: float | None) -> Any:
    """Return x, held between low and high; None leaves that side open."""
    return x if low is None is high else xp.clip(x, low, high)  # NumPy 2.0 wants one of them


def clip_rule(g: Any, _y: Any, x: Any, low: float | None, high: float | None) -> Any:
    if low is not None:
        g = where(x >= low, g, 0.0)
    return g if high is None else where(x <= high, g, 0.0)
clip.vjps(clip_rule)
