"""One check for the exercises: a right program, random arguments, and usual mistakes as edits of the right program.

The reader's function and the right one are called with the same arguments; values have to agree, and gradients by
whatever learns. Where they do not, each edit is tried: the one that gives the reader's numbers is the reader's mistake.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_seq.checks.gradcheck import as_list
from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.backprop import grad
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.exercises.answer import Answer, Wrong, array_of, list_of, numbers_in, shown
from tinygrad_seq.exercises.compare import TRIALS, complaint, difference
from tinygrad_seq.nn.module import Module

Program = Callable[..., Any]
Arguments = dict[str, Any]


class Stop(NamedTuple):
    """Hold an exercise."""

    name: str
    source: str  # a right program
    mistakes: tuple[tuple[str, str, str], ...]  # (a text of the program, what stands there instead, what to say)
    arguments: Callable[[int, Any], Arguments]  # of the trial and its random generator
    right: str  # what to say of a right answer
    kinds: tuple[type, ...] = (Tensor,)  # of the results
    tolerance: float = 1e-9
    reference: Program | None = None  # the library's function that gives what is wanted; None: `source` gives it
    extra_check: Callable[[Answer, Program, Any, int], None] | None = None  # beside values and gradients

    def program(self, old: str = "", new: str = "") -> Program:
        """Return the function that the source, or an edit of it, defines."""
        space: dict[str, Any] = {}
        header = "import numpy as np\nimport tinygrad_seq as ts\n"
        exec(header + (self.source.replace(old, new) if old else self.source), space)
        found: Program = space[self.name]
        return found

    def given(self, trial: int) -> Arguments:
        """Return the arguments of a trial, made anew."""
        return self.arguments(trial, host.random.default_rng(trial))

    def check(self, answer: Answer) -> str:
        """Return what is right about an answer; raise Wrong if something is wrong."""
        names = ", ".join(self.given(0))
        wanted = f"@ts.primitive above def {self.name}(xp, {names}):" if "@ts.primitive" in self.source else ""
        function = answer.function(self.name, *self.given(0), wanted=wanted)
        worst = max(self.compared(answer, function, trial) for trial in range(TRIALS))
        return f"{self.right} in {TRIALS} cases, largest difference {worst:.0e}"

    def compared(self, answer: Answer, function: Program, trial: int) -> float:
        """Return the largest difference in one trial, of values and gradients."""
        mine, theirs = self.given(trial), self.given(trial)
        what = f"{self.name}({', '.join(f'{key} = {shown(value)}' for key, value in mine.items())})"
        found = answer.call(what, function, *mine.values())
        wanted = (self.reference or self.program())(*theirs.values())
        many = isinstance(wanted, list | tuple)
        results = list_of(what, found, len(wanted)) if many else [found]
        values, differences = listed(wanted), []
        for i, (result, value) in enumerate(zip(results, values)):
            title = f"{what}[{i}]" if many else what
            if many and result is None:
                raise Wrong(f"{title} is None. A .grad is None where no gradient came: is requires_grad=True missing?")
            array = array_of(title, result, value.shape, *self.kinds)
            differences.append(difference(array, value))
            if not differences[-1] <= self.tolerance:
                raise complaint(title, array, value, self.cause(trial, listed(found), None, function))
        if any(difference(a, b) for a, b in zip(arrays_in(mine), arrays_in(self.given(trial)))):
            raise Wrong(f"{what} changed the arrays that it was given: return new ones, a = a * b, not a *= b.")
        slopes = answer.call(f"The gradient of {what}", gradients, found, mine)
        weights = ", ".join(map(shown, upstream_gradients(found)))
        for name, slope in gradients(wanted, theirs).items():
            title = f"The gradient of {what} by {name}, where that of the result is {weights},"
            if slopes.get(name) is None and slope.any():
                hint = ".numpy() or .detach() cuts it off, ts.grad lacks create_graph=True, or no rule is declared"
                raise Wrong(f"{what} has the right value, but {name} gets no gradient: {hint}.")
            got = slopes.get(name, 0.0 * slope)
            differences.append(difference(got, slope))
            if not differences[-1] <= self.tolerance:
                raise complaint(title, got, slope, self.cause(trial, got, name, function))
        if self.extra_check is not None:
            self.extra_check(answer, function, wanted, trial)
        return max(differences)

    def cause(self, trial: int, found: Any, name: str | None, function: Program) -> str:
        """Return the mistake that gives these numbers, and rather one that gives all that the function does.

        The numbers are values, or the gradient by an argument. Of a short sequence several mistakes may give the same.
        """
        likely = ""
        for old, new, why in self.mistakes:
            arguments = self.given(trial)
            try:
                edit = self.program(old, new)
                result = edit(*arguments.values())
                same = listed(result) if name is None else gradients(result, arguments)[name]
                pairs = zip(found, same, strict=True) if name is None else [(found, same)]
                if all(difference(a, b) <= self.tolerance for a, b in pairs):
                    likely = likely or why
                    if self.agree(function, edit):
                        return why
            except Exception:  # this mistake cannot be made with arguments of these shapes
                continue
        return likely

    def agree(self, mine: Program, theirs: Program) -> bool:
        """Return whether two programs give the same values in all trials."""
        for trial in range(TRIALS):
            try:
                pairs = zip(*(listed(each(*self.given(trial).values())) for each in (mine, theirs)), strict=True)
                if not all(difference(a, b) <= self.tolerance for a, b in pairs):
                    return False
            except Exception:  # as in `cause`
                continue
        return True


def listed(result: Any) -> list[Any]:
    """Return the numbers of one result, or of several, as a list of arrays."""
    return [numbers_in(each) for each in as_list(result)]


def arrays_in(arguments: Arguments) -> list[Any]:
    """Return the arrays among some arguments, and in their lists."""
    return [each for value in arguments.values() for each in as_list(value) if isinstance(each, host.ndarray)]


def upstream_gradients(result: Any) -> list[Any]:
    """Return a gradient for each result: random numbers with one decimal."""
    generator = host.random.default_rng(0)
    return [host.asarray(generator.normal(size=numbers.shape)).round(1) for numbers in listed(result)]


def gradients(result: Any, arguments: Arguments) -> dict[str, Any]:
    """Return the gradient of weighted results by every parameter of a model, or else by every argument that learns."""
    learned = {key: value for key, value in arguments.items() if isinstance(value, Tensor) and value.requires_grad}
    for model in (value for value in arguments.values() if isinstance(value, Module)):
        learned = dict(model.named_parameters())
    outputs = [y for y in as_list(result) if isinstance(y, Tensor) and y.requires_grad]
    if not outputs or not learned:
        return {}
    found = grad(outputs, list(learned.values()), upstream_gradients(outputs), retain_graph=True, allow_unused=True)
    return {key: g.numpy() for key, g in zip(learned, found) if g is not None}
