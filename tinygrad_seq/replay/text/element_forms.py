"""How a call reads for one element of its result."""

from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.replay.trace.tape import Equation

SAME = {  # in Python and in C++
    "add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "negative": "-{}",
    "tanh": "tanh({})", "exp": "exp({})", "log": "log({})", "absolute": "abs({})", "abs": "abs({})",
}  # fmt: skip
COMPARED = {
    "less": "{} < {}", "less_equal": "{} <= {}", "greater": "{} > {}", "greater_equal": "{} >= {}",
    "equal": "{} == {}", "not_equal": "{} != {}",
}  # fmt: skip
BOOLS = {"bitwise_and": "{} & {}", "bitwise_or": "{} | {}", "invert": "{} == 0"}
FORMS = SAME | COMPARED | BOOLS | {
    "clip": "{0} if {0} != {0} else min(max({0}, {1}), {2})", "sign": "np.sign({})", "sqrt": "math.sqrt({})",
    "sin": "math.sin({})", "cos": "math.cos({})", "where": "{1} if {0} else {2}", "power": "{} ** {}",
    "minimum": "{0} if {0} <= {1} or {0} != {0} else {1}", "maximum": "{0} if {0} >= {1} or {0} != {0} else {1}",
    "astype": "{}", "logical_not": "not {}", "isfinite": "math.isfinite({})",
}  # fmt: skip
VIEWS = frozenset({"getitem", "reshape", "transpose", "broadcast_to", "ascontiguousarray", "copy"})
MAKERS = frozenset({"zeros", "ones", "full", "arange"})
REDUCED = {  # how one more element is taken in
    "sum": "{0} + {1}", "all": "{0} and {1} != 0", "any": "{0} or {1} != 0",
    "max": "{1} if {1} > {0} or {1} != {1} else {0}", "min": "{1} if {1} < {0} or {1} != {1} else {0}",
}  # fmt: skip
PRODUCTS = frozenset({"dot", "matmul"})
WHOLE = frozenset({*PRODUCTS, "concatenate", "stack", "with_added", "with_item", "argmax", *REDUCED})  # in memory
OWN_MATH = frozenset({"exp", "log", "tanh"})  # that of vector_math, in one dtype


class NoElements(Exception):  # noqa: N818 (no error: the loop stays as it is)
    """Tell what in a loop has no form over elements."""


def without_form(equation: Equation) -> str:
    """Return what a call is that has no form over elements, nothing for one that has."""
    function, options = equation.function, equation.options
    known = function in FORMS or function in VIEWS or function in MAKERS or function in WHOLE
    if not known or not options.keys() <= ({"axis", "keepdims"} if function in WHOLE else set()):
        return function
    if equation.dtype is None or equation.dtype.name not in ("float32", "float64", "bool", "int64", "int32"):
        return f"{function} in {equation.dtype}"
    return "invert of integers" if function == "invert" and equation.dtype != bool else ""


def start_of(function: str, dtype: Any) -> str:
    """Return what a reduction of elements starts from, as text."""
    if function in ("sum", "all", "any"):
        return str(int(function == "all"))
    if dtype.kind not in "fi":
        raise NoElements(f"{function} in {dtype}")
    limits = host.iinfo(dtype) if dtype.kind == "i" else None
    least, most = (limits.min, limits.max) if limits else ("-np.inf", "np.inf")
    return str(most if function == "min" else least)


def kind_of(equation: Equation) -> str:
    """Return the name of a dtype in NumPy."""
    return str(equation.dtype.name).replace("bool", "bool_")


def is_kind(x: Any) -> bool:
    """Tell whether an argument is a dtype, not a value."""
    return isinstance(x, host.dtype | type | str)
