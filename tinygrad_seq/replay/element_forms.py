"""How a call reads for one element of its result."""

from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.replay.tape import Equation

FORMS = {
    "add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "negative": "-{}",
    "tanh": "tanh({})", "exp": "exp({})", "log": "log({})", "sqrt": "math.sqrt({})", "absolute": "abs({})",
    "abs": "abs({})", "clip": "{0} if {0} != {0} else min(max({0}, {1}), {2})",
    "sin": "math.sin({})", "cos": "math.cos({})", "where": "{1} if {0} else {2}", "sign": "np.sign({})",
    "minimum": "{0} if {0} <= {1} or {0} != {0} else {1}", "maximum": "{0} if {0} >= {1} or {0} != {0} else {1}",
    "less": "{} < {}", "less_equal": "{} <= {}", "greater": "{} > {}", "greater_equal": "{} >= {}",
    "equal": "{} == {}", "not_equal": "{} != {}", "power": "{} ** {}", "astype": "{}", "logical_not": "not {}",
}  # fmt: skip
VIEWS = frozenset({"getitem", "reshape", "transpose", "swapaxes", "broadcast_to", "ascontiguousarray", "copy"})
WHOLE = frozenset({"dot", "sum", "concatenate"})


class NoElements(Exception):  # noqa: N818 (no error: the loop stays as it is)
    """Tell what in a loop has no form over elements."""


def kind_of(equation: Equation) -> str:
    """Return the name of a dtype in NumPy."""
    return str(equation.dtype.name).replace("bool", "bool_")


def is_kind(x: Any) -> bool:
    """Tell whether an argument is a dtype, not a value."""
    return isinstance(x, host.dtype | type | str)
