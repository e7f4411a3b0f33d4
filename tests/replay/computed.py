"""What equations and loops compute, one after the other."""

import importlib
from functools import partial

import numpy as np

loops, tape = (importlib.import_module(f"tinygrad_seq.replay.{name}") for name in ("passes.loops", "trace.tape"))
Equation, Ref, Local, Carried, Item = tape.Equation, tape.Ref, loops.Local, loops.Carried, loops.Item


def value_of(equation, args):
    if equation.function == "getitem":
        return args[0][args[1]]
    return getattr(np, equation.function)(*args)


def computed(statements, values):
    """The values of statements, by their numbers."""
    values = dict(values)
    read = lambda x: values[x.number] if isinstance(x, Ref) else x
    for statement in statements:
        if isinstance(statement, Equation):
            values[statement.made] = value_of(statement, values_in(statement.args, read))
            continue
        before = {i: values[number] for i, number in statement.starts.items()}
        for t in range(statement.count):
            now = []
            for i, equation in enumerate(statement.body):
                now.append(value_of(equation, values_in(equation.args, partial(at_step, t, now, before, values))))
                values[statement.made[i][t]] = now[i]
            before = dict(enumerate(now))
    return values


def values_in(args, read):
    """Arguments of a call; those in a tuple, too, but for an index."""
    return [[read(part) for part in x] if isinstance(x, tuple) and not has_slices(x) else read(x) for x in args]


def has_slices(x):
    return any(isinstance(part, slice) for part in x)


def at_step(t, now, before, values, x):
    """What a loop reads in one of its steps."""
    if isinstance(x, Local | Carried):
        return (now if isinstance(x, Local) else before)[x.position]
    if isinstance(x, Item):
        return values[x.numbers[t]]
    if isinstance(x, loops.Part):
        at = x.at.start + t * x.at.step if isinstance(x.at, loops.Moving) else x.at
        return values[x.whole.number][at]
    return values[x.number] if isinstance(x, Ref) else x
