"""Arguments of optimisers, schedules and clipping, checked at once: numbers that make sense, parameters that can learn.

Without these checks, a negative learning rate or a Tensor that is not a Parameter would train wrongly and silently.
"""

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.nn.module import Module, Parameter


def nonnegative(place: str, name: str, value: Any, below: float | None = math.inf) -> float:
    """Return a number from 0 up to `below` (None: inf too) as a Python float; NumPy's would widen float32 arrays."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{place}: {name} must be a number, got {value!r:.60}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not (found >= 0 and (below is None or found < below)):
        limit = "" if below is None else " and finite" if below == math.inf else f" and below {below:g}"
        raise ValueError(f"{place}: {name} must be at least 0{limit}, got {value!r:.60}")
    return found


def power(base: float, exponent: float) -> float:
    """Return base^exponent for a base of at least 0: inf where Python would raise an OverflowError."""
    try:
        return float(base**exponent)
    except OverflowError:
        return math.inf


def one_as_list(group: Any) -> Any:
    """Return a group whose "params" is one parameter as a group with a list of it; leave all else as it is."""
    alone = isinstance(group, dict) and isinstance(group.get("params"), Parameter)
    return group | {"params": [group["params"]]} if alone else group


def checked_parameters(place: str, parameters: Iterable[Parameter]) -> list[Parameter]:
    """Return the parameters as a list; raise for anything else."""
    if isinstance(parameters, Module):
        raise TypeError(f"{place}: pass the parameters of the {type(parameters).__name__}: module.parameters()")
    if isinstance(parameters, Value | dict | host.ndarray) or not isinstance(parameters, Iterable):
        raise TypeError(f"{place}: expected a list of parameters, got a single {type(parameters).__name__}")
    found = list(parameters)
    for i, parameter in enumerate(found):
        if not isinstance(parameter, Parameter):
            what = type(parameter).__name__
            if isinstance(parameter, Value) and parameter.node is not None and parameter.node.op is not None:
                what += f" that {parameter.node.op.name} made, which is not a leaf"
            raise TypeError(f"{place}: parameter {i} must be an nn.Parameter, got {what}")
    return found
