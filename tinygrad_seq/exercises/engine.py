"""Stop 0: the reader's own engine, which is to divide. Its values and gradients are compared with the library's."""

from collections.abc import Callable
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.backprop import grad
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.exercises.answer import Answer, Wrong, shown
from tinygrad_seq.exercises.compare import TRIALS, complaint, difference

Function = Callable[[Any, Any], Any]
EXPRESSIONS: dict[str, Function] = {  # division comes last, so that a complaint of it is about it
    "a + b": lambda a, b: a + b,
    "a * b": lambda a, b: a * b,
    "a @ b": lambda a, b: a @ b,
    "a.tanh() * b": lambda a, b: a.tanh() * b,
    "a / b": lambda a, b: a / b,
    "a / b + a": lambda a, b: a / b + a,
}
CAUSES: dict[tuple[str, str], dict[str, Function]] = {  # what usual mistakes give, by expression and argument
    ("a / b", "a"): {
        "The gradient of a / b by a is g / b.": lambda a, b: a / b,
        "It has to be divided by b, not multiplied.": lambda a, b: b + 0 * a,
    },
    ("a / b", "b"): {
        "The sign is wrong: as b grows, a / b becomes smaller.": lambda a, b: a / b**2,
        "b is squared in it: -g * a / (b * b).": lambda a, b: -a / b,
        "a is missing in it: -g * a / (b * b).": lambda a, b: -1 / b**2 + 0 * a,
        "This is the rule for a; the one for b is -g * a / (b * b).": lambda a, b: 1 / b + 0 * a,
    },
    ("a / b + a", "a"): {
        "Only one of two uses counts: terms for the same Tensor are added.": lambda a, b: 1 / b + 0 * a,
        "Only one of two uses counts, the sum: terms for the same Tensor are added.": lambda a, b: 1 + 0 * a * b,
    },
}
SHAPES = [((), ()), ((1, 1), (1, 1)), ((2, 2), (2, 2)), ((3, 3), (3, 3)), ((2, 3), (3,)), ((3, 1), (1, 2)), ((3,), ())]


def check(answer: Answer) -> str:
    """Return what is right about an engine: values and gradients of expressions, for shapes that broadcast."""
    make, worst = answer.function("Tensor", "value", wanted="class Tensor: with def __init__(self, value):"), 0.0
    for trial in range(TRIALS):
        generator, shapes = host.random.default_rng(trial), SHAPES[trial % len(SHAPES)]
        arrays = [generator.choice([-1.0, 1.0], shape) * generator.uniform(0.5, 2.0, shape) for shape in shapes]
        for name, expression in EXPRESSIONS.items():
            if "@" not in name or (len(shapes[0]) == 2 and shapes[0] == shapes[1]):
                worst = max(worst, compared(answer, make, name, expression, arrays))
    return f"values and gradients equal to the library's in {TRIALS} cases, largest difference {worst:.0e}"


def compared(answer: Answer, make: Callable[..., Any], name: str, expression: Function, arrays: list[Any]) -> float:
    """Return the largest difference in one expression: of its value, and of both gradients."""
    what = f"{name} with {' and '.join(f'{key} = {shown(array)}' for key, array in zip('ab', arrays))}"
    mine = [answer.call("Tensor(value)", make, array) for array in arrays]
    theirs = [tensor(array, requires_grad=True) for array in arrays]
    result, wanted = answer.call(what, expression, *mine), expression(*theirs)
    if getattr(result, "value", None) is None:
        raise Wrong(f"{what} returned {type(result).__name__}, which has no .value: return a Tensor.")
    answer.call(f"({what}).sum().backward()", lambda: result.sum().backward())
    found = [result.value, *(getattr(each, "grad", None) for each in mine)]
    targets = [wanted.numpy(), *(g.numpy() for g in grad(wanted.sum(), theirs))]
    titles = [f"The value of {what}", *(f"The gradient of ({what}) by {key}" for key in "ab")]
    for key, title, got, right in zip(" ab", titles, found, targets):
        if got is None:
            raise Wrong(f"{title} is None. Has the result {key} among its parents, with a rule?")
        if host.shape(got) != right.shape:
            hint = "sum over the axes that broadcasting repeated"
            raise Wrong(f"{title} has the shape {host.shape(got)}; wanted: {right.shape}. Does it {hint}?")
        if not difference(got, right) <= 1e-9:
            causes = CAUSES.get((name, key), {}).items()
            named = (why for why, gives in causes
                     if difference(got, summed(gives(*arrays), arrays["ab".index(key)])) < 1e-9)  # fmt: skip
            raise complaint(title, host.asarray(got), right, next(named, ""))
    return max(map(difference, found, targets))


def summed(gradient: Any, like: Any) -> Any:
    """Return a gradient, summed over what broadcasting repeated, in the shape of an argument."""
    x = tensor(like, requires_grad=True)
    return grad((x * tensor(gradient)).sum(), x).numpy()

