"""Stop 9: a program that may not know where its arrays live, run on NumPy, and on arrays that NumPy cannot use."""

from collections.abc import Callable, Iterator
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.exercises.answer import Answer, Wrong, array_of
from tinygrad_seq.exercises.compare import Case, Stop

OPERATORS = "add sub mul truediv pow matmul radd rsub rmul rtruediv neg abs getitem len"


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
    """Return an array, or a function that gives one, as one of another library."""
    if isinstance(value, host.ndarray | host.generic):
        return Elsewhere(value)
    if not callable(value) or isinstance(value, type):
        return value
    return lambda *given, **options: elsewhere(value(*[getattr(each, "held", each) for each in given], **options))


class Library:
    """Be the module that computes on such arrays."""

    def __getattr__(self, name: str) -> Any:
        return elsewhere(getattr(host, name))


for method in (f"__{name}__" for name in OPERATORS.split()):
    setattr(Elsewhere, method, lambda self, *others, method=method: self.__getattr__(method)(*others))


def standardise_cases(answer: Answer, standardise: Callable[..., Any], trial: int, generator: Any) -> Iterator[Case]:
    """Yield columns of unlike mean and deviation, in both libraries."""
    x = generator.normal(3.0, 2.0, (3 + trial // 2, 3)) * host.array([1.0, 10.0, 0.1])
    centred, spread = x - x.mean(0), x.std(0)
    causes = {
        "This is divided by the variance: the root is missing.": centred / x.var(0),
        "Mean and deviation are of all numbers here: take them over axis 0, one for each column.":
            (x - x.mean()) / x.std(),
        "Mean and deviation are of each row here: take them over axis 0.":
            (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True),
        "This has n - 1 in the deviation: xp.std divides by n.": centred / x.std(0, ddof=1),
        "The mean is of all numbers here: take it over axis 0, too.": (x - x.mean()) / spread,
        "The mean is not subtracted.": x / spread,
        "It is not divided by the deviation.": centred,
    }  # fmt: skip
    for xp, given, which in ((host, x.copy(), "NumPy"), (Library(), Elsewhere(x.copy()), "another library")):
        what = f"standardise(xp, x {x.shape}) with xp = {which}"
        found = answer.call(what, standardise, xp, given)
        if which != "NumPy" and found is not None and not isinstance(found, Elsewhere):
            raise Wrong(f"{what} returned an array of NumPy: compute with x, with operators and xp alone.")
        yield Case(what, array_of(what, getattr(found, "held", found), x.shape, host.ndarray), centred / spread, causes)


standardise = Stop("standardise", ("xp", "x"), standardise_cases, "equal to (x - mean) / std on two array libraries")
