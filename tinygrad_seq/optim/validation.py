"""What the functions of this room are given: numbers that make sense, and parameters that can be trained.

A nonsense learning rate or a result in the place of a leaf would train on in silence; here both are said at once.
"""

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

from tinygrad_seq.engine.graph import Value
from tinygrad_seq.nn.module import Module, Parameter


def number(place: str, name: str, value: Any, below: float | None = math.inf) -> float:
    """A number from 0 up to `below` (None: inf too) as a Python float: a float64 would widen float32 parameters."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{place}: {name} must be a number, got {value!r}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not (found >= 0 and (below is None or found < below)):
        limit = "" if below is None else " and finite" if below == math.inf else f" and below {below:g}"
        raise ValueError(f"{place}: {name} must be at least 0{limit}, got {value!r}")
    return found


def trainable(place: str, parameters: Iterable[Parameter]) -> list[Parameter]:
    """The parameters as a list, each a Parameter and there once."""
    if isinstance(parameters, Module):
        raise TypeError(f"{place}: pass the parameters of the {type(parameters).__name__}: module.parameters()")
    if isinstance(parameters, Value) or not isinstance(parameters, Iterable):
        raise TypeError(f"{place}: expected a list of parameters, got a single {type(parameters).__name__}")
    found = list(parameters)
    for i, parameter in enumerate(found):
        if not isinstance(parameter, Parameter):
            what = type(parameter).__name__
            if isinstance(parameter, Value) and parameter.node is not None and parameter.node.op is not None:
                what += f" that {parameter.node.op.name} made, which is not a leaf"
            raise TypeError(f"{place}: parameter {i} must be an nn.Parameter, got {what}")
    if len({id(parameter) for parameter in found}) < len(found):
        twice = next(i for i, p in enumerate(found) if any(p is other for other in found[:i]))
        raise ValueError(f"{place}: parameter {twice} is there twice: it would be moved twice as far")
    return found
