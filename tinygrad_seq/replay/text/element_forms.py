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
VIEWS = frozenset({"getitem", "reshape", "transpose", "swapaxes", "broadcast_to", "ascontiguousarray", "copy"})
MAKERS = frozenset({"zeros", "ones", "full", "arange"})
REDUCED = {"sum": ("0", "{0} + {1}"), "max": ("-np.inf", "{1} if {1} > {0} or {1} != {1} else {0}")}  # start, next
WHOLE = frozenset({"dot", "concatenate", "stack", "with_added", "with_item", *REDUCED})  # in memory
OWN_MATH = frozenset({"exp", "log", "tanh"})  # that of vector_math, in one dtype


class NoElements(Exception):  # noqa: N818 (no error: the loop stays as it is)
    """Tell what in a loop has no form over elements."""


def without_form(equation: Equation) -> str:
    """Return what a call is that has no form over elements, nothing for one that has."""
    function, options = equation.function, equation.options
    known = function in FORMS or function in VIEWS or function in MAKERS or function in WHOLE
    if not known or not options.keys() <= ({"axis", "keepdims"} if function in REDUCED else set()):
        return function
    if equation.dtype is None or equation.dtype.name not in ("float32", "float64", "bool", "int64", "int32"):
        return f"{function} in {equation.dtype}"
    if function == "invert" and equation.dtype != bool:
        return "invert of integers"
    return "max of integers" if function == "max" and equation.dtype.kind != "f" else ""


def kind_of(equation: Equation) -> str:
    """Return the name of a dtype in NumPy."""
    return str(equation.dtype.name).replace("bool", "bool_")


def is_kind(x: Any) -> bool:
    """Tell whether an argument is a dtype, not a value."""
    return isinstance(x, host.dtype | type | str)
