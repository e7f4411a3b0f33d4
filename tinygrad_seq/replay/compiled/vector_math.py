"""exp, log and tanh for compiled loops: without a branch or a call, so that LLVM computes many elements at once.

Whole powers of two are taken out, with `ln 2` in two parts, of which the first has so few bits that its multiples are
exact (Cody and Waite); what is left is small, and its Taylor series short. So exp and log are within 2 units in the
last place and tanh within 3, denormal numbers included; ±0, ±inf and NaN are exact. The arithmetic must not be
reordered: the functions keep their own flags, whatever those of the loop are.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from numba import njit, types
from numba.extending import intrinsic

from tinygrad_seq.engine.backend import host

ln2 = Fraction("0.69314718055994530941723212145817656807550013436025")
TWINS: dict[Any, Any] = {types.float32: types.uint32, types.float64: types.uint64}
TWINS |= {integer: number for number, integer in TWINS.items()}
vectorised = njit(forceinline=True, error_model="numpy", fastmath={"contract"})


def reinterpreted(context: Any, x: Any) -> Any:
    """Say for Numba's compiler how a float is read as an int of the same bits, or an int as a float."""
    return TWINS[x](x), lambda context, builder, signature, args: builder.bitcast(
        args[0], context.get_value_type(signature.return_type)
    )


same_bits: Any = intrinsic(reinterpreted)


@lru_cache
def functions(dtype: Any) -> SimpleNamespace:
    """Return exp, log and tanh for compiled code, which compute in "float32" or "float64"."""
    number: Callable[[Any], Any] = host.dtype(dtype).type
    info = host.finfo(dtype)
    whole = host.dtype(f"uint{info.bits}").type
    zero, half, one, two, inf, nan = map(number, (0.0, 0.5, 1.0, 2.0, math.inf, math.nan))
    fraction, bias = info.nmant, info.maxexp - 1  # a float is (bias + exponent) << fraction | bits of its fraction
    shift, bias_bits = whole(fraction), whole(bias << fraction)
    to_last_bits = number(1.5 * 2**fraction + bias)  # added to n, the bits end in those of n + bias
    above_root = bias_bits - number(math.sqrt(0.5)).view(whole)
    high = Fraction(round(ln2 * 2 ** (fraction // 2)), 2 ** (fraction // 2))
    ln2_high, ln2_low, per_ln2 = number(high), number(ln2 - high), number(1 / ln2)
    lowest, highest = number(math.log(info.smallest_subnormal) - 1), number(math.log(info.max) + 1)
    normal, lifted, lift = info.smallest_normal, number(2**fraction), number(fraction)
    flat = number(-64)  # e ** -64 is nothing beside 1
    terms = 7 if info.bits == 32 else 13
    exp_series = tuple(number(1 / math.factorial(k)) for k in range(terms, 1, -1))
    log_series = tuple(number(2 / k) for k in range(2 * terms - 3, 1, -2))

    @vectorised
    def power_of_two(n: Any) -> Any:
        """Return 2 ** n for a whole n, by its exponent bits."""
        return same_bits(whole(same_bits(n + to_last_bits) << shift))

    @vectorised
    def split(x: Any) -> Any:
        """Return n and y with e ** x = 2 ** n (1 + y), and |y| < 1/2."""
        n = host.rint(x * per_ln2)
        x = x - n * ln2_high - n * ln2_low
        y = zero
        for coefficient in exp_series:
            y = y * x + coefficient
        return n, x + x * x * y

    @vectorised
    def exp(x: Any) -> Any:
        x = number(x)
        x = lowest if x < lowest else x
        n, y = split(highest if x > highest else x)
        first = host.floor(n * half)  # in two halves: 2 ** n alone may be out of range
        return (one + y) * power_of_two(first) * power_of_two(n - first)

    @vectorised
    def tanh(x: Any) -> Any:
        x = number(x)
        x2 = -two * abs(x)
        n, y = split(flat if x2 < flat else x2)
        scale = power_of_two(n)
        below = scale * y + (scale - one)  # e ** -2|x| - 1
        return math.copysign(below / (below + two), x)

    @vectorised
    def log(x: Any) -> Any:
        x = number(x)
        is_small = x < normal
        bits = same_bits(x * lifted if is_small else x)
        exponent = whole(bits + above_root) >> shift
        m = same_bits(whole(bits + bias_bits - (exponent << shift)))  # from √½ to √2
        n = number(exponent) - number(bias) - (lift if is_small else zero)
        s = (m - one) / (m + one)
        y = zero
        for coefficient in log_series:
            y = y * (s * s) + coefficient
        result = n * ln2_high + (n * ln2_low + (two * s + s * (s * s) * y))
        result = result if x < inf else x
        return result if x > zero else (-inf if x == zero else nan)

    return SimpleNamespace(exp=exp, log=log, tanh=tanh)
