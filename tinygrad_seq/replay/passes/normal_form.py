"""Bring every call of a tape to one spelling: NumPy has several ways to say the same, and the passes know only one.

    xp.swapaxes(x, -1, -2), x.T                 x.transpose((1, 0))
    x.squeeze(), x.reshape(-1, 3)               x.reshape((2, 3))
    x.sum(-1), xp.sum(x, axis=1)                x.sum(axis=(1,))
    xp.concatenate((x, y), axis=-1)             xp.concatenate((x, y), 1)
    xp.stack((x, y), 1)                         xp.stack((x, y), 0).transpose((1, 0))
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tinygrad_seq.engine.backend import modules
from tinygrad_seq.replay.passes.rewriting import PLAIN
from tinygrad_seq.replay.trace.tape import Equation, Ref, Tape, read_by

CLIPPED = ("a_min", "a_max"), ("min", "max")  # what the bounds are called
REDUCED: dict[str, tuple[str, ...]] = dict.fromkeys(("mean", "prod", "sum"), ("axis", "dtype", "out", "keepdims"))
REDUCED |= dict.fromkeys(("all", "any", "argmax", "argmin", "max", "min"), ("axis", "out", "keepdims"))
RESHAPED = ("expand_dims", "ravel", "reshape", "squeeze")


def normal_form(tape: Tape) -> Iterator[Equation]:
    """Yield the equations of a tape in their normal form."""
    shapes, dtypes = tape.shapes(), tape.dtypes()
    constants: dict[Any, Ref] = {}

    def constant(x: Any, dtype: Any) -> Any:
        """Return a number of NumPy as a constant, where it is of that dtype."""
        if type(x) not in modules or x.dtype != dtype:
            return x
        key = repr(x.item()), dtype  # 0.0 is not -0.0, and NaN is no other
        if key not in constants:
            constants[key] = Ref(tape.new())
            tape.constants[tape.count - 1] = tape.xp.asarray(x)
        return constants[key]

    for equation in tape.equations:
        shapes[equation.made], dtypes[equation.made] = equation.shape, equation.dtype
        if equation.function in PLAIN and any(type(x) in modules for x in equation.args):
            if is_wider(equation, [getattr(dtypes[n], "name", "") for n in read_by(equation)]):
                equation = replace(equation, args=tuple([constant(x, equation.dtype) for x in equation.args]))
        elif equation.function in ("concatenate", "stack"):
            yield from joined(equation, tape)
            continue
        elif equation.args and isinstance(equation.args[0], Ref):
            equation = spelled(equation, len(shapes[equation.args[0].number]))
        yield equation


def is_wider(equation: Equation, dtypes: list[str]) -> bool:
    """Tell whether a number of NumPy gives the result another dtype than one of Python would beside these arrays.

    That is float32 beside ints or bools, and float64 beside float32.
    """
    own = equation.dtype.name
    return own not in dtypes and (own == "float32" or (own == "float64" and "float32" in dtypes))


def joined(equation: Equation, tape: Tape) -> Iterator[Equation]:
    """Yield a join with its axis as args[1]; a stack is along the first one, and then turned."""
    parts, axis, rank = equation.args[0], (*equation.args, *equation.options.values(), 0)[1], len(equation.shape)
    if type(axis) is not int or not equation.options.keys() <= {"axis"}:
        yield equation
        return
    axis %= rank
    if axis == 0 or equation.function == "concatenate":
        yield replace(equation, args=(parts, axis), options={})
        return
    shape = equation.shape[axis], *equation.shape[:axis], *equation.shape[axis + 1 :]
    yield Equation(made := tape.new(), "stack", (parts, 0), {}, shape, equation.dtype)
    order = *range(1, axis + 1), 0, *range(axis + 1, rank)
    yield replace(equation, function="transpose", args=(Ref(made), order), options={})


def spelled(equation: Equation, rank: int) -> Equation:
    """Return a call on an array of that rank as it is said in the normal form."""
    function, (x, *given), options = equation.function, equation.args, equation.options
    if function in RESHAPED and options.keys() <= {"axis", "shape"}:
        return replace(equation, function="reshape", args=(x, equation.shape), options={})
    if function in ("swapaxes", "transpose"):
        order = turned(function, [*given, *options.values()], rank)
        return replace(equation, function="transpose", args=(x, order), options={})
    if function == "clip" and options:
        bounds = [next((options[name] for name in pair if name in options), None) for pair in zip(*CLIPPED)]
        return replace(equation, args=(x, *given, *bounds[len(given) :]), options={})
    if function in REDUCED:
        named = dict(zip(REDUCED[function], given)) | options
        named = {name: option for name, option in named.items() if option is not None and option is not False}
        if "axis" in named:
            axes = named["axis"] if isinstance(named["axis"], tuple) else (named["axis"],)
            named["axis"] = tuple([axis % rank for axis in axes])
        return replace(equation, args=(x,), options=named)
    return equation


def turned(function: str, given: list[Any], rank: int) -> tuple[int, ...]:
    """Return the order of axes that a call asks for."""
    order = [*range(rank)]
    if function == "swapaxes":
        a, b = given
        order[a], order[b] = order[b], order[a]
        return tuple(order)
    axes = given[0] if len(given) == 1 and not isinstance(given[0], int) else given or None
    return tuple(order[::-1] if axes is None else [axis % rank for axis in axes])
