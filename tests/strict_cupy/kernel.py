"""A kernel of one's own, whose lines read the same in C++ and in Python."""

import re

import numpy as np

from strict_cupy.api import SCALARS
from strict_cupy.arrays import fresh, launched, ndarray, stored
from strict_cupy.device import counts

IN_CPP = {
    "float": np.float32, "double": np.float64, "pow": np.power, "abs": np.abs, "__builtins__": {},
    **{name: getattr(np, name) for name in ["exp", "log", "tanh", "sqrt", "sin", "cos", "where", "minimum", "maximum"]}}


class ElementwiseKernel:
    """A kernel of one's own. Its lines are assignments that read the same in C++ and in Python: NumPy computes them."""

    def __init__(self, in_params, out_params, operation, name="kernel", reduce_dims=True, preamble="", **options):
        self.takes, self.makes = ([(np.dtype(part.split()[0]), part.split()[1]) for part in parts.split(", ")]
                                  for parts in (in_params, out_params))
        self.lines = [line.strip() for line in operation.split(";") if line.strip()]
        for line in self.lines:
            if not re.fullmatch(r"(const (float|double|bool) )?\w+ = [\w .+*/<>=!&|(),-]+", line):
                raise ValueError(f"the double computes assignments only, not {line!r}")

    def __call__(self, *args):
        given, outs = args[:len(self.takes)], args[len(self.takes):]
        if len(given) < len(self.takes) or len(outs) not in (0, len(self.makes)):
            raise TypeError("Wrong number of arguments for 'kernel'")
        values = {}
        for (dtype, name), value in zip(self.takes, given):
            if type(value) is not ndarray and type(value) not in SCALARS:
                raise TypeError(f"Unsupported type {type(value)}")
            if type(value) is ndarray and value.dtype != dtype:
                raise TypeError(f"Type is mismatched. {name} {value.dtype} {dtype}")
            values[name] = value._host if type(value) is ndarray else dtype.type(value)
        launched(*args)
        shape = np.broadcast_shapes(*(np.shape(value) for value in values.values()))
        with np.errstate(all="ignore"):
            for line in self.lines:
                left, _, right = line.partition(" = ")
                kind, name = ([None, *left.split()[-2:]])[-2:]
                made = np.asarray(eval(right, IN_CPP, values))
                dtype = IN_CPP.get(kind, bool) if kind else dict(map(reversed, self.makes))[name]
                if made.dtype != dtype:
                    raise TypeError(f"{name} is {made.dtype}, declared as {dtype}")  # C++ would cast in silence
                values[name] = made
        made = [np.broadcast_to(values[name], shape) for _, name in self.makes]
        for out, x in zip(outs, made):
            stored(x, out, "no")
        counts["kernels"] -= len(outs)  # it is the same one
        made = outs or tuple([fresh(x.copy()) for x in made])
        return made if len(made) > 1 else made[0]
