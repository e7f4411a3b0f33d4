"""Stops 9 and 10: programs over arrays. One may not know where its arrays live; one runs a graph with other numbers."""

from math import tanh
from types import ModuleType
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.exercises.answer import Answer, Wrong, array_of
from tinygrad_seq.exercises.compare import complaint, difference
from tinygrad_seq.exercises.stop import Arguments, Program, Stop

OPERATORS = (
    "add sub mul truediv floordiv mod pow matmul radd rsub rmul rtruediv rfloordiv rmod rpow neg abs lt le gt ge eq ne "
    "and or invert bool int float getitem setitem len"
)


class Elsewhere:
    """Hold an array as a GPU does: NumPy's functions are refused. Its own methods and operators give such arrays."""

    __array_ufunc__ = None

    def __init__(self, held: Any) -> None:
        self.held = held

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("NumPy was asked to compute with an array of another library: call the functions of xp")

    __array_function__ = __array__

    def __getattr__(self, name: str) -> Any:
        return elsewhere(getattr(self.held, name))


def elsewhere(value: Any) -> Any:
    """Return an array, a function that gives one, or a module of such, as one of another library."""
    if isinstance(value, host.ndarray | host.generic | ModuleType):
        return Elsewhere(value)
    if not callable(value) or isinstance(value, type):
        return value
    return lambda *given, **options: elsewhere(value(*here(given), **here(options)))


def here(value: Any) -> Any:
    """Return the arrays that are held, in lists, tuples and dicts, too."""
    if isinstance(value, dict):
        return {key: here(each) for key, each in value.items()}
    return type(value)(map(here, value)) if isinstance(value, list | tuple) else getattr(value, "held", value)


for method in (f"__{name}__" for name in OPERATORS.split()):
    setattr(Elsewhere, method, lambda self, *others, method=method: self.__getattr__(method)(*others))


def columns(trial: int, generator: Any) -> Arguments:
    """Return NumPy, and columns of unlike mean and deviation."""
    return {"xp": host, "x": generator.normal(3.0, 2.0, (3 + trial // 2, 3)) * host.array([1.0, 10.0, 0.1])}


def in_another_library(answer: Answer, function: Program, wanted: Any, trial: int) -> None:
    """Run it on arrays that NumPy cannot use; the library is a module whose functions do."""
    x = columns(trial, host.random.default_rng(trial))["x"]
    what = f"standardise(xp, x {x.shape}), xp being another library than NumPy,"
    found = answer.call(what, function, Elsewhere(host), Elsewhere(x))
    if found is not None and not isinstance(found, Elsewhere):
        raise Wrong(f"{what} returned an array of NumPy: compute with x, with operators and xp alone.")
    array = array_of(what, getattr(found, "held", None), x.shape, host.ndarray)
    if difference(array, wanted) > standardise.tolerance:
        raise complaint(what, array, wanted)


def recorded(trial: int, generator: Any) -> Arguments:
    """Return what a small recurrence has computed, and other numbers for its leaves."""
    names = ["w", "b", "s", *(f"x{t}" for t in range(1 + trial % 4))]
    before, after = generator.uniform(0.5, 1.5, (2, len(names))).round(2).tolist()
    w, b, s, *xs = (tensor(value, requires_grad=True).named(name) for name, value in zip(names, before))
    for x in xs:
        s = (w * s - x).tanh() / b
    return {"output": s, "values": dict(zip(names, after))}


def by_hand(_: Tensor, values: dict[str, float]) -> Any:
    """Return what the recurrence gives for these numbers."""
    w, b, s, *xs = values.values()
    for x in xs:
        s = tanh(w * s - x) / b
    return s


standardise = Stop(
    "standardise",
    "def standardise(xp, x): return (x - x.mean(axis=0)) / x.std(axis=0)",
    (
        ("std(axis=0)", "var(axis=0)", "This is divided by the variance: the root is missing."),
        ("axis=0", "", "Mean and deviation are of all numbers here: take them over axis 0, one for each column."),
        ("axis=0", "axis=1, keepdims=True", "Mean and deviation are of each row here: take them over axis 0."),
        ("std(axis=0)", "std(axis=0, ddof=1)", "This has n - 1 in the deviation: xp.std divides by n."),
        ("mean(axis=0)", "mean()", "The mean is of all numbers here: take it over axis 0, too."),
        ("std(axis=0)", "std()", "The deviation is of all numbers here: take it over axis 0, too."),
        ("(x - x.mean(axis=0))", "x", "The mean is not subtracted."),
        (" / x.std(axis=0)", "", "It is not divided by the deviation."),
    ),
    columns,
    "equal to (x - mean) / std on two array libraries",
    (host.ndarray,),
    1e-5,  # as many add a small number to the deviation
    extra_check=in_another_library,
)
run = Stop(
    "run",
    """
from tinygrad_seq.engine.graph import ancestors

def run(output, values):
    known = {}
    for node in ancestors([output.node]):
        if node.op is None:
            known[node] = values[node.name]
        else:
            known[node] = getattr(np, node.op.name)(*(known[parent] for parent in node.parents))
    return known[output.node]
""",
    (
        ("values[node.name]", "node.static['value']", "These are the numbers of the recorded run: read `values`."),
        ("in node.parents)", "in node.parents[::-1])", "The operands stand in the order of node.parents."),
        ("getattr(np, node.op.name)(", "(lambda *x: x[0] if len(x) == 1 else getattr(np, node.op.name)(*x))(",
         "The tanh is missing: every op counts."),
    ),
    recorded,
    "the graph gives what its formula gives",
    (float, int, host.number, host.ndarray),
    1e-5,  # a library may compute in float32
    by_hand,
)  # fmt: skip
